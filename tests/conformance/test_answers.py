"""What every provider's answers become, whichever road they take."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from llmgate.chat import Message, Text, Tool, ToolResult
from llmgate.errors import Unsupported

from .roads import KEY, Gate
from .wires import ANSWER

SIGNS = {
    "bearer": ("authorization", f"Bearer {KEY}"),
    "x-api-key": ("x-api-key", KEY),
    "x-goog-api-key": ("x-goog-api-key", KEY),
    "api-key": ("api-key", KEY),
}
WEATHER = Tool("get_weather", "The weather", {"type": "object", "properties": {"city": {"type": "string"}}})


class City(BaseModel):
    name: str
    population: int


def test_a_question_is_answered(gate: Gate) -> None:
    gate.upstream.say(gate.wire.text.body, content_type="application/json")
    reply = gate.chat("Hello?", max_tokens=300)
    assert reply.text == "".join(gate.wire.pieces)
    assert reply.stop_reason == gate.wire.stop
    assert reply.target is not None
    assert reply.target.startswith(f"{gate.provider.id}:")
    assert [a.outcome for a in reply.attempts] == ["answered"]
    (sent,) = gate.upstream.sent
    assert gate.wire.said(sent.body) == ["Hello?"]
    assert gate.wire.limit(sent.body, gate.provider.quirks) == 300
    if gate.road.sdk:  # signed as the SDK does
        assert any(KEY in value for value in sent.headers.values())
    elif gate.provider.auth in SIGNS:
        name, value = SIGNS[gate.provider.auth]
        assert sent.headers[name] == value
    else:
        assert KEY not in json.dumps(sent.headers)
    for name, value in gate.provider.headers.items():
        assert sent.headers[name] == value
    if not gate.road.sdk:
        assert sent.url.startswith(gate.provider.url or "-")


def test_a_system_message_is_one(gate: Gate) -> None:
    gate.upstream.say(gate.wire.text.body)
    gate.chat([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}])
    (sent,) = gate.upstream.sent
    assert gate.wire.system(sent.body) == "Be brief."
    assert gate.wire.said(sent.body) == ["Hello?"]


def test_a_stream_brings_the_same_reply_in_pieces(gate: Gate) -> None:
    gate.upstream.say(gate.wire.text.body)
    whole = gate.chat("Hello?")
    gate.upstream.say(*gate.wire.text.events, content_type="text/event-stream")
    streamed = gate.stream("Hello?")
    assert streamed.pieces == list(gate.wire.pieces)
    reply = streamed.reply
    assert reply is not None
    assert reply.message == whole.message
    assert (reply.stop_reason, reply.usage, reply.target) == (whole.stop_reason, whole.usage, whole.target)
    assert (reply.id, reply.model, reply.cost_usd) == (whole.id, whole.model, whole.cost_usd)


def test_the_cut_of_a_stream_does_not_matter(gate: Gate) -> None:
    stream = b"".join(gate.wire.text.events)
    gate.upstream.say(*(stream[n : n + 7] for n in range(0, len(stream), 7)))
    assert "".join(gate.stream("Hello?").pieces) == "".join(gate.wire.pieces)


def test_tools_are_called_in_parallel_and_answered(gate: Gate) -> None:
    if not gate.provider.quirks.tools:
        pytest.skip(f"{gate.provider.id} calls no tools")
    gate.upstream.say(gate.wire.calls.body)
    asked = gate.chat("Weather?", tools=[WEATHER])
    assert asked.stop_reason == "tool_calls"
    assert [(c.name, c.args) for c in asked.tool_calls] == list(gate.wire.called)
    assert len({c.id for c in asked.tool_calls}) == len(asked.tool_calls)
    assert gate.wire.tools(gate.upstream.sent[0].body) == ["get_weather"]

    gate.upstream.say(gate.wire.text.body)
    results = [
        Message("tool", [ToolResult(call.id, [Text(f"sunny {n}")], name=call.name)])
        for n, call in enumerate(asked.tool_calls)
    ]
    turns = [Message("user", [Text("Weather?")]), asked.message, *results]
    reply = gate.chat(turns, tools=[WEATHER])
    assert reply.text == "".join(gate.wire.pieces)
    told = gate.wire.results(gate.upstream.sent[1].body)
    assert [f"sunny {n}" in json.dumps(result) for n, result in enumerate(told)] == [True] * len(results)


def test_parallel_calls_stream(gate: Gate) -> None:
    if not gate.provider.quirks.tools:
        pytest.skip(f"{gate.provider.id} calls no tools")
    gate.upstream.say(gate.wire.calls.body)
    whole = gate.chat("Weather?", tools=[WEATHER])
    gate.upstream.say(*gate.wire.calls.events)
    reply = gate.stream("Weather?", tools=[WEATHER]).reply
    assert reply is not None
    assert [(c.id, c.name, c.args, c.extra) for c in reply.tool_calls] == [
        (c.id, c.name, c.args, c.extra) for c in whole.tool_calls
    ]
    assert (reply.text, reply.reasoning, reply.usage) == (whole.text, whole.reasoning, whole.usage)
    assert reply.stop_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_fits_the_schema(gate: Gate, stream: bool) -> None:
    gate.upstream.say(*(gate.wire.answer.events if stream else [gate.wire.answer.body]))
    if not gate.provider.quirks.json_schema:
        with pytest.raises(Unsupported, match="output"):
            gate.chat("Paris?", schema=City)
        assert gate.upstream.sent == []
        pytest.skip(f"{gate.provider.id} has no schema-constrained output, and says so before any call")
    reply = gate.stream("Paris?", schema=City).reply if stream else gate.chat("Paris?", schema=City)
    assert reply is not None
    assert reply.parsed == City.model_validate_json(ANSWER)
    asked = gate.wire.schema(gate.upstream.sent[0].body)
    assert set(asked["properties"]) == {"name", "population"}


def test_usage_buckets_sum(gate: Gate) -> None:
    gate.upstream.say(gate.wire.text.body)
    usage = gate.chat("Hello?").usage
    assert usage is not None
    assert usage.total == gate.wire.tokens
    assert min(usage.input, usage.output) > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_answer_says_so(gate: Gate, stream: bool) -> None:
    gate.upstream.say(*(gate.wire.length.events if stream else [gate.wire.length.body]))
    reply = gate.stream("Hello?").reply if stream else gate.chat("Hello?")
    assert reply is not None
    assert reply.stop_reason == "length"
    assert reply.text == "".join(gate.wire.pieces)
