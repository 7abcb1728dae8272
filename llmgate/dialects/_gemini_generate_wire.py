"""What Gemini's generateContent looks like on the wire: shapes, names and the conversion of single parts."""

from __future__ import annotations

import binascii
import mimetypes
import re
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from ..chat import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    StopReason,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from ..errors import (
    AuthenticationFailed,
    InvalidRequest,
    Overloaded,
    ProviderError,
    RateLimited,
    Timeout,
    Unsupported,
)
from . import BadWire

NAME = "gemini_generate"

MADE_UP = "gemini-"
"""Ids of tool calls that we made up because the API gave none begin with this; they never go back to it."""

FOREIGN_SIGNATURE = "skip_thought_signature_validator"
"""Stands in for the thought signature of a call that Gemini did not make itself (history of another model).

Gemini 3 and later answer 400 where the first call of a step has no signature; this value is the documented
way around it (ai.google.dev/gemini-api/docs/thought-signatures).
"""

NOTHING = Raw(b"")

# Answers ----------------------------------------------------------------------------------------

P = TypeVar("P")


class WireCall(Struct, forbid_unknown_fields=True):
    name: str | None = None
    id: str | None = None
    args: Raw = NOTHING


class WirePart(Struct, rename="camel", forbid_unknown_fields=True):
    """The common parts. Any other field is an error here, and makes the chunk take the slow road."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: WireCall | None = None


class WireContent(Struct, Generic[P]):
    parts: list[P] | None = None


class WireCandidate(Struct, Generic[P], rename="camel"):
    content: WireContent[P] | None = None
    finish_reason: str | None = None
    index: int | None = None
    finish_message: Raw = NOTHING
    safety_ratings: Raw = NOTHING
    citation_metadata: Raw = NOTHING
    grounding_metadata: Raw = NOTHING
    url_context_metadata: Raw = NOTHING
    avg_logprobs: Raw = NOTHING
    logprobs_result: Raw = NOTHING
    continuation_token: Raw = NOTHING

    def has_metadata(self) -> bool:
        """Any of METADATA; spelled out, since it is asked of every chunk."""
        return bool(
            self.safety_ratings
            or self.grounding_metadata
            or self.citation_metadata
            or self.url_context_metadata
            or self.avg_logprobs
            or self.logprobs_result
            or self.finish_message
            or self.continuation_token
        )


class WireUsage(Struct, rename="camel"):
    """promptTokenCount includes the cached ones; thoughts and tool use are counted beside the rest."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None

    def usage(self) -> Usage | None:
        prompt, cached = self.prompt_token_count, self.cached_content_token_count or 0
        output, total = self.candidates_token_count, self.total_token_count
        if prompt is None and output is None and total is None:  # e.g. only a traffic type
            return None
        return Usage(
            input=max((prompt or 0) - cached, 0) + (self.tool_use_prompt_token_count or 0),
            cached_input=cached,
            output=output or 0,
            reasoning=self.thoughts_token_count or 0,
        )


class WireAnswer(Struct, Generic[P], rename="camel"):
    """A GenerateContentResponse: the whole answer, or one chunk of a stream."""

    candidates: list[WireCandidate[P]] | None = None
    usage_metadata: WireUsage | None = None
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: Raw = NOTHING
    model_status: Raw = NOTHING
    error: Raw = NOTHING


METADATA = (
    ("safety_ratings", "safetyRatings"),
    ("grounding_metadata", "groundingMetadata"),
    ("citation_metadata", "citationMetadata"),
    ("url_context_metadata", "urlContextMetadata"),
    ("avg_logprobs", "avgLogprobs"),
    ("logprobs_result", "logprobsResult"),
    ("finish_message", "finishMessage"),
    ("continuation_token", "continuationToken"),
)
"""Fields of a candidate that travel in the reply's extra."""

FAST: msgspec.json.Decoder[WireAnswer[WirePart]] = msgspec.json.Decoder(WireAnswer[WirePart])
SLOW: msgspec.json.Decoder[WireAnswer[Raw]] = msgspec.json.Decoder(WireAnswer[Raw])
OBJECT: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])

