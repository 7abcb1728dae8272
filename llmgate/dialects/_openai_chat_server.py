"""The server's half of Chat Completions: requests in, replies and streams and errors out.

What another dialect put on a part (a thought's signature) travels to the client and back in fields that other
hosts already use for that: `reasoning_details` (OpenRouter) and `extra_content` (Google), marked as llmgate's.
"""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Mapping
from typing import Any, cast, get_args

import msgspec
from msgspec import Raw

from ..chat import (
    Audio,
    ChatRequest,
    Document,
    Effort,
    Event,
    Finished,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
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
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageUpdate,
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
from . import BadWire
from ._openai_chat_request import call_to_wire, own
from ._openai_chat_wire import NAME, data_url, from_url, stop_to_wire, usage_to_wire
from ._sse import encode_event

_OURS = "llmgate"

# Requests ---------------------------------------------------------------------------------------

_SIMPLE: Mapping[str, tuple[type, ...]] = {
    "temperature": (float, int),
    "top_p": (float, int),
    "top_k": (int,),
    "seed": (int,),
    "frequency_penalty": (float, int),
    "presence_penalty": (float, int),
    "parallel_tool_calls": (bool,),
    "user": (str,),
    "metadata": (dict,),
    "model": (str,),
}


def decode_request(body: bytes) -> ChatRequest:
    """The request in a body. `stream` is the server's business; what only this dialect has goes to `options`."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadWire(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadWire("the body must be a JSON object")
    data = {key: value for key, value in data.items() if value is not None}
    messages = data.pop("messages", None)
    if not isinstance(messages, list):
        raise BadWire("messages: must be a list")
    request = ChatRequest(messages=[])
    names: dict[str, str] = {}
    for at, message in enumerate(messages):
        _expect(message, (dict,), f"messages[{at}]")
        request.messages.append(_message(message, f"messages[{at}]", names))
    data.pop("stream", None)
    data.pop("stream_options", None)
    if data.pop("n", 1) != 1:
        raise Unsupported("n: only one choice is made per call")
    for old in ("functions", "function_call"):
        if old in data:
            raise Unsupported(f"{old}: replaced by tools and tool_choice; use those")
    for name, types in _SIMPLE.items():
        if name in data:
            setattr(request, name, _expect(data.pop(name), types, name))
    for name in ("max_tokens", "max_completion_tokens"):
        if name in data:
            request.max_tokens = _expect(data.pop(name), (int,), name)
    stop = _expect(data.pop("stop", []), (str, list), "stop")
    request.stop = [stop] if isinstance(stop, str) else stop
    request.tools = [
        _tool(t, f"tools[{i}]") for i, t in enumerate(_expect(data.pop("tools", []), (list,), "tools"))
    ]
    if "tool_choice" in data:
        request.tool_choice = _tool_choice(data.pop("tool_choice"))
    if data.get("reasoning_effort") in get_args(Effort):
        request.reasoning_effort = data.pop("reasoning_effort")
    wanted = data.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") in ("text", "json_schema"):
        del data["response_format"]
        if wanted["type"] == "json_schema":
            request.output = _output(wanted.get("json_schema"))
    request.options = data
    return request


def _expect(value: Any, types: tuple[type, ...], where: str) -> Any:
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise BadWire(
            f"{where}: must be {' or '.join(t.__name__ for t in types)}, not {type(value).__name__}"
        )
    return value


def _tool(data: Any, where: str) -> Tool:
    _expect(data, (dict,), where)
    if data.get("type", "function") != "function":
        raise Unsupported(f"{where}: a tool of the type {data['type']!r}; only functions can be translated")
    function = _expect(data.get("function"), (dict,), f"{where}.function")
    tool = Tool(_expect(function.get("name"), (str,), f"{where}.function.name"))
    tool.description = function.get("description")
    tool.strict = function.get("strict")
    if function.get("parameters") is not None:
        tool.parameters = _expect(function["parameters"], (dict,), f"{where}.function.parameters")
    return tool


def _tool_choice(choice: Any) -> Any:
    if choice == "any":  # Mistral
        return "required"
    if choice in ("auto", "none", "required"):
        return choice
    function = choice.get("function") if isinstance(choice, dict) else None
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        return NamedTool(function["name"])
    raise Unsupported("tool_choice: only auto, none, required or one named function can be translated")


def _output(schema: Any) -> OutputSchema:
    _expect(schema, (dict,), "response_format.json_schema")
    return OutputSchema(
        _expect(schema.get("schema") or {}, (dict,), "response_format.json_schema.schema"),
        name=schema.get("name") or "answer",
        strict=bool(schema.get("strict")),
        description=schema.get("description"),
    )


_MESSAGE = frozenset(("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "images"))
_THOUGHTS = ("reasoning_content", "reasoning")


def _message(data: dict[str, Any], where: str, names: dict[str, str]) -> Message:
    """names: of the tools, by the id of the call, which results do not repeat."""
    role = data.get("role")
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant", "tool"):
        raise BadWire(f"{where}.role: must be system, developer, user, assistant or tool, not {role!r}")
    message = Message(role, name=data.get("name"))
    content = _parts(data.get("content"), f"{where}.content")
    rest = {k: v for k, v in data.items() if k not in _MESSAGE and v is not None}
    if role == "tool":
        call_id = _expect(data.get("tool_call_id"), (str,), f"{where}.tool_call_id")
        if any(not isinstance(part, Text) for part in content):
            raise Unsupported(f"{where}: a tool's result can only be text")
        message.name = None
        extra = {NAME: rest} if rest else None
        message.content = [
            ToolResult(
                call_id, cast("list[Any]", content), data.get("name") or names.get(call_id), extra=extra
            )
        ]
        return message
    if role == "assistant":
        message.content += _thoughts(rest)
    message.content += content
    if role == "assistant":
        if data.get("refusal"):
            message.content.append(Refusal(data["refusal"]))
        for image in data.get("images") or ():
            part = _part(image, f"{where}.images")
            if isinstance(part, Image):
                part.extra = {NAME: {"field": "images"}}
            message.content.append(part)
        if isinstance(data.get("audio"), dict):
            message.content.append(Audio(extra={NAME: data["audio"]}))
        for at, call in enumerate(data.get("tool_calls") or ()):
            part = _call(call, f"{where}.tool_calls[{at}]")
            names[part.id] = part.name
            message.content.append(part)
    if rest:
        message.extra = {NAME: rest}
    return message


def _thoughts(rest: dict[str, Any]) -> list[Part]:
    """The reasoning of an assistant's message, taken out of `rest`."""
    details = rest.pop("reasoning_details", None)
    details = details if isinstance(details, list) else []
    ours = [d for d in details if isinstance(d, dict) and d.get("format") == _OURS]
    theirs = [d for d in details if d not in ours]
    found = [(field, rest.pop(field)) for field in _THOUGHTS if isinstance(rest.get(field), str)]
    if ours:  # parts that came through this gateway return as they were, the plain text beside them is theirs
        return [
            Opaque(d["dialect"], Raw(msgspec.json.encode(d["data"])))
            if "dialect" in d
            else Reasoning(d.get("text") or "", d.get("extra"))
            for d in ours
        ]
    if not found and not theirs:
        return []
    field, text = found[0] if found else ("reasoning_details", "")
    if not found:
        text = "".join(str(d.get("text") or d.get("summary") or "") for d in theirs if isinstance(d, dict))
    extra: dict[str, Any] = {"field": field}
    if theirs:
        extra["reasoning_details"] = theirs
    return [Reasoning(text, {NAME: extra})]


def _call(data: Any, where: str) -> ToolCall:
    _expect(data, (dict,), where)
    if data.get("type") == "custom":
        custom = _expect(data.get("custom"), (dict,), f"{where}.custom")
        return ToolCall(data["id"], custom["name"], custom["input"], {NAME: {"type": "custom"}})
    function = _expect(data.get("function"), (dict,), f"{where}.function")
    arguments = function.get("arguments") or "{}"
    if not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    call = ToolCall(
        _expect(data.get("id"), (str,), f"{where}.id"),
        _expect(function.get("name"), (str,), f"{where}.function.name"),
        arguments,
    )
    content = data.get("extra_content")
    if isinstance(content, dict):
        extra = dict(content.get(_OURS) or {})
        if others := {key: value for key, value in content.items() if key != _OURS}:
            extra[NAME] = {"extra_content": others}
        call.extra = extra or None
    return call


def _parts(content: Any, where: str) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part, f"{where}[{at}]") for at, part in enumerate(_expect(content, (list,), where))]


