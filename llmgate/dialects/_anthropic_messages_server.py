"""The server's half of the Anthropic Messages API: replies, streams and errors as its clients expect them."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from msgspec import Raw

from ..chat import (
    Event,
    Extra,
    Finished,
    Message,
    Opaque,
    Part,
    PartAdded,
    PartExtra,
    Reasoning,
    ReasoningDelta,
    RefusalDelta,
    Reply,
    Started,
    Text,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
    events_of,
)
from ..errors import (
    AllTargetsFailed,
    AuthenticationFailed,
    ConfigError,
    ContentRefused,
    GateError,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    PolicyDenied,
    ProviderError,
    RateLimited,
    StreamBroken,
    Timeout,
    Unsupported,
)
from ._anthropic_messages_wire import (
    NAME,
    Block,
    assistant_block,
    encode_json,
    own,
    raw_object,
    wire_stop_reason,
    wire_usage,
)
from ._sse import encode_event

# Replies ----------------------------------------------------------------------------------------


def encode_reply(reply: Reply) -> bytes:
    extra = dict(own(reply.extra))
    usage = wire_usage(reply.usage, extra.pop("usage", {}))
    content = [block for block in map(_block, reply.message.content) if block is not None]
    return encode_json(
        {
            **_head(reply.id, reply.model),
            "content": content,
            "stop_reason": wire_stop_reason(reply.stop_reason, reply.stop_raw),
            "stop_sequence": None,
            "usage": usage,
            **extra,
        }
    )


def _head(identifier: str | None, model: str | None) -> dict[str, Any]:
    # Clients tell messages apart by their ids: one that has none gets one.
    return {
        "id": identifier or f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": model or "",
    }


def _block(part: Part) -> Block | None:
    """A part of a reply. Reasoning without a signature is shown too: a client's SDK wants the field, and
    decode_request takes the empty one for none."""
    if isinstance(part, Reasoning):
        return {"type": "thinking", "thinking": part.text, "signature": "", **own(part.extra)}
    if isinstance(part, Text):  # an empty one too: only requests may not have it
        return {"type": "text", "text": part.text, **own(part.extra)}
    return assistant_block(part, safe_ids=False)


# Errors -----------------------------------------------------------------------------------------

# The first that fits, where the error has no status of its own.
_KINDS: tuple[tuple[type[GateError], int, str], ...] = (
    (AuthenticationFailed, 401, "authentication_error"),
    (RateLimited, 429, "rate_limit_error"),
    (InvalidRequest, 400, "invalid_request_error"),
    (ContentRefused, 400, "invalid_request_error"),
    (Overloaded, 529, "overloaded_error"),
    (Timeout, 504, "timeout_error"),
    (StreamBroken, 500, "api_error"),
    (PolicyDenied, 403, "permission_error"),
    (ModelUnavailable, 404, "not_found_error"),
    (Unsupported, 400, "invalid_request_error"),
    (ConfigError, 400, "invalid_request_error"),
)
_STATUSES: dict[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def encode_error(error: GateError) -> tuple[int, bytes]:
    status, kind = _kind(error)
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": str(error)}}
    request_id = getattr(error, "request_id", None)
    if request_id is not None:
        body["request_id"] = request_id
    return status, encode_json(body)


def _kind(error: GateError) -> tuple[int, str]:
    if isinstance(error, AllTargetsFailed):
        # What the last target met; that there were others does not change what the client can do.
        last = error.exceptions[-1]
        return _kind(last) if isinstance(last, GateError) else (500, "api_error")
    if isinstance(error, ProviderError) and error.status is not None:
        if error.status in _STATUSES:
            return error.status, _STATUSES[error.status]
        if 400 <= error.status < 500 and isinstance(error, InvalidRequest | ContentRefused):
            return error.status, "invalid_request_error"
    for kind, status, name in _KINDS:
        if isinstance(error, kind):
            return status, name
    return 500, "api_error"


# Streams ----------------------------------------------------------------------------------------


class _Slot:
    """A content block that is open on the wire. `pieces`: a tool call's arguments so far."""

    __slots__ = ("at", "kind", "pieces")

    def __init__(self, at: int, kind: str) -> None:
        self.at = at
        self.kind = kind
        self.pieces: list[str] = []

    @property
    def ended(self) -> bool:
        """Whether the block can be closed when another begins. A tool call stays open until its arguments are
        whole: other vendors may mix the pieces of parallel calls."""
        if self.kind != "tool_use":
            return True
        try:
            raw_object("".join(self.pieces))
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return False
        return True


