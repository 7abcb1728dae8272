"""The server's half of Chat Completions: replies, streams and errors out.

What another dialect put on a part (a thought's signature) travels to the client and back in fields that
other hosts already use for that: `reasoning_details` (OpenRouter), `extra_content` (Google), marked as ours.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from ..chat import (
    Assembler,
    Audio,
    Event,
    Finished,
    Image,
    Opaque,
    Part,
    PartAdded,
    PartExtra,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Reply,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from ..errors import (
    AllTargetsFailed,
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    GateError,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    PolicyDenied,
    RateLimited,
    StreamBroken,
    Timeout,
    Unsupported,
)
from ._openai_chat_request import call_to_wire, own
from ._openai_chat_wire import NAME, OURS, THOUGHTS, data_url, stop_to_wire, usage_to_wire
from ._sse import encode_event

# Replies ----------------------------------------------------------------------------------------


def _foreign(extra: dict[str, Any] | None) -> dict[str, Any]:
    return {dialect: value for dialect, value in (extra or {}).items() if dialect != NAME}


def _our_detail(part: Reasoning | Opaque) -> dict[str, Any]:
    if isinstance(part, Opaque):
        return {"type": "reasoning.encrypted", "format": OURS, "dialect": part.dialect, "data": part.data}
    return {"type": "reasoning.text", "format": OURS, "text": part.text, "extra": _foreign(part.extra)}


def _call_wire(call: ToolCall) -> dict[str, Any]:
    wire = call_to_wire(call)
    if foreign := _foreign(call.extra):
        wire["extra_content"] = {**wire.get("extra_content", {}), OURS: foreign}
    return wire


def _image_wire(part: Image) -> dict[str, Any]:
    url = data_url(part.data, part.media_type or "image/png") if part.data is not None else part.url
    return {"type": "image_url", "image_url": {"url": url}}


def _audio_wire(part: Audio) -> dict[str, Any]:
    told = own(part.extra)
    return {
        "id": told.get("id") or "audio_0",
        "data": base64.b64encode(part.data or b"").decode(),
        "transcript": told.get("transcript") or "",
        "expires_at": told.get("expires_at") or 0,
    }


def _lists(parts: Sequence[Part]) -> dict[str, list[Any]]:
    """What a message says in lists beside its content."""
    thoughts = [p for p in parts if isinstance(p, Reasoning) or (isinstance(p, Opaque) and p.dialect != NAME)]
    if any(isinstance(part, Opaque) or _foreign(part.extra) for part in thoughts):
        details = [_our_detail(part) for part in thoughts]
    else:
        details = [detail for part in thoughts for detail in own(part.extra).get("reasoning_details", ())]  # type: ignore[union-attr]
    out = {
        "annotations": [note for p in parts if isinstance(p, Text) for note in own(p.extra).get("annotations", ())],
        "images": [_image_wire(part) for part in parts if isinstance(part, Image)],
        "reasoning_details": details,
    }
    return {key: value for key, value in out.items() if value}


def encode_reply(reply: Reply) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None}
    for part in reply.message.content:
        extra = own(getattr(part, "extra", None))
        if isinstance(part, Text):
            message["content"] = (message["content"] or "") + part.text
            choice["logprobs"] = extra.get("logprobs") or choice["logprobs"]
        elif isinstance(part, Reasoning) and part.text:
            field = extra.get("field")
            field = field if field in THOUGHTS else "reasoning_content"
            message[field] = message.get(field, "") + part.text
        elif isinstance(part, Refusal):
            message["refusal"] = (message["refusal"] or "") + part.text
        elif isinstance(part, ToolCall):
            message.setdefault("tool_calls", []).append(_call_wire(part))
        elif isinstance(part, Audio):
            message["audio"] = _audio_wire(part)
    message.update(_lists(reply.message.content))
    choice["finish_reason"] = stop_to_wire(reply.stop_reason, refused=message["refusal"] is not None)
    body: dict[str, Any] = {
        "id": reply.id or _new_id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": reply.model or reply.target or "",
        "choices": [choice],
    }
    if reply.usage is not None:
        body["usage"] = usage_to_wire(reply.usage)
    return msgspec.json.encode(body)


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


class StreamEncoder:
    """Events as chunks. include_usage: whether the client asked for it by `stream_options`.

    Lists (citations, reasoning details, images) are told once, at the end: OpenAI's SDK adds up a delta's lists only
    where their entries are numbered.
    """

    def __init__(self, *, include_usage: bool = True) -> None:
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._calls: dict[int, int] = {}
        self._named: set[int] = set()
        self._early: dict[int, PartExtra] = {}
        self._later = Assembler()
        self._refused = False
        self._head(Started())

    def _head(self, started: Started) -> None:
        head = {
            "id": started.id or _new_id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": started.model or "",
        }
        self._prefix = msgspec.json.encode(head)[:-1]
        self._before = b"data: " + self._prefix + b',"choices":[{"index":0,"delta":'
        self._after = b',"logprobs":null,"finish_reason":null}]}\n\n'

    def _delta(self, delta: Any) -> bytes:
        return self._before + msgspec.json.encode(delta) + self._after

    def feed(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            return self._before + b'{"content":' + msgspec.json.encode(event.text) + b"}" + self._after
        if isinstance(event, ReasoningDelta):
            self._later.feed(event)
            return self._delta({"reasoning_content": event.text})
        if isinstance(event, RefusalDelta):
            self._refused = True
            return self._delta({"refusal": event.text})
        if isinstance(event, ToolCallDelta):
            return self._call(event)
        if isinstance(event, PartExtra):
            return self._extra(event)
        if isinstance(event, PartAdded):
            return self._part(event)
        if isinstance(event, Started):
            self._head(event)
            return self._delta({"role": "assistant", "content": ""})
        if isinstance(event, Finished):
            return self._end(event)
        self._usage = event.usage
        return b""

    def _call(self, event: ToolCallDelta) -> bytes:
        number = self._calls.setdefault(event.index, len(self._calls))
        early = self._early.pop(event.index, None)
        function: dict[str, Any] = {"arguments": event.arguments}
        wire: dict[str, Any] = {"index": number}
        if event.index not in self._named and (event.id or event.name):
            self._named.add(event.index)
            wire["id"] = event.id
            wire["type"] = "function"
            function["name"] = event.name
        wire["function"] = function
        return self._delta({"tool_calls": [wire]}) + (self._extra(early) if early else b"")

    def _extra(self, event: PartExtra) -> bytes:
        told, foreign = event.extra.get(NAME) or {}, _foreign(event.extra)
        if event.index in self._calls:
            content = dict(told.get("extra_content") or {})
            if foreign:
                content[OURS] = foreign
            if not content:
                return b""
            wire = {"index": self._calls[event.index], "function": {"arguments": ""}, "extra_content": content}
            return self._delta({"tool_calls": [wire]})
        self._early[event.index] = event
        self._later.feed(event)
        if probabilities := told.get("logprobs"):
            end = b',"logprobs":' + msgspec.json.encode(probabilities) + b',"finish_reason":null}]}\n\n'
            return self._before + b"{}" + end
        return b""

    def _part(self, event: PartAdded) -> bytes:
        part = event.part
        if isinstance(part, ToolCall):
            sent = self._call(ToolCallDelta(event.index, part.arguments, part.id, part.name))
        elif isinstance(part, Text):
            sent = self.feed(TextDelta(event.index, part.text))
        elif isinstance(part, Reasoning):
            sent = self.feed(ReasoningDelta(event.index, part.text))
        elif isinstance(part, Refusal):
            sent = self.feed(RefusalDelta(event.index, part.text))
        elif isinstance(part, Image):
            self._later.feed(event)
            return b""
        elif isinstance(part, Audio):
            return self._delta({"audio": _audio_wire(part)})
        else:
            self._later.feed(event)
            return b""
        return sent + (self._extra(PartExtra(event.index, part.extra)) if part.extra else b"")

    def _end(self, event: Finished) -> bytes:
        delta = _lists(self._later.reply().message.content)
        out = self._delta(delta) if delta else b""
        reason = msgspec.json.encode(stop_to_wire(event.stop_reason, refused=self._refused))
        return out + self._before + b'{},"logprobs":null,"finish_reason":' + reason + b"}]}\n\n"

    def finish(self) -> bytes:
        out = b""
        if self._usage is not None and self._include_usage:
            usage = msgspec.json.encode(usage_to_wire(self._usage))
            out = b"data: " + self._prefix + b',"choices":[],"usage":' + usage + b"}\n\n"
        return out + encode_event(b"[DONE]")

    def error(self, error: GateError) -> bytes:
        return encode_event(encode_error(error)[1])


# Errors -----------------------------------------------------------------------------------------

_ERRORS: tuple[tuple[type[GateError], int, str, str | None], ...] = (
    (PolicyDenied, 403, "permission_error", "policy_denied"),
    (ModelUnavailable, 404, "invalid_request_error", "model_not_found"),
    (Unsupported, 400, "invalid_request_error", "unsupported"),
    (ConfigError, 400, "invalid_request_error", None),
    (AuthenticationFailed, 401, "authentication_error", None),
    (RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
    (ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
    (InvalidRequest, 400, "invalid_request_error", None),
    (ContentRefused, 400, "invalid_request_error", "content_policy_violation"),
    (Timeout, 504, "timeout", "timeout"),
    (Overloaded, 503, "service_unavailable_error", "server_is_overloaded"),
    (ConnectionFailed, 502, "server_error", None),
    (StreamBroken, 502, "server_error", "stream_broken"),
)
"""Status, type and code as OpenAI would state such an error, so that its clients react rightly."""


def encode_error(error: GateError) -> tuple[int, bytes]:
    told: BaseException = error
    if isinstance(error, AllTargetsFailed) and error.exceptions:
        told = error.exceptions[-1]  # the last target's error decides what the client may do next
    stated = next((row[1:] for row in _ERRORS if isinstance(told, row[0])), (500, "server_error", None))
    status, type_name, code = stated
    body = {"message": str(error), "type": type_name, "param": None, "code": code}
    return status, msgspec.json.encode({"error": body})
