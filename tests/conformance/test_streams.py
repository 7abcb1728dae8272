"""What becomes of streams that break: before the first token another try, after it an error that keeps what came."""

from __future__ import annotations

import traceback

import pytest

from llmgate.errors import ConnectionFailed, ProviderError, StreamBroken

from .roads import KEY, Gate


@pytest.fixture
def started(gate: Gate) -> tuple[bytes, ...]:
    """The events of a stream up to its first token, without it."""
    return gate.wire.text.events[: gate.wire.begun]


@pytest.fixture
def begun(gate: Gate) -> tuple[bytes, ...]:
    """The events of a stream up to its first token."""
    return gate.wire.text.events[: gate.wire.begun + 1]


def test_a_stream_cut_before_its_first_token_is_tried_again(gate: Gate, started: tuple[bytes, ...]) -> None:
    gate.upstream.say(*started, broken=True)
    gate.upstream.say(*gate.wire.text.events)
    streamed = gate.stream("Hello?", retries=1)
    assert streamed.pieces == list(gate.wire.pieces)
    assert streamed.reply is not None
    assert [a.outcome for a in streamed.reply.attempts] == ["failed", "answered"]
    assert streamed.reply.attempts[0].reason is not None
    assert streamed.reply.attempts[0].reason.startswith("ConnectionFailed")


def test_a_stream_cut_before_its_first_token_falls_back(gate: Gate, started: tuple[bytes, ...]) -> None:
    gate.upstream.say(*started, broken=True)
    gate.upstream.say(*gate.wire.text.events)
    streamed = gate.stream("Hello?", model="again")
    assert streamed.pieces == list(gate.wire.pieces)
    assert streamed.reply is not None
    assert streamed.reply.target == f"{gate.provider.id}:another-model"
    assert [a.outcome for a in streamed.reply.attempts] == ["failed", "answered"]


def test_a_stream_refused_before_its_first_token_falls_back(gate: Gate) -> None:
    gate.upstream.say(gate.wire.error(529, "too much"), status=529)
    gate.upstream.say(*gate.wire.text.events)
    streamed = gate.stream("Hello?", model="again")
    assert streamed.reply is not None
    assert streamed.reply.target == f"{gate.provider.id}:another-model"


def test_a_stream_cut_after_its_first_token_breaks(gate: Gate, begun: tuple[bytes, ...]) -> None:
    gate.upstream.say(*begun, broken=True)
    error, streamed = gate.broken("Hello?", retries=2, model="again")
    assert streamed.pieces == [gate.wire.pieces[0]]
    assert error.partial.text == gate.wire.pieces[0]
    assert error.partial.stop_reason == "other"
    assert error.provider == gate.provider.id
    assert isinstance(error.__cause__, ConnectionFailed)
    assert error.__cause__.__cause__ is not None
    assert len(gate.upstream.sent) == 1
    assert [a.outcome for a in error.attempts] == ["failed"]


def test_a_stream_that_just_ends_is_no_answer(gate: Gate, begun: tuple[bytes, ...]) -> None:
    gate.upstream.say(*begun)
    error, streamed = gate.broken("Hello?")
    assert error.partial.text == gate.wire.pieces[0]
    assert streamed.reply is None


def test_a_stream_that_ends_within_an_event_is_no_answer(gate: Gate, begun: tuple[bytes, ...]) -> None:
    gate.upstream.say(*begun, gate.wire.text.events[len(begun)][:-40])
    error, _streamed = gate.broken("Hello?")
    assert error.partial.text == gate.wire.pieces[0]


def test_a_stream_that_ends_before_its_first_token_is_no_answer(gate: Gate, started: tuple[bytes, ...]) -> None:
    gate.upstream.say(*started)
    with pytest.raises(ProviderError) as caught:
        gate.stream("Hello?")
    assert not isinstance(caught.value, StreamBroken)


def test_an_error_stated_within_a_stream_breaks_it(gate: Gate, begun: tuple[bytes, ...]) -> None:
    stated = b"data: %b\n\n" % gate.wire.error(529, f"too much, suddenly, with {KEY}")
    if gate.provider.dialect == "anthropic_messages":
        stated = b"event: error\n" + stated
    gate.upstream.say(*begun, stated)
    error, _streamed = gate.broken("Hello?")
    assert error.partial.text == gate.wire.pieces[0]
    assert "too much, suddenly" in str(error)
    if gate.provider.auth != "none" and not gate.road.sdk:
        assert KEY not in " ".join(traceback.format_exception(error))