def _part(data: Any, where: str) -> Part:
    if isinstance(data, str):
        return Text(data)
    _expect(data, (dict,), where)
    kind = data.get("type")
    known: tuple[str, ...] = ("type", str(kind))
    part: Text | Image | Audio | Document | Reasoning | Refusal
    if kind == "text":
        part = Text(_expect(data.get("text"), (str,), f"{where}.text"))
    elif kind == "refusal":
        part = Refusal(_expect(data.get("refusal"), (str,), f"{where}.refusal"))
    elif kind == "thinking":
        thoughts = data.get("thinking")
        if not isinstance(thoughts, str):
            thoughts = "".join(
                str(t.get("text") or "") for t in _expect(thoughts, (list,), f"{where}.thinking")
            )
        known = ("type", "thinking", "closed")
        part = Reasoning(thoughts)
    elif kind == "image_url":
        image = data.get("image_url")
        image = {"url": image} if isinstance(image, str) else _expect(image, (dict,), f"{where}.image_url")
        content, media_type, url = from_url(_expect(image.get("url"), (str,), f"{where}.image_url.url"))
        part = Image(content, url, media_type, image.get("detail"))
    elif kind == "input_audio":
        sound = _expect(data.get("input_audio"), (dict,), f"{where}.input_audio")
        name = _expect(sound.get("format"), (str,), f"{where}.input_audio.format")
        part = Audio(
            _bytes(sound.get("data"), where), media_type="audio/mpeg" if name == "mp3" else f"audio/{name}"
        )
    elif kind == "file":
        file = _expect(data.get("file"), (dict,), f"{where}.file")
        part = Document(name=file.get("filename"))
        if file.get("file_id"):
            part.extra = {NAME: {"file_id": file["file_id"]}}
        else:
            part.data, part.media_type, part.url = from_url(
                _expect(file.get("file_data"), (str,), f"{where}.file.file_data")
            )
    else:
        return Opaque(NAME, Raw(msgspec.json.encode(data)))
    if rest := {key: value for key, value in data.items() if key not in known and value is not None}:
        part.extra = {NAME: {**own(part.extra), **rest}}
    if kind == "thinking":
        part.extra = {NAME: {"field": "content", **own(part.extra)}}
    return part


