"""The HTTP seam: bytes out, bytes in. Nothing here knows a provider or a dialect.

A transport raises `Timeout` or `ConnectionFailed` where no answer came, and hands every HTTP answer back as it is,
errors included. `MockTransport` serves tests; `create` makes the real ones.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from ..errors import MissingExtra


class HttpRequest(Struct):
    """A request. `timeout` in seconds: for `send` the whole exchange, for `open` each wait for more bytes."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    timeout: float | None = None


class HttpResponse(Struct):
    """An answer, read to its end. Header names are lower case. cause: the SDK's own error that it came as."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cause: BaseException | None = None


class Stream(Protocol):
    """An answer being read. `read` returns b"" at its end; `close` drops the connection if it is not."""

    status: int
    headers: Mapping[str, str]

    def read(self) -> bytes: ...
    def close(self) -> None: ...


class AsyncStream(Protocol):
    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes: ...
    async def close(self) -> None: ...


class Transport(Protocol):
    def send(self, request: HttpRequest, /) -> HttpResponse: ...
    def open(self, request: HttpRequest, /) -> Stream: ...
    def close(self) -> None: ...


class AsyncTransport(Protocol):
    async def send(self, request: HttpRequest, /) -> HttpResponse: ...
    async def open(self, request: HttpRequest, /) -> AsyncStream: ...
    async def close(self) -> None: ...


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How connections are made. One pool is shared by all that have the same settings.

    proxy: a proxy's URL, user and password in it if need be; None: the environment's (HTTP_PROXY, NO_PROXY).
    ca: a PEM file of further authorities to trust. client_cert: a PEM file with the client's certificate and key.
    http2: offer HTTP/2 in TLS, where the library can; `prior-knowledge` speaks it without asking.
    connect_timeout: seconds. transport: one of `LIBRARIES`, or `auto`, the best that is installed.
    """

    proxy: str | None = None
    ca: str | None = None
    client_cert: str | None = None
    http2: bool | str = True
    connect_timeout: float = 10.0
    transport: str = "auto"


LIBRARIES = {"sync": ("pyreqwest", "httpx2"), "async": ("aiohttp", "pyreqwest", "httpx2")}
"""What can carry calls. pyreqwest is always installed and the fastest for synchronous calls. aiohttp is the best for
asynchronous ones: pyreqwest does not hang up on a call that is cancelled before its answer has begun."""


def create(settings: Settings) -> Transport:
    """A pooled synchronous transport."""
    library = "pyreqwest" if settings.transport == "auto" else settings.transport
    transport: Transport = _module(library).SyncTransport(settings)
    return transport


def create_async(settings: Settings) -> AsyncTransport:
    """A pooled asynchronous transport."""
    library = settings.transport
    if library == "auto":
        # aiohttp speaks no HTTP/2.
        fits = settings.http2 != "prior-knowledge" and importlib.util.find_spec("aiohttp") is not None
        library = "aiohttp" if fits else "pyreqwest"
    transport: AsyncTransport = _module(library).AsyncTransport(settings)
    return transport


def _module(library: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}._{library}")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the transport {library!r} is not installed: pip install 'llmgate-gateway[{library}]'"
        ) from error
