"""The server half of Gemini's generateContent: its requests decoded, its answers and errors encoded."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Raw

from ..chat import (
    ChatRequest,
    Effort,
    Event,
    Extra,
    Finished,
    Message,
    NamedTool,
    OutputSchema,
    Part,
    PartAdded,
    PartExtra,
    ReasoningDelta,
    RefusalDelta,
    Reply,
    Role,
    Started,
    StopReason,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from ..errors import (
    AllTargetsFailed,
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    ContentRefused,
    GateError,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    PolicyDenied,
    ProviderError,
    RateLimited,
    Timeout,
    Unsupported,
)
from . import BadWire
from . import _gemini_generate_wire as wire
from ._gemini_generate_wire import NAME
from ._sse import encode_event

# Requests ---------------------------------------------------------------------------------------

T = TypeVar("T")

_EFFORTS = get_args(Effort)
_CHOICES: dict[str, Any] = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "auto"}
_FIELDS: tuple[tuple[str, str, Any], ...] = (
    ("temperature", "temperature", float),
    ("topP", "top_p", float),
    ("topK", "top_k", int),
    ("maxOutputTokens", "max_tokens", int),
    ("stopSequences", "stop", list[str]),
    ("seed", "seed", int),
    ("presencePenalty", "presence_penalty", float),
    ("frequencyPenalty", "frequency_penalty", float),
)


def decode_request(body: bytes) -> ChatRequest:
    """The request in a body; its model is in the path. What only Gemini has goes to `options`."""
    fields = wire.fields_of(Raw(body), "the request")
    if "contents" not in fields:
        raise BadWire("the request has no contents")
    try:
        return _request(fields)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise BadWire(str(e)) from e


def _request(fields: dict[str, Raw]) -> ChatRequest:
    request = ChatRequest(messages=[])
    if (raw := fields.pop("systemInstruction", None)) is not None:
        system = wire.fields_of(raw, "systemInstruction")
        request.messages.append(Message("system", [p for p in map(wire.decode_part, _parts(system)) if p]))
    request.messages += _messages(fields.pop("contents"))
    fields.pop("model", None)
    options: dict[str, Any] = {}
    if (raw := fields.pop("tools", None)) is not None:
        _tools(wire.value_of(raw), request, options)
    if (raw := fields.pop("toolConfig", None)) is not None:
        _tool_choice(wire.value_of(raw), request, options)
    if (raw := fields.pop("generationConfig", None)) is not None:
        _generation_config(wire.value_of(raw), request, options)
    request.options = options | {key: wire.value_of(raw) for key, raw in fields.items()}
    return request


def _parts(content: dict[str, Raw]) -> list[Raw]:
    return msgspec.json.decode(content["parts"], type=list[Raw]) if "parts" in content else []


class _Calls:
    """The calls of a conversation, to find the one that a functionResponse without an id answers."""

    def __init__(self) -> None:
        self._open: list[ToolCall] = []
        self._made_up = 0

    def _id(self) -> str:
        self._made_up += 1
        return wire.made_up_id(None, self._made_up - 1)

    def asked(self, call: ToolCall) -> None:
        call.id = call.id or self._id()
        self._open.append(call)

    def answered(self, id: str | None, name: str) -> str:
        """By id, else the first of that name."""
        found = next((call for call in self._open if (call.id == id if id else call.name == name)), None)
        if found is not None:
            self._open.remove(found)
            return found.id
        return id or self._id()


def _messages(raw: Raw) -> list[Message]:
    out: list[Message] = []
    calls = _Calls()
    for content in msgspec.json.decode(raw, type=list[Raw]):
        fields = wire.fields_of(content, "a content")
        said = wire.text_of(fields, "role")
        role: Role = "assistant" if said == "model" else "system" if said == "system" else "user"
        message: Message | None = None
        for item in _parts(fields):
            part, at = _part(item, role, calls)
            if part is not None:
                if message is None or message.role != at:
                    message = Message(at)
                    out.append(message)
                message.content.append(part)
    return out


def _part(raw: Raw, role: Role, calls: _Calls) -> tuple[Part | None, Role]:
    fields = wire.fields_of(raw, "a part")
    if "functionResponse" in fields:
        response = wire.fields_of(fields["functionResponse"], "functionResponse")
        name = wire.text_of(response, "name") or ""
        call_id = calls.answered(wire.text_of(response, "id"), name)
        result = wire.decode_result(fields["functionResponse"], call_id, name)
        rest = {key: wire.value_of(value) for key, value in fields.items() if key != "functionResponse"}
        if rest:
            result.extra = {NAME: wire.own_extra(result) | rest}
        return result, "tool"
    part = wire.decode_part(raw)
    if isinstance(part, ToolCall):
        calls.asked(part)
        own = wire.own_extra(part)
        if own.get("thoughtSignature") == wire.FOREIGN_SIGNATURE:  # no signature, but a way around one
            del own["thoughtSignature"]
            part.extra = {NAME: own} if own else None
    return part, role


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadWire(f"{what} is not an object")
    return wire.camel(value)


def _tools(value: Any, request: ChatRequest, options: dict[str, Any]) -> None:
    whole = True
    for item in msgspec.convert(value, list[dict[str, Any]]):
        entry = wire.camel(item)
        whole = whole and entry.keys() == {"functionDeclarations"}
        for declared in msgspec.convert(entry.get("functionDeclarations") or [], list[dict[str, Any]]):
            function = wire.camel(declared)
            tool = Tool(msgspec.convert(function.get("name"), str), function.get("description"))
            if "parametersJsonSchema" in function:
                tool.parameters = _object_as_it_is(function["parametersJsonSchema"])
            elif "parameters" in function:
                tool.parameters = _object_as_it_is(wire.json_schema(function["parameters"]))
            request.tools.append(tool)
            whole = whole and not function.keys() & {"response", "responseJsonSchema", "behavior"}
    if not whole:  # server-side tools and the like: the list goes back as it came
        options["tools"] = value


def _object_as_it_is(value: Any) -> dict[str, Any]:
    return msgspec.convert(value, dict[str, Any])


def _tool_choice(value: Any, request: ChatRequest, options: dict[str, Any]) -> None:
    config = _object(value, "toolConfig")
    calling = _object(config.get("functionCallingConfig") or {}, "functionCallingConfig")
    if calling.get("streamFunctionCallArguments"):
        raise Unsupported("streamFunctionCallArguments: calls come whole; leave it out")
    mode = str(calling.get("mode") or "").upper()
    allowed = msgspec.convert(calling.get("allowedFunctionNames") or [], list[str])
    request.tool_choice = _CHOICES.get(mode)
    whole = mode != "VALIDATED" and config.keys() == {"functionCallingConfig"}
    if mode == "ANY" and len(allowed) == 1:
        request.tool_choice = NamedTool(allowed[0])
    elif allowed:
        whole = False
    if not whole:
        options["toolConfig"] = value


def _generation_config(value: Any, request: ChatRequest, options: dict[str, Any]) -> None:
    config = _object(value, "generationConfig")
    if config.pop("candidateCount", None) not in (None, 1):
        raise Unsupported("candidateCount: a reply is one answer; call several times")
    for theirs, ours, kind in _FIELDS:
        if (given := config.pop(theirs, None)) is not None:
            setattr(request, ours, msgspec.convert(given, kind, strict=False))
    schema = config.pop("responseJsonSchema", None)
    own_schema = config.pop("responseSchema", None)
    if schema is None and own_schema is not None:
        schema = wire.json_schema(own_schema)
    if schema is not None:
        request.output = OutputSchema(_object_as_it_is(schema))
        if config.get("responseMimeType") == "application/json":
            del config["responseMimeType"]
    if (thinking := config.pop("thinkingConfig", None)) is not None and (
        rest := _thinking(_object(thinking, "thinkingConfig"), request)
    ):
        config["thinkingConfig"] = rest
    if config:
        options["generationConfig"] = config


def _thinking(config: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
    """Takes what the neutral request has; returns the rest."""
    level, budget = str(config.get("thinkingLevel") or "").lower(), config.get("thinkingBudget")
    if level in _EFFORTS:
        request.reasoning_effort = level  # type: ignore[assignment]
        del config["thinkingLevel"]
    if isinstance(budget, int) and budget >= 0:
        if budget:
            request.reasoning_budget = budget
        else:
            request.reasoning_effort = "none"
        del config["thinkingBudget"]
    shown = bool(config.pop("includeThoughts", False))
    # encode_request asks to see the thoughts of a model that it asks to think.
    if shown != (request.reasoning_budget is not None or request.reasoning_effort not in (None, "none")):
        config["includeThoughts"] = shown
    return config


# Answers ----------------------------------------------------------------------------------------


def _usage(usage: Usage) -> dict[str, int]:
    prompt = usage.input + usage.cached_input + usage.cache_write
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": usage.output,
        "totalTokenCount": usage.total,
    }
    if usage.cached_input:
        counts["cachedContentTokenCount"] = usage.cached_input
    if usage.reasoning:
        counts["thoughtsTokenCount"] = usage.reasoning
    return counts


def _finish_reason(stop: StopReason, raw: str | None) -> str:
    """Gemini's own word where the answer is one of its own, else the nearest."""
    stop = "stop" if stop in ("tool_calls", "stop_sequence") else stop
    if raw is not None and raw.isupper() and wire.FINISH.get(raw, "other") == stop and raw != "OTHER":
        return raw
    return wire.FINISH_OF.get(stop, "STOP")


