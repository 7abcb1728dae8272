"""HTTP answers that are not replies, as errors: by status and structured code, never by the words of a message."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..dialects import BadWire, Dialect, WireError
from ..errors import (
    AuthenticationFailed,
    InvalidRequest,
    Overloaded,
    ProviderError,
    RateLimited,
    Timeout,
)

_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    402: AuthenticationFailed,
    403: AuthenticationFailed,
    408: Timeout,
    429: RateLimited,
    504: Timeout,
}
_REQUEST_IDS = ("x-request-id", "request-id", "x-goog-request-id", "cf-ray")


def kind_of(status: int) -> type[ProviderError]:
    """The class of error that an HTTP status means."""
    if found := _BY_STATUS.get(status):
        return found
    if 400 <= status < 500:
        return InvalidRequest
    return Overloaded if status >= 500 else ProviderError


def from_response(
    provider: str, dialect: Dialect, status: int, headers: Mapping[str, str], body: bytes, secret: str | None = None
) -> ProviderError:
    """The error that an answer with an error status states. `secret` is taken out of its message."""
    stated = dialect.decode_error(body)
    wait = retry_after(headers)
    kind = (stated and stated.kind) or kind_of(status)
    message = f"{provider} answered {status}: "
    message += stated.message if stated else f"no error in its own format, but {peek(headers, body)}"
    return kind(
        redact(message, secret),
        provider=provider,
        status=status,
        code=stated.code if stated else None,
        request_id=request_id(headers),
        retry_after=wait if wait is not None or stated is None else stated.retry_after,
    )


def from_wire_error(provider: str, error: WireError, headers: Mapping[str, str], secret: str | None) -> ProviderError:
    """The error that a stream states in its middle."""
    _redact_args(error, secret)
    kind = error.kind or (kind_of(error.status) if error.status else Overloaded)
    return kind(
        redact(f"{provider} broke off its stream: {error.message}", secret),
        provider=provider,
        status=error.status,
        code=error.code,
        request_id=request_id(headers),
        retry_after=error.retry_after,
    )


def from_bad_wire(
    provider: str, error: BadWire, status: int, headers: Mapping[str, str], body: bytes, secret: str | None
) -> ProviderError:
    """The error for an answer of success that is no reply: an HTML page, nothing at all, half a JSON text."""
    _redact_args(error, secret)
    return ProviderError(
        redact(f"{provider} answered {status} with what is no reply ({error}): {peek(headers, body)}", secret),
        provider=provider,
        status=status,
        request_id=request_id(headers),
        retryable=True,
    )


def peek(headers: Mapping[str, str], body: bytes, length: int = 120) -> str:
    """What a body looks like, by its type and its first bytes."""
    kind = headers.get("content-type") or "no content type"
    if not body.strip():
        return f"an empty body ({kind})"
    shown = body[:length].decode("utf-8", "replace")
    return f"{kind}, beginning {shown!r}{' ...' if len(body) > length else ''}"


def request_id(headers: Mapping[str, str]) -> str | None:
    return next((v for v in map(headers.get, _REQUEST_IDS) if v), None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer asks to wait (RFC 9110: a number, or a date; `retry-after-ms` as some send)."""
    if (ms := headers.get("retry-after-ms")) is not None:
        try:
            return max(0.0, float(ms) / 1000)
        except ValueError:
            pass
    if (value := headers.get("retry-after")) is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        from email.utils import parsedate_to_datetime

        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def redact(text: str, secret: str | None) -> str:
    """The text without the secret, should a provider have echoed it."""
    return text.replace(secret, "[key]") if secret and len(secret) > 3 else text


def _redact_args(error: Exception, secret: str | None) -> None:
    """`redact` for an error that is about to become the cause of ours: tracebacks show it too."""
    error.args = tuple(redact(arg, secret) if isinstance(arg, str) else arg for arg in error.args)
