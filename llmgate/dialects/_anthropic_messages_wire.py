"""Content blocks, usage, stop reasons and errors of the Anthropic Messages API: what both halves need.

Facts come from the vendor's API reference (platform.claude.com/docs/en/api/messages) and from the types of
its Python SDK 2.13, unless a comment names another page.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ..chat import (
    Audio,
    Document,
    Extra,
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
from . import BadWire, WireError

NAME = "anthropic_messages"

RawBlock = dict[str, Raw]
Block = dict[str, Any] | Raw

encode_json = msgspec.json.encode
raw_object = msgspec.json.Decoder(RawBlock).decode
any_object = msgspec.json.Decoder(dict[str, Any]).decode
any_value = msgspec.json.Decoder().decode
_string = msgspec.json.Decoder(str).decode


def own(extra: Extra) -> dict[str, Any]:
    """What `extra` holds for this dialect; what other dialects left there is none of our business."""
    mine = (extra or {}).get(NAME)
    return mine if isinstance(mine, dict) else {}


def as_extra(mine: dict[str, Any]) -> Extra:
    return {NAME: mine} if mine else None


# Stop reasons and usage -------------------------------------------------------------------------

# platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_STOP_WIRE: Mapping[StopReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "pause": "pause_turn",
    "refusal": "refusal",
    "content_filter": "refusal",
}


def stop_reason(raw: str | None) -> StopReason:
    return STOP_REASONS.get(raw or "", "other")


def wire_stop_reason(reason: StopReason, raw: str | None) -> str | None:
    """The raw reason if it is this API's own, else the nearest. `other` is null: a guess could hide a cut."""
    if raw is not None and STOP_REASONS.get(raw) == reason:
        return raw
    return _STOP_WIRE.get(reason)


_BILLED = {"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"}


def usage_of(wire: Mapping[str, Any]) -> Usage | None:
    """The disjoint buckets. `input_tokens` is without the cache's share; `output_tokens` includes the
    thinking, which `output_tokens_details.thinking_tokens` states on newer models."""
    if not wire:
        return None
    details = wire.get("output_tokens_details")
    output = _count(wire, "output_tokens")
    reasoning = min(_count(details, "thinking_tokens"), output) if isinstance(details, dict) else 0
    written = wire.get("cache_creation_input_tokens")
    parts = wire.get("cache_creation")
    if written is None and isinstance(parts, dict):
        written = sum(value for value in parts.values() if type(value) is int)
    return Usage(
        input=_count(wire, "input_tokens"),
        cached_input=_count(wire, "cache_read_input_tokens"),
        cache_write=max(written, 0) if type(written) is int else 0,
        output=output - reasoning,
        reasoning=reasoning,
    )


def _count(wire: Mapping[str, Any], key: str) -> int:
    value = wire.get(key)
    return max(value, 0) if type(value) is int else 0


def usage_extra(wire: Mapping[str, Any]) -> dict[str, Any]:
    """What the buckets leave out but a bill may need: the cache's lifetimes, server tools, service tier."""
    return {
        key: value
        for key, value in wire.items()
        if value is not None and key not in _BILLED and key != "output_tokens_details"
    }


def wire_usage(usage: Usage | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    """`usage` as the API states it. Its counts are not optional there, so an unknown usage shows as zeros."""
    usage = usage or Usage()
    out: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output + usage.reasoning,
    }
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return {**out, **extra}


# Errors -----------------------------------------------------------------------------------------

# platform.claude.com/docs/en/api/errors. `invalid_request_error` stands for several statuses: none is stated.
_ERRORS: Mapping[str, tuple[type[ProviderError], int | None]] = {
    "invalid_request_error": (InvalidRequest, None),
    "authentication_error": (AuthenticationFailed, 401),
    "billing_error": (AuthenticationFailed, 402),
    "permission_error": (AuthenticationFailed, 403),
    "not_found_error": (InvalidRequest, 404),
    "conflict_error": (InvalidRequest, 409),
    "request_too_large": (InvalidRequest, 413),
    "rate_limit_error": (RateLimited, 429),
    "api_error": (Overloaded, 500),
    "timeout_error": (Timeout, 504),
    "overloaded_error": (Overloaded, 529),
}

# `details.error_code` names the cause more closely than the type. Only those that change what a caller should
# do are listed: a spend limit is a 429 that keeps failing, so another try is no use.
_ERROR_CODES: Mapping[str, type[ProviderError]] = {
    "contract_spend_limit_reached": AuthenticationFailed,
    "enforced_spend_limit_reached": AuthenticationFailed,
    "linked_organization_spend_limit_reached": AuthenticationFailed,
    "linked_organization_billing_unavailable": AuthenticationFailed,
    "organization_on_hold": AuthenticationFailed,
    "organization_not_enrolled_in_beta": AuthenticationFailed,
    "request_body_timeout": Timeout,
}


