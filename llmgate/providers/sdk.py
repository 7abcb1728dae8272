"""Vendor SDK clients that a user hands over, as transports: the request goes out by the SDK's own documented API.

The body and the answer stay ours: the SDK signs, connects and reads, its own retries are off, and its errors come
back as the HTTP answers they stand for. An SDK is never imported here before its user has imported it.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from .. import transport as seam
from ..errors import ConfigError, ConnectionFailed, GateError, ProviderError, Timeout
from ..transport import HttpRequest, HttpResponse


def sync_transport(provider: str, client: Any) -> seam.Transport:
    """A transport over a client object. Raises ConfigError for an asynchronous one, or one of no known SDK."""
    family = _family(provider, client)
    if family == "google.genai":
        if not hasattr(client, "aio"):
            raise _mismatch(provider, client, "asynchronous: Client wants the genai.Client itself")
        return _SyncGenai(provider, client)
    if inspect.iscoroutinefunction(client.close):
        raise _mismatch(provider, client, f"asynchronous: Client wants a synchronous {family} client")
    return _SyncStainless(provider, client, _KINDS[family])


def async_transport(provider: str, client: Any) -> seam.AsyncTransport:
    """A transport over a client object. Raises ConfigError for a synchronous one, or one of no known SDK."""
    family = _family(provider, client)
    if family == "google.genai":
        return _AsyncGenai(provider, getattr(client, "aio", client))
    if not inspect.iscoroutinefunction(client.close):
        raise _mismatch(provider, client, f"synchronous: AsyncClient wants an asynchronous {family} client")
    return _AsyncStainless(provider, client, _KINDS[family])


class _Kind(NamedTuple):
    """How a Stainless-made SDK (openai, anthropic) is called."""

    path: str
    resource: Callable[[Any], Any]
    arguments: tuple[str, ...]
    """What of the body `create` takes as arguments of its own; the rest is its `extra_body`."""


_KINDS = {
    "openai": _Kind("/chat/completions", attrgetter("chat.completions"), ("model", "messages", "stream")),
    "anthropic": _Kind("/messages", attrgetter("messages"), ("model", "messages", "max_tokens", "stream")),
}
_FAMILIES = {**dict.fromkeys(_KINDS, "with_options"), "google.genai": "models"}
"""The SDKs by module, and what their clients have and their other objects have not."""


def _family(provider: str, client: Any) -> str:
    for cls in type(client).__mro__:
        for name, attribute in _FAMILIES.items():
            if f"{cls.__module__}.".startswith(f"{name}.") and hasattr(client, attribute):
                return name
    raise _mismatch(provider, client, "no client of the openai, anthropic or google-genai SDK")


def _mismatch(provider: str, client: Any, what: str) -> ConfigError:
    return ConfigError(f'clients["{provider}"]: {type(client).__module__}.{type(client).__qualname__} is {what}')


def _check(provider: str, client: Any, request: HttpRequest, *verbs: str) -> None:
    """ConfigError where the client speaks another API than the provider does."""
    if not request.url.partition("?")[0].endswith(verbs):
        raise _mismatch(provider, client, f"of another API than {provider} speaks")


# What the SDKs raise -----------------------------------------------------------------------------

_NETWORK_ERRORS = (
    ("openai", "APITimeoutError", "APIConnectionError"),
    ("anthropic", "APITimeoutError", "APIConnectionError"),
    ("httpx2", "TimeoutException", "RequestError"),
    ("httpx", "TimeoutException", "RequestError"),
    ("aiohttp", "ServerTimeoutError", "ClientError"),
    ("requests", "Timeout", "RequestException"),
)
"""By module: what it raises where time runs out, and where a connection fails. They meet the body's bytes bare."""


