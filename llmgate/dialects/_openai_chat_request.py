"""Requests of Chat Completions: the neutral request as a body."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from ..chat import (
    Audio,
    ChatRequest,
    Document,
    Image,
    Message,
    NamedTool,
    Opaque,
    Part,
    Quirks,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ..errors import Unsupported
from . import Encoded
from ._openai_chat_wire import NAME, data_url

PATH = "/chat/completions"

_PLAIN = (
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "user",
    "metadata",
)
"""Fields whose name and value are the wire's own."""

_NOT_THERE = ("top_k", "reasoning_budget")
"""Fields that the dialect does not have; hosts that do take them by `options`."""

_NOT_SENT_BACK = frozenset(("annotations", "logprobs"))
"""What an answer's text carries but a request's may not."""


def own(extra: dict[str, Any] | None) -> dict[str, Any]:
    """This dialect's share of a part's extra."""
    return (extra and extra.get(NAME)) or {}


def encode_request(request: ChatRequest, *, stream: bool, quirks: Quirks = Quirks()) -> Encoded:  # noqa: B008 - frozen
    dropped: list[str] = []
    body: dict[str, Any] = {"model": request.model}
    refused = _refused(request, quirks, dropped)
    messages = _Messages(quirks, dropped)
    for message in request.messages:
        messages.add(message)
    body["messages"] = messages.out
    has_tools = bool(request.tools) or "tools" in request.options
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    choice = request.tool_choice
    if choice is not None and "tool_choice" not in refused:
        named = isinstance(choice, NamedTool)
        body["tool_choice"] = {"type": "function", "function": {"name": choice.name}} if named else choice  # type: ignore[union-attr]
    if request.parallel_tool_calls is not None and has_tools and "parallel_tool_calls" not in refused:
        body["parallel_tool_calls"] = request.parallel_tool_calls  # without tools OpenAI refuses the field
    if request.output is not None:
        schema: dict[str, Any] = {
            "name": request.output.name,
            "schema": request.output.schema,
            "strict": request.output.strict,
        }
        if request.output.description is not None:
            schema["description"] = request.output.description
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    for field in _PLAIN:
        value = getattr(request, field)
        if value is not None and field not in refused:
            body[field] = value
    if request.max_tokens is not None and "max_tokens" not in refused:
        body[quirks.max_tokens or "max_tokens"] = request.max_tokens
    if request.stop and "stop" not in refused:
        body["stop"] = request.stop
    dropped += [field for field in _NOT_THERE if getattr(request, field) is not None and field not in refused]
    if stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    if request.options:
        body = _over(body, request.options)
    return Encoded(PATH, msgspec.json.encode(body), tuple(dict.fromkeys(dropped)))