class StreamEncoder:
    """Blocks follow each other on the wire, as clients expect. Only parallel calls whose pieces come mixed
    are open side by side; a text that goes on after another part began goes on in a new block."""

    def __init__(self) -> None:
        self._started = Started()
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._begun = False
        self._next = 0
        self._slots: dict[int, _Slot] = {}
        self._ended_calls: set[int] = set()
        self._call: tuple[int, dict[str, Any], str] | None = None

    def feed(self, event: Event) -> bytes:
        if isinstance(event, TextDelta | RefusalDelta):
            return self._text(event.index, "text", "text_delta", "text", event.text)
        if isinstance(event, Started):
            self._started = event
            return b""  # message_start also states the input's tokens, if they are known by then
        if isinstance(event, UsageUpdate):
            self._usage = event.usage
            return b""
        if isinstance(event, Finished):
            self._finished = event  # usage may still follow
            return b""
        if isinstance(event, ReasoningDelta):
            return self._text(event.index, "thinking", "thinking_delta", "thinking", event.text)
        if isinstance(event, ToolCallDelta):
            return self._tool_call(event)
        if isinstance(event, PartExtra):
            return self._extra(event.index, event.extra)
        return self._part(event)

    def finish(self) -> bytes:
        if self._finished is None:  # never let a cut answer look whole
            return self.error(StreamBroken("the answer ended before its end"))
        out = self._begin() + self._flush_call()
        for index in list(self._slots):
            out += self._close(index)
        extra = dict(own(self._finished.extra))
        usage = wire_usage(self._usage, extra.pop("usage", {}))
        delta = {
            "stop_reason": wire_stop_reason(self._finished.stop_reason, self._finished.stop_raw),
            "stop_sequence": None,
            **extra,
        }
        out += _event("message_delta", {"delta": delta, "usage": usage})
        return out + _event("message_stop", {})

    def error(self, error: GateError) -> bytes:
        return encode_event(encode_error(error)[1], "error")

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = {
            **_head(self._started.id, self._started.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": wire_usage(self._usage, {}),
        }
        return _event("message_start", {"message": message})

    def _text(self, index: int, kind: str, delta: str, key: str, text: str) -> bytes:
        slot = self._slots.get(index)
        out = b""
        if slot is None or slot.kind != kind:
            block = {"type": kind, key: ""}
            if kind == "thinking":
                block["signature"] = ""
            out, slot = self._open(index, kind, block)
        if text:
            out += _delta(slot.at, {"type": delta, key: text})
        return out

    def _open(self, index: int, kind: str, block: Block) -> tuple[bytes, _Slot]:
        """Starts a block, after the end of those that are whole."""
        out = self._begin() + self._flush_call()
        for other, slot in list(self._slots.items()):
            if other == index or slot.ended:
                out += self._close(other)
        slot = self._slots[index] = _Slot(self._next, kind)
        self._next += 1
        return out + _event("content_block_start", {"index": slot.at, "content_block": block}), slot

    def _close(self, index: int) -> bytes:
        slot = self._slots.pop(index)
        if slot.kind == "tool_use":
            self._ended_calls.add(index)
        return _event("content_block_stop", {"index": slot.at})

    def _tool_call(self, event: ToolCallDelta) -> bytes:
        held = self._call is not None and self._call[0] == event.index
        out = self._flush_call() if held else b""
        slot = self._slots.get(event.index)
        if slot is not None:
            if not event.arguments:
                return out
            slot.pieces.append(event.arguments)
            return out + _delta(slot.at, {"type": "input_json_delta", "partial_json": event.arguments})
        if event.index in self._ended_calls:  # its arguments were whole: only white space can follow
            return out
        # Held for one event: the block's own fields, if any, follow in a PartExtra and belong in its start.
        out += self._flush_call()
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        self._call = (event.index, block, event.arguments)
        return out

    def _flush_call(self) -> bytes:
        if self._call is None:
            return b""
        index, block, arguments = self._call
        self._call = None
        out, slot = self._open(index, "tool_use", block)
        if arguments:
            slot.pieces.append(arguments)
            out += _delta(slot.at, {"type": "input_json_delta", "partial_json": arguments})
        return out

    def _extra(self, index: int, extra: Extra) -> bytes:
        mine = own(extra)
        if self._call is not None and self._call[0] == index:
            self._call[1].update(mine)
            return b""
        slot = self._slots.get(index)
        if slot is None:
            if not mine or index in self._ended_calls:
                return b""
            out, slot = self._open(index, "text", {"type": "text", "text": ""})
        else:
            out = b""
        if "signature" in mine:
            out += _delta(slot.at, {"type": "signature_delta", "signature": mine["signature"]})
        for citation in mine.get("citations") or ():
            out += _delta(slot.at, {"type": "citations_delta", "citation": citation})
        return out

    def _part(self, event: PartAdded) -> bytes:
        part = event.part
        if isinstance(part, Opaque):
            if part.dialect != NAME:
                return b""
            raw = bytes(part.data)
            if b"\n" in raw or b"\r" in raw:  # an event is one line
                raw = msgspec.json.format(raw, indent=-1)
            out, _slot = self._open(event.index, "opaque", Raw(raw))
            return out + self._close(event.index)
        whole = events_of(Reply(Message("assistant", [part])))[1:-1]
        if any(isinstance(piece, PartAdded) for piece in whole):
            _block(part)  # raises Unsupported and names the kind
            return b""
        return b"".join(self.feed(msgspec.structs.replace(piece, index=event.index)) for piece in whole)


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return encode_event(encode_json({"type": kind, **fields}), kind)


def _delta(at: int, delta: dict[str, Any]) -> bytes:
    return encode_event(
        encode_json({"type": "content_block_delta", "index": at, "delta": delta}), "content_block_delta"
    )
