"""Hypothesis strategies for the neutral chat model.

Each dialect expresses a part of it, so kinds of parts and fields are given by name:

    messages(user=("text", "image"), assistant=("text", "tool_call"), tool=("text",))
    chat_requests(messages(...), fields={"temperature", "tools", "stop"})
    replies(kinds=("reasoning", "text", "tool_call"), stop_reasons=("stop", "length", "tool_calls"))
    event_streams(replies(...))       # events as a provider may cut them; assemble() gives that reply
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

from hypothesis import strategies as st

from llmgate.chat import (
    Audio,
    ChatRequest,
    Document,
    Event,
    Image,
    Message,
    NamedTool,
    OutputSchema,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Reply,
    StopReason,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    events_of,
)

STOP_REASONS = get_args(StopReason)
BUCKETS = ("input", "cached_input", "cache_write", "output", "reasoning")

# Surrogates cannot travel as UTF-8. Line ends, quotes and NUL are what breaks naive framing.
_chars = st.characters(exclude_categories=("Cs",)) | st.sampled_from('\r\n\u2028\x00"\\')


def texts(min_size: int = 1, max_size: int = 20) -> st.SearchStrategy[str]:
    return st.text(_chars, min_size=min_size, max_size=max_size)


def names(max_size: int = 12) -> st.SearchStrategy[str]:
    """Names of tools, participants, schemas: what every vendor accepts."""
    return st.from_regex(rf"[a-zA-Z][a-zA-Z0-9_-]{{0,{max_size - 1}}}", fullmatch=True)


def ids(prefix: str = "call_") -> st.SearchStrategy[str]:
    return st.from_regex(r"[a-zA-Z0-9]{4,10}", fullmatch=True).map(lambda tail: prefix + tail)


def json_values() -> st.SearchStrategy[Any]:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False, width=32)
        | texts(0, 8)
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(0, 5), inner, max_size=3),
        max_leaves=5,
    )


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(texts(0, 6), json_values(), max_size=4)


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    """JSON schemas of flat objects, closed and with every property required (what strict modes ask for)."""
    kinds = st.sampled_from(["string", "integer", "number", "boolean"]).map(lambda kind: {"type": kind})
    return st.dictionaries(names(), kinds, max_size=3).map(
        lambda properties: {
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }
    )


# Parts ------------------------------------------------------------------------------------------


def image_parts(
    *,
    data: bool = True,
    url: bool = True,
    detail: bool = False,
    media_types: Sequence[str] = ("image/png", "image/jpeg"),
) -> st.SearchStrategy[Image]:
    details = st.sampled_from([None, "auto", "low", "high"]) if detail else st.none()
    kinds: list[st.SearchStrategy[Image]] = []
    if data:
        kinds.append(
            st.builds(
                Image,
                data=st.binary(min_size=1, max_size=9),
                media_type=st.sampled_from(media_types),
                detail=details,
            )
        )
    if url:
        kinds.append(st.builds(Image, url=ids("https://example.org/").map(lambda u: u + ".png"), detail=details))
    return st.one_of(kinds)


def audio_parts(*, media_types: Sequence[str] = ("audio/wav", "audio/mpeg")) -> st.SearchStrategy[Audio]:
    return st.builds(Audio, data=st.binary(min_size=1, max_size=9), media_type=st.sampled_from(media_types))


def document_parts(
    *,
    data: bool = True,
    url: bool = True,
    named: bool = True,
    media_types: Sequence[str] = ("application/pdf",),
) -> st.SearchStrategy[Document]:
    title = (st.none() | names()) if named else st.none()
    kinds: list[st.SearchStrategy[Document]] = []
    if data:
        kinds.append(
            st.builds(
                Document,
                data=st.binary(min_size=1, max_size=9),
                media_type=st.sampled_from(media_types),
                name=title,
            )
        )
    if url:
        kinds.append(st.builds(Document, url=ids("https://example.org/").map(lambda u: u + ".pdf"), name=title))
    return st.one_of(kinds)


def tool_call_parts() -> st.SearchStrategy[ToolCall]:
    return st.builds(
        ToolCall,
        id=ids(),
        name=names(),
        arguments=json_objects().map(lambda o: json.dumps(o, separators=(",", ":"))),
    )


PARTS: Mapping[str, st.SearchStrategy[Any]] = {
    "text": st.builds(Text, texts()),
    "image": image_parts(),
    "audio": audio_parts(),
    "document": document_parts(),
    "reasoning": st.builds(Reasoning, texts()),
    "refusal": st.builds(Refusal, texts()),
    "tool_call": tool_call_parts(),
}


Kinds = Collection[str] | Mapping[str, st.SearchStrategy[Any]]
"""Names of kinds of parts; or a mapping that gives your own strategy for each."""


def parts(kinds: Kinds) -> st.SearchStrategy[Any]:
    own = kinds if isinstance(kinds, Mapping) else {}
    return st.one_of([own.get(kind, PARTS[kind]) if kind in PARTS else own[kind] for kind in kinds])


@st.composite
def contents(
    draw: st.DrawFn,
    kinds: Kinds,
    *,
    min_size: int = 1,
    max_size: int = 4,
    order: Sequence[str] = (),
    single: Collection[str] = (),
) -> list[Any]:
    """Content of a message.

    order: kinds in the only order that the dialect has (e.g. reasoning, text, tool_call); others last.
    single: kinds of which a message has at most one. Ids of tool calls are distinct.
    """
    out: list[Any] = []
    seen: set[str] = set()
    for part in draw(st.lists(parts(kinds), min_size=min_size, max_size=max_size)):
        tag = type(part).__struct_config__.tag
        key = part.id if isinstance(part, ToolCall) else tag
        if key in seen and (isinstance(part, ToolCall) or tag in single):
            continue
        seen.add(key)
        out.append(part)
    if order:
        rank = {kind: at for at, kind in enumerate(order)}
        out.sort(key=lambda part: rank.get(type(part).__struct_config__.tag, len(rank)))
    return out


# Requests ---------------------------------------------------------------------------------------


@st.composite
def messages(
    draw: st.DrawFn,
    *,
    system: Kinds = ("text",),
    user: Kinds = ("text", "image"),
    assistant: Kinds = ("text", "tool_call"),
    tool: Kinds = ("text",),
    order: Sequence[str] = (),
    single: Collection[str] = (),
    named: bool = False,
    tool_names: bool = False,
    tool_errors: bool = False,
    results_per_message: int = 1,
    system_first: bool = True,
    alternate: bool = False,
    max_turns: int = 3,
) -> list[Message]:
    """A conversation that a vendor would accept: system, then user and assistant turns, tool calls answered.

    system: empty means none. order, single: of assistant content, see `contents`. tool: kinds inside tool
    results, empty means no tool calls are answered (then leave `tool_call` out of `assistant`).
    results_per_message: 1 for one message per result, more for all results of a turn in one message.
    alternate: no two messages of the same role in a row.
    """
    out: list[Message] = []
    who = (st.none() | names()) if named else st.none()

    def systems() -> None:
        if system:
            for content in draw(st.lists(contents(system, max_size=2), max_size=2)):
                out.append(Message("system", content))

    systems()
    for turn in range(draw(st.integers(1, max_turns))):
        if turn and not system_first:
            systems()
        out.append(Message("user", draw(contents(user)), name=draw(who)))
        if draw(st.booleans()):
            out.append(Message("assistant", draw(contents(assistant, order=order, single=single)), name=draw(who)))
            results = [
                ToolResult(
                    call.id,
                    draw(contents(tool, max_size=2)),
                    name=call.name if tool_names else None,
                    is_error=draw(st.booleans()) if tool_errors else False,
                )
                for call in out[-1].tool_calls
            ]
            if not tool:
                continue
            for at in range(0, len(results), results_per_message):
                out.append(Message("tool", list(results[at : at + results_per_message])))
    if alternate:
        kept: list[Message] = []
        for message in out:
            if kept and message.role == kept[-1].role and message.role in ("user", "assistant"):
                continue
            kept.append(message)
        return kept
    return out


def tools(*, strict: bool = True, description: bool = True) -> st.SearchStrategy[list[Tool]]:
    one = st.builds(
        Tool,
        name=names(),
        description=(st.none() | texts()) if description else st.none(),
        parameters=schemas(),
        strict=st.sampled_from([None, True, False]) if strict else st.none(),
    )
    return st.lists(one, max_size=3, unique_by=lambda tool: tool.name)


def output_schemas(
    *, name: bool = True, description: bool = True, strict: bool = True
) -> st.SearchStrategy[OutputSchema]:
    return st.builds(
        OutputSchema,
        schema=schemas(),
        name=names() if name else st.just("answer"),
        strict=st.booleans() if strict else st.just(True),
        description=(st.none() | texts()) if description else st.none(),
    )


_floats = st.integers(0, 8).map(lambda n: n / 8)  # exact in binary: they survive any encoder

FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "parallel_tool_calls": st.booleans(),
    "output": output_schemas(),
    "temperature": _floats,
    "top_p": _floats,
    "top_k": st.integers(1, 100),
    "max_tokens": st.integers(1, 100_000),
    "stop": st.lists(texts(), min_size=1, max_size=3, unique=True),
    "seed": st.integers(0, 2**31 - 1),
    "frequency_penalty": _floats,
    "presence_penalty": _floats,
    "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh"]),
    "reasoning_budget": st.integers(1024, 32_000),
    "user": names(),
    "metadata": st.dictionaries(names(), texts(0, 8), min_size=1, max_size=3),
}
"""Values of ChatRequest's fields other than messages, model, tools, tool_choice and options."""


