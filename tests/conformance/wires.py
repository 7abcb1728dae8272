"""What each dialect looks like on the wire: answers to give, and how to read what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmgate.chat import StopReason
from llmgate.errors import AuthenticationFailed, InvalidRequest, Overloaded, ProviderError, RateLimited

FIXTURES = Path(__file__).parents[1] / "dialects" / "wire"
ANSWER = '{"name":"Paris","population":2102650}'
"""The answer to a question with a schema."""

STATUSES: dict[int, type[ProviderError]] = {
    400: InvalidRequest,
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    404: InvalidRequest,
    429: RateLimited,
    500: Overloaded,
    529: Overloaded,
}


@dataclass(frozen=True)
class Answer:
    """One answer, as a whole and as the events of a stream."""

    body: bytes
    events: tuple[bytes, ...]

    def swap(self, old: str, new: str) -> Answer:
        """The same with one text for another."""
        swapped = Answer(
            self.body.replace(old.encode(), new.encode()),
            tuple(event.replace(old.encode(), new.encode()) for event in self.events),
        )
        assert swapped != self, old
        return swapped

    def say(self, pieces: tuple[str, ...], text: str) -> Answer:
        """The same with another text in place of these pieces."""
        said = self.swap(_json("".join(pieces)), _json(text))
        for piece, new in zip(pieces, (text[:9], text[9:], *[""] * len(pieces)), strict=False):
            said = said.swap(_json(piece), _json(new))
        return said


@dataclass(frozen=True)
class Wire:
    """A dialect's answers and how its requests are read."""

    text: Answer
    pieces: tuple[str, ...]
    """The text of `text`, as it streams."""
    tokens: int
    """What all buckets of `text` make together."""
    stop: StopReason
    length: Answer
    answer: Answer
    """JSON that fits the schema."""
    calls: Answer
    called: tuple[tuple[str, dict[str, Any]], ...]
    """The name and arguments of each call in `calls`."""
    error: Callable[[int, str], bytes]
    """The body that goes with a status and a message."""
    context: tuple[int, bytes] | None
    """Status and body that say by a code that the prompt is too long; None where the API has no such code."""
    request_id: str
    system: Callable[[dict[str, Any]], str]
    said: Callable[[dict[str, Any]], list[str]]
    """The texts of the user's turns."""
    tools: Callable[[dict[str, Any]], list[str]]
    results: Callable[[dict[str, Any]], list[Any]]
    """What the tools answered, in turn."""
    schema: Callable[[dict[str, Any]], dict[str, Any]]
    limit: Callable[[dict[str, Any], Any], int | None]

    @property
    def begun(self) -> int:
        """How many events of `text` come before its first token."""
        return next(n for n, event in enumerate(self.text.events) if _json(self.pieces[0]).encode() in event)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read(dialect: str, name: str) -> Answer:
    folder = FIXTURES / dialect
    events = (folder / f"{name}.sse").read_bytes().replace(b"\r\n", b"\n").split(b"\n\n")
    return Answer((folder / f"{name}.json").read_bytes(), tuple(e + b"\n\n" for e in events if e.strip()))


def _read_text(dialect: str, name: str) -> Answer:
    """An answer of text, its body without white space, so that `swap` finds in it what it finds in the events."""
    answer = _read(dialect, name)
    return replace(answer, body=_json(json.loads(answer.body)).encode())


# openai_chat ------------------------------------------------------------------------------------

_text = _read_text("openai_chat", "openai_text")
_pieces = ("Grüße, ", "world\n☀")
_OPENAI_CODES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", None),
    529: ("server_error", "server_is_overloaded"),
}


def _openai_error(status: int, message: str, code: str | None = None) -> bytes:
    kind, usual = _OPENAI_CODES[status]
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code or usual}}).encode()


def _of_role(body: dict[str, Any], *roles: str) -> list[str]:
    texts = []
    for message in body["messages"]:
        if message["role"] in roles:
            content = message["content"]
            texts.append(content if isinstance(content, str) else "".join(p["text"] for p in content))
    return texts


