"""Requests of the Anthropic Messages API, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from ..chat import (
    ChatRequest,
    Document,
    Effort,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
    Part,
    Quirks,
    Reasoning,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
)
from ..errors import Unsupported
from . import BadWire, Encoded
from ._anthropic_messages_wire import (
    NAME,
    Block,
    any_object,
    as_extra,
    assistant_block,
    document_block,
    encode_json,
    image_block,
    own,
    part_of,
    text_block,
    thinking_block,
    tool_result_block,
)

PATH = "/messages"

DEFAULT_MAX_TOKENS = 4096
"""Sent where a request sets no limit, as the API requires one: the longest answer that every Claude model
allows (the Claude 3 family ends there). A longer one, its thinking included, stops with `length`; set
max_tokens for more."""


# Encoding ---------------------------------------------------------------------------------------


def encode_request(request: ChatRequest, *, stream: bool, quirks: Quirks = Quirks()) -> Encoded:  # noqa: B008
    dropped: list[str] = []
    request = _without(request, quirks.drops, dropped)
    for name in ("seed", "frequency_penalty", "presence_penalty", "metadata"):
        if getattr(request, name) is not None:
            dropped.append(name)
    system, messages = _conversation(request.messages, dropped)
    thinking, effort = _thinking(request)
    body: dict[str, Any] = {}
    if request.model:
        body["model"] = request.model
    body["max_tokens"] = _max_tokens(request)
    if system:
        body["system"] = system
    body["messages"] = messages
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    choice = _tool_choice(request, dropped)
    if choice:
        body["tool_choice"] = choice
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.stop:
        body["stop_sequences"] = request.stop
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if thinking:
        body["thinking"] = thinking
    output: dict[str, Any] = {"effort": effort} if effort else {}
    if request.output is not None:
        output["format"] = _output_format(request, quirks)
    if output:
        body["output_config"] = output
    if stream:
        body["stream"] = True
    if request.options:
        body = merged(body, request.options)
    return Encoded(PATH, encode_json(body), tuple(dict.fromkeys(dropped)))


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """`ours` with `theirs` on top: dicts merge, None removes, the rest is replaced."""
    out = dict(ours)
    for key, value in theirs.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, Mapping):
            before = out.get(key)
            out[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            out[key] = value
    return out


def _without(request: ChatRequest, names: tuple[str, ...], dropped: list[str]) -> ChatRequest:
    """The request without the fields that the provider refuses."""
    defaults = ChatRequest(messages=[])
    changes: dict[str, Any] = {}
    for name in names:
        if getattr(request, name) != getattr(defaults, name):
            changes[name] = getattr(defaults, name)
            dropped.append(name)
    return msgspec.structs.replace(request, **changes) if changes else request


def _max_tokens(request: ChatRequest) -> int:
    if request.max_tokens is not None:
        return request.max_tokens
    # The thinking counts toward max_tokens, which must exceed its budget.
    return DEFAULT_MAX_TOKENS + (request.reasoning_budget or 0)


def _thinking(request: ChatRequest) -> tuple[dict[str, Any] | None, str | None]:
    """The `thinking` parameter and the effort.

    A budget is the manual mode of Claude 4.5 and earlier; an effort goes with the adaptive mode of 4.6 and
    later (platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting has the table of models).
    The lowest effort is `low`, so `minimal` is sent as that.
    """
    effort, budget = request.reasoning_effort, request.reasoning_budget
    if effort == "none" or (budget == 0 and effort is None):
        return {"type": "disabled"}, None
    level = "low" if effort == "minimal" else effort
    if budget:
        return {"type": "enabled", "budget_tokens": budget}, level
    return ({"type": "adaptive"} if level else None), level


def _output_format(request: ChatRequest, quirks: Quirks) -> dict[str, Any]:
    assert request.output is not None
    if not quirks.json_schema:
        raise Unsupported(
            "this provider has no schema-constrained output; ask for JSON in the prompt, or choose another"
        )
    schema = request.output.schema
    if request.output.description is not None and "description" not in schema:
        schema = {**schema, "description": request.output.description}
    return {"type": "json_schema", "schema": schema}


def _tool(tool: Tool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description is not None:
        out["description"] = tool.description
    if tool.strict is not None:
        out["strict"] = tool.strict
    return out


def _tool_choice(request: ChatRequest, dropped: list[str]) -> dict[str, Any] | None:
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if not request.tools and "tools" not in request.options:
        if isinstance(choice, NamedTool) or choice == "required":
            raise Unsupported("tool_choice asks for a tool, but the request has no tools; add some")
        dropped += [name for name in ("tool_choice", "parallel_tool_calls") if getattr(request, name) is not None]
        return None
    out: dict[str, Any] | None
    if isinstance(choice, NamedTool):
        out = {"type": "tool", "name": choice.name}
    else:
        out = {"type": "any" if choice == "required" else choice} if choice else None
    if parallel is False and choice != "none":  # without calls there is nothing to keep apart
        out = {**(out or {"type": "auto"}), "disable_parallel_tool_use": True}
    return out


def _conversation(messages: list[Message], dropped: list[str]) -> tuple[list[Any], list[dict[str, Any]]]:
    """The `system` blocks and the turns."""
    system: list[Any] = []
    turns: list[tuple[str, list[Block], list[Block]]] = []
    for message in messages:
        if message.name is not None:
            dropped.append("name")
        if message.role == "system":
            blocks = _system_blocks(message, dropped)
            if not own(message.extra).get("in_place"):
                system += blocks
            elif blocks:
                turns.append(("system", [], blocks))
            continue
        role = "assistant" if message.role == "assistant" else "user"
        convert = _assistant_blocks if role == "assistant" else _user_blocks
        results, others = convert(message, dropped)
        if not results and not others:
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(results)
            turns[-1][2].extend(others)
        else:
            turns.append((role, results, others))
    return system, [{"role": role, "content": results + others} for role, results, others in turns]


def _system_blocks(message: Message, dropped: list[str]) -> list[Block]:
    out: list[Block] = []
    for part in message.content:
        if isinstance(part, Text):
            block: Block | None = text_block(part)
        elif isinstance(part, Opaque):
            block = _own_opaque(part, dropped)
        else:
            raise Unsupported(
                f"Anthropic Messages takes only text in a system message, no {type(part).__name__.lower()}; "
                "put it in a user's message"
            )
        if block is not None:
            out.append(block)
    return out


def _user_blocks(message: Message, dropped: list[str]) -> tuple[list[Block], list[Block]]:
    results: list[Block] = []
    others: list[Block] = []
    for part in message.content:
        block: Block | None
        if isinstance(part, Text):
            block = text_block(part)
        elif isinstance(part, ToolResult):
            results.append(tool_result_block(part))
            dropped += ["detail"] if any(getattr(item, "detail", None) for item in part.content) else []
            continue
        elif isinstance(part, Image):
            block = image_block(part)
            dropped += ["detail"] if part.detail is not None else []
        elif isinstance(part, Document):
            block = document_block(part)
        elif isinstance(part, Opaque):
            block = _own_opaque(part, dropped)
        else:
            raise Unsupported(
                f"Anthropic Messages takes no {type(part).__name__.lower()} in a {message.role}'s message; "
                "leave it out, or choose a target that does"
            )
        if block is not None:
            others.append(block)
    return results, others


def _assistant_blocks(message: Message, dropped: list[str]) -> tuple[list[Block], list[Block]]:
    out: list[Block] = []
    for part in message.content:
        block: Block | None
        if isinstance(part, Reasoning):
            block = thinking_block(part)
            dropped += ["reasoning"] if block is None else []
        elif isinstance(part, Opaque):
            block = _own_opaque(part, dropped)
        else:
            block = assistant_block(part, safe_ids=True)
        if block is not None:
            out.append(block)
    return [], out


def _own_opaque(part: Opaque, dropped: list[str]) -> Raw | None:
    if part.dialect == NAME:
        return part.data
    dropped.append("opaque")
    return None


# Decoding ---------------------------------------------------------------------------------------


class _Message(Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[Raw]


class _Request(Struct):
    """A request; its other fields stay in the body."""

    messages: list[_Message]
    model: str = ""
    max_tokens: int | None = None
    system: str | list[Raw] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_KNOWN = {field.name for field in msgspec.structs.fields(_Request)} | {"stream"}
_EFFORTS = get_args(Effort)


def decode_request(body: bytes) -> ChatRequest:
    """A request as a client sends it. What only this API has is in `options`, so those mean something only to
    a target of this dialect. A null among them takes out what encode_request would put there."""
    try:
        wire = _decode_request(body)
        request = ChatRequest(
            messages=_messages_of(wire),
            model=wire.model,
            temperature=wire.temperature,
            top_p=wire.top_p,
            top_k=wire.top_k,
            max_tokens=wire.max_tokens,
            stop=wire.stop_sequences or [],
        )
        options = {key: value for key, value in any_object(body).items() if key not in _KNOWN and value is not None}
        _read_tools(wire, request, options)
        _read_output(wire, request, options)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadWire(f"not a request: {error}") from None
    metadata = dict(wire.metadata or {})
    user = metadata.pop("user_id", None)
    request.user = user if isinstance(user, str) else None
    if metadata:
        options["metadata"] = metadata
    request.options = options
    return request


def _messages_of(wire: _Request) -> list[Message]:
    out: list[Message] = []
    system = _parts_of(wire.system or [])
    if system:
        out.append(Message("system", system))
    for message in wire.messages:
        parts = _parts_of(message.content)
        if message.role == "system":
            out.append(Message("system", parts, extra=as_extra({"in_place": True})))
        elif message.role == "assistant":
            out.append(Message("assistant", parts))
        else:
            out += _user_messages(parts)
    return out


def _parts_of(content: str | list[Raw]) -> list[Part]:
    return [Text(content)] if isinstance(content, str) else [part_of(raw) for raw in content]


def _user_messages(parts: list[Part]) -> list[Message]:
    """A user's turn; tool results in it are a message of the role `tool`."""
    out: list[Message] = []
    for part in parts:
        role: Literal["tool", "user"] = "tool" if isinstance(part, ToolResult) else "user"
        if out and out[-1].role == role:
            out[-1].content.append(part)
        else:
            out.append(Message(role, [part]))
    return out or [Message("user")]