FINISH: dict[str, StopReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    # The per-request limit was met; the next request goes on from the candidate's continuationToken.
    "CONTINUATION": "pause",
}
"""Finish reasons; those not here (MALFORMED_FUNCTION_CALL, LANGUAGE, NO_IMAGE, new ones) are `other`."""

# The plain reason that states each stop reason to a client of the server half.
FINISH_OF: dict[StopReason, str] = {
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "PROHIBITED_CONTENT",
    "pause": "OTHER",
    "other": "OTHER",
}

# Errors -----------------------------------------------------------------------------------------

KIND_OF_STATUS: dict[str, type[ProviderError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "FAILED_PRECONDITION": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "NOT_FOUND": InvalidRequest,
    "ALREADY_EXISTS": InvalidRequest,
    "UNIMPLEMENTED": InvalidRequest,
    "UNAUTHENTICATED": AuthenticationFailed,
    "PERMISSION_DENIED": AuthenticationFailed,
    "RESOURCE_EXHAUSTED": RateLimited,
    "DEADLINE_EXCEEDED": Timeout,
    "UNAVAILABLE": Overloaded,
    "INTERNAL": Overloaded,
    "UNKNOWN": Overloaded,
    "DATA_LOSS": Overloaded,
    "ABORTED": Overloaded,
    "CANCELLED": Overloaded,
}
"""The names of google.rpc.Code."""

KIND_OF_REASON: dict[str, type[ProviderError]] = {
    "RATE_LIMIT_EXCEEDED": RateLimited,
    "RESOURCE_QUOTA_EXCEEDED": RateLimited,
    **dict.fromkeys(
        (
            "API_KEY_INVALID",  # comes with HTTP 400
            "API_KEY_SERVICE_BLOCKED",
            "API_KEY_HTTP_REFERRER_BLOCKED",
            "API_KEY_IP_ADDRESS_BLOCKED",
            "API_KEY_ANDROID_APP_BLOCKED",
            "API_KEY_IOS_APP_BLOCKED",
            "ACCESS_TOKEN_EXPIRED",
            "BILLING_DISABLED",
            "CONSUMER_INVALID",
            "CONSUMER_SUSPENDED",
            "IAM_PERMISSION_DENIED",
            "SERVICE_DISABLED",
            "USER_PROJECT_DENIED",
        ),
        AuthenticationFailed,
    ),
}
"""Reasons of google.rpc.ErrorInfo (google/api/error_reason.proto); they say more than the status."""

# Names and values -------------------------------------------------------------------------------

_SNAKE = re.compile(r"_([a-z])")


def camel(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields by their JSON names. Protobuf's JSON also takes the snake_case ones."""
    if any("_" in key for key in fields):
        return {_SNAKE.sub(lambda m: m[1].upper(), key): value for key, value in fields.items()}
    return fields


def fields_of(raw: Raw, what: str) -> dict[str, Raw]:
    try:
        return camel(OBJECT.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise BadWire(f"{what} is not a JSON object: {e}") from e


def value_of(raw: Raw) -> Any:
    return msgspec.json.decode(raw)


def text_of(fields: dict[str, Raw], name: str) -> str | None:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=str | None)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise BadWire(f"{name} is not a string: {e}") from e


def bytes_of(text: str) -> bytes:
    """Base64 in either alphabet, padded or not: Google's SDKs send the URL-safe one."""
    text = text.translate({45: 43, 95: 47})
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error as e:
        raise BadWire(f"inline data is not base64: {e}") from e


def arguments(raw: Raw) -> str:
    """A call's arguments, without the indentation of a whole answer; numbers and names as they came."""
    text = msgspec.json.format(bytes(raw), indent=-1).decode() if raw else "{}"
    return "{}" if text == "null" else text


def made_up_id(response: str | None, number: int) -> str:
    """An id for a call that came without one: the same for the same bytes, and unlike other answers' ids."""
    return f"{MADE_UP}{response[:24]}-{number}" if response else f"{MADE_UP}{number}"


_TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}
_COUNTS = {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}


def json_schema(schema: Any) -> Any:
    """Gemini's own Schema (a dialect of OpenAPI 3.0's) as a JSON schema."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in camel(schema).items():
        if key == "type" and isinstance(value, str):
            if value in _TYPES:
                out["type"] = value.lower()
            elif value != "TYPE_UNSPECIFIED":
                out["type"] = value
        elif key in ("properties", "defs", "$defs") and isinstance(value, dict):
            name = "properties" if key == "properties" else "$defs"
            out[name] = {k: json_schema(v) for k, v in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = json_schema(value)
        elif key in ("anyOf", "prefixItems") and isinstance(value, list):
            out[key] = [json_schema(v) for v in value]
        elif key in _COUNTS and isinstance(value, str) and value.isdecimal():
            out[key] = int(value)  # protobuf's JSON writes 64-bit numbers as strings
        elif key == "ref":
            out["$ref"] = value
        elif key == "example":
            out["examples"] = [value]
        elif key not in ("nullable", "propertyOrdering"):
            out[key] = value
    if schema.get("nullable") and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


# Parts ------------------------------------------------------------------------------------------

_MAGIC = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)

Media = Image | Audio | Document


def encode_media(part: Media) -> dict[str, Any]:
    """inlineData or fileData."""
    data, url, media_type = part.data, part.url, part.media_type
    kind = type(part).__name__.lower()
    if data is None and url is not None and url.startswith("data:"):
        head, _, tail = url[5:].partition(",")
        media_type = media_type or head.partition(";")[0] or None
        if not head.endswith(";base64"):
            raise Unsupported(f"{kind}: a data: URL must be base64 for Gemini; pass the bytes as data")
        data = bytes_of(tail)
    if data is not None:
        if media_type is None:
            media_type = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
        if media_type is None and data[:4] == b"RIFF":
            media_type = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
        if media_type is None:
            raise Unsupported(f"{kind}: Gemini needs the media type of inline data; set media_type")
        return {"inlineData": {"mimeType": media_type, "data": data}}
    if url is None:
        raise Unsupported(f"{kind}: it has neither data nor a URL")
    media_type = media_type or mimetypes.guess_type(url)[0]
    return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}


def decode_media(kind: str, raw: Raw) -> tuple[Media, dict[str, Any]]:
    """The part that an inlineData or fileData is, and what of it has no room there."""
    fields = fields_of(raw, kind)
    media_type, name = text_of(fields, "mimeType"), text_of(fields, "displayName")
    data = bytes_of(text_of(fields, "data") or "") if kind == "inlineData" else None
    url = text_of(fields, "fileUri") if kind == "fileData" else None
    family = (media_type or mimetypes.guess_type(url or "")[0] or "").partition("/")[0]
    if family == "image":
        return Image(data, url, media_type), {"displayName": name} if name else {}
    if family == "audio":
        return Audio(data, url, media_type), {"displayName": name} if name else {}
    return Document(data, url, media_type, name), {}


def own_extra(part: Any) -> dict[str, Any]:
    """What this dialect keeps beside a part."""
    extra = part.extra
    return extra.get(NAME) or {} if extra else {}


def encode_call(call: ToolCall) -> dict[str, Any]:
    try:
        OBJECT.decode(call.arguments or "{}")
    except msgspec.DecodeError as e:
        raise Unsupported(
            f"tool call {call.id!r} of {call.name!r}: Gemini needs arguments that are a JSON object ({e}); "
            "leave the call and its result out"
        ) from e
    out: dict[str, Any] = {} if call.id.startswith(MADE_UP) or not call.id else {"id": call.id}
    out["name"] = call.name
    out["args"] = Raw((call.arguments or "{}").encode())
    return out


def encode_result(result: ToolResult, name: str) -> dict[str, Any]:
    """A functionResponse. Text stays a string, since numbers of a parsed object would become doubles."""
    texts = [part.text for part in result.content if isinstance(part, Text)]
    media = [encode_media(part) for part in result.content if not isinstance(part, Text)]
    key = "error" if result.is_error else "output"
    out: dict[str, Any] = {}
    if result.call_id and not result.call_id.startswith(MADE_UP):
        out["id"] = result.call_id
    out["name"] = name
    out["response"] = {key: texts[0] if len(texts) == 1 else texts} if texts or result.is_error else {}
    if media:
        out["parts"] = media
    return out


def encode_part(part: Part) -> dict[str, Any] | Raw | None:
    """A part other than a ToolResult as it stands; None for another dialect's opaque one."""
    if isinstance(part, Opaque):
        return part.data if part.dialect == NAME else None
    if isinstance(part, ToolResult):
        raise Unsupported("a tool result in a message that is not of the role tool")
    out: dict[str, Any]
    if isinstance(part, ToolCall):
        out = {"functionCall": encode_call(part)}
    elif isinstance(part, Text | Refusal):
        out = {"text": part.text}
    elif isinstance(part, Reasoning):
        out = {"text": part.text, "thought": True}
    else:
        out = encode_media(part)
    for key, value in own_extra(part).items():
        if isinstance(out.get(key), dict):
            out[key] |= value
        else:
            out[key] = value
    return out


def decode_part(raw: Raw) -> Part | None:
    """Any part but a functionResponse, whose call is known by its place. A call without an id has ""."""
    fields = fields_of(raw, "a part")
    part: Part
    rest: dict[str, Any] = {}
    thought = "thought" in fields and value_of(fields["thought"]) is True
    if "text" in fields and not fields.keys() & {"functionCall", "inlineData", "fileData"}:
        text = text_of(fields, "text") or ""
        part = Reasoning(text) if thought else Text(text)
        used = {"text"}
        if not thought and "thought" in fields:
            used.add("thought")
    elif "functionCall" in fields:
        call = fields_of(fields["functionCall"], "functionCall")
        if call.keys() & {"partialArgs", "willContinue"}:
            raise BadWire("function call arguments in pieces; leave streamFunctionCallArguments off")
        name = text_of(call, "name") or ""
        part = ToolCall(text_of(call, "id") or "", name, arguments(call.get("args", NOTHING)))
        left = {key: value_of(value) for key, value in call.items() if key not in ("id", "name", "args")}
        rest = {"functionCall": left} if left else {}
        used = {"functionCall"}
    elif ("inlineData" in fields or "fileData" in fields) and not thought:
        kind = "inlineData" if "inlineData" in fields else "fileData"
        part, left = decode_media(kind, fields[kind])
        rest = {kind: left} if left else {}
        used = {kind}
    else:
        # Server-side tools, lone signatures, pictures among the thoughts, what is newer than this code.
        return Opaque(NAME, Raw(bytes(raw))) if fields else None
    rest |= {key: value_of(value) for key, value in fields.items() if key not in used}
    if rest:
        part.extra = {NAME: rest}
    return part


def decode_result(raw: Raw, call_id: str, name: str) -> ToolResult:
    fields = fields_of(raw, "functionResponse")
    response = fields.get("response", NOTHING)
    value = value_of(response) if response else {}
    content: list[Text | Image | Audio | Document] = []
    error = isinstance(value, dict) and value.keys() == {"error"}
    said = value.get("error" if error else "output") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(said, str):
        content.append(Text(said))
    elif isinstance(said, list) and all(isinstance(text, str) for text in said):
        content += [Text(text) for text in said]
    elif value:
        content.append(Text(bytes(response).decode()))
    if "parts" in fields:
        for item in msgspec.json.decode(fields["parts"], type=list[Raw]):
            part = decode_part(item)
            if not isinstance(part, Image | Audio | Document):
                raise BadWire("a part of a functionResponse that is not media")
            content.append(part)
    used = ("id", "name", "response", "parts")
    rest = {key: value_of(value) for key, value in fields.items() if key not in used}
    extra = cast("dict[str, Any] | None", {NAME: {"functionResponse": rest}} if rest else None)
    return ToolResult(call_id, content, name, error, extra)
