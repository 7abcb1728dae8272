"""Wire formats as pure functions, in both directions. No I/O here.

A dialect is a module with these names (the `Dialect` protocol):

    client half   encode_request, decode_reply, StreamDecoder, decode_error
    server half   decode_request, encode_reply, StreamEncoder, encode_error

What a dialect cannot express: something essential (a part, a tool, a schema) raises `Unsupported` and names it;
something harmless (a seed, a penalty) is left out and named in `Encoded.dropped`.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple, Protocol, cast

from ..chat import ChatRequest, Event, Quirks, Reply
from ..errors import GateError, ProviderError

NAMES = ("openai_chat", "anthropic_messages", "gemini_generate")


class Encoded(NamedTuple):
    """A request on the wire. `path` is appended to the provider's URL."""

    path: str
    body: bytes
    dropped: tuple[str, ...] = ()


class BadWire(ValueError):
    """Bytes that are not what the dialect says they should be."""


class WireError(Exception):
    """An error as a provider states it, in a body or in the middle of a stream.

    kind: the class of llmgate's hierarchy that its structured code means, None where only the status tells.
    status: what the body itself says of the status, if it does. retry_after: seconds, where the body says so.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        kind: type[ProviderError] | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.kind = kind
        self.status = status
        self.retry_after = retry_after


class StreamDecoder(Protocol):
    """Bytes of a stream in, events out. The cut of the bytes never matters."""

    def feed(self, chunk: bytes, /) -> list[Event]:
        """The events that these bytes complete. Raises BadWire, or WireError where the stream states an error."""
        ...

    def finish(self) -> None:
        """Call it at the end of the bytes. Raises BadWire if the stream's own terminator has not come."""
        ...


class StreamEncoder(Protocol):
    """Events in, bytes of a stream out: the server's half."""

    def feed(self, event: Event, /) -> bytes: ...

    def finish(self) -> bytes:
        """What ends the stream."""
        ...

    def error(self, error: GateError, /) -> bytes:
        """An error in the middle of the stream, as this dialect states one."""
        ...


class Dialect(Protocol):
    """What each dialect module offers."""

    NAME: str

    def encode_request(self, request: ChatRequest, *, stream: bool, quirks: Quirks = ...) -> Encoded: ...
    def decode_reply(self, body: bytes) -> Reply: ...
    def decode_error(self, body: bytes) -> WireError | None:
        """The error in a body; None where the body is not this dialect's error."""
        ...

    def decode_request(self, body: bytes) -> ChatRequest: ...
    def encode_reply(self, reply: Reply) -> bytes: ...
    def encode_error(self, error: GateError) -> tuple[int, bytes]:
        """The HTTP status and body that state this error."""
        ...

    @property
    def StreamDecoder(self) -> type[Any]: ...  # noqa: N802 - the modules' class
    @property
    def StreamEncoder(self) -> type[Any]: ...  # noqa: N802 - the modules' class


def get(name: str) -> Dialect:
    """The dialect of that name, loaded on first use."""
    return cast(Dialect, importlib.import_module(f"{__name__}.{name}"))