def error_of(body: bytes) -> WireError | None:
    """The error in a body, or None where there is none of this API's shape."""
    try:
        wire = any_object(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    error = wire.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("type"), str):
        return None
    kind, status = _ERRORS.get(error["type"], (None, None))
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    if isinstance(code, str):
        kind = _ERROR_CODES.get(code, kind)
    else:
        code = error["type"]
    if type(error.get("code")) is int and 400 <= error["code"] <= 599:  # compatible servers put the status there
        status = error["code"]
    message = error.get("message")
    return WireError(message if isinstance(message, str) else code, code=code, kind=kind, status=status)


# Blocks to parts --------------------------------------------------------------------------------

INVALID_JSON = "INVALID_JSON"
"""The key under which a tool's unparseable input travels, as the vendor's page on fine-grained tool streaming
suggests: `input` must be an object, and a cut answer's is none."""


def leftover(block: RawBlock, *known: str) -> Extra:
    """The fields of a block that the neutral model has no place for. Null and [] say the same as nothing."""
    rest: dict[str, Any] = {}
    for key, raw in block.items():
        if key != "type" and key not in known:
            value = any_value(raw)
            if value is not None and value != []:
                rest[key] = value
    return as_extra(rest)


def string(block: RawBlock, key: str) -> str:
    return _string(block[key]) if key in block else ""


def part_of(raw: Raw) -> Part:
    """A content block as a part. Those that only this API has stay as their bytes."""
    block = raw_object(raw)
    kind = string(block, "type")
    if kind == "text":
        return Text(string(block, "text"), leftover(block, "text"))
    if kind == "thinking":
        signature = string(block, "signature")
        rest = own(leftover(block, "thinking", "signature"))
        return Reasoning(string(block, "thinking"), as_extra({"signature": signature, **rest} if signature else rest))
    if kind == "tool_use":
        arguments = bytes(block.get("input", Raw(b"{}"))).decode()
        return ToolCall(
            string(block, "id"),
            string(block, "name"),
            _unwrapped(arguments),
            leftover(block, "id", "name", "input"),
        )
    if kind == "tool_result":
        return _tool_result_of(block)
    if kind == "image":
        return _image_of(block) or opaque(raw)
    if kind == "document":
        return _document_of(block) or opaque(raw)
    return opaque(raw)


def opaque(raw: Raw) -> Opaque:
    return Opaque(NAME, Raw(bytes(raw)))  # a copy: a Raw of a decoded body would keep all of it alive


def _unwrapped(arguments: str) -> str:
    if INVALID_JSON not in arguments:
        return arguments
    value = any_object(arguments)
    inner = value.get(INVALID_JSON)
    return inner if isinstance(inner, str) and len(value) == 1 else arguments


