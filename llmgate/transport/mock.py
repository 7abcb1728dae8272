"""A transport without a network, for tests: a function answers each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from . import HttpRequest, HttpResponse

Body = bytes | Iterable[bytes]
Handler = Callable[[HttpRequest], "HttpResponse | tuple[int, Mapping[str, str], Body]"]


class _MockStream:
    def __init__(self, status: int, headers: Mapping[str, str], body: Body) -> None:
        self.status = status
        self.headers = headers
        self.closed = False
        self._chunks: Iterator[bytes] = iter([body] if isinstance(body, bytes) else body)

    def read(self) -> bytes:
        return next((chunk for chunk in self._chunks if chunk), b"")

    def close(self) -> None:
        self.closed = True


class MockTransport:
    """Answers with `handler(request)`: a response, or (status, headers, bytes or chunks of bytes).

    `requests` holds what was sent. An exception that the handler raises is what the call meets.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[HttpRequest] = []

    def _answer(self, request: HttpRequest) -> _MockStream:
        self.requests.append(request)
        answer = self._handler(request)
        if isinstance(answer, HttpResponse):
            return _MockStream(answer.status, answer.headers, answer.body)
        return _MockStream(*answer)

    def send(self, request: HttpRequest, /) -> HttpResponse:
        stream = self._answer(request)
        return HttpResponse(stream.status, stream.headers, b"".join(iter(stream.read, b"")))

    def open(self, request: HttpRequest, /) -> _MockStream:
        return self._answer(request)

    def close(self) -> None:
        """Nothing to close."""


class _AsyncMockStream:
    def __init__(self, stream: _MockStream) -> None:
        self._stream = stream
        self.status = stream.status
        self.headers = stream.headers

    async def read(self) -> bytes:
        return self._stream.read()

    async def close(self) -> None:
        self._stream.close()


class AsyncMockTransport:
    """`MockTransport` for AsyncClient."""

    def __init__(self, handler: Handler) -> None:
        self._sync = MockTransport(handler)
        self.requests = self._sync.requests

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        return self._sync.send(request)

    async def open(self, request: HttpRequest, /) -> _AsyncMockStream:
        return _AsyncMockStream(self._sync.open(request))

    async def close(self) -> None:
        """Nothing to close."""
