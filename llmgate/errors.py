"""Every error that llmgate raises, in one small hierarchy.

GateError
├── ConfigError             the config, the registry's data or the call is wrong: exit code 2
├── PolicyDenied            no target is allowed; carries the Decisions
├── ModelUnavailable        retired, never callable, or without a key
├── Unsupported             the target cannot express something essential
├── ProviderError           an upstream call failed
│   ├── AuthenticationFailed
│   ├── RateLimited
│   ├── InvalidRequest
│   ├── ContextTooLong
│   ├── ContentRefused
│   ├── Overloaded
│   ├── Timeout
│   ├── ConnectionFailed
│   └── StreamBroken        carries the partial reply
└── AllTargetsFailed        an ExceptionGroup of what each attempt met
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class GateError(Exception):
    """The base of all errors that llmgate raises. `attempts` tells the story of the call, where there was one."""

    attempts: tuple[Any, ...] = ()


class ConfigError(GateError):
    """A mistake in the config, the registry's data or a call's arguments. The message says where."""


class MissingExtra(ConfigError):
    """A part of llmgate that is not installed; the message is the command that installs it."""


class PolicyDenied(GateError):
    """Policy allows none of the targets. `decisions` holds the Decision of each."""

    def __init__(self, message: str, decisions: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.decisions = tuple(decisions)


class ModelUnavailable(GateError):
    """The model cannot be called: retired, never callable, or its provider has no key."""


class Unsupported(GateError):
    """The target cannot express something essential in the request. Raised before any network call."""


class ProviderError(GateError):
    """An upstream call failed.

    provider: the provider's id. status: the HTTP status, None where there was no answer.
    code: the provider's own structured code. request_id: the provider's, for its support.
    retryable: whether the same call may succeed later. retry_after: seconds that the provider asked for.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class AuthenticationFailed(ProviderError):
    """The key is missing, wrong, out of credit or without permission (401, 402, 403)."""


class RateLimited(ProviderError):
    """Too many requests or tokens (429)."""

    retryable = True


class InvalidRequest(ProviderError):
    """The provider refuses the request as it stands (400, 404, 405, 409, 413, 422)."""


class ContextTooLong(InvalidRequest):
    """The prompt does not fit the model's context."""


class ContentRefused(ProviderError):
    """The provider refuses the content of the prompt or the answer."""


class Overloaded(ProviderError):
    """The provider is overloaded or failing (500, 502, 503, 529)."""

    retryable = True


class Timeout(ProviderError):
    """No answer within the time allowed (or 408, 504)."""

    retryable = True


class ConnectionFailed(ProviderError):
    """The provider could not be reached, or hung up before answering."""

    retryable = True


class StreamBroken(ProviderError):
    """A stream ended before its end. `partial` is the Reply as far as it came."""

    def __init__(self, message: str, *, partial: Any = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.partial = partial


class AllTargetsFailed(GateError, ExceptionGroup[Exception]):
    """No target answered. `exceptions` holds what each target met; `attempts` tells the whole story."""

    def __new__(cls, message: str, exceptions: Sequence[Exception], *_attempts: Any) -> AllTargetsFailed:
        return super().__new__(cls, message, exceptions)

    def __init__(self, message: str, exceptions: Sequence[Exception], attempts: Sequence[Any] = ()) -> None:
        super().__init__(message, exceptions)
        self.attempts = tuple(attempts)

    def derive(self, excs: Sequence[Exception], /) -> AllTargetsFailed:  # type: ignore[override]
        return AllTargetsFailed(self.message, excs, self.attempts)
