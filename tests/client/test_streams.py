"""Streams: text as it comes, fallback before the first token only, nothing short that passes for whole."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate import AllTargetsFailed, Client, ConnectionFailed, GateError, Overloaded, ProviderError, StreamBroken
from llmgate.chat import Finished, Started, TextDelta, UsageUpdate
from llmgate.transport.mock import MockTransport

from .gates import JSON, MODEL, SSE, Upstream, chunks, config, error, reply, stream

Make = Any


async def test_text_comes_in_pieces_and_the_reply_is_whole(gate: Make) -> None:
    up = Upstream(a=stream("Hel", "lo"))
    texts, got = await gate(config("a"), up).stream()
    assert texts == ["Hel", "lo"]
    assert (got.text, got.target, got.stop_reason) == ("Hello", f"a:{MODEL}", "stop")
    assert got.usage is not None
    assert got.usage.output == 2
    assert got.attempts[-1].outcome == "answered"
    assert up.body()["stream"] is True


async def test_a_streamed_reply_equals_the_whole_one(gate: Make) -> None:
    _, streamed = await gate(config("a"), Upstream(a=stream("hello"))).stream()
    whole = await gate(config("a"), Upstream(a=reply("hello"))).chat()
    assert (streamed.message, streamed.stop_reason, streamed.model) == (whole.message, whole.stop_reason, whole.model)


@pytest.mark.parametrize(
    "first",
    [
        error(503),
        ConnectionFailed("refused"),
        (200, SSE, []),
        (200, SSE, chunks(done=False, finish=False)),
        (200, {"content-type": "text/html"}, b"<html>oops</html>"),
        (200, SSE, [*chunks(done=False, finish=False), b'data: {"error": {"message": "overloaded", "code": 503}}\n\n']),
    ],
    ids=["503", "refused", "empty", "cut before text", "html", "error event"],
)
async def test_fallback_before_the_first_token(gate: Make, first: Any) -> None:
    up = Upstream(a=first, b=stream("from ", "b"))
    texts, got = await gate(config("a", "b"), up).stream()
    assert "".join(texts) == got.text == "from b"
    assert [a.outcome for a in got.attempts] == ["failed", "answered"]


@pytest.mark.parametrize(
    "tail",
    [
        [],
        [b"data: {not json\n\n"],
        [b'data: {"error": {"message": "boom", "type": "server_error", "code": null}}\n\n'],
    ],
    ids=["cut", "garbage", "error event"],
)
async def test_after_the_first_token_it_is_stream_broken_with_the_partial_reply(gate: Make, tail: list[bytes]) -> None:
    body = [*chunks("so ", "far", done=False, finish=False), *tail]
    up = Upstream(a=(200, SSE, body), b=stream("never"))
    seen: list[str] = []
    with pytest.raises(StreamBroken) as caught:
        await gate(config("a", "b"), up).stream(seen=seen)
    assert seen == ["so ", "far"]
    assert caught.value.partial.text == "so far"
    assert caught.value.partial.target == f"a:{MODEL}"
    assert caught.value.attempts[-1].outcome == "failed"
    assert up.hosts == ["a"]


async def test_a_connection_lost_in_the_middle_keeps_its_cause(gate: Make) -> None:
    def lost() -> Any:
        yield from chunks("one", done=False, finish=False)
        raise ConnectionFailed("reset by peer")

    with pytest.raises(StreamBroken) as caught:
        await gate(config("a"), Upstream(a=(200, SSE, lost()))).stream()
    assert isinstance(caught.value.__cause__, ConnectionFailed)
    assert caught.value.provider == "a"


async def test_events_in_order(gate: Make) -> None:
    g = gate(config("a"), Upstream(a=stream("x")))
    events = []
    if g.asynchronous:
        async with g.client.stream("hi") as answer:
            async for event in answer:
                events.append(event)
    else:
        with g.client.stream("hi") as answer:
            events = list(answer)
    assert [type(e) for e in events] == [Started, TextDelta, Finished, UsageUpdate]


async def test_all_targets_failing_before_a_token(gate: Make) -> None:
    with pytest.raises(AllTargetsFailed):
        await gate(config("a", "b"), Upstream(a=error(500), b=(200, SSE, []))).stream()


async def test_a_whole_json_answer_to_a_stream_is_an_error_that_says_so(gate: Make) -> None:
    with pytest.raises(ProviderError, match="application/json"):
        await gate(config("a"), Upstream(a=(200, JSON, reply()[2]))).stream()


async def test_hooks_hear_of_streams(gate: Make) -> None:
    told: list[Any] = []
    g = gate(config("a"), Upstream(a=[stream("x"), error(500)]), hooks=[told.append])
    await g.stream()
    with pytest.raises(Overloaded):
        await g.stream()
    assert told[0].stream
    assert told[0].first_token is not None
    assert told[0].reply.text == "x"
    assert isinstance(told[1].error, Overloaded)


def test_the_reply_is_not_to_be_had_before_the_end_and_closing_drops_the_connection() -> None:
    up = Upstream(a=stream("one", "two"))
    client = Client(config("a"), transport=MockTransport(up))
    with client.stream("hi") as answer:
        assert next(iter(answer.text)) == "one"
        with pytest.raises(GateError, match="not at its end"):
            _ = answer.reply
        assert answer.partial is not None
        connection = answer._connection
    assert connection is None or connection.closed


def test_a_stream_may_be_iterated_without_with() -> None:
    client = Client(config("a"), transport=MockTransport(Upstream(a=stream("one", "two"))))
    answer = client.stream("hi")
    assert "".join(answer.text) == "onetwo"
    assert answer.reply.text == "onetwo"


async def test_a_last_event_without_its_blank_line_still_counts(gate: Make) -> None:
    body = chunks("whole")
    body[-1] = body[-1].rstrip(b"\n")
    texts, got = await gate(config("a"), Upstream(a=(200, SSE, body))).stream()
    assert texts == ["whole"]
    assert got.stop_reason == "stop"
