"""The wire shapes of Chat Completions, as OpenAI and the hosts that follow it really send them.

Shapes and names: the types of OpenAI's own Python SDK (`openai.types.chat`). Departures of other hosts are
named where they are handled. Decoding is lenient: what a host leaves out or adds does no harm.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..chat import StopReason, Usage
from ..errors import (
    AuthenticationFailed,
    ContentRefused,
    ContextTooLong,
    InvalidRequest,
    Overloaded,
    ProviderError,
    RateLimited,
    Timeout,
)
from . import BadWire, WireError

NAME = "openai_chat"

THOUGHTS = ("reasoning_content", "reasoning")
"""Fields for reasoning: DeepSeek's, vLLM's and llama.cpp's; Groq's and OpenRouter's."""

OURS = "llmgate"
"""Marks what a gateway of ours put into a message, to have it back."""

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON of the shape; for one nested too deeply, RecursionError."""

# Usage ------------------------------------------------------------------------------------------


class PromptDetails(Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct, gc=False):
    reasoning_tokens: int | None = None


class WireUsage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    cached_tokens: int | None = None  # Moonshot
    reasoning_tokens: int | None = None

    def neutral(self) -> Usage | None:
        """Disjoint buckets. OpenAI counts cached tokens in the prompt's and reasoning in the completion's."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        prompt, completion = max(self.prompt_tokens or 0, 0), max(self.completion_tokens or 0, 0)
        ins, outs = self.prompt_tokens_details, self.completion_tokens_details
        cached = (ins and ins.cached_tokens) or self.prompt_cache_hit_tokens or self.cached_tokens or 0
        cached = min(max(cached, 0), prompt)
        written = min(max((ins and ins.cache_write_tokens) or 0, 0), prompt - cached)
        reasoning = max((outs and outs.reasoning_tokens) or self.reasoning_tokens or 0, 0)
        # xAI counts reasoning beside the completion, and Gemini's compatible endpoint does not even name it:
        # the vendor's own total tells.
        beside = (self.total_tokens or 0) - prompt - completion
        if beside > 0 and beside >= reasoning:
            output, reasoning = completion, beside
        else:
            reasoning = min(reasoning, completion)
            output = completion - reasoning
        return Usage(prompt - cached - written, cached, written, output, reasoning)


def usage_to_wire(usage: Usage) -> dict[str, Any]:
    prompt = usage.input + usage.cached_input + usage.cache_write
    completion = usage.output + usage.reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input,
            "cache_write_tokens": usage.cache_write,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


# Replies and chunks -----------------------------------------------------------------------------


