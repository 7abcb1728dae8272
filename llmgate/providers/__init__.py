"""How a provider is reached: its URL, how it is signed, what its errors mean. Each names its dialect."""

from __future__ import annotations

from collections.abc import Mapping

from .. import dialects
from ..chat import ChatRequest, Event, Quirks, Reply
from ..dialects import BadWire, Dialect, WireError
from ..errors import ConfigError, ProviderError, Unsupported
from ..transport import HttpRequest, HttpResponse
from . import errors
from .auth import SCHEMES

__all__ = ["Decoding", "Endpoint"]


class Endpoint:
    """A provider as it is called: requests out, replies or errors back. It does no I/O."""

    def __init__(
        self,
        provider: str,
        *,
        dialect: str,
        url: str,
        auth: str = "bearer",
        headers: Mapping[str, str] | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        self.provider = provider
        self.dialect: Dialect = dialects.get(dialect)
        self.url = url.rstrip("/")
        self.quirks = quirks or Quirks()
        self._sign = SCHEMES[auth]
        self._headers = {"content-type": "application/json", **(headers or {})}

    def encode(
        self, request: ChatRequest, key: str | None, *, stream: bool, timeout: float | None
    ) -> tuple[HttpRequest, tuple[str, ...]]:
        """The request on the wire, and what of it was dropped. Raises Unsupported before any network call."""
        if request.tools and not self.quirks.tools:
            raise Unsupported(f"{self.provider} can not call tools: ask for JSON of a schema instead")
        try:
            encoded = self.dialect.encode_request(request, stream=stream, quirks=self.quirks)
        except UnicodeEncodeError as error:
            raise ConfigError(f"the request holds text that is no Unicode: {error.reason}") from error
        wire = HttpRequest(f"{self.url}{encoded.path}", dict(self._headers), encoded.body, "POST", timeout)
        if key:
            try:
                key.encode("ascii")
            except UnicodeEncodeError:
                raise ConfigError(f"the API key of {self.provider} holds characters that no key has") from None
            self._sign(wire, key)
        return wire, encoded.dropped

    def decode(self, response: HttpResponse, key: str | None) -> Reply:
        """The reply in an answer. Raises the ProviderError that it states or amounts to."""
        if response.status != 200:
            raise self.error(response.status, response.headers, response.body, key) from response.cause
        try:
            return self.dialect.decode_reply(response.body)
        except BadWire as bad:
            # Some hosts state an error under a status of success.
            if stated := self.dialect.decode_error(response.body):
                raise errors.from_wire_error(self.provider, stated, response.headers, key) from bad
            raise errors.from_bad_wire(
                self.provider, bad, response.status, response.headers, response.body, key
            ) from bad
        except WireError as stated:
            raise errors.from_wire_error(self.provider, stated, response.headers, key) from stated

    def error(self, status: int, headers: Mapping[str, str], body: bytes, key: str | None) -> ProviderError:
        return errors.from_response(self.provider, self.dialect, status, headers, body, key)


class Decoding:
    """A stream being decoded: bytes in, events out, errors as the provider's."""

    __slots__ = ("_decoder", "_endpoint", "_first", "_headers", "_key")

    def __init__(self, endpoint: Endpoint, headers: Mapping[str, str], key: str | None) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._key = key
        self._decoder = endpoint.dialect.StreamDecoder()
        self._first = b""

    def feed(self, chunk: bytes) -> list[Event]:
        if len(self._first) < 200:
            self._first += chunk[:200]
        try:
            return self._decoder.feed(chunk)  # type: ignore[no-any-return]
        except (BadWire, WireError) as error:
            raise self._told(error) from error

    def finish(self) -> list[Event]:
        """The last events. Raises ProviderError if the stream ended before its own end."""
        try:
            # Some servers leave out the blank line after their last event.
            events: list[Event] = self._decoder.feed(b"\n\n")
            self._decoder.finish()
        except (BadWire, WireError) as error:
            raise self._told(error) from error
        return events

    def _told(self, error: BadWire | WireError) -> ProviderError:
        provider, key = self._endpoint.provider, self._key
        if isinstance(error, WireError):
            return errors.from_wire_error(provider, error, self._headers, key)
        return errors.from_bad_wire(provider, error, 200, self._headers, self._first, key)
