"""What callers may write, made into the neutral request: messages, tools, schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

import msgspec

from . import dialects
from .chat import ChatRequest, Effort, Message, NamedTool, OutputSchema, Text, Tool
from .errors import ConfigError

Messages = str | Message | Sequence[Message | Mapping[str, Any]]


class CallOptions(TypedDict, total=False):
    """What a call may say besides its messages. Lengths are in tokens, times in seconds."""

    model: str | None
    """A route's name, `provider:model`, or a bare model id. Default: the config's default route."""
    schema: Any
    """The answer's form: a pydantic model, a dataclass, a msgspec Struct or a JSON schema. See `reply.parsed`."""
    tools: Iterable[Tool | Mapping[str, Any]]
    tool_choice: Literal["auto", "none", "required"] | NamedTool | str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    stop: str | Sequence[str] | None
    seed: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    reasoning_effort: Effort | None
    reasoning_budget: int | None
    user: str | None
    metadata: dict[str, str] | None
    provider_options: Mapping[str, dict[str, Any]]
    """Provider id to fields that only its own API has; they go into the body as they are."""
    use: Iterable[str]
    """Further uses that this call makes; policy is only ever narrowed by them."""
    facts: Mapping[str, Any]
    """Further facts about this call; policy is only ever narrowed by them."""
    timeout: float | str | None
    """In seconds, or as in the config: "5s"."""
    retries: int | None


_ROUTING = frozenset({"model", "provider_options", "use", "facts", "timeout", "retries"})
_CONVERTED = frozenset({"schema", "tools", "tool_choice", "stop"})
_PLAIN = frozenset(CallOptions.__annotations__) - _ROUTING - _CONVERTED


def build(messages: Messages, options: Mapping[str, Any]) -> tuple[ChatRequest, Callable[[str], Any] | None]:
    """The neutral request, and what parses its answer if a schema was given. ConfigError for what does not fit."""
    for name in options:
        if name not in CallOptions.__annotations__:
            from ._toml import nearest

            raise ConfigError(f'chat has no argument "{name}"{nearest(name, CallOptions.__annotations__)}')
    fields = {k: v for k, v in options.items() if k in _PLAIN and v is not None}
    parse: Callable[[str], Any] | None = None
    if (schema := options.get("schema")) is not None:
        fields["output"], parse = output_schema(schema)
    if tools := options.get("tools"):
        fields["tools"] = [_tool(t) for t in tools]
    if (choice := options.get("tool_choice")) is not None:
        fields["tool_choice"] = _tool_choice(choice)
    if (stop := options.get("stop")) is not None:
        fields["stop"] = [stop] if isinstance(stop, str) else list(stop)
    return ChatRequest(as_messages(messages), **fields), parse


def as_messages(given: Messages) -> list[Message]:
    """Messages from a string, Message objects or OpenAI-style dicts."""
    if isinstance(given, str):
        return [Message("user", [Text(given)])]
    if isinstance(given, Message):
        return [given]
    if not isinstance(given, Iterable) or isinstance(given, Mapping | bytes):
        raise ConfigError(f"messages are a string, a Message or a list of messages, not {type(given).__name__}")
    out: list[Message] = []
    for item in given:
        if isinstance(item, Message):
            out.append(item)
        elif isinstance(item, Mapping):
            out.extend(_openai({"messages": [item]}).messages)
        else:
            raise ConfigError(
                f"a message is a string, a Message or a dict with role and content, not {type(item).__name__}"
            )
    if not out:
        raise ConfigError("there are no messages")
    return out


def _openai(body: Mapping[str, Any]) -> ChatRequest:
    try:
        return dialects.get("openai_chat").decode_request(msgspec.json.encode(body))
    except (dialects.BadWire, TypeError) as error:
        raise ConfigError(f"not an OpenAI-style message or tool: {error}") from None


def _tool(given: Tool | Mapping[str, Any]) -> Tool:
    if isinstance(given, Tool):
        return given
    if not isinstance(given, Mapping):
        raise ConfigError(f"a tool is a Tool or a dict, not {type(given).__name__}")
    wire = given if "function" in given else {"type": "function", "function": dict(given)}
    return _openai({"messages": [], "tools": [wire]}).tools[0]


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, NamedTool) or choice in ("auto", "none", "required"):
        return choice
    if isinstance(choice, str):
        return NamedTool(choice)
    if isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping) and "name" in choice["function"]:
        return NamedTool(choice["function"]["name"])
    raise ConfigError('tool_choice is "auto", "none", "required" or a tool\'s name')


def output_schema(given: Any) -> tuple[OutputSchema, Callable[[str], Any]]:
    """The JSON schema of a type, and what reads an answer back into it (raises ValueError if it does not fit)."""
    if isinstance(given, OutputSchema):
        return given, msgspec.json.decode
    if isinstance(given, Mapping):
        schema = dict(given)
        return OutputSchema(schema, name=_name(schema.get("title")), strict=_is_strict(schema)), msgspec.json.decode
    if isinstance(given, type) and hasattr(given, "model_json_schema"):
        schema = strict(given.model_json_schema())
        return OutputSchema(schema, name=_name(given.__name__)), given.model_validate_json  # type: ignore[attr-defined]
    if isinstance(given, type) and (issubclass(given, msgspec.Struct) or hasattr(given, "__dataclass_fields__")):
        schema = msgspec.json.schema(given)
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            definitions = dict(schema["$defs"])
            schema = {**definitions.pop(name), **({"$defs": definitions} if definitions else {})}
        decoder = msgspec.json.Decoder(given)
        return OutputSchema(strict(schema), name=_name(given.__name__)), decoder.decode
    raise ConfigError("schema is a pydantic model, a dataclass, a msgspec Struct or a JSON schema as a dict")


def strict(schema: Any) -> Any:
    """A schema as strict structured output wants it: every object closed, every property required."""
    if isinstance(schema, list):
        return [strict(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {
        k: {n: strict(s) for n, s in v.items()} if k in ("properties", "$defs") and isinstance(v, dict) else strict(v)
        for k, v in schema.items()
        if k != "default"
    }
    if isinstance(out.get("properties"), dict):
        out["additionalProperties"] = False
        out["required"] = list(out["properties"])
    return out


def _is_strict(schema: Mapping[str, Any]) -> bool:
    return bool(strict(dict(schema)) == schema)


def _name(title: Any) -> str:
    cleaned = "".join(c if c.isalnum() or c in "_-" else "_" for c in str(title or "answer"))
    return cleaned[:64] or "answer"
