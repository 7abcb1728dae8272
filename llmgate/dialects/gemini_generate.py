"""Gemini's generateContent and streamGenerateContent: client half and server half.

The wire is that of the Gemini API (ai.google.dev/api/generate-content) and of Gemini on Vertex AI, as the
`google-genai` SDK types it. The model is in the path, never in the body.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from ..chat import (
    ChatRequest,
    Document,
    Image,
    NamedTool,
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
from . import _gemini_generate_wire as wire
from ._gemini_generate_answer import StreamDecoder, decode_error, decode_reply
from ._gemini_generate_server import StreamEncoder, decode_request, encode_error, encode_reply
from ._gemini_generate_wire import NAME

__all__ = [
    "NAME",
    "StreamDecoder",
    "StreamEncoder",
    "decode_error",
    "decode_reply",
    "decode_request",
    "encode_error",
    "encode_reply",
    "encode_request",
]

# Requests ---------------------------------------------------------------------------------------

_SAMPLING = (
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("max_tokens", "maxOutputTokens"),
    ("stop", "stopSequences"),
    ("seed", "seed"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
)
_UNKNOWN_HERE = ("parallel_tool_calls", "user", "metadata")
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}

# What Google's own OpenAI-compatible endpoint makes of efforts (ai.google.dev/gemini-api/docs/openai).
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}


def encode_request(request: ChatRequest, *, stream: bool, quirks: Quirks = Quirks()) -> Encoded:  # noqa: B008
    dropped: list[str] = []
    if quirks.drops:
        plain = ChatRequest(request.messages)
        refused = {name: getattr(plain, name) for name in quirks.drops if hasattr(plain, name)}
        refused = {name: value for name, value in refused.items() if getattr(request, name) != value}
        dropped += refused
        request = msgspec.structs.replace(request, **refused)
    dropped += [name for name in _UNKNOWN_HERE if getattr(request, name) is not None]

    system, contents = _contents(request, dropped)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool, dropped) for tool in request.tools]}]
    if request.tool_choice is not None:
        choice = request.tool_choice
        calling = (
            {"mode": "ANY", "allowedFunctionNames": [choice.name]}
            if isinstance(choice, NamedTool)
            else {"mode": _MODES[choice]}
        )
        body["toolConfig"] = {"functionCallingConfig": calling}
    if config := _generation_config(request, quirks, dropped):
        body["generationConfig"] = config
    if request.options:
        body = _merged(body, request.options)
        _check(body)
    model = quote(request.model.removeprefix("models/"), safe="")
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return Encoded(f"/models/{model}:{verb}", msgspec.json.encode(body), tuple(dict.fromkeys(dropped)))


def _generation_config(request: ChatRequest, quirks: Quirks, dropped: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for ours, theirs in _SAMPLING:
        value = getattr(request, ours)
        if value is not None and value != []:
            config[theirs] = value
    if request.output is not None:
        if not quirks.json_schema:
            raise Unsupported("output: this provider has no schema-constrained output; ask for JSON in the prompt")
        schema = request.output.schema
        if request.output.description and "description" not in schema:
            schema = {**schema, "description": request.output.description}
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = schema
    if thinking := _thinking(request, dropped):
        config["thinkingConfig"] = thinking
    return config


def _thinking(request: ChatRequest, dropped: list[str]) -> dict[str, Any]:
    """Gemini up to 2.5 knows budgets only; later ones levels, budgets for old times' sake, and never both."""
    effort, budget = request.reasoning_effort, request.reasoning_budget
    old = _before_3(request.model)
    if effort is not None and budget is not None:
        dropped.append("reasoning_effort" if old else "reasoning_budget")
    if effort is not None and not old:
        if effort == "none":
            dropped.append("reasoning_effort")  # thinking cannot be turned off, only brought low
            return {"thinkingLevel": "MINIMAL"}
        return {"thinkingLevel": effort.upper(), "includeThoughts": True}
    if effort is not None and budget is None:
        budget = _BUDGETS[effort]
    if budget is not None:
        return {"thinkingBudget": budget} | ({"includeThoughts": True} if budget else {})
    return {}


def _before_3(model: str) -> bool:
    return model.removeprefix("models/").startswith(("gemini-1", "gemini-2"))


def _tool(tool: Tool, dropped: list[str]) -> dict[str, Any]:
    if tool.strict:
        dropped.append("strict")
    out: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        out["description"] = tool.description
    if tool.parameters != {"type": "object", "properties": {}}:
        out["parametersJsonSchema"] = tool.parameters
    return out


def _contents(request: ChatRequest, dropped: list[str]) -> tuple[list[Any], list[dict[str, Any]]]:
    """The parts of the system instruction and the turns."""
    system: list[Any] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    signs = "gemini" in request.model and not _before_3(request.model)
    last_role = None
    for message in request.messages:
        if message.name is not None:
            dropped.append("name")
        parts: list[Any] = []
        for part in message.content:
            if isinstance(part, ToolResult):
                name = part.name or names.get(part.call_id)
                if name is None:
                    raise Unsupported(f"tool result {part.call_id!r}: Gemini needs its tool's name; set name")
                response = wire.encode_result(part, name)
                own = dict(wire.own_extra(part))
                parts.append({"functionResponse": response | own.pop("functionResponse", {}), **own})
                continue
            if isinstance(part, ToolCall):
                names[part.id] = part.name
            elif isinstance(part, Reasoning) and not wire.own_extra(part):
                dropped.append("reasoning")  # another model's thoughts, or unsigned ones
                continue
            elif isinstance(part, Text | Refusal) and not part.text and not wire.own_extra(part):
                continue
            elif isinstance(part, Image) and part.detail is not None:
                dropped.append("detail")
            elif isinstance(part, Document) and part.name is not None:
                dropped.append("name")  # displayName is not for the Gemini API, the SDK says
            encoded = wire.encode_part(part)
            if encoded is None:
                dropped.append("opaque")
            else:
                parts.append(encoded)
        if message.role == "system":
            if any(not isinstance(part, dict) or "text" not in part for part in parts):
                raise Unsupported("system message: Gemini takes text only; move other parts to a user message")
            system += parts
        elif parts:
            if signs and message.role == "assistant":
                _sign(parts)
            if message.role == "tool" == last_role:  # parallel calls are answered in one turn
                contents[-1]["parts"] += parts
            else:
                contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
            last_role = message.role
    return system, contents


def _sign(parts: list[Any]) -> None:
    """Gemini 3 wants a signature on the first call of a step; for calls it did not make there is a stand-in."""
    first = next((part for part in parts if isinstance(part, dict) and "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", wire.FOREIGN_SIGNATURE)


def _merged(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    out = dict(ours)
    for key, value in theirs.items():
        old = out.get(key)
        out[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


def _check(body: dict[str, Any]) -> None:
    """Options that would change what an answer is."""
    config, calling = body.get("generationConfig"), body.get("toolConfig")
    if isinstance(config, dict) and config.get("candidateCount") not in (None, 1):
        raise Unsupported("candidateCount: a reply is one answer; call several times")
    calling = calling.get("functionCallingConfig") if isinstance(calling, dict) else None
    if isinstance(calling, dict) and calling.get("streamFunctionCallArguments"):
        raise Unsupported("streamFunctionCallArguments: calls come whole; leave it out")