class Function(Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | list[Any] | None = None
    """Text by OpenAI's word; some hosts give the object itself (Mistral's types allow both)."""


class Custom(Struct):
    name: str | None = None
    input: str | None = None


class Call(Struct):
    """A tool call, whole or a piece of one."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: dict[str, Any] | None = None
    """Google's compatible endpoint keeps thought signatures here."""


class Delta(Struct):
    """What is new in a message; a message of a whole reply is one big delta."""

    content: str | list[Raw] | None = None
    """Mistral sends lists of chunks, see `Chunk`."""
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: list[Any] | None = None
    audio: dict[str, Any] | None = None
    images: list[dict[str, Any]] | None = None


class Chunk(Struct):
    """One chunk of a `content` list."""

    type: str | None = None
    text: str | None = None
    thinking: str | list[dict[str, Any]] | None = None
    signature: str | None = None
    refusal: str | None = None


class Choice(Struct):
    delta: Delta | None = None
    message: Delta | None = None
    index: int | None = None
    finish_reason: str | None = None
    logprobs: Any = None
    usage: WireUsage | None = None  # Moonshot's place for it
    error: Any = None  # OpenRouter


class XGroq(Struct):
    usage: WireUsage | None = None
    error: str | None = None


class Completion(Struct):
    """A whole reply, or one chunk of a stream."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    x_groq: XGroq | None = None
    error: Any = None


# Lax: a number that came as text, or as 1.0, is still a number.
decode_completion = msgspec.json.Decoder(Completion, strict=False).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode


def from_url(url: str) -> tuple[bytes | None, str | None, str | None]:
    """`(data, media_type, None)` of a data URL, `(None, None, url)` of any other."""
    if url.startswith("data:"):
        head, comma, data = url[5:].partition(",")
        media_type, _, encoding = head.partition(";base64")
        if comma and not encoding and head.endswith(";base64"):
            try:
                return base64.b64decode(data, validate=True), media_type or None, None
            except binascii.Error:
                raise BadWire("a data URL that is not base64") from None
    return None, None, url


def data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


# Why it ended -----------------------------------------------------------------------------------

_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",  # Together
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the context is full
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
}

FAILED_STOPS = {"error": None, "insufficient_system_resource": Overloaded}
"""Finish reasons that state a failure: OpenRouter's and Mistral's `error`, DeepSeek's own."""


def stop_reason(raw: str | None, *, calls: bool, refused: bool) -> StopReason:
    """Why an answer ended. `stop` beside tool calls means the calls: OpenAI says `stop` for a forced tool."""
    reason = _STOPS.get(raw, "other") if raw else "other"
    if calls and (reason == "stop" or not raw):
        return "tool_calls"
    if refused and reason == "stop":
        return "refusal"
    return reason


def stop_to_wire(reason: StopReason, *, refused: bool) -> str:
    if reason in ("length", "tool_calls", "content_filter"):
        return reason
    if reason == "refusal" and not refused:
        return "content_filter"
    return "stop"


# Errors -----------------------------------------------------------------------------------------

_KINDS: dict[str, type[ProviderError]] = {
    # OpenAI: the error codes guide, and `code`/`type` as its API sends them.
    "context_length_exceeded": ContextTooLong,
    "content_policy_violation": ContentRefused,
    "content_filter": ContentRefused,  # Azure
    "insufficient_quota": AuthenticationFailed,
    "billing_hard_limit_reached": AuthenticationFailed,
    "billing_not_active": AuthenticationFailed,
    "invalid_api_key": AuthenticationFailed,
    "account_deactivated": AuthenticationFailed,
    "authentication_error": AuthenticationFailed,
    "permission_error": AuthenticationFailed,
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "model_not_found": InvalidRequest,
    "server_is_overloaded": Overloaded,
    "slow_down": Overloaded,
    "service_unavailable_error": Overloaded,
    "server_error": Overloaded,
    "internal_error": Overloaded,
    "internal_server_error": Overloaded,
    "overloaded_error": Overloaded,
    # Mistral (type), llama.cpp's server (type), Azure (code).
    "rate_limited": RateLimited,
    "exceed_context_size_error": ContextTooLong,
    "unavailable_error": Overloaded,
    "DeploymentNotFound": InvalidRequest,
    # OpenRouter's canonical types (APIErrorType).
    "authentication": AuthenticationFailed,
    "permission_denied": AuthenticationFailed,
    "payment_required": AuthenticationFailed,
    "provider_overloaded": Overloaded,
    "provider_unavailable": Overloaded,
    "server": Overloaded,
    "timeout": Timeout,
    "refusal": ContentRefused,
    "invalid_request": InvalidRequest,
    "not_found": InvalidRequest,
    "precondition_failed": InvalidRequest,
    "payload_too_large": InvalidRequest,
    "unprocessable": InvalidRequest,
}
# `invalid_request_error` is not there: OpenAI sends it with a wrong key, Mistral when out of capacity; only
# the status tells.


def wire_error(error: Any, around: dict[str, Any] | None = None) -> WireError:
    """The error that `error` states: the value of a body's `error`, or a body that is itself the error."""
    around = around or {}
    if not isinstance(error, dict):
        # xAI: {"code": "...", "error": "..."}; Ollama and Mistral's streams: {"error": "..."}
        error = {"message": error, "code": around.get("code"), "type": around.get("type")}
    metadata = error.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    code, kind, status = None, None, None
    inner = error.get("innererror")
    for value in (
        error.get("code"),
        metadata.get("error_type"),
        error.get("type"),
        inner.get("code") if isinstance(inner, dict) else None,
    ):
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, int):
            status = number if 400 <= number <= 599 and status is None else status
        elif isinstance(value, str) and value:
            code = code or value
            if kind is None and (kind := _KINDS.get(value)):
                code = value
    for stated in (error.get("raw_status_code"), error.get("status_code"), around.get("status_code")):
        if status is None and isinstance(stated, int):
            status = stated
    message = error.get("message") or error.get("detail") or error.get("reason") or code or "an error without words"
    if not isinstance(message, str):
        message = msgspec.json.encode(message).decode()
    if isinstance(raw := metadata.get("raw"), str) and raw:
        message = f"{message}: {raw[:500]}"  # OpenRouter: what the host behind it said
    return WireError(message, code=code, kind=kind, status=status)


def error_of(body: bytes) -> WireError | None:
    """The error in a body; None where it is none."""
    try:
        data = msgspec.json.decode(body)
    except NOT_JSON:
        return None
    if isinstance(data, list) and len(data) == 1:  # Google's compatible endpoint
        data = data[0]
    if not isinstance(data, dict):
        return None
    if data.get("error"):
        return wire_error(data["error"], data)
    if data.get("object") == "error" or ("message" in data and "choices" not in data):  # Mistral, older vLLM
        return wire_error(data)
    if data.get("detail"):  # FastAPI hosts: Mistral's 422, DeepInfra
        detail = data["detail"]
        return wire_error(detail["error"] if isinstance(detail, dict) and detail.get("error") else detail, data)
    return None