def _ended(stop: StopReason, raw: str | None, extra: Extra, broken: bool) -> dict[str, Any]:
    """The fields of a candidate that say how it ended."""
    own = extra.get(NAME) or {} if extra else {}
    out: dict[str, Any] = {key: value for key, value in own.items() if key not in ("promptFeedback", "modelStatus")}
    if broken:
        out["finishMessage"] = "The arguments of a function call were not a JSON object; the call is left out."
    if broken and stop != "length":
        out["finishReason"] = "MALFORMED_FUNCTION_CALL"
    else:
        out["finishReason"] = _finish_reason(stop, raw)
    return out


def _beside(extra: Extra) -> dict[str, Any]:
    """The fields beside the candidates."""
    own = extra.get(NAME) or {} if extra else {}
    return {key: own[key] for key in ("promptFeedback", "modelStatus") if key in own}


def _blocked(extra: Extra, content: bool) -> bool:
    """Whether it was the prompt that was refused, which Gemini states without a candidate."""
    feedback = _beside(extra).get("promptFeedback") or {}
    return not content and bool(feedback.get("blockReason") or feedback.get("blockReasonMessage"))


def _encode_part(part: Part) -> tuple[dict[str, Any] | Raw | None, bool]:
    """A part of an answer, and whether it is a call that cannot be stated."""
    try:
        encoded = wire.encode_part(part)
    except Unsupported:
        if not isinstance(part, ToolCall):
            raise
        return None, True
    # An event is a line, so JSON that we took as it came must have no line ends.
    if isinstance(encoded, Raw):
        return Raw(msgspec.json.format(bytes(encoded), indent=-1)), False
    if isinstance(part, ToolCall) and encoded is not None:
        args = encoded["functionCall"]["args"]
        encoded["functionCall"]["args"] = Raw(msgspec.json.format(bytes(args), indent=-1))
    return encoded, False