_OPENAI = Wire(
    text=_text,
    pieces=_pieces,
    tokens=2306,
    stop="stop",
    length=_text.swap('"finish_reason":"stop"', '"finish_reason":"length"'),
    answer=_text.say(_pieces, ANSWER),
    calls=_read("openai_chat", "openai_tools"),
    called=(("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})),
    error=_openai_error,
    context=(400, _openai_error(400, "too long", "context_length_exceeded")),
    request_id="x-request-id",
    system=lambda body: "".join(_of_role(body, "system", "developer")),
    said=lambda body: _of_role(body, "user"),
    tools=lambda body: [t["function"]["name"] for t in body["tools"]],
    results=lambda body: _of_role(body, "tool"),
    schema=lambda body: body["response_format"]["json_schema"]["schema"],
    limit=lambda body, quirks: body.get(quirks.max_tokens or "max_tokens"),
)


# anthropic_messages -----------------------------------------------------------------------------

_text = _read_text("anthropic_messages", "text")
_pieces = ("Guten ", "Tag, 世界", '!\n"ok"')
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def _anthropic_error(status: int, message: str) -> bytes:
    stated = {"type": _ANTHROPIC_TYPES[status], "message": message}
    return json.dumps({"type": "error", "error": stated, "request_id": "req-7"}).encode()


def _anthropic_blocks(body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    blocks = []
    for message in body["messages"]:
        if message["role"] == "user":
            content = message["content"]
            content = [{"type": "text", "text": content}] if isinstance(content, str) else content
            blocks += [block for block in content if block["type"] == kind]
    return blocks


def _anthropic_text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


_ANTHROPIC = Wire(
    text=_text,
    pieces=_pieces,
    tokens=40,
    stop="stop_sequence",
    length=_text.swap('"stop_reason":"stop_sequence"', '"stop_reason":"max_tokens"'),
    answer=_text.say(_pieces, ANSWER),
    calls=_read("anthropic_messages", "tools"),
    called=(
        ("get_weather", {"city": "Berlin", "days": 1.5}),
        ("now", {}),
        ("get_weather", {"city": "Paris"}),
    ),
    error=_anthropic_error,
    context=None,
    request_id="request-id",
    system=lambda body: _anthropic_text(body["system"]),
    said=lambda body: [block["text"] for block in _anthropic_blocks(body, "text")],
    tools=lambda body: [tool["name"] for tool in body["tools"]],
    results=lambda body: [_anthropic_text(b["content"]) for b in _anthropic_blocks(body, "tool_result")],
    schema=lambda body: body["output_config"]["format"]["schema"],
    limit=lambda body, _quirks: body["max_tokens"],
)


# gemini_generate --------------------------------------------------------------------------------

_text = _read_text("gemini_generate", "text")
_pieces = ("Grüße", " — the sky", " is blue 🌌.\nReally.")
_GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    529: "UNAVAILABLE",
}


def _gemini_error(status: int, message: str) -> bytes:
    stated = {"code": status, "message": message, "status": _GEMINI_STATUSES[status]}
    return json.dumps({"error": stated}).encode()


def _gemini_parts(body: dict[str, Any], kind: str) -> list[Any]:
    turns = [content for content in body["contents"] if content.get("role") != "model"]
    return [part[kind] for content in turns for part in content["parts"] if kind in part]


_GEMINI = Wire(
    text=_text,
    pieces=_pieces,
    tokens=21,
    stop="stop",
    length=_text.swap('"STOP"', '"MAX_TOKENS"'),
    answer=_text.say(_pieces, ANSWER),
    calls=_read("gemini_generate", "calls"),
    called=(("get_weather", {"city": "Paris", "days": 2}), ("get_weather", {"city": "Oslo", "days": 2})),
    error=_gemini_error,
    context=None,
    request_id="x-goog-request-id",
    system=lambda body: "".join(part["text"] for part in body["systemInstruction"]["parts"]),
    said=lambda body: _gemini_parts(body, "text"),
    tools=lambda body: [f["name"] for tool in body["tools"] for f in tool["functionDeclarations"]],
    results=lambda body: [r["response"] for r in _gemini_parts(body, "functionResponse")],
    schema=lambda body: body["generationConfig"]["responseJsonSchema"],
    limit=lambda body, _quirks: body["generationConfig"]["maxOutputTokens"],
)

WIRES = {"openai_chat": _OPENAI, "anthropic_messages": _ANTHROPIC, "gemini_generate": _GEMINI}