@st.composite
def chat_requests(
    draw: st.DrawFn,
    conversation: st.SearchStrategy[list[Message]] | None = None,
    *,
    fields: Kinds = tuple(FIELDS),
    tool_list: st.SearchStrategy[list[Tool]] | None = None,
    choices: Sequence[str] = ("auto", "none", "required", "named"),
    model: str = "a-model",
) -> ChatRequest:
    """A request. fields: those of FIELDS that may be set, or a mapping with your own strategies.

    tool_list: None for any tools; `st.just([])` for none. choices: kinds of tool_choice, set only with tools.
    """
    request = ChatRequest(messages=draw(conversation if conversation is not None else messages()), model=model)
    request.tools = draw(tool_list if tool_list is not None else tools())
    if request.tools and choices:
        choice = draw(st.sampled_from([None, *choices]))
        request.tool_choice = NamedTool(request.tools[0].name) if choice == "named" else choice  # type: ignore[assignment]
    own = fields if isinstance(fields, Mapping) else {}
    for name in sorted(fields):
        if name == "parallel_tool_calls" and not request.tools:
            continue
        if draw(st.booleans()):
            setattr(request, name, draw(own.get(name, FIELDS.get(name))))  # type: ignore[arg-type]
    return request


# Replies and events -----------------------------------------------------------------------------


