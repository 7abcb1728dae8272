"""The server's half of Chat Completions: a client's request as the neutral one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast, get_args

import msgspec
from msgspec import Raw

from ..chat import (
    Audio,
    ChatRequest,
    Document,
    Effort,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ..errors import Unsupported
from . import BadWire
from ._openai_chat_request import own
from ._openai_chat_wire import NAME, NOT_JSON, OURS, THOUGHTS, from_url

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
    """The request in a body. `stream` is the server's business; what only this dialect has: `options`."""
    try:
        data = msgspec.json.decode(body)
    except NOT_JSON as error:
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
    request.stop = [stop] if isinstance(stop, str) else [_expect(text, (str,), "stop") for text in stop]
    request.tools = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(_field(data, "tools", (list,), "", []))]
    data.pop("tools", None)
    for value in (request.metadata or {}).values():
        _expect(value, (str,), "metadata")
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
        raise BadWire(f"{where}: must be {' or '.join(t.__name__ for t in types)}, not {type(value).__name__}")
    return value


def _field(data: dict[str, Any], name: str, types: tuple[type, ...], where: str, default: Any = None) -> Any:
    """A field that may be missing or null."""
    value = data.get(name)
    return default if value is None else _expect(value, types, f"{where}.{name}" if where else name)


def _needed(data: dict[str, Any], name: str, types: tuple[type, ...], where: str) -> Any:
    return _expect(data.get(name), types, f"{where}.{name}")


def _tool(data: Any, where: str) -> Tool:
    _expect(data, (dict,), where)
    if data.get("type", "function") != "function":
        raise Unsupported(f"{where}: a tool of the type {data['type']!r}; only functions can be translated")
    function, where = _needed(data, "function", (dict,), where), f"{where}.function"
    tool = Tool(_needed(function, "name", (str,), where))
    tool.description = _field(function, "description", (str,), where)
    tool.strict = _field(function, "strict", (bool,), where)
    tool.parameters = _field(function, "parameters", (dict,), where, tool.parameters)
    return tool


def _tool_choice(choice: Any) -> Any:
    if choice == "any":  # Mistral
        return "required"
    if isinstance(choice, str) and choice in ("auto", "none", "required"):
        return choice
    function = choice.get("function") if isinstance(choice, dict) else None
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        return NamedTool(function["name"])
    raise Unsupported("tool_choice: only auto, none, required or one named function can be translated")


def _output(schema: Any) -> OutputSchema:
    where = "response_format.json_schema"
    _expect(schema, (dict,), where)
    return OutputSchema(
        _field(schema, "schema", (dict,), where, {}),
        name=_field(schema, "name", (str,), where, "answer"),
        strict=_field(schema, "strict", (bool,), where, False),
        description=_field(schema, "description", (str,), where),
    )


