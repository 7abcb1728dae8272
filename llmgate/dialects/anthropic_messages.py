"""The Anthropic Messages API: `POST /v1/messages`.

The vendor's reference: platform.claude.com/docs/en/api/messages; streams: .../build-with-claude/streaming.
Verified against the types of its Python SDK 2.13. That speaks API version 2026-10-21, which refuses
`temperature`, `top_p` and `top_k`; version 2023-06-01 and compatible servers take them, so they are sent
unless quirks.drops names them.

What is particular to it:

- System messages become the top-level `system` blocks, in order. The API also has system messages inside the
  conversation, for some models and only after a user's turn: a system message with
  `extra={"anthropic_messages": {"in_place": True}}` stays where it is; decode_request marks them so.
- Turns of the same side merge, tool results first: the API wants user and assistant to alternate.
- `extra["anthropic_messages"]` of a part holds what only this API has (`cache_control`, `citations`, the
  `signature` of thinking); it is merged into the part's block as it is.
- Of a document or image given by file id, and of every kind of block that only this API has, the bytes are
  kept as an Opaque part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..chat import (
    Event,
    Extra,
    Finished,
    Message,
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
    UsageUpdate,
)
from . import BadWire, WireError
from ._anthropic_messages_request import DEFAULT_MAX_TOKENS, PATH, decode_request, encode_request
from ._anthropic_messages_server import StreamEncoder, encode_error, encode_reply
from ._anthropic_messages_wire import (
    INVALID_JSON,
    NAME,
    any_value,
    as_extra,
    encode_json,
    error_of,
    leftover,
    opaque,
    own,
    part_of,
    raw_object,
    stop_reason,
    string,
    usage_extra,
    usage_of,
)
from ._sse import SSEParser

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "NAME",
    "PATH",
    "StreamDecoder",
    "StreamEncoder",
    "decode_error",
    "decode_reply",
    "decode_request",
    "encode_error",
    "encode_reply",
    "encode_request",
]

# Replies ----------------------------------------------------------------------------------------


class _Reply(Struct):
    content: list[Raw] | None  # null from some compatible servers, but never missing
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode

# Known fields of a message, of a `message_delta` event and of its `delta`. Others go to the reply's extra.
_MESSAGE = ("id", "role", "model", "content", "stop_reason", "usage")
_MESSAGE_DELTA = ("delta", "usage")
_DELTA = ("stop_reason",)


def decode_reply(body: bytes) -> Reply:
    try:
        wire = _decode_reply(body)
        usage = wire.usage or {}
        return Reply(
            message=Message("assistant", [part_of(raw) for raw in wire.content or []]),
            stop_reason=stop_reason(wire.stop_reason),
            stop_raw=wire.stop_reason,
            usage=usage_of(usage),
            id=wire.id,
            model=wire.model,
            extra=_reply_extra(own(leftover(raw_object(body), *_MESSAGE)), usage),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        stated = error_of(body)
        if stated is not None:
            raise stated from None
        raise BadWire(f"not a message: {error}") from None


def _reply_extra(fields: dict[str, Any], usage: Mapping[str, Any]) -> Extra:
    rest = usage_extra(usage)
    return as_extra({**fields, "usage": rest} if rest else fields)


def decode_error(body: bytes) -> WireError | None:
    return error_of(body)


# Streams ----------------------------------------------------------------------------------------


class _Delta(Struct, gc=False):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""


class _Event(Struct):
    """Any event of a stream. The rare ones are read again as a whole."""

    type: str = ""
    index: int = 0
    delta: _Delta | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


class _Held:
    """A block that is only whole at its end: an opaque one, or a tool's whose input came at its start."""

    __slots__ = ("block", "json", "raw")

    def __init__(self, raw: Raw, block: dict[str, Raw]) -> None:
        self.raw = raw
        self.block = block
        self.json: list[str] = []