def encode_reply(reply: Reply) -> bytes:
    parts: list[Any] = []
    broken = False
    for part in reply.message.content:
        encoded, bad = _encode_part(part)
        broken = broken or bad
        if encoded is not None:
            parts.append(encoded)
    out: dict[str, Any] = {}
    if not _blocked(reply.extra, bool(parts)):
        content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
        ended = _ended(reply.stop_reason, reply.stop_raw, reply.extra, broken)
        out["candidates"] = [{"content": content, "index": 0} | ended]
    out |= _beside(reply.extra)
    if reply.usage is not None:
        out["usageMetadata"] = _usage(reply.usage)
    if reply.model is not None:
        out["modelVersion"] = reply.model
    if reply.id is not None:
        out["responseId"] = reply.id
    return msgspec.json.encode(out)


class StreamEncoder:
    """Events as server-sent events. A call goes out whole, once its last piece is here."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._calls: dict[int, tuple[ToolCall, list[str]]] = {}
        self._thoughts: dict[int, bool] = {}
        self._extras: dict[int, dict[str, Any]] = {}
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._content = False
        self._broken = False

    def feed(self, event: Event) -> bytes:
        if isinstance(event, TextDelta | RefusalDelta):
            return self._before(event.index) + self._text(event.index, event.text, False)
        if isinstance(event, ReasoningDelta):
            return self._before(event.index) + self._text(event.index, event.text, True)
        if isinstance(event, ToolCallDelta):
            call, pieces = self._calls.setdefault(event.index, (ToolCall(event.id, event.name, ""), []))
            call.id, call.name = call.id or event.id, call.name or event.name
            pieces.append(event.arguments)
        elif isinstance(event, PartExtra):
            return self._extra(event.index, event.extra.get(NAME) or {})
        elif isinstance(event, PartAdded):
            return self._before(event.index) + self._part(event.part)
        elif isinstance(event, UsageUpdate):
            self._usage = event.usage
        elif isinstance(event, Finished):
            self._finished = event
            return self._before(None)
        elif isinstance(event, Started):
            named = (("modelVersion", event.model), ("responseId", event.id))
            self._head = {key: value for key, value in named if value is not None}
        return b""

    def finish(self) -> bytes:
        out = self._before(None)
        if self._finished is None:
            return out  # nothing that looks like an end
        ended = self._finished
        if _blocked(ended.extra, self._content):
            body: dict[str, Any] = {}
        else:
            said = _ended(ended.stop_reason, ended.stop_raw, ended.extra, self._broken)
            body = {"candidates": [{"content": {"role": "model"}, "index": 0} | said]}
        body |= _beside(ended.extra)
        if self._usage is not None:
            body["usageMetadata"] = _usage(self._usage)
        return out + encode_event(msgspec.json.encode(body | self._head))

    def error(self, error: GateError) -> bytes:
        return encode_event(encode_error(error)[1])

    def _send(self, part: Any) -> bytes:
        self._content = True
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
        return encode_event(msgspec.json.encode({"candidates": [candidate], **self._head}))

    def _text(self, index: int, text: str, thought: bool) -> bytes:
        extra = self._extras.pop(index, {})
        self._thoughts[index] = thought
        if not text and not extra.keys() - {"thought"}:
            return b""
        part = {"text": text, "thought": True} if thought else {"text": text}
        return self._send(part | extra)

    def _extra(self, index: int, extra: dict[str, Any]) -> bytes:
        if index in self._thoughts and extra.keys() - {"thought"}:
            # Its text has gone out; a signature may follow on an empty part, as the vendor's own do.
            part = {"text": "", "thought": True} if self._thoughts[index] else {"text": ""}
            return self._send(part | extra)
        if extra and index not in self._thoughts:
            self._extras[index] = self._extras.get(index, {}) | extra
        return b""

    def _before(self, index: int | None) -> bytes:
        """The calls before the part at `index`, which are whole now; all calls for None."""
        if not self._calls:
            return b""
        out = b""
        for at in sorted(self._calls):
            if index is None or at < index:
                call, pieces = self._calls.pop(at)
                own = self._extras.pop(at, None)
                call.arguments = "".join(pieces) or "{}"
                call.extra = {NAME: own} if own else None
                out += self._part(call)
        return out

    def _part(self, part: Part) -> bytes:
        encoded, bad = _encode_part(part)
        self._broken = self._broken or bad
        return b"" if encoded is None else self._send(encoded)


# Errors -----------------------------------------------------------------------------------------

_STATUSES: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_CODES: tuple[tuple[type[GateError], int, str | None], ...] = (
    (AuthenticationFailed, 401, None),
    (RateLimited, 429, None),
    (ContentRefused, 400, "CONTENT_REFUSED"),
    (InvalidRequest, 400, None),
    (Overloaded, 503, None),
    (ConnectionFailed, 503, None),
    (Timeout, 504, None),
    (ProviderError, 500, None),
    (PolicyDenied, 403, "POLICY_DENIED"),
    (ModelUnavailable, 404, "MODEL_UNAVAILABLE"),
    (Unsupported, 400, "UNSUPPORTED"),
    (ConfigError, 400, None),
)


def encode_error(error: GateError) -> tuple[int, bytes]:
    """The HTTP status, and a google.rpc.Status with its ErrorInfo and RetryInfo."""
    told = error
    if isinstance(error, AllTargetsFailed):  # the last target's word, with the message of the whole
        told = next((e for e in reversed(error.exceptions) if isinstance(e, GateError)), error)
    status, reason = next(((code, why) for kind, code, why in _CODES if isinstance(told, kind)), (500, None))
    if isinstance(told, InvalidRequest) and told.status in (404, 409):
        status = told.status
    details: list[dict[str, Any]] = []
    if reason is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "llmgate"})
    if isinstance(told, ProviderError) and told.retry_after is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{told.retry_after:g}s"})
    body: dict[str, Any] = {"code": status, "message": str(error), "status": _STATUSES[status]}
    if details:
        body["details"] = details
    return status, msgspec.json.encode({"error": body})
