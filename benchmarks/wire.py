"""The bytes that the upstream answers, and the prompt that every contender sends."""

from __future__ import annotations

import json
from typing import Any

MODEL = "bench-1"
CHUNKS = 100
PROMPT = "Why is the sky blue? " * 10
MESSAGES: Any = [{"role": "user", "content": PROMPT}]
ANSWER = "Sunlight is scattered by the air, and the short waves of blue light are scattered most. " * 3
WORDS = [f" word{n} of {n * 7919 % 101}" for n in range(CHUNKS)]
STREAMED = "".join(WORDS)

_USAGE = {"prompt_tokens": 52, "completion_tokens": CHUNKS, "total_tokens": 52 + CHUNKS}


def payload(*, stream: bool) -> dict[str, Any]:
    """The request as the raw contenders send it."""
    body: dict[str, Any] = {"model": MODEL, "messages": MESSAGES}
    return body | {"stream": True, "stream_options": {"include_usage": True}} if stream else body


def _response(media_type: str, rest: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: " + media_type.encode() + b"\r\n" + rest


def _reply() -> bytes:
    body = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
    }
    encoded = json.dumps(body).encode()
    return _response("application/json", b"content-length: %d\r\n\r\n" % len(encoded) + encoded)


def _event(choices: list[dict[str, Any]], **more: Any) -> bytes:
    """One server-sent event in a chunk of its own, as hosts send them."""
    body = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
        "choices": choices,
        **more,
    }
    return _chunked(b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _choice(delta: dict[str, Any], finish: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


REPLY = _reply()
STREAM_HEAD = _response("text/event-stream", b"transfer-encoding: chunked\r\n\r\n") + _event(
    _choice({"role": "assistant", "content": "", "refusal": None})
)
STREAM_CHUNKS = [_event(_choice({"content": word})) for word in WORDS]
STREAM_TAIL = _event(_choice({}, "stop")) + _event([], usage=_USAGE) + _chunked(b"data: [DONE]\n\n") + _chunked(b"")
STREAM = STREAM_HEAD + b"".join(STREAM_CHUNKS) + STREAM_TAIL
