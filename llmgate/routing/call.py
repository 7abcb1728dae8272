"""One call as a machine: it says what to try and when to wait, and is told what came of it.

The machine is a generator that does no I/O, so the same one drives the synchronous and the asynchronous client.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from msgspec import Struct

from ..chat import Attempt
from ..errors import (
    AllTargetsFailed,
    AuthenticationFailed,
    ContentRefused,
    ContextTooLong,
    GateError,
    ModelUnavailable,
    PolicyDenied,
    ProviderError,
    RateLimited,
    Timeout,
)
from .health import Clock, Health
from .keys import KeyRing
from .order import Candidate

PATIENCE = 2.0
"""Seconds that a pause may last while another target is still to be tried; a longer one means: try that."""


class Terms(Struct, frozen=True):
    """How hard to try. Times in seconds; `timeout` for the whole call."""

    retries: int = 2
    timeout: float = 600.0
    attempt_timeout: float | None = None
    cooldown: float = 30.0


class Try(Struct):
    """Call this target with this key, within so many seconds."""

    candidate: Candidate
    key: str | None
    timeout: float


class Wait(Struct):
    seconds: float


class Result(Struct):
    """What the successful try returned, and the story of the call."""

    value: Any
    candidate: Candidate
    attempts: list[Attempt]


Machine = Generator[Try | Wait, Any, Result]


def run(
    candidates: Sequence[Candidate],
    terms: Terms,
    health: Health,
    ring: KeyRing,
    clock: Clock,
    pause: Callable[[int], float] | None = None,
) -> Machine:
    """Tries the candidates in turn until one answers.

    Yields Try and Wait. For a Try it must be sent what came of it: a value, or the GateError that was raised.
    Returns the Result. Raises the error of a single target as it is, PolicyDenied, ModelUnavailable, or
    AllTargetsFailed; the error's `attempts` tells the story. `pause(n)` gives the seconds before the n-th retry.
    """
    pause = pause or backoff
    attempts = [c.blocked for c in candidates if c.blocked]
    open_ = [c for c in candidates if not c.blocked]
    if not open_:
        raise _blocked(attempts)
    ready = [c for c in open_ if not health.cooling(c.name)]
    resting = [c for c in open_ if c not in ready]
    for c in resting if ready else ():
        left = health.cooling(c.name)
        attempts.append(Attempt(c.name, "skipped", f"it failed lately and rests for {left:.0f} s more"))
    queue = [*ready, *resting]
    deadline = clock() + terms.timeout
    errors: list[GateError] = []
    too_short = 0

    for position, c in enumerate(queue):
        if too_short and c.context is not None and c.context <= too_short:
            attempts.append(Attempt(c.name, "skipped", f"its context of {c.context} tokens is no longer"))
            continue
        error: GateError | None = None
        retries = 0
        keys: list[str | None] = list(ring.order(c.provider, c.keys)) or [None]
        while True:
            left = deadline - clock()
            if left <= 0:
                error = Timeout(f"the call's {terms.timeout:g} s are over", provider=c.provider)
                errors.append(error)
                raise _failed(queue, errors, attempts)
            key = keys[0]
            started = clock()
            outcome = yield Try(c, key, min(left, terms.attempt_timeout or left))
            seconds = clock() - started
            if not isinstance(outcome, GateError):
                health.answered(c.name, seconds)
                if key is not None:
                    ring.worked(c.provider, key)
                attempts.append(Attempt(c.name, "answered", seconds=seconds, decision=c.decision))
                return Result(outcome, c, attempts)
            error = outcome
            attempts.append(
                Attempt(
                    c.name,
                    "failed",
                    f"{type(error).__name__}: {error}",
                    getattr(error, "status", None),
                    seconds,
                    c.decision,
                )
            )
            if isinstance(error, ContentRefused):
                # Another provider is not asked for what this one refused on its content.
                errors.append(error)
                raise _failed(queue, errors, attempts)
            if isinstance(error, AuthenticationFailed) and key is not None:
                ring.refused(c.provider, key)
                keys.pop(0)
                if keys:
                    continue
            elif isinstance(error, RateLimited) and key is not None:
                ring.limited(c.provider, key, error.retry_after)
                if len(keys) > 1:
                    keys.pop(0)
                    continue
            retryable = isinstance(error, ProviderError) and error.retryable
            if not retryable or retries >= terms.retries:
                break
            retries += 1
            seconds = max(pause(retries), getattr(error, "retry_after", None) or 0.0)
            others_left = position + 1 < len(queue)
            if seconds > deadline - clock() or (others_left and seconds > PATIENCE):
                break
            yield Wait(seconds)
        errors.append(error)
        if isinstance(error, ContextTooLong):
            too_short = max(too_short, c.context or 0)
        elif isinstance(error, ProviderError) and (error.retryable or isinstance(error, AuthenticationFailed)):
            health.failed(c.name, max(terms.cooldown, error.retry_after or 0.0))
    raise _failed(queue, errors, attempts)


def backoff(retry: int) -> float:
    """Seconds before a retry: tenacity's exponential wait with jitter, half a second to eight."""
    import tenacity

    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = retry
    return float(tenacity.wait_exponential_jitter(initial=0.4, max=8.0, jitter=0.4)(state))


def _failed(queue: Sequence[Candidate], errors: list[GateError], attempts: list[Attempt]) -> GateError:
    if len(errors) == 1 and (len(queue) == 1 or isinstance(errors[0], ContentRefused)):
        error = errors[0]
    else:
        told = "; ".join(_told(a) for a in attempts if a.outcome != "answered")
        error = AllTargetsFailed(f"no target answered: {told}", errors, attempts)
    error.attempts = tuple(attempts)
    return error


def _blocked(attempts: list[Attempt]) -> GateError:
    """The error for a call that nothing may or can serve."""
    told = "; ".join(map(_told, attempts))
    error: GateError
    if attempts and all(a.outcome == "denied" for a in attempts):
        error = PolicyDenied(f"policy denies {'every target' if len(attempts) > 1 else 'it'}: {told}")
    else:
        error = ModelUnavailable(f"no target can be called: {told}" if len(attempts) > 1 else told)
    error.attempts = tuple(attempts)
    return error


def _told(attempt: Attempt) -> str:
    """An attempt as `target: reason`, the target named once."""
    reason = attempt.reason or attempt.outcome
    return reason if reason.startswith(attempt.target) else f"{attempt.target}: {reason}"