def _bytes_of(source: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(source.get("data") or "")
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadWire(f"base64 data: {error}") from None


def _image_of(block: RawBlock) -> Image | None:
    source = any_object(block["source"]) if "source" in block else {}
    rest = leftover(block, "source")
    if source.get("type") == "base64":
        return Image(data=_bytes_of(source), media_type=source.get("media_type"), extra=rest)
    if source.get("type") == "url":
        return Image(url=source.get("url"), extra=rest)
    return None


def _document_of(block: RawBlock) -> Document | None:
    source = any_object(block["source"]) if "source" in block else {}
    title = any_value(block["title"]) if "title" in block else None
    rest = leftover(block, "source", "title")
    kind = source.get("type")
    if kind == "base64":
        return Document(data=_bytes_of(source), media_type=source.get("media_type"), name=title, extra=rest)
    if kind == "url":
        return Document(url=source.get("url"), name=title, extra=rest)
    if kind == "text":
        text = str(source.get("data") or "")
        return Document(data=text.encode(), media_type="text/plain", name=title, extra=rest)
    return None


def _tool_result_of(block: RawBlock) -> ToolResult:
    rest = own(leftover(block, "tool_use_id", "content", "is_error"))
    content: list[Text | Image | Audio | Document] = []
    raw = block.get("content", Raw(b"[]"))
    wire = any_value(raw)
    if isinstance(wire, str):
        content.append(Text(wire))
    elif isinstance(wire, list):
        for item in msgspec.json.decode(raw, type=list[Raw]):
            part = part_of(item)
            if isinstance(part, Text | Image | Document):
                content.append(part)
            else:  # a kind of block that a neutral result cannot hold: the whole content goes back as it came
                rest["content"] = wire
    return ToolResult(
        string(block, "tool_use_id"),
        content,
        is_error="is_error" in block and any_value(block["is_error"]) is True,
        extra=as_extra(rest),
    )


# Parts to blocks --------------------------------------------------------------------------------

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def text_block(part: Text) -> dict[str, Any] | None:
    """None for a text without a character: the API refuses empty text blocks."""
    return {"type": "text", "text": part.text, **own(part.extra)} if part.text else None


def image_block(part: Image) -> dict[str, Any]:
    mine = own(part.extra)
    data, media_type, url = part.data, part.media_type, part.url
    if data is None and url and url.startswith("data:"):
        data, media_type, url = *_data_url(url), None
    if data is not None:
        if media_type is None:
            media_type = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
            if media_type is None and data[8:12] == b"WEBP":
                media_type = "image/webp"
        if media_type not in _IMAGES:
            raise Unsupported(
                f"Anthropic Messages takes images as {', '.join(_IMAGES)}, "
                f"not as {media_type or 'unnamed bytes'}; convert the image, or set its media_type"
            )
        source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    elif url:
        source = {"type": "url", "url": url}
    elif "source" in mine:
        source = mine["source"]
    else:
        raise Unsupported("an image needs data or a url")
    return {"type": "image", "source": source, **mine}


def document_block(part: Document) -> dict[str, Any]:
    mine = own(part.extra)
    data, media_type, url = part.data, part.media_type, part.url
    if data is None and url and url.startswith("data:"):
        data, media_type, url = *_data_url(url), None
    source: Any
    if data is not None:
        source = _document_source(data, media_type)
    elif url:
        if media_type not in (None, "application/pdf"):
            raise Unsupported(
                f"Anthropic Messages takes documents by url only as PDF, not as {media_type}; send its data"
            )
        source = {"type": "url", "url": url}
    elif "source" in mine:
        source = mine["source"]
    else:
        raise Unsupported("a document needs data or a url")
    block = {"type": "document", "source": source}
    if part.name is not None:
        block["title"] = part.name
    return {**block, **mine}


def _document_source(data: bytes, media_type: str | None) -> dict[str, Any]:
    if media_type == "application/pdf" or (media_type is None and data.startswith(b"%PDF")):
        return {
            "type": "base64",
            "media_type": "application/pdf",
            "data": base64.b64encode(data).decode(),
        }
    if media_type is not None and media_type.startswith("text/"):
        try:  # the API has one name for all text
            return {"type": "text", "media_type": "text/plain", "data": data.decode()}
        except UnicodeDecodeError:
            raise Unsupported("Anthropic Messages takes text documents as UTF-8; decode it first") from None
    raise Unsupported(
        f"Anthropic Messages takes documents as PDF or text, not as {media_type or 'unnamed bytes'}; "
        "convert the document, or set its media_type"
    )


def _data_url(url: str) -> tuple[bytes, str | None]:
    head, _, body = url[5:].partition(",")
    if not head.endswith(";base64"):
        raise Unsupported("a data: URL must be base64")
    try:
        return base64.b64decode(body, validate=True), head[: -len(";base64")] or None
    except binascii.Error as error:
        raise Unsupported(f"a data: URL is not base64: {error}") from None


def tool_use_block(part: ToolCall, identifier: str) -> dict[str, Any]:
    arguments = part.arguments.strip() or "{}"
    try:
        raw_object(arguments)
        value: Any = Raw(arguments.encode())
    except (msgspec.MsgspecError, UnicodeEncodeError):
        value = {INVALID_JSON: part.arguments}
    return {"type": "tool_use", "id": identifier, "name": part.name, "input": value, **own(part.extra)}


def tool_result_block(part: ToolResult) -> dict[str, Any]:
    mine = own(part.extra)
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": wire_id(part.call_id)}
    if part.is_error:
        block["is_error"] = True
    if "content" in mine:
        return {**block, **mine}
    content: list[dict[str, Any]] = []
    for item in part.content:
        if isinstance(item, Text):
            text = text_block(item)
            content += [text] if text else []
        elif isinstance(item, Image):
            content.append(image_block(item))
        elif isinstance(item, Document):
            content.append(document_block(item))
        else:
            raise Unsupported("Anthropic Messages takes no audio in a tool's result; transcribe it first")
    if content:
        block["content"] = content
    return {**block, **mine}


def thinking_block(part: Reasoning) -> dict[str, Any] | None:
    """None for reasoning that this API has not signed: it takes none back."""
    mine = own(part.extra)
    return {"type": "thinking", "thinking": part.text, **mine} if "signature" in mine else None


_not_in_id = re.compile(r"[^a-zA-Z0-9_-]")


def wire_id(identifier: str) -> str:
    """A tool call's id in the characters that the API takes; ids of other vendors have dots and colons.

    Each other character becomes its code, so that different ids do not meet.
    """
    return _not_in_id.sub(lambda match: f"_{ord(match[0]):x}_", identifier)


def assistant_block(part: Part, *, safe_ids: bool) -> Block | None:
    """A part of an assistant's message, except reasoning. None if there is nothing to say.

    safe_ids: for a request. A reply's ids stay as they are: the client only returns them.
    """
    if isinstance(part, Text):
        return text_block(part)
    if isinstance(part, Refusal):  # the API has no such block: the model's own words are its text
        return {"type": "text", "text": part.text} if part.text else None
    if isinstance(part, ToolCall):
        return tool_use_block(part, wire_id(part.id) if safe_ids else part.id)
    if isinstance(part, Opaque):
        return part.data if part.dialect == NAME else None
    raise Unsupported(
        f"Anthropic Messages has no {type(part).__name__.lower()} in an assistant's message; put it in a user's"
    )
