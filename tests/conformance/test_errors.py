"""What every provider's errors become: by status and code, with what a caller needs to act, without the key."""

from __future__ import annotations

import traceback

import pytest

from llmgate.errors import (
    ConnectionFailed,
    ContextTooLong,
    GateError,
    Overloaded,
    ProviderError,
    RateLimited,
)

from .roads import KEY, Gate
from .wires import STATUSES

HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def met(gate: Gate, stream: bool) -> ProviderError:
    """The error that a call meets."""
    with pytest.raises(ProviderError) as caught:
        gate.stream("Hello?") if stream else gate.chat("Hello?")
    assert caught.value.provider == gate.provider.id
    assert [a.outcome for a in caught.value.attempts] == ["failed"]
    return caught.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_an_error_of_its_class(gate: Gate, status: int, stream: bool) -> None:
    body = gate.wire.error(status, "no, thank you")
    headers = {gate.wire.request_id: "req-7", "content_type": "application/json", "retry_after": "7"}
    gate.upstream.say(body, status=status, **headers)
    error = met(gate, stream)
    assert type(error) is STATUSES[status]
    assert error.status == status
    assert error.request_id == "req-7"
    assert error.retry_after == 7.0
    assert "no, thank you" in str(error)
    assert error.retryable is issubclass(STATUSES[status], RateLimited | Overloaded)
    assert error.attempts[0].status == status
    if gate.road.sdk:  # the SDK's own error
        assert error.__cause__ is not None
        assert type(error.__cause__).__module__.startswith(("openai", "anthropic", "google.genai"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_too_long_is_known_by_its_code(gate: Gate, stream: bool) -> None:
    if gate.wire.context is None:
        pytest.skip(f"{gate.provider.dialect} has no structured code for a prompt that is too long")
    status, body = gate.wire.context
    gate.upstream.say(body, status=status)
    assert type(met(gate, stream)) is ContextTooLong


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_is_never_shown(gate: Gate, stream: bool) -> None:
    if gate.road.sdk and gate.provider.id == "gemini":
        pytest.skip("a genai.Client tells nobody its key, so it cannot be taken out of what Google says")
    if gate.provider.auth == "none":
        pytest.skip(f"{gate.provider.id} is sent no key")
    gate.upstream.say(gate.wire.error(401, f"wrong key {KEY}!"), status=401)
    error = met(gate, stream)
    assert "wrong key [key]!" in str(error)
    told = [repr(error), str(error), repr(error.attempts)]
    if not gate.road.sdk:  # what an SDK's own error says, the SDK says
        told.extend(traceback.format_exception(error))
    assert KEY not in " ".join(told)


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("stream", [False, True])
def test_a_key_is_not_shown_from_a_page(gate: Gate, stream: bool, status: int) -> None:
    if gate.road.sdk or gate.provider.auth == "none":
        pytest.skip("the key is the SDK's, or there is none")
    gate.upstream.say(f"<html>you sent {KEY}</html>".encode(), status=status, content_type="text/html")
    error = met(gate, stream)
    assert "you sent [key]" in str(error)
    assert KEY not in " ".join(traceback.format_exception(error))


@pytest.mark.parametrize("stream", [False, True])
def test_an_html_page_is_no_answer(gate: Gate, stream: bool) -> None:
    gate.upstream.say(HTML, content_type="text/html; charset=utf-8")
    error = met(gate, stream)
    assert type(error) is ProviderError
    assert "<!DOCTYPE html>" in str(error)
    if not (stream and _typed(gate)):
        assert "text/html" in str(error)
    assert error.status == 200
    assert error.retryable


@pytest.mark.parametrize("stream", [False, True])
def test_an_html_page_of_an_error_keeps_its_status(gate: Gate, stream: bool) -> None:
    gate.upstream.say(HTML, status=502, content_type="text/html")
    error = met(gate, stream)
    assert type(error) is Overloaded
    assert error.status == 502
    assert "text/html" in str(error)
    assert "<!DOCTYPE html>" in str(error)


@pytest.mark.parametrize("stream", [False, True])
def test_an_empty_body_is_no_answer(gate: Gate, stream: bool) -> None:
    gate.upstream.say(content_type="application/json")
    error = met(gate, stream)
    assert type(error) is ProviderError
    assert "empty body" in str(error)


def test_half_a_json_text_is_no_answer(gate: Gate) -> None:
    body = gate.wire.text.body
    gate.upstream.say(body[: len(body) // 2], content_type="application/json")
    error = met(gate, stream=False)
    assert type(error) is ProviderError
    assert "application/json" in str(error)
    assert body[:20].decode() in str(error).replace('\\"', '"')
    assert isinstance(error.__cause__, ValueError)


@pytest.mark.parametrize("stream", [False, True])
def test_another_type_of_content_is_no_answer(gate: Gate, stream: bool) -> None:
    gate.upstream.say(b"upstream is fine", content_type="text/plain")
    error = met(gate, stream)
    assert type(error) is ProviderError
    assert "upstream is fine" in str(error)
    if not (stream and _typed(gate)):
        assert "text/plain" in str(error)


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_breaks_before_the_answer(gate: Gate, stream: bool) -> None:
    gate.upstream.say(broken=True)
    error = met(gate, stream)
    assert type(error) is ConnectionFailed
    assert error.retryable
    assert error.__cause__ is not None


def test_all_errors_are_of_one_family(gate: Gate) -> None:
    gate.upstream.say(b'{"surprise": [1, null]}')
    with pytest.raises(GateError):
        gate.chat("Hello?")
    gate.upstream.say(b'data: {"candidates": 5, "choices": 5, "type": 5}\n\n')
    with pytest.raises(GateError):
        gate.stream("Hello?")


def _typed(gate: Gate) -> bool:
    """Whether the SDK reads the stream itself, so that the headers of one that it cannot read are lost."""
    return gate.road.sdk and gate.provider.id == "gemini"