_NEUTRAL_TOOL = {"type", "name", "description", "input_schema", "strict"}


def _read_tools(wire: _Request, request: ChatRequest, options: dict[str, Any]) -> None:
    special = False
    for tool in wire.tools or []:
        special = special or not _NEUTRAL_TOOL.issuperset(key for key, value in tool.items() if value is not None)
        schema = tool.get("input_schema")
        if tool.get("type") not in (None, "custom") or not isinstance(schema, dict):
            special = True  # one that the vendor runs or defines
            continue
        request.tools.append(Tool(str(tool.get("name", "")), tool.get("description"), schema, tool.get("strict")))
    if special:  # a cache mark or a server's tool: the list goes back to this API as it came
        options["tools"] = wire.tools
    choice = wire.tool_choice or {}
    kind = choice.get("type")
    plain: dict[Any, ToolChoice] = {"auto": "auto", "none": "none", "any": "required"}
    request.tool_choice = NamedTool(str(choice.get("name"))) if kind == "tool" else plain.get(kind)
    if isinstance(choice.get("disable_parallel_tool_use"), bool):
        request.parallel_tool_calls = not choice["disable_parallel_tool_use"]


def _read_output(wire: _Request, request: ChatRequest, options: dict[str, Any]) -> None:
    """The output's schema, and how much to think."""
    config = dict(wire.output_config or {})
    form = config.get("format")
    if isinstance(form, dict) and form.get("type") == "json_schema" and isinstance(form.get("schema"), dict):
        request.output = OutputSchema(form["schema"])
        del config["format"]
    thinking = dict(wire.thinking or {})
    kind, effort = thinking.pop("type", None), config.get("effort")
    if kind == "disabled":
        request.reasoning_effort = "none"
    elif effort in _EFFORTS and kind in (None, "adaptive", "enabled"):
        request.reasoning_effort = effort
        del config["effort"]
        if kind is None:  # our own encoding of an effort would turn the thinking on
            options["thinking"] = None
    elif effort == "max":  # the nearest that others know; `options` keeps the real one
        request.reasoning_effort = "xhigh"
    if kind == "enabled" and isinstance(thinking.get("budget_tokens"), int):
        request.reasoning_budget = thinking.pop("budget_tokens")
    elif kind not in (None, "disabled") and (kind != "adaptive" or request.reasoning_effort is None):
        thinking["type"] = kind
    if thinking:
        options["thinking"] = thinking
    config = {key: value for key, value in config.items() if value is not None}
    if config:
        options["output_config"] = config