def usages(buckets: Collection[str] = BUCKETS) -> st.SearchStrategy[Usage]:
    return st.builds(Usage, **{bucket: st.integers(0, 100_000) for bucket in buckets})


@st.composite
def replies(
    draw: st.DrawFn,
    kinds: Kinds = ("reasoning", "text", "tool_call"),
    *,
    stop_reasons: Mapping[str, str] | Sequence[str] = STOP_REASONS,
    order: Sequence[str] = (),
    single: Collection[str] = (),
    buckets: Collection[str] = BUCKETS,
    usage: bool | None = None,
    min_size: int = 0,
    reply_id: st.SearchStrategy[str | None] | None = None,
    model: str | None = "a-model",
) -> Reply:
    """A provider's answer. order, single: see `contents`. usage: None for sometimes.

    stop_reasons: a mapping gives each one's raw name; with a sequence stop_raw is None.
    """
    content = draw(contents(kinds, min_size=min_size, order=order, single=single))
    reason = draw(st.sampled_from(sorted(stop_reasons)))
    with_usage = draw(st.booleans()) if usage is None else usage
    return Reply(
        message=Message("assistant", content),
        stop_reason=reason,  # type: ignore[arg-type]
        stop_raw=stop_reasons[reason] if isinstance(stop_reasons, Mapping) else None,
        usage=draw(usages(buckets)) if with_usage else None,
        id=draw(reply_id if reply_id is not None else ids("id_")),
        model=model,
    )


@st.composite
def event_streams(
    draw: st.DrawFn, answers: st.SearchStrategy[Reply] | None = None, *, interleave: bool = False
) -> tuple[Reply, list[Event]]:
    """A reply and its events as a provider may send them: deltas cut anywhere.

    interleave: deltas of different parts mixed (each part's own in order), as with parallel tool calls.
    """
    reply = draw(answers if answers is not None else replies())
    events: list[Event] = []
    for event in events_of(reply):
        events += draw(_pieces(event))
    if interleave:
        events = draw(_mixed(events))
    return reply, events


def _pieces(event: Event) -> st.SearchStrategy[list[Event]]:
    """One event, or several that say the same."""
    if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
        kind, index = type(event), event.index
        return _split(event.text).map(lambda pieces: [kind(index, piece) for piece in pieces])
    if isinstance(event, ToolCallDelta):
        call = event
        return _split(call.arguments).map(
            lambda pieces: [
                ToolCallDelta(call.index, "", call.id, call.name),
                *(ToolCallDelta(call.index, piece) for piece in pieces),
            ]
        )
    return st.just([event])


def _split(text: str) -> st.SearchStrategy[list[str]]:
    def at(cuts: list[int]) -> list[str]:
        edges = [0, *sorted(cuts), len(text)]
        return [text[a:b] for a, b in pairwise(edges)]

    return st.lists(st.integers(0, len(text)), max_size=3, unique=True).map(at)


@st.composite
def _mixed(draw: st.DrawFn, events: list[Event]) -> list[Event]:
    """The events of different parts in another order; each part's own, and that of their starts, is kept."""
    lanes: dict[int, list[Event]] = {}
    for event in events:
        if hasattr(event, "index"):
            lanes.setdefault(event.index, []).append(event)
    out: list[Event] = [event for event in events[:1] if not hasattr(event, "index")]
    opened = 0
    order = sorted(lanes)
    while any(lanes.values()):
        open_lanes = [at for at in order[:opened] if lanes[at]]
        may_open = [order[opened]] if opened < len(order) else []
        index = draw(st.sampled_from(open_lanes + may_open))
        opened = max(opened, order.index(index) + 1)
        out.append(lanes[index].pop(0))
    out += [event for event in events[1:] if not hasattr(event, "index")]
    return out
