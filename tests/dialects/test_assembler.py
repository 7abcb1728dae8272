"""Assembler, events_of and assemble: a reply and its events say the same."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from llmgate.chat import (
    Assembler,
    Event,
    Finished,
    Image,
    Message,
    Opaque,
    PartAdded,
    PartExtra,
    Reasoning,
    ReasoningDelta,
    Reply,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageUpdate,
    assemble,
    events_of,
)

from . import strategies as s

extras = st.none() | st.dictionaries(s.names(), s.json_objects(), min_size=1, max_size=2)


@st.composite
def any_reply(draw: st.DrawFn) -> Reply:
    """A reply with parts of every kind, some with extras, opaque ones among them."""
    kinds: dict[str, st.SearchStrategy[object]] = dict(s.PARTS)
    kinds["opaque"] = st.builds(
        Opaque, st.just("other"), s.json_objects().map(lambda o: msgspec.Raw(msgspec.json.encode(o)))
    )
    reply = draw(s.replies(kinds))
    for part in reply.message.content:
        if not isinstance(part, Opaque):
            part.extra = draw(extras)  # type: ignore[union-attr]
    return reply


def frozen(events: list[Event]) -> bytes:
    return msgspec.json.encode(events)


@given(any_reply())
def test_events_of_is_undone_by_assemble(reply: Reply) -> None:
    assert assemble(events_of(reply)) == reply


@given(s.event_streams(any_reply(), interleave=True))
def test_however_the_events_are_cut(stream: tuple[Reply, list[Event]]) -> None:
    reply, events = stream
    assert assemble(events) == reply


@given(s.event_streams(any_reply()))
def test_the_events_stay_as_they_were(stream: tuple[Reply, list[Event]]) -> None:
    _reply, events = stream
    before = frozen(events)
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
        assembler.reply()
    assert frozen(events) == before
    assert assembler.reply() == assembler.reply()


@given(s.event_streams())
def test_a_partial_reply_at_every_point(stream: tuple[Reply, list[Event]]) -> None:
    reply, events = stream
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
        partial = assembler.reply()
        assert reply.text.startswith(partial.text)
        assert assembler.finished == isinstance(event, Finished)
        if not assembler.finished:
            assert partial.stop_reason == "other"
    assert assembler.reply() == reply


def test_extras_merge_and_lists_grow() -> None:
    cites = [{"url": "a"}]
    events: list[Event] = [
        TextDelta(0, "x"),
        PartExtra(0, {"d": {"cites": cites, "sig": "1"}}),
        PartExtra(0, {"d": {"cites": [{"url": "b"}], "sig": "2"}, "e": 1}),
    ]
    (part,) = assemble(events).message.content
    assert part == Text("x", {"d": {"cites": [{"url": "a"}, {"url": "b"}], "sig": "2"}, "e": 1})
    assert cites == [{"url": "a"}]


def test_an_extra_may_come_before_its_part() -> None:
    extra = {"d": {"signature": "s"}}
    assert assemble([PartExtra(0, extra), ReasoningDelta(0, "hm")]).message.content == [Reasoning("hm", extra)]
    call = [PartExtra(0, extra), ToolCallDelta(0, "{}", "id", "f")]
    assert assemble(call).message.content == [ToolCall("id", "f", "{}", extra)]
    image = Image(url="https://example.org/a.png")
    assert assemble([PartExtra(0, extra), PartAdded(0, image)]).message.content == [Image(url=image.url, extra=extra)]
    assert image.extra is None
    assert assemble([PartExtra(0, extra)]).message.content == [Text("", extra)]


def test_opaque_parts_stay_bit_for_bit() -> None:
    part = Opaque("d", msgspec.Raw(b'{ "a" :1}'))
    (kept,) = assemble([PartAdded(0, part), PartExtra(0, {"d": 1})]).message.content
    assert isinstance(kept, Opaque)
    assert bytes(kept.data) == b'{ "a" :1}'


def test_a_part_that_came_whole_may_still_grow() -> None:
    call = ToolCall("id", "f", '{"a":')
    assert assemble([PartAdded(0, call), ToolCallDelta(0, "1}")]).message.content == [ToolCall("id", "f", '{"a":1}')]
    assert assemble([PartAdded(0, Text("a")), TextDelta(0, "b")]).message.content == [Text("ab")]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (call,) = assemble([ToolCallDelta(0, "", "id", "f")]).tool_calls
    assert (call.arguments, call.args) == ("{}", {})


def test_a_late_name_or_id_fills_the_call() -> None:
    events: list[Event] = [
        ToolCallDelta(1, "{", "id"),
        ToolCallDelta(1, "", "other", "f"),
        ToolCallDelta(1, "}"),
    ]
    assert assemble(events).message.content == [ToolCall("id", "f", "{}")]


def test_parts_stand_in_the_order_of_their_index() -> None:
    events: list[Event] = [
        TextDelta(5, "b"),
        ToolCallDelta(9, "{}", "id", "f"),
        ReasoningDelta(2, "a"),
        TextDelta(5, "c"),
    ]
    assert assemble(events).message == Message("assistant", [Reasoning("a"), Text("bc"), ToolCall("id", "f")])


def test_the_last_usage_counts_and_zero_is_not_unknown() -> None:
    assert assemble([Started(), UsageUpdate(Usage(1)), UsageUpdate(Usage(0))]).usage == Usage()
    assert assemble(events_of(Reply(Message("assistant"), usage=Usage()))).usage == Usage()
    assert assemble([Started("i", "m")]).usage is None