_MESSAGE = frozenset(("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "images"))


def _message(data: dict[str, Any], where: str, names: dict[str, str]) -> Message:
    """names: of the tools, by the id of the call, which results do not repeat."""
    role = data.get("role")
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant", "tool"):
        raise BadWire(f"{where}.role: must be system, developer, user, assistant or tool, not {role!r}")
    name = _field(data, "name", (str,), where)
    content = _parts(data.get("content"), f"{where}.content")
    rest = {key: value for key, value in data.items() if key not in _MESSAGE and value is not None}
    if role == "tool":
        call_id = _needed(data, "tool_call_id", (str,), where)
        if any(not isinstance(part, Text) for part in content):
            raise Unsupported(f"{where}: a tool's result can only be text")
        texts = cast("list[Any]", content)
        result = ToolResult(call_id, texts, name or names.get(call_id), extra={NAME: rest} if rest else None)
        return Message("tool", [result])
    message = Message(cast(Role, role), content, name)
    if role == "assistant":
        message.content = [*_thoughts(rest, where), *content, *_answer(data, where)]
        names.update((call.id, call.name) for call in message.tool_calls)
    if rest:
        message.extra = {NAME: rest}
    return message


def _answer(data: dict[str, Any], where: str) -> list[Part]:
    """What an assistant's message has beside its content."""
    out: list[Part] = []
    if refusal := _field(data, "refusal", (str,), where):
        out.append(Refusal(refusal))
    for at, image in enumerate(_field(data, "images", (list,), where, [])):
        part = _part(image, f"{where}.images[{at}]")
        if isinstance(part, Image):
            part.extra = {NAME: {"field": "images"}}
        out.append(part)
    if audio := _field(data, "audio", (dict,), where):
        out.append(Audio(extra={NAME: audio}))
    for at, call in enumerate(_field(data, "tool_calls", (list,), where, [])):
        out.append(_call(call, f"{where}.tool_calls[{at}]"))
    return out


def _thoughts(rest: dict[str, Any], where: str) -> list[Part]:
    """The reasoning of an assistant's message, taken out of `rest`."""
    details: list[dict[str, Any]] = _field(rest, "reasoning_details", (list,), where, [])
    for detail in details:
        _expect(detail, (dict,), f"{where}.reasoning_details")
    ours = [detail for detail in details if detail.get("format") == OURS]
    theirs = [detail for detail in details if detail.get("format") != OURS]
    rest.pop("reasoning_details", None)
    found = [(field, rest.pop(field)) for field in THOUGHTS if isinstance(rest.get(field), str)]
    if ours:  # parts that came through a gateway of ours return as they were; the plain text repeats them
        return [_our_thought(detail, f"{where}.reasoning_details") for detail in ours]
    if not found and not theirs:
        return []
    field, text = found[0] if found else ("reasoning_details", "")
    if not found:
        text = "".join(str(detail.get("text") or detail.get("summary") or "") for detail in theirs)
    extra: dict[str, Any] = {"field": field}
    if theirs:
        extra["reasoning_details"] = theirs
    return [Reasoning(text, {NAME: extra})]


def _our_thought(detail: dict[str, Any], where: str) -> Reasoning | Opaque:
    if "dialect" in detail:
        return Opaque(_needed(detail, "dialect", (str,), where), Raw(msgspec.json.encode(detail.get("data"))))
    return Reasoning(_field(detail, "text", (str,), where, ""), _field(detail, "extra", (dict,), where) or None)


def _call(data: Any, where: str) -> ToolCall:
    _expect(data, (dict,), where)
    call_id = _needed(data, "id", (str,), where)
    if data.get("type") == "custom":
        custom, where = _needed(data, "custom", (dict,), where), f"{where}.custom"
        name, text = _needed(custom, "name", (str,), where), _needed(custom, "input", (str,), where)
        return ToolCall(call_id, name, text, {NAME: {"type": "custom"}})
    function = _needed(data, "function", (dict,), where)
    arguments = function.get("arguments") or "{}"
    if not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    call = ToolCall(call_id, _needed(function, "name", (str,), f"{where}.function"), arguments)
    content = _field(data, "extra_content", (dict,), where, {})
    extra = dict(_field(content, OURS, (dict,), f"{where}.extra_content", {}))
    if others := {key: value for key, value in content.items() if key != OURS}:
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
        part = Text(_needed(data, "text", (str,), where))
    elif kind == "refusal":
        part = Refusal(_needed(data, "refusal", (str,), where))
    elif kind == "thinking":
        thoughts = _needed(data, "thinking", (str, list), where)
        if not isinstance(thoughts, str):
            thoughts = "".join(_field(_expect(t, (dict,), where), "text", (str,), where, "") for t in thoughts)
        known = ("type", "thinking", "closed")
        part = Reasoning(thoughts)
    elif kind == "image_url":
        image = _needed(data, "image_url", (str, dict), where)
        image, where = {"url": image} if isinstance(image, str) else image, f"{where}.image_url"
        content, media_type, url = from_url(_needed(image, "url", (str,), where))
        detail = image.get("detail")
        part = Image(content, url, media_type, detail if detail in ("auto", "low", "high") else None)
    elif kind == "input_audio":
        sound, where = _needed(data, "input_audio", (dict,), where), f"{where}.input_audio"
        name = _needed(sound, "format", (str,), where)
        part = Audio(_bytes(sound.get("data"), f"{where}.data"))
        part.media_type = "audio/mpeg" if name == "mp3" else f"audio/{name}"
    elif kind == "file":
        file, where = _needed(data, "file", (dict,), where), f"{where}.file"
        part = Document(name=_field(file, "filename", (str,), where))
        if file_id := _field(file, "file_id", (str,), where):
            part.extra = {NAME: {"file_id": file_id}}
        else:
            part.data, part.media_type, part.url = from_url(_needed(file, "file_data", (str,), where))
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
