"""What a call does: the reply and its story, retries, fallback, keys, cooldown; the same for both clients."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from llmgate import (
    AllTargetsFailed,
    AuthenticationFailed,
    Client,
    ConfigError,
    ConnectionFailed,
    ContentRefused,
    Image,
    InvalidRequest,
    Message,
    ModelUnavailable,
    Overloaded,
    PolicyDenied,
    ProviderError,
    RateLimited,
    Text,
    Timeout,
    Tool,
    Unsupported,
)
from llmgate.client import AsyncClient

from .gates import JSON, MODEL, Upstream, config, error, reply

Make = Any


async def test_a_reply_tells_its_story(gate: Make) -> None:
    up = Upstream(a=reply("hello"))
    got = await gate(config("a"), up).chat("hi", temperature=0.5, max_tokens=7)
    assert (got.text, got.target, got.model, got.stop_reason) == ("hello", f"a:{MODEL}", "m", "stop")
    assert got.usage is not None
    assert got.usage.total == 14
    assert got.cost_usd is None
    assert got.terms.verdict == "permitted"
    [attempt] = got.attempts
    assert (attempt.outcome, attempt.target, attempt.decision) == ("answered", f"a:{MODEL}", got.terms.id)
    assert up.requests[0].url == "http://a/v1/chat/completions"
    assert up.body()["temperature"] == 0.5
    assert up.body()["max_tokens"] == 7


async def test_messages_as_string_objects_and_dicts_are_the_same_on_the_wire(gate: Make) -> None:
    up = Upstream(a=reply())
    g = gate(config("a"), up)
    await g.chat("hi")
    await g.chat([Message("user", [Text("hi")])])
    await g.chat([{"role": "user", "content": "hi"}])
    assert up.requests[0].body == up.requests[1].body == up.requests[2].body


async def test_fallback_goes_on_in_order_and_attempts_say_why(gate: Make) -> None:
    up = Upstream(a=error(503), b=ConnectionFailed("refused"), c=reply("third"))
    got = await gate(config("a", "b", "c"), up).chat()
    assert got.text == "third"
    assert [(a.target[0], a.outcome, a.status) for a in got.attempts] == [
        ("a", "failed", 503),
        ("b", "failed", None),
        ("c", "answered", None),
    ]
    assert "Overloaded" in str(got.attempts[0].reason)


async def test_a_single_target_raises_its_own_error(gate: Make) -> None:
    with pytest.raises(Overloaded) as caught:
        await gate(config("a"), Upstream(a=error(529, headers={"request-id": "req-7"}))).chat()
    assert (caught.value.status, caught.value.provider, caught.value.request_id) == (529, "a", "req-7")
    assert [a.outcome for a in caught.value.attempts] == ["failed"]


async def test_all_targets_failed_is_a_group_of_what_each_met(gate: Make) -> None:
    with pytest.raises(AllTargetsFailed) as caught:
        await gate(config("a", "b"), Upstream(a=error(500), b=error(401))).chat()
    assert [type(e) for e in caught.value.exceptions] == [Overloaded, AuthenticationFailed]
    assert len(caught.value.attempts) == 2
    assert isinstance(caught.value, ExceptionGroup)


async def test_retries_the_same_target_and_honours_retry_after(gate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgate.routing.call.backoff", lambda _n: 0.001)
    up = Upstream(a=[error(503), error(429, headers={"retry-after": "0.01"}), reply("at last")])
    got = await gate(config("a", route={"retries": 2}), up).chat()
    assert got.text == "at last"
    assert [a.status for a in got.attempts] == [503, 429, None]


async def test_a_long_retry_after_means_the_next_target(gate: Make) -> None:
    up = Upstream(a=error(429, headers={"retry-after": "3600"}), b=reply("b"))
    got = await gate(config("a", "b", route={"retries": 5}), up).chat()
    assert got.text == "b"
    assert up.hosts == ["a", "b"]


async def test_a_retry_after_beyond_the_time_left_is_not_waited_for(gate: Make) -> None:
    with pytest.raises(RateLimited) as caught:
        await gate(
            config("a", route={"retries": 5, "timeout": "1s"}), Upstream(a=error(429, headers={"retry-after": "60"}))
        ).chat()
    assert caught.value.retry_after == 60


async def test_an_invalid_request_is_not_retried(gate: Make) -> None:
    up = Upstream(a=error(400, "bad"))
    with pytest.raises(InvalidRequest):
        await gate(config("a", route={"retries": 3}), up).chat()
    assert len(up.requests) == 1


async def test_refused_content_is_not_shopped_around(gate: Make) -> None:
    up = Upstream(a=error(400, "content_filter"), b=reply())
    with pytest.raises(ContentRefused):
        await gate(config("a", "b"), up).chat()
    assert up.hosts == ["a"]


async def test_context_overflow_goes_to_a_longer_context(gate: Make) -> None:
    """groq's Llama and openai's gpt-5.5: the short one is skipped after an overflow, the longer one is asked."""
    tables = {
        "default": "r",
        "policy": {"use": ["research"], "unknown": "allow", "conditional": "allow"},
        "providers": {p: {"url": f"http://{p}/v1", "api_key": "env:K"} for p in ("mistral", "openai", "groq")},
        "routes": {
            "r": {
                "targets": ["groq:gpt-oss-120b", "groq:gpt-oss-20b", "openai:gpt-5.5"],
                "retries": 0,
            }
        },
    }
    up = Upstream(groq=error(400, "context_length_exceeded"), openai=reply("long"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K", "key")
        got = await gate(tables, up).chat()
    assert got.text == "long"
    assert up.hosts == ["groq", "openai"]
    assert [a.outcome for a in got.attempts] == ["failed", "skipped", "answered"]


async def test_a_failing_target_cools_down(gate: Make) -> None:
    up = Upstream(a=error(500), b=reply("b"))
    g = gate(config("a", "b"), up)
    await g.chat()
    got = await g.chat()
    assert up.hosts == ["a", "b", "b"]
    assert got.attempts[0].outcome == "skipped"
    assert "rests for" in str(got.attempts[0].reason)


async def test_a_cooling_target_is_tried_when_nothing_else_is_left(gate: Make) -> None:
    g = gate(config("a"), Upstream(a=[error(500), reply("back")]))
    with pytest.raises(Overloaded):
        await g.chat()
    assert (await g.chat()).text == "back"


async def test_keys_rotate(gate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("K1", "K2", "K3"):
        monkeypatch.setenv(name, f"secret-{name}")
    tables = config("a", a={"api_keys": ["env:K1", "env:K2", "env:K3"]})
    up = Upstream(a=[error(401), error(429), reply("third key"), reply("again")])
    g = gate(tables, up)
    got = await g.chat()
    assert got.text == "third key"
    assert up.keys() == ["secret-K1", "secret-K2", "secret-K3"]
    await g.chat()
    assert up.keys()[3] == "secret-K3"
    assert "secret" not in repr(got)


async def test_a_dead_key_alone_is_still_an_error_of_its_own(gate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K1", "sk-very-secret")
    up = Upstream(a=error(403, text="key sk-very-secret may not"))
    with pytest.raises(AuthenticationFailed) as caught:
        await gate(config("a", a={"api_key": "env:K1"}), up).chat()
    assert "sk-very-secret" not in str(caught.value)
    assert "[key]" in str(caught.value)


async def test_targets_without_a_key_are_skipped_and_named(gate: Make) -> None:
    tables = config("a")
    tables["routes"]["r"]["targets"].insert(0, "openai:gpt-5.5")
    got = await gate(tables, Upstream(a=reply())).chat()
    assert got.attempts[0].outcome == "skipped"
    assert got.attempts[0].reason == "no key: set OPENAI_API_KEY"


async def test_a_missing_key_is_an_error_when_asked_for_by_name(gate: Make) -> None:
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
        await gate(config("a"), Upstream(a=reply())).chat(model="openai:gpt-5.5")


async def test_a_denied_target_is_never_called(gate: Make) -> None:
    tables = config("a", "b")
    tables["routes"]["r"]["targets"][0] = "a:c4ai-command-r-plus-08-2024"
    up = Upstream(a=reply(), b=reply("b"))
    got = await gate(tables, up).chat()
    assert up.hosts == ["b"]
    assert got.attempts[0].outcome == "denied"
    assert "CC-BY-NC-4.0" in str(got.attempts[0].reason)


async def test_policy_denied_carries_the_decisions(gate: Make) -> None:
    tables = config("a")
    tables["routes"]["r"]["targets"] = ["a:c4ai-command-r-plus-08-2024"]
    with pytest.raises(PolicyDenied, match=r"CC-BY-NC-4\.0") as caught:
        await gate(tables, Upstream(a=reply())).chat()
    [decision] = caught.value.decisions
    assert decision.verdict == "prohibited"


async def test_a_call_can_only_narrow_policy(gate: Make) -> None:
    g = gate(config("a"), Upstream(a=reply()))
    assert (await g.chat(use=["train-on-outputs"])).terms.uses.keys() == {"commercial", "train-on-outputs"}
    tables = config("a")
    tables["policy"] = {"use": ["commercial"], "annual_revenue_usd": 5_000_000}
    tables["routes"]["r"]["targets"] = ["a:stable-diffusion-3.5-large"]
    with pytest.raises(PolicyDenied):
        await gate(tables, Upstream(a=reply())).chat(facts={"annual_revenue_usd": "1k"})


async def test_report_mode_records_what_it_would_have_denied(gate: Make) -> None:
    tables = config("a")
    del tables["policy"]
    tables["routes"]["r"]["targets"] = ["a:c4ai-command-r-plus-08-2024"]
    with pytest.warns(UserWarning, match=r"no \[policy\] table"):
        got = await gate(tables, Upstream(a=reply("served"))).chat()
    assert got.text == "served"
    assert "would deny" in str(got.attempts[0].reason)


async def test_retired_models_are_not_called(gate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    tables = {"policy": {"use": ["commercial"]}, "routes": {"r": {"targets": ["openai:gpt-3.5-turbo"]}}}
    with pytest.raises(ModelUnavailable, match=r"retired on 20\d\d-\d\d-\d\d"):
        await gate(tables, Upstream()).chat()
    with pytest.raises((ModelUnavailable, ConfigError)):
        await gate(config("a"), Upstream()).chat(model="alphacode")


class Answer(pydantic.BaseModel):
    city: str
    people: int


class Struct(msgspec.Struct):
    city: str
    people: int


@pytest.mark.parametrize("schema", [Answer, Struct])
async def test_structured_output_is_parsed(gate: Make, schema: type[Any]) -> None:
    up = Upstream(a=reply('{"city": "Paris", "people": 2}'))
    got = await gate(config("a"), up).chat(schema=schema)
    assert got.parsed == schema(city="Paris", people=2)
    sent = up.body()["response_format"]["json_schema"]
    assert sent["schema"]["required"] == ["city", "people"]
    assert sent["strict"] is True


async def test_an_answer_that_does_not_fit_the_schema_is_an_error(gate: Make) -> None:
    with pytest.raises(ProviderError, match="does not fit the schema"):
        await gate(config("a"), Upstream(a=reply("certainly!"))).chat(schema=Answer)


async def test_tools_and_calls(gate: Make) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    up = Upstream(a=reply("", tool_calls=[call]))
    got = await gate(config("a"), up).chat(tools=[Tool("add")], tool_choice="add")
    [made] = got.tool_calls
    assert (made.id, made.name, made.args) == ("c1", "add", {"a": 1})
    assert up.body()["tool_choice"]["function"]["name"] == "add"


async def test_provider_options_reach_only_their_provider(gate: Make) -> None:
    up = Upstream(a=error(500), b=reply())
    await gate(config("a", "b"), up).chat(provider_options={"b": {"priority": 3}})
    assert "priority" not in up.body(0)
    assert up.body(1)["priority"] == 3


async def test_an_image_for_models_of_text_alone_is_refused_before_any_call(gate: Make) -> None:
    up = Upstream(a=reply())
    image = Message("user", [Image(b"\x89PNG", media_type="image/png")])
    with pytest.raises(Unsupported, match="takes text"):
        await gate(config("a"), up).chat([image])
    assert not up.requests


@pytest.mark.parametrize(
    ("headers", "body", "says"),
    [
        ({"content-type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>", "<html>"),
        (JSON, b"", "an empty body"),
        (JSON, b'{"id": "x", "choices": [', '{"id"'),
        ({"content-type": "text/plain"}, b"ok", "text/plain"),
    ],
)
async def test_what_is_no_reply_is_a_provider_error_with_its_first_bytes(
    gate: Make, headers: dict[str, str], body: bytes, says: str
) -> None:
    for status in (200, 502):
        with pytest.raises(ProviderError) as caught:
            await gate(config("a"), Upstream(a=(status, headers, body))).chat()
        assert says in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"temprature": 1}, 'did you mean "temperature"'),
        ({"model": "chta"}, "there is no route or model"),
        ({"model": "a:"}, "names no model"),
        ({"use": ["comercial"]}, 'did you mean "commercial"'),
        ({"facts": {"establised": "DE"}}, 'did you mean "established"'),
        ({"facts": {"established": "Germany"}}, "two letters"),
        ({"schema": 3}, "schema is a pydantic model"),
        ({"tools": [3]}, "a tool is a Tool or a dict"),
        ({"tool_choice": 3}, "tool_choice is"),
    ],
)
async def test_wrong_arguments_are_one_clear_line(gate: Make, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await gate(config("a"), Upstream(a=reply())).chat(**arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_text_that_is_no_unicode_is_one_clear_line(gate: Make) -> None:
    with pytest.raises(ConfigError, match="no Unicode"):
        await gate(config("a"), Upstream(a=reply())).chat("half a pair: \ud800")


@pytest.mark.parametrize("messages", [[], [3], [{"role": "robot", "content": "x"}], [{"content": "x"}]])
async def test_wrong_messages(gate: Make, messages: Any) -> None:
    with pytest.raises(ConfigError):
        await gate(config("a"), Upstream(a=reply())).chat(messages)


async def test_cost_is_exact_and_unknown_is_not_zero(gate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    tables = {
        "policy": {"use": ["commercial"]},
        "providers": {"openai": {"url": "http://a/v1"}},
        "routes": {"r": {"targets": ["openai:gpt-5.5"]}},
    }
    g = gate(tables, Upstream(a=reply()))
    offer = g.client.config.registry.offer("openai", "gpt-5.5")
    got = await g.chat()
    assert got.cost_usd == (offer.price.input * 10 + offer.price.output * 4) / Decimal(1_000_000)


async def test_hooks_are_told_and_can_not_break_a_call(gate: Make) -> None:
    told: list[Any] = []

    def bad(_call: Any) -> None:
        raise RuntimeError("mine")

    g = gate(config("a"), Upstream(a=[reply(), error(500)]), hooks=[bad, told.append])
    got = await g.chat()
    with pytest.raises(Overloaded):
        await g.chat()
    first, second = told
    assert (first.reply, first.error, first.stream) == (got, None, False)
    assert (second.reply, type(second.error)) == (None, Overloaded)
    assert first.id != second.id


async def test_the_call_timeout_ends_retries(gate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgate.routing.call.backoff", lambda _n: 0.05)
    with pytest.raises((Timeout, Overloaded, AllTargetsFailed)) as caught:
        await gate(config("a", route={"retries": 20}), Upstream(a=error(503))).chat(timeout=0.2)
    assert 1 <= len(caught.value.attempts) <= 6


@pytest.mark.parametrize("strategy", ["cheapest", "fastest", "weighted"])
async def test_strategies_answer(gate: Make, strategy: str) -> None:
    tables = config("a", "b", route={"strategy": strategy})
    up = Upstream(a=reply("a"), b=reply("b"))
    g = gate(tables, up)
    assert {(await g.chat()).text for _ in range(12)} <= {"a", "b"}
    if strategy == "fastest":
        assert {"a", "b"} == set(up.hosts)


async def test_weighted_never_chooses_a_weight_of_zero_first(gate: Make) -> None:
    tables = config("a", "b", route={"strategy": "weighted", "weights": [0, 1]})
    up = Upstream(a=reply("a"), b=reply("b"))
    g = gate(tables, up)
    assert {(await g.chat()).text for _ in range(12)} == {"b"}


def test_the_two_clients_have_the_same_names_and_arguments() -> None:
    import inspect

    def face(cls: type[Any]) -> dict[str, list[str]]:
        return {
            n: list(inspect.signature(m).parameters)
            for n, m in inspect.getmembers(cls, inspect.isfunction)
            if not n.startswith("_")
        }

    assert face(Client) == face(AsyncClient)


@pytest.mark.parametrize("messages", [None, 3, b"hi"])
async def test_messages_of_a_wrong_kind(gate: Make, messages: Any) -> None:
    with pytest.raises(ConfigError, match="messages are a string"):
        await gate(config("a"), Upstream(a=reply())).chat(messages)


async def test_a_timeout_may_be_written_as_in_the_config(gate: Make) -> None:
    assert (await gate(config("a"), Upstream(a=reply())).chat(timeout="5s")).text == "hello"