def _bytes(data: Any, where: str) -> bytes:
    try:
        return base64.b64decode(_expect(data, (str,), where), validate=True)
    except binascii.Error:
        raise BadWire(f"{where}: not base64") from None


# Replies ----------------------------------------------------------------------------------------


def _foreign(extra: dict[str, Any] | None) -> dict[str, Any]:
    return {dialect: value for dialect, value in (extra or {}).items() if dialect != NAME}


def _our_detail(part: Reasoning | Opaque) -> dict[str, Any]:
    if isinstance(part, Opaque):
        return {"type": "reasoning.encrypted", "format": _OURS, "dialect": part.dialect, "data": part.data}
    return {"type": "reasoning.text", "format": _OURS, "text": part.text, "extra": _foreign(part.extra)}


def _call_wire(call: ToolCall) -> dict[str, Any]:
    wire = call_to_wire(call)
    if foreign := _foreign(call.extra):
        wire["extra_content"] = {**wire.get("extra_content", {}), _OURS: foreign}
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


def encode_reply(reply: Reply) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None}
    details: list[Any] = []
    thoughts = [part for part in reply.message.content if isinstance(part, Reasoning | Opaque)]
    through_us = any(isinstance(part, Opaque) or _foreign(part.extra) for part in thoughts)
    for part in reply.message.content:
        extra = own(getattr(part, "extra", None))
        if isinstance(part, Text):
            message["content"] = (message["content"] or "") + part.text
            if notes := extra.get("annotations"):
                message["annotations"] = [*message.get("annotations", ()), *notes]
            if probabilities := extra.get("logprobs"):
                choice["logprobs"] = probabilities
        elif isinstance(part, Reasoning):
            field = extra.get("field")
            field = field if field in _THOUGHTS else "reasoning_content"
            if part.text:
                message[field] = message.get(field, "") + part.text
            details += extra.get("reasoning_details", ())
            if through_us:
                details.append(_our_detail(part))
        elif isinstance(part, Opaque):
            if part.dialect != NAME:
                details.append(_our_detail(part))
        elif isinstance(part, Refusal):
            message["refusal"] = (message["refusal"] or "") + part.text
        elif isinstance(part, ToolCall):
            message.setdefault("tool_calls", []).append(_call_wire(part))
        elif isinstance(part, Image):
            message.setdefault("images", []).append(_image_wire(part))
        elif isinstance(part, Audio):
            message["audio"] = _audio_wire(part)
    if details:
        message["reasoning_details"] = details
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
    """Events as chunks. include_usage: whether the client asked for it by `stream_options`."""

    def __init__(self, *, include_usage: bool = True) -> None:
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._calls: dict[int, int] = {}
        self._named: set[int] = set()
        self._thoughts: dict[int, Reasoning | Opaque] = {}
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
            thought = self._thoughts.setdefault(event.index, Reasoning(""))
            if isinstance(thought, Reasoning):
                thought.text += event.text
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
        function: dict[str, Any] = {"arguments": event.arguments}
        wire: dict[str, Any] = {"index": number}
        if event.index not in self._named and (event.id or event.name):
            self._named.add(event.index)
            wire["id"] = event.id
            wire["type"] = "function"
            function["name"] = event.name
        wire["function"] = function
        return self._delta({"tool_calls": [wire]})

    def _extra(self, event: PartExtra) -> bytes:
        told, foreign = event.extra.get(NAME) or {}, _foreign(event.extra)
        out: dict[str, Any] = {key: told[key] for key in ("annotations", "reasoning_details") if key in told}
        if event.index in self._calls:
            content = dict(told.get("extra_content") or {})
            if foreign:
                content[_OURS] = foreign
            if content:
                out["tool_calls"] = [{"index": self._calls[event.index], "extra_content": content}]
        elif foreign and isinstance(thought := self._thoughts.get(event.index), Reasoning):
            thought.extra = {**(thought.extra or {}), **foreign}
        chunk = self._delta(out) if out else b""
        if probabilities := told.get("logprobs"):
            end = b',"logprobs":' + msgspec.json.encode(probabilities) + b',"finish_reason":null}]}\n\n'
            chunk += self._before + b"{}" + end
        return chunk

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
            return self._delta({"images": [_image_wire(part)]})
        elif isinstance(part, Audio):
            return self._delta({"audio": _audio_wire(part)})
        else:
            if isinstance(part, Opaque) and part.dialect != NAME:
                self._thoughts[event.index] = part
            return b""
        return sent + (self._extra(PartExtra(event.index, part.extra)) if part.extra else b"")

    def _end(self, event: Finished) -> bytes:
        out = b""
        thoughts = [self._thoughts[index] for index in sorted(self._thoughts)]
        if any(isinstance(part, Opaque) or part.extra for part in thoughts):
            out = self._delta({"reasoning_details": [_our_detail(part) for part in thoughts]})
        self._thoughts.clear()
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
    for kind, status, type_name, code in _ERRORS:
        if isinstance(told, kind):
            break
    else:
        status, type_name, code = 500, "server_error", None
    stated = {"message": str(error), "type": type_name, "param": None, "code": code}
    return status, msgspec.json.encode({"error": stated})
