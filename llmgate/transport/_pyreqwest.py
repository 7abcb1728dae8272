"""The transport on pyreqwest (Rust's reqwest): the fastest measured, sync and async alike."""

from __future__ import annotations

import atexit
import datetime as dt
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pyreqwest.client import Client, ClientBuilder, SyncClient, SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import RequestBuilder, SyncRequestBuilder

from ..errors import ConfigError, ConnectionFailed, Timeout
from . import HttpRequest, HttpResponse, Settings

_Builder = TypeVar("_Builder", ClientBuilder, SyncClientBuilder)
_Request = TypeVar("_Request", RequestBuilder, SyncRequestBuilder)

# The runtime's threads must not be waking Python up while the interpreter is being torn down (it aborts the
# process); at exit they get a moment to come to rest.
atexit.register(time.sleep, 0.02)


def _configured(builder: _Builder, settings: Settings, read_timeout: float | None) -> _Builder:
    builder = builder.connect_timeout(dt.timedelta(seconds=settings.connect_timeout)).follow_redirects(False)
    builder = builder.user_agent("llmgate").max_connections(None).gzip(True)
    if read_timeout is not None:
        builder = builder.read_timeout(dt.timedelta(seconds=read_timeout))
    if settings.http2 == "prior-knowledge":
        builder = builder.http2_prior_knowledge()
    else:
        builder = builder.http2(bool(settings.http2)).http2_adaptive_window(True)
    if settings.proxy:
        builder = builder.proxy(ProxyBuilder.all(settings.proxy))
    if settings.ca:
        builder = builder.add_root_certificate_pem(_pem(settings.ca, "ca"))
    if settings.client_cert:
        pem = _pem(settings.client_cert, "client_cert")
        try:
            builder = builder.identity_pem(pem)
        except (ValueError, PyreqwestError) as error:
            raise ConfigError(f"client_cert: {settings.client_cert} holds no certificate with its key") from error
    return builder


def _pem(path: str, key: str) -> bytes:
    try:
        pem = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from error
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigError(f"{key}: {path} holds no certificate in PEM")
    return pem


class _Errors:
    """`with _errors:` tells pyreqwest's errors as ours. A class, for it is entered for every read."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RequestTimeoutError):
            raise Timeout(f"no answer in time ({error.message})") from error
        if isinstance(error, PyreqwestError):
            raise ConnectionFailed(_explain(error)) from error


_errors = _Errors()


def _explain(error: PyreqwestError) -> str:
    causes = getattr(error, "details", {}).get("causes") or []
    return causes[-1]["message"] if causes else error.message


def _prepared(builder: _Request, request: HttpRequest) -> _Request:
    return builder.headers(request.headers).body_bytes(request.body)


_NO_BUFFER = 0
"""With a read buffer, pyreqwest hands nothing on until that many bytes have come: a model's first token would wait."""


class _Pool:
    """Clients by read timeout, which pyreqwest sets per client; nearly always one.

    What a call has left of its time differs by a hair from call to call: it is rounded up, or each call would have
    a client, and so a connection, of its own.
    """

    def __init__(self, settings: Settings, builder: type[Any]) -> None:
        self._settings = settings
        self._builder = builder
        self._clients: dict[float | None, Any] = {}

    def get(self, seconds: float | None) -> Any:
        read_timeout = None if seconds is None else _rounded_up(seconds)
        client = self._clients.get(read_timeout)
        if client is None:
            with _errors:
                client = _configured(self._builder(), self._settings, read_timeout).build()
            self._clients[read_timeout] = client
        return client

    def drain(self) -> list[Any]:
        clients = list(self._clients.values())
        self._clients.clear()
        return clients


def _rounded_up(seconds: float) -> float:
    """To two digits: 599.98 to 600, 0.1234 to 0.13."""
    unit = 10.0 ** (math.floor(math.log10(max(seconds, 1e-3))) - 1)
    return math.ceil(seconds / unit) * unit


class _SyncStream:
    def __init__(self, client: SyncClient, request: HttpRequest) -> None:
        builder = _prepared(client.request(request.method, request.url), request)
        self._request = builder.streamed_read_buffer_limit(_NO_BUFFER).build_streamed()
        response = self._request.__enter__()
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._reader = response.body_reader

    def read(self) -> bytes:
        with _errors:
            chunk = self._reader.read_chunk()
        return b"" if chunk is None else bytes(chunk)

    def close(self) -> None:
        self._request.__exit__(None, None, None)


class SyncTransport:
    def __init__(self, settings: Settings) -> None:
        self._pool = _Pool(settings, SyncClientBuilder)

    def send(self, request: HttpRequest, /) -> HttpResponse:
        client: SyncClient = self._pool.get(request.timeout)
        with _errors:
            builder = _prepared(client.request(request.method, request.url), request)
            if request.timeout is not None:
                builder = builder.timeout(dt.timedelta(seconds=request.timeout))
            response = builder.build().send()
            return HttpResponse(response.status, response.headers, bytes(response.bytes()))

    def open(self, request: HttpRequest, /) -> _SyncStream:
        with _errors:
            return _SyncStream(self._pool.get(request.timeout), request)

    def close(self) -> None:
        for client in self._pool.drain():
            client.close()


class _AsyncStream:
    status: int
    headers: Mapping[str, str]

    def __init__(self, client: Client, request: HttpRequest) -> None:
        builder = _prepared(client.request(request.method, request.url), request)
        self._request = builder.streamed_read_buffer_limit(_NO_BUFFER).build_streamed()

    async def start(self) -> _AsyncStream:
        response = await self._request.__aenter__()
        self.status = response.status
        self.headers = response.headers
        self._reader = response.body_reader
        return self

    async def read(self) -> bytes:
        with _errors:
            chunk = await self._reader.read_chunk()
        return b"" if chunk is None else bytes(chunk)

    async def close(self) -> None:
        await self._request.__aexit__(None, None, None)


class AsyncTransport:
    def __init__(self, settings: Settings) -> None:
        self._pool = _Pool(settings, ClientBuilder)

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        client: Client = self._pool.get(request.timeout)
        with _errors:
            builder = _prepared(client.request(request.method, request.url), request)
            if request.timeout is not None:
                builder = builder.timeout(dt.timedelta(seconds=request.timeout))
            response = await builder.build().send()
            return HttpResponse(response.status, response.headers, bytes(await response.bytes()))

    async def open(self, request: HttpRequest, /) -> _AsyncStream:
        with _errors:
            return await _AsyncStream(self._pool.get(request.timeout), request).start()

    async def close(self) -> None:
        for client in self._pool.drain():
            await client.close()
