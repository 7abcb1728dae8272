"""The transport on httpx2: pure Python, the fallback where a Rust wheel will not do."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from ..errors import ConfigError, ConnectionFailed, Timeout
from . import HttpRequest, HttpResponse, Settings


def _arguments(settings: Settings) -> dict[str, Any]:
    verify: ssl.SSLContext | bool = True
    if settings.ca or settings.client_cert:
        try:
            verify = httpx2.create_ssl_context()
            if settings.ca:
                verify.load_verify_locations(settings.ca)
            if settings.client_cert:
                verify.load_cert_chain(settings.client_cert)
        except OSError as error:
            raise ConfigError(f"ca or client_cert: cannot read it: {error}") from error
    return {
        "verify": verify,
        "proxy": settings.proxy,
        "http1": settings.http2 != "prior-knowledge",
        "http2": bool(settings.http2) and _has_h2(),
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        "headers": {"user-agent": "llmgate"},
    }


def _has_h2() -> bool:
    import importlib.util

    return importlib.util.find_spec("h2") is not None


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (httpx2.TimeoutException, TimeoutError) as error:
        raise Timeout(f"no answer in time ({type(error).__name__})") from error
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError) as error:
        raise ConnectionFailed(_explain(error)) from error


def _explain(error: BaseException) -> str:
    """What the innermost cause says: the outer ones only say that it failed."""
    told = str(error) or type(error).__name__
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
        told = str(error) or told
    return told


def _timeout(settings: Settings, request: HttpRequest) -> httpx2.Timeout:
    return httpx2.Timeout(request.timeout, connect=settings.connect_timeout)


class _SyncStream:
    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._chunks = response.iter_bytes()

    def read(self) -> bytes:
        with _errors():
            return next(self._chunks, b"")

    def close(self) -> None:
        self._response.close()


class SyncTransport:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx2.Client(**_arguments(settings))

    def _open(self, request: HttpRequest) -> httpx2.Response:
        built = self._client.build_request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            timeout=_timeout(self._settings, request),
        )
        return self._client.send(built, stream=True)

    def send(self, request: HttpRequest, /) -> HttpResponse:
        # httpx2 times each wait for bytes, never the whole of them.
        deadline = time.monotonic() + (math.inf if request.timeout is None else request.timeout)
        with _errors():
            response = self._open(request)
            try:
                chunks = []
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    if time.monotonic() > deadline:
                        raise Timeout(f"no whole answer within {request.timeout:g} s")
            finally:
                response.close()
        return HttpResponse(response.status_code, response.headers, b"".join(chunks))

    def open(self, request: HttpRequest, /) -> _SyncStream:
        with _errors():
            return _SyncStream(self._open(request))

    def close(self) -> None:
        self._client.close()


class _AsyncStream:
    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._chunks = response.aiter_bytes()

    async def read(self) -> bytes:
        with _errors():
            return await anext(self._chunks, b"")

    async def close(self) -> None:
        await self._response.aclose()


class AsyncTransport:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx2.AsyncClient(**_arguments(settings))

    async def _open(self, request: HttpRequest, *, stream: bool) -> httpx2.Response:
        built = self._client.build_request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            timeout=_timeout(self._settings, request),
        )
        return await self._client.send(built, stream=stream)

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        with _errors():
            async with asyncio.timeout(request.timeout):
                response = await self._open(request, stream=False)
        return HttpResponse(response.status_code, response.headers, response.content)

    async def open(self, request: HttpRequest, /) -> _AsyncStream:
        with _errors():
            return _AsyncStream(await self._open(request, stream=True))

    async def close(self) -> None:
        await self._client.aclose()