def _answer(error: Exception) -> HttpResponse:
    """The HTTP answer that an SDK's error stands for. Raises the GateError that any other error amounts to."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    if status is not None and response is not None:
        body = getattr(response, "content", None)
        if not isinstance(body, bytes):  # google-genai keeps only the JSON of what it has read itself
            body = msgspec.json.encode(error.details)  # type: ignore[attr-defined]
        return HttpResponse(int(status), _lower(response.headers), body, cause=error)
    if isinstance(error.__cause__, json.JSONDecodeError):  # not JSON: google-genai's own way to say so
        return HttpResponse(200, {}, error.__cause__.doc.encode(), cause=error)
    raise _failure(error) from error


def _failure(error: Exception) -> GateError:
    if isinstance(error, GateError):
        return error
    loaded = [(sys.modules[m], t, f) for m, t, f in _NETWORK_ERRORS if m in sys.modules]
    if isinstance(error, (TimeoutError, *(getattr(m, t) for m, t, _ in loaded))):
        return Timeout(f"no answer in time ({type(error).__name__})")
    told = f"{error.__cause__ or error}" or type(error).__name__
    if isinstance(error, (OSError, *(getattr(m, f) for m, _, f in loaded))):
        return ConnectionFailed(told)
    return ProviderError(f"the SDK failed: {type(error).__name__}: {told}")


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _own_headers(request: HttpRequest) -> dict[str, str]:
    """The headers that the config adds; the rest are the SDK's."""
    return {name: value for name, value in request.headers.items() if name != "content-type"}


# Answers ----------------------------------------------------------------------------------------


