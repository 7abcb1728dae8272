"""The asynchronous transport on aiohttp: mature, fast, and it hangs up at once when a call is cancelled.

It speaks HTTP/1.1 only; where HTTP/2 matters choose another (`transport = "pyreqwest"` or `"httpx2"`).
"""

from __future__ import annotations

import asyncio
import atexit
import ssl
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakSet

import aiohttp
from yarl import URL

from .. import transport as seam
from ..errors import ConfigError, ConnectionFailed, Timeout
from . import HttpRequest, HttpResponse, Settings


class _Errors:
    """`with _errors:` tells aiohttp's errors as ours. A class, for it is entered for every read."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise Timeout(f"no answer in time ({type(error).__name__})") from error
        if isinstance(error, aiohttp.ClientError | OSError | ValueError):
            raise ConnectionFailed(_explain(error)) from error


_errors = _Errors()


def _explain(error: Exception) -> str:
    """One line; a URL might carry what is nobody's business."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.status} {error.message.splitlines()[0] if error.message else ''}".strip()
    return " ".join(str(error).split()) or type(error).__name__


def _tls(settings: Settings) -> ssl.SSLContext | bool:
    if not (settings.ca or settings.client_cert):
        return True
    context = ssl.create_default_context()
    for key, path, read in (
        ("ca", settings.ca, context.load_verify_locations),
        ("client_cert", settings.client_cert, context.load_cert_chain),
    ):
        if path:
            try:
                read(path)
            except OSError as error:  # ssl's errors are OSErrors too
                raise ConfigError(f"{key}: cannot use {path}: {error.strerror or error}") from error
    return context


class _AsyncStream:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        with _errors:
            return await self._response.content.readany()

    async def close(self) -> None:
        self._response.close()


class AsyncTransport:
    """A pool for each event loop that it is used on."""

    def __init__(self, settings: Settings) -> None:
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._settings = settings
        self._tls = _tls(settings)
        self._proxies: dict[str, _Proxy] = {}
        _alive.add(self)

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            for ended in [other for other in self._sessions if other.is_closed()]:
                _drop(ended, self._sessions.pop(ended))
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": "llmgate"},
            )
        return session

    def _proxy(self, url: str) -> _Proxy:
        """The proxy on the way to a URL, looked up once for each host; the environment's unless the config has one."""
        origin = url[: url.find("/", url.find("://") + 3)]
        proxy = self._proxies.get(origin)
        if proxy is None:
            proxy = self._proxies[origin] = _proxy_for(URL(url), self._settings.proxy)
        return proxy

    async def _open(self, request: HttpRequest, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        proxy = self._proxy(request.url)
        headers = request.headers
        if proxy.headers and request.url.startswith("http:"):
            # Without a tunnel the request itself is the proxy's to read.
            headers = {**headers, **proxy.headers}
        return await self._session().request(
            request.method,
            request.url,
            data=request.body,
            headers=headers,
            proxy=proxy.url,
            proxy_headers=proxy.headers,
            timeout=timeout,
            allow_redirects=False,
        )

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        timeout = aiohttp.ClientTimeout(request.timeout, sock_connect=self._settings.connect_timeout)
        with _errors:
            response = await self._open(request, timeout)
            try:
                return HttpResponse(response.status, response.headers, await response.read())
            finally:
                # What has been read to its end goes back to the pool; anything else is hung up.
                response.close()

    async def open(self, request: HttpRequest, /) -> seam.AsyncStream:
        timeout = aiohttp.ClientTimeout(None, sock_read=request.timeout, sock_connect=self._settings.connect_timeout)
        with _errors:
            return _AsyncStream(await self._open(request, timeout))

    async def close(self) -> None:
        while self._sessions:
            await self._sessions.popitem()[1].close()

    def drop(self) -> None:
        """Lets go of the connections at once and without a word: nobody owes a client its closing."""
        while self._sessions:
            _drop(*self._sessions.popitem())

    __del__ = drop


class _Proxy(NamedTuple):
    """A proxy without its password, which may be named in an error, and the header that carries it."""

    url: URL | None = None
    headers: dict[str, str] | None = None


def _proxy_for(url: URL, configured: str | None) -> _Proxy:
    found = configured
    if found is None and url.host and not urllib.request.proxy_bypass(url.host):
        environment = urllib.request.getproxies()
        found = environment.get(url.scheme) or environment.get("all")
    if not found:
        return _Proxy()
    proxy = URL(found)
    if proxy.user is None:
        return _Proxy(proxy)
    signed = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
    return _Proxy(proxy.with_user(None), {"proxy-authorization": signed})


def _drop(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
    connector = session.connector
    session.detach()
    if connector is None:
        return
    closing = connector.close()
    if loop.is_running() or loop.is_closed():
        # The first step closes what is open; the rest only waits, for which there is no time or no loop.
        with suppress(StopIteration):
            closing.__await__().send(None)
    else:
        loop.run_until_complete(closing)


# What is alive at exit would otherwise tell of itself while the interpreter is torn down.
_alive: WeakSet[AsyncTransport] = WeakSet()


@atexit.register
def _drop_all() -> None:
    for transport in list(_alive):
        transport.drop()