class StreamDecoder:
    """An index of a content block in the stream is its index in the reply: the API says so."""

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._held: dict[int, _Held] = {}
        self._usage: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}
        self._stop: str | None = None
        self._done = False
        self._failure: BadWire | WireError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        for _name, data in self._sse.feed(chunk):
            try:
                wire = _decode_event(data)
                delta = wire.delta
                if wire.type == "content_block_delta" and delta is not None:
                    if delta.type == "text_delta":
                        events.append(TextDelta(wire.index, delta.text))
                    elif delta.type == "input_json_delta":
                        self._input(wire.index, delta.partial_json, events)
                    elif delta.type == "thinking_delta":
                        events.append(ReasoningDelta(wire.index, delta.thinking))
                    elif delta.type == "signature_delta":
                        events.append(PartExtra(wire.index, {NAME: {"signature": delta.signature}}))
                    else:
                        self._other_delta(wire.index, data, events)
                else:
                    handle = _HANDLERS.get(wire.type)
                    if handle is not None:  # pings and events of the future are passed over
                        handle(self, wire.index, data, events)
            except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
                if data.strip() == b"[DONE]":  # some compatible servers add OpenAI's terminator
                    continue
                self._failure = BadWire(f"not an event: {error}")
            except WireError as error:
                self._failure = error
            if self._failure is not None:
                if events:  # what came before in the same bytes counts: the failure is raised by the next call
                    return events
                raise self._failure
        return events

    def finish(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._done:
            return
        stated = error_of(self._sse.rest)  # an error as plain JSON where a stream was expected
        if stated is not None:
            raise stated
        raise BadWire("the stream ended without message_stop")

    def _message_start(self, _index: int, data: bytes, events: list[Event]) -> None:
        message = raw_object(raw_object(data).get("message", Raw(b"{}")))
        identifier, model = (any_value(message.get(key, Raw(b"null"))) for key in ("id", "model"))
        events.append(Started(identifier, model))
        self._fields.update(own(leftover(message, *_MESSAGE)))
        self._add_usage(message, events)

    def _block_start(self, index: int, data: bytes, events: list[Event]) -> None:
        raw = raw_object(data)["content_block"]
        block = raw_object(raw)
        kind = string(block, "type")
        if kind not in ("text", "thinking", "tool_use"):
            self._held[index] = _Held(raw, block)
            return
        # Each part is opened even without text: a signature alone must not become a text, and an empty text
        # is a part of the whole reply too.
        part = part_of(raw)
        if isinstance(part, ToolCall):
            events.append(ToolCallDelta(index, "", part.id, part.name))
            if part.arguments != "{}":
                self._held[index] = _Held(raw, block)
        elif isinstance(part, Reasoning):
            events.append(ReasoningDelta(index, part.text))
        elif isinstance(part, Text):
            events.append(TextDelta(index, part.text))
        extra = getattr(part, "extra", None)
        if extra:
            events.append(PartExtra(index, extra))

    def _input(self, index: int, piece: str, events: list[Event]) -> None:
        held = self._held.get(index)
        if held is not None:
            held.json.append(piece)
        elif piece:
            events.append(ToolCallDelta(index, piece))

    def _other_delta(self, index: int, data: bytes, events: list[Event]) -> None:
        delta = raw_object(raw_object(data)["delta"])
        if "citation" in delta:
            events.append(PartExtra(index, {NAME: {"citations": [any_value(delta["citation"])]}}))
            return
        held = self._held.get(index)
        if held is not None:  # e.g. compaction_delta: its fields are the block's
            held.block.update({key: Raw(bytes(value)) for key, value in delta.items() if key != "type"})
            held.raw = Raw(encode_json(held.block))

    def _block_stop(self, index: int, _data: bytes, events: list[Event]) -> None:
        held = self._held.pop(index, None)
        if held is None:
            return
        pieces = "".join(held.json)
        if string(held.block, "type") == "tool_use":
            arguments = pieces or bytes(held.block["input"]).decode()
            events.append(ToolCallDelta(index, arguments))
            return
        raw = held.raw
        if pieces:
            raw = Raw(encode_json({**held.block, "input": _input_of(pieces)}))
        events.append(PartAdded(index, opaque(raw)))

    def _message_delta(self, _index: int, data: bytes, events: list[Event]) -> None:
        wire = raw_object(data)
        delta = raw_object(wire["delta"]) if "delta" in wire else {}
        if "stop_reason" in delta:
            self._stop = any_value(delta["stop_reason"])
        self._fields.update(own(leftover(delta, *_DELTA)))
        self._fields.update(own(leftover(wire, *_MESSAGE_DELTA)))
        self._add_usage(wire, events)

    def _add_usage(self, wire: dict[str, Raw], events: list[Event]) -> None:
        """Counts in a stream are totals so far; those that an event omits keep their last value."""
        counts = any_value(wire["usage"]) if "usage" in wire else None
        if isinstance(counts, dict):
            self._usage.update({key: value for key, value in counts.items() if value is not None})
            usage = usage_of(self._usage)
            if usage is not None:
                events.append(UsageUpdate(usage))

    def _message_stop(self, _index: int, data: bytes, events: list[Event]) -> None:
        for index in sorted(self._held):  # a cut answer may lack the end of its last block
            self._block_stop(index, data, events)
        self._done = True
        extra = _reply_extra(self._fields, self._usage)
        events.append(Finished(stop_reason(self._stop), self._stop, extra))

    def _error(self, _index: int, data: bytes, _events: list[Event]) -> None:
        raise error_of(data) or WireError("the stream states an error", code="error")


def _input_of(pieces: str) -> Any:
    try:
        raw_object(pieces)
    except msgspec.MsgspecError:  # a cut answer's
        return {INVALID_JSON: pieces}
    return Raw(pieces.encode())


_HANDLERS: dict[str, Callable[[StreamDecoder, int, bytes, list[Event]], None]] = {
    "message_start": StreamDecoder._message_start,
    "content_block_start": StreamDecoder._block_start,
    "content_block_stop": StreamDecoder._block_stop,
    "message_delta": StreamDecoder._message_delta,
    "message_stop": StreamDecoder._message_stop,
    "error": StreamDecoder._error,
}