def _refused(request: ChatRequest, quirks: Quirks, dropped: list[str]) -> set[str]:
    """The fields that this provider refuses, those that are set reported. An essential one raises."""
    if request.output is not None and (not quirks.json_schema or "output" in quirks.drops):
        raise Unsupported(
            "output: this provider cannot constrain an answer to a schema; ask for JSON in the prompt, "
            "or choose a target that can"
        )
    if request.tools and "tools" in quirks.drops:
        raise Unsupported("tools: this provider has no tool calls; choose a target that has")
    if request.tool_choice not in (None, "auto") and "tool_choice" in quirks.drops:
        raise Unsupported("tool_choice: this provider only knows `auto`; leave it out, or choose another target")
    refused = set(quirks.drops)
    for field in quirks.drops:
        if field in ChatRequest.__struct_fields__ and getattr(request, field) not in (None, [], {}):
            dropped.append(field)
    return refused


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _over(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Both merged; where they meet, `theirs` wins."""
    out = dict(ours)
    for key, value in theirs.items():
        old = out.get(key)
        out[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


class _Messages:
    """The conversation on the wire."""

    def __init__(self, quirks: Quirks, dropped: list[str]) -> None:
        self.out: list[dict[str, Any]] = []
        self._quirks = quirks
        self._dropped = dropped

    def add(self, message: Message) -> None:
        results = [part for part in message.content if isinstance(part, ToolResult)]
        rest = [part for part in message.content if not isinstance(part, ToolResult)]
        for result in results:
            self._result(result)
        if message.role == "tool":
            if any(not isinstance(part, Opaque) for part in rest):
                raise Unsupported("a message of the role tool holds tool results only; put the rest in a user message")
            self._drop_foreign(rest)
            return
        if results and not rest:
            return
        role = self._quirks.system_role if message.role == "system" else message.role
        wire: dict[str, Any] = {"role": role}
        if message.name is not None:
            wire["name"] = message.name
        if message.role == "assistant":
            self._assistant(rest, wire)
        else:
            kinds = (Text,) if message.role == "system" else (Text, Image, Audio, Document)
            wire["content"] = self._content(rest, message.role, kinds)
        wire.update(own(message.extra))
        self.out.append(wire)

    def _result(self, result: ToolResult) -> None:
        if result.is_error:
            self._dropped.append("is_error")  # the text has to say so
        content = self._content(result.content, "tool", (Text,))
        self.out.append({"role": "tool", "tool_call_id": result.call_id, "content": content, **own(result.extra)})

    def _drop_foreign(self, parts: Sequence[Part]) -> list[Part]:
        """Without the parts that only another dialect has."""
        kept: list[Part] = []
        for part in parts:
            if isinstance(part, Opaque) and part.dialect != NAME:
                self._dropped.append("opaque")
            elif isinstance(part, Reasoning) and ("field" not in own(part.extra) or "reasoning" in self._quirks.drops):
                self._dropped.append("reasoning")
            else:
                kept.append(part)
        return kept

    def _content(self, parts: Sequence[Part], role: str, kinds: tuple[type, ...]) -> str | list[Any]:
        parts = self._drop_foreign(parts)
        for part in parts:
            if not isinstance(part, (*kinds, Opaque)):
                kind = type(part).__name__.lower()
                place = "a tool's result" if role == "tool" else f"a message of the role {role}"
                raise Unsupported(f"{kind} in {place}: Chat Completions has no place for it; put it in a user message")
        if not parts:
            return ""
        wire = [_part(part) for part in parts]
        only = wire[0]
        if len(wire) == 1 and isinstance(only, dict) and only.keys() == {"type", "text"}:
            return str(only["text"])  # every host takes a string
        return wire

    def _assistant(self, parts: Sequence[Part], wire: dict[str, Any]) -> None:
        """Reasoning returns to the field it came from; text and refusals are content; calls come last."""
        content: list[Any] = []
        calls: list[dict[str, Any]] = []
        for part in self._drop_foreign(parts):
            extra = own(getattr(part, "extra", None))
            if isinstance(part, Reasoning):
                field = extra["field"]
                if field == "content":
                    content.append(_part(part))
                elif field != "reasoning_details":
                    wire[field] = wire.get(field, "") + part.text
                if details := extra.get("reasoning_details"):
                    wire["reasoning_details"] = [*wire.get("reasoning_details", ()), *details]
            elif isinstance(part, ToolCall):
                calls.append(call_to_wire(part))
            elif isinstance(part, Text | Refusal | Opaque):
                content.append(_part(part))
            elif isinstance(part, Image) and extra.get("field") == "images":
                wire.setdefault("images", []).append(_part(part))
            elif isinstance(part, Audio) and extra.get("id"):
                wire["audio"] = {"id": extra["id"]}  # OpenAI keeps the sound
            else:
                kind = type(part).__name__.lower()
                raise Unsupported(f"{kind} in a message of the role assistant; put it in a user message")
        only = content[0] if len(content) == 1 else None
        if isinstance(only, dict) and only.keys() == {"type", "text"}:
            wire["content"] = only["text"]
        elif isinstance(only, dict) and only.keys() == {"type", "refusal"}:
            wire["content"] = None
            wire["refusal"] = only["refusal"]
        elif content:
            wire["content"] = content
        else:
            wire["content"] = None if calls or "audio" in wire else ""
        if calls:
            wire["tool_calls"] = calls


def call_to_wire(call: ToolCall) -> dict[str, Any]:
    extra = own(call.extra)
    if extra.get("type") == "custom":
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    wire: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if content := extra.get("extra_content"):
        wire["extra_content"] = content
    return wire


def _part(part: Part) -> Any:
    if isinstance(part, Opaque):
        return part.data
    if isinstance(part, Text):
        rest = {key: value for key, value in own(part.extra).items() if key not in _NOT_SENT_BACK}
        return {"type": "text", "text": part.text, **rest}
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    if isinstance(part, Reasoning):  # Mistral's
        wire: dict[str, Any] = {"type": "thinking", "thinking": [{"type": "text", "text": part.text}]}
        if signature := own(part.extra).get("signature"):
            wire["signature"] = signature
        return wire
    rest = {key: value for key, value in own(getattr(part, "extra", None)).items() if key != "field"}
    if isinstance(part, Image):
        image: dict[str, Any] = {"url": _url(part, "image")}
        if part.detail is not None:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image, **rest}
    if isinstance(part, Audio):
        if part.data is None:
            raise Unsupported("audio by url: Chat Completions takes the bytes; read them and give `data`")
        sound = {"data": base64.b64encode(part.data).decode(), "format": _format(part)}
        return {"type": "input_audio", "input_audio": sound, **rest}
    assert isinstance(part, Document)
    if file_id := rest.pop("file_id", None):
        return {"type": "file", "file": {"file_id": file_id}, **rest}
    if part.data is None:
        raise Unsupported("a document by url: Chat Completions takes the bytes; read them and give `data`")
    media_type = part.media_type or "application/pdf"
    # OpenAI wants a name beside the bytes.
    name = part.name if part.name is not None else f"document.{media_type.rpartition('/')[2]}"
    return {"type": "file", "file": {"filename": name, "file_data": data_url(part.data, media_type)}, **rest}


def _url(part: Image, kind: str) -> str:
    if part.data is None:
        if part.url is None:
            raise Unsupported(f"an {kind} with neither data nor url")
        return part.url
    if part.media_type is None:
        raise Unsupported(f"an {kind} by its bytes needs its media_type, e.g. image/png")
    return data_url(part.data, part.media_type)


FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}


def _format(part: Audio) -> str:
    """OpenAI's names: wav, mp3. Other hosts take more, named after their media type."""
    if part.media_type is None:
        raise Unsupported("audio needs its media_type, e.g. audio/wav")
    return FORMATS.get(part.media_type) or part.media_type.removeprefix("audio/")
