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
from ._openai_chat_wire import NAME, OURS, THOUGHTS, from_url

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
    request.tools = [_tool(t, f"tools[{i}]") for i, t in enumerate(_expect(data.pop("tools", []), (list,), "tools"))]
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


def _message(data: dict[str, Any], where: str, names: dict[str, str]) -> Message:
    """names: of the tools, by the id of the call, which results do not repeat."""
    role = data.get("role")
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant", "tool"):
        raise BadWire(f"{where}.role: must be system, developer, user, assistant or tool, not {role!r}")
    message = Message(cast(Role, role), name=data.get("name"))
    content = _parts(data.get("content"), f"{where}.content")
    rest = {k: v for k, v in data.items() if k not in _MESSAGE and v is not None}
    if role == "tool":
        call_id = _expect(data.get("tool_call_id"), (str,), f"{where}.tool_call_id")
        if any(not isinstance(part, Text) for part in content):
            raise Unsupported(f"{where}: a tool's result can only be text")
        message.name = None
        extra = {NAME: rest} if rest else None
        message.content = [
            ToolResult(call_id, cast("list[Any]", content), data.get("name") or names.get(call_id), extra=extra)
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
    ours = [d for d in details if isinstance(d, dict) and d.get("format") == OURS]
    theirs = [d for d in details if d not in ours]
    found = [(field, rest.pop(field)) for field in THOUGHTS if isinstance(rest.get(field), str)]
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
        extra = dict(content.get(OURS) or {})
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
        part = Text(_expect(data.get("text"), (str,), f"{where}.text"))
    elif kind == "refusal":
        part = Refusal(_expect(data.get("refusal"), (str,), f"{where}.refusal"))
    elif kind == "thinking":
        thoughts = data.get("thinking")
        if not isinstance(thoughts, str):
            thoughts = "".join(str(t.get("text") or "") for t in _expect(thoughts, (list,), f"{where}.thinking"))
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
        part = Audio(_bytes(sound.get("data"), where), media_type="audio/mpeg" if name == "mp3" else f"audio/{name}")
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