class _Stream:
    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        chunks: Iterator[bytes],
        close: Callable[[], object],
        cause: BaseException | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.cause = cause
        self._chunks = chunks
        self._close = close

    def read(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except Exception as error:
            raise _failure(error) from error

    def close(self) -> None:
        self._close()


class _AsyncStream:
    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        close: Callable[[], Any],
        cause: BaseException | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.cause = cause
        self._chunks = chunks
        self._close = close

    async def read(self) -> bytes:
        try:
            return await anext(self._chunks, b"")
        except Exception as error:
            raise _failure(error) from error

    async def close(self) -> None:
        await self._close()


def _whole(answer: HttpResponse) -> _Stream:
    return _Stream(answer.status, answer.headers, iter([answer.body]), lambda: None, answer.cause)


def _async_whole(answer: HttpResponse) -> _AsyncStream:
    async def chunks() -> AsyncIterator[bytes]:
        yield answer.body

    once = chunks()
    return _AsyncStream(answer.status, answer.headers, once, once.aclose, answer.cause)  # type: ignore[attr-defined]


class _Lent:
    """What transports over a client of the user's share. Closing leaves the client open: it is the user's."""

    def __init__(self, provider: str, client: Any) -> None:
        self._provider = provider
        self._client = client

    def _answered(self, error: Exception) -> HttpResponse:
        """`_answer`, without the client's key should it stand there; a genai.Client tells nobody its own."""
        answer = _answer(error)
        for name in ("api_key", "auth_token"):
            if (key := getattr(self._client, name, None)) and isinstance(key, str):
                answer.body = answer.body.replace(key.encode(), b"[key]")
        return answer


# openai and anthropic ---------------------------------------------------------------------------


class _Stainless(_Lent):
    def __init__(self, provider: str, client: Any, kind: _Kind) -> None:
        super().__init__(provider, client)
        self._kind = kind
        self._resource = kind.resource(client.with_options(max_retries=0))

    def _arguments(self, request: HttpRequest) -> dict[str, Any]:
        _check(self._provider, self._client, request, self._kind.path)
        body = msgspec.json.decode(request.body)
        arguments = {name: body.pop(name) for name in self._kind.arguments if name in body}
        return {
            **arguments,
            "extra_body": body,
            "extra_headers": _own_headers(request),
            "timeout": request.timeout,
        }


class _SyncStainless(_Stainless):
    def send(self, request: HttpRequest, /) -> HttpResponse:
        arguments = self._arguments(request)
        try:
            raw = self._resource.with_raw_response.create(**arguments)
        except Exception as error:
            return self._answered(error)
        return HttpResponse(raw.status_code, raw.headers, raw.http_response.content)

    def open(self, request: HttpRequest, /) -> _Stream:
        manager = self._resource.with_streaming_response.create(**self._arguments(request))
        try:
            raw = manager.__enter__()
        except Exception as error:
            return _whole(self._answered(error))
        return _Stream(raw.status_code, raw.headers, raw.iter_bytes(), lambda: manager.__exit__(None, None, None))

    def close(self) -> None:
        """Nothing to close."""


class _AsyncStainless(_Stainless):
    async def send(self, request: HttpRequest, /) -> HttpResponse:
        arguments = self._arguments(request)
        try:
            raw = await self._resource.with_raw_response.create(**arguments)
        except Exception as error:
            return self._answered(error)
        return HttpResponse(raw.status_code, raw.headers, raw.http_response.content)

    async def open(self, request: HttpRequest, /) -> _AsyncStream:
        manager = self._resource.with_streaming_response.create(**self._arguments(request))
        try:
            raw = await manager.__aenter__()
        except Exception as error:
            return _async_whole(self._answered(error))
        return _AsyncStream(raw.status_code, raw.headers, raw.iter_bytes(), lambda: manager.__aexit__(None, None, None))

    async def close(self) -> None:
        """Nothing to close."""


# google-genai -----------------------------------------------------------------------------------


class _Genai(_Lent):
    def _arguments(self, request: HttpRequest, *, stream: bool) -> dict[str, Any]:
        _check(self._provider, self._client, request, ":generateContent", ":streamGenerateContent")
        model = request.url.rpartition("/models/")[2].rpartition(":")[0]
        options: dict[str, Any] = {
            "extra_body": msgspec.json.decode(request.body),
            "headers": _own_headers(request),
            "retry_options": {"attempts": 1},
        }
        if request.timeout is not None:
            options["timeout"] = max(1, int(request.timeout * 1000))
        config = {
            "http_options": options,
            # Both would make further requests of their own.
            "automatic_function_calling": {"disable": True},
            "automatic_continuation": False,
        }
        if not stream:  # a stream's raw bytes have no documented way out
            config["should_return_http_response"] = True
        # `contents` must be given; the body's own take its place.
        return {"model": unquote(model), "contents": "-", "config": config}


class _SyncGenai(_Genai):
    def send(self, request: HttpRequest, /) -> HttpResponse:
        arguments = self._arguments(request, stream=False)
        try:
            raw = self._client.models.generate_content(**arguments).sdk_http_response
        except Exception as error:
            return self._answered(error)
        return HttpResponse(200, _lower(raw.headers), (raw.body or "").encode())

    def open(self, request: HttpRequest, /) -> _Stream:
        chunks = self._client.models.generate_content_stream(**self._arguments(request, stream=True))
        try:
            first = next(chunks, None)
        except Exception as error:
            return _whole(self._answered(error))
        return _Stream(200, _headers(first), _frames(first, chunks), chunks.close)

    def close(self) -> None:
        """Nothing to close."""


class _AsyncGenai(_Genai):
    async def send(self, request: HttpRequest, /) -> HttpResponse:
        arguments = self._arguments(request, stream=False)
        try:
            raw = (await self._client.models.generate_content(**arguments)).sdk_http_response
        except Exception as error:
            return self._answered(error)
        return HttpResponse(200, _lower(raw.headers), (raw.body or "").encode())

    async def open(self, request: HttpRequest, /) -> _AsyncStream:
        arguments = self._arguments(request, stream=True)
        try:
            chunks = await self._client.models.generate_content_stream(**arguments)
            first = await anext(chunks, None)
        except Exception as error:
            return _async_whole(self._answered(error))

        async def close() -> None:
            left_early = chunks.ag_frame is not None
            await chunks.aclose()
            if left_early:
                # Nothing of the SDK's API closes the connection. Its nested generators end one by one, each in a turn
                # of the loop; the innermost is held by its own response until a collection.
                for _ in range(10):
                    await asyncio.sleep(0)
                gc.collect()

        return _AsyncStream(200, _headers(first), _async_frames(first, chunks), close)

    async def close(self) -> None:
        """Nothing to close."""


def _headers(chunk: Any) -> dict[str, str]:
    return _lower(chunk.sdk_http_response.headers) if chunk is not None else {}


def _frame(chunk: Any) -> bytes:
    """A chunk of a stream as the event it was. What the SDK's type does not know, it has already lost."""
    own = {"sdk_http_response", "parsed", "automatic_function_calling_history"}
    fields = chunk.model_dump(by_alias=True, exclude_none=True, exclude=own)
    return b"data: %b\n\n" % msgspec.json.encode(fields)  # bytes in base64, as on the wire


def _frames(first: Any, chunks: Any) -> Iterator[bytes]:
    try:
        for chunk in chain([] if first is None else [first], chunks):
            yield _frame(chunk)
    except Exception as error:
        yield _last(error)


async def _async_frames(first: Any, chunks: Any) -> AsyncIterator[bytes]:
    try:
        if first is not None:
            yield _frame(first)
        async for chunk in chunks:
            yield _frame(chunk)
    except Exception as error:
        yield _last(error)


def _last(error: Exception) -> bytes:
    """The bytes that an error in the middle of a stream was made of; raises the GateError that it is otherwise."""
    answer = _answer(error)
    return answer.body if answer.status == 200 else b"data: %b\n\n" % answer.body
