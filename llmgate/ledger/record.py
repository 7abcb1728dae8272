"""What the ledger keeps of a call, and what a dataset row keeps of an answer. Never a prompt, an answer or a key."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from ..chat import Attempt, Reply, Usage
from ..errors import GateError
from ..policy.decision import Decision, Instrument


class Stamp(Struct, frozen=True, kw_only=True):
    """Where an answer comes from and what governed it: enough to judge later what it may be used for.

    date: the day of the decision. registry: the hash of the registry then. uses: each with its verdict then.
    hosting: the kind of the provider. tier: of its account. declared: licences that the config declared.
    answer_sha256: of the answer's text, exactly as it came, in UTF-8; None where the answer has no text.
    """

    target: str
    date: dt.date
    registry: str
    decision: str
    verdict: str
    uses: dict[str, str]
    instruments: tuple[Instrument, ...]
    answer_sha256: str | None
    reply_id: str | None = None
    model: str | None = None
    developer: str | None = None
    hosting: str | None = None
    tier: str | None = None
    declared: tuple[str, ...] = ()


class Step(Struct, frozen=True, omit_defaults=True):
    """One attempt. Its reason is left out: a provider's message may quote the prompt."""

    target: str
    outcome: str
    error: str | None = None
    status: int | None = None
    seconds: float | None = None
    decision: str | None = None


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="call"):
    """One finished call. time: when it began, UTC. stamp: None where nobody answered. error: the error's class."""

    id: str
    time: str
    operation: str
    stream: bool
    route: str
    seconds: float
    first_token: float | None = None
    stamp: Stamp | None = None
    provider: str | None = None
    obligations: tuple[str, ...] = ()
    """Of the decision: `licence, clause: kind`."""
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    stop_reason: str | None = None
    attempts: tuple[Step, ...] = ()
    error: str | None = None


class Content(Struct, frozen=True):
    """A prompt and its answer, for those who ask to keep them: erasable, so no part of the chain."""

    call: str
    prompt: str
    answer: str


class Called(Protocol):
    """What a hook is told of a finished call, as far as the ledger needs it."""

    id: str
    operation: str
    stream: bool
    model: str
    started: float
    seconds: float
    first_token: float | None
    reply: Reply | None
    error: GateError | None
    attempts: Sequence[Attempt]
    decisions: Sequence[Decision]
    request: Any


def text_hash(text: str) -> str | None:
    """The sha256 of an answer's text; None for no text, which would match anything."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else None


def stamp_of(reply: Reply) -> Stamp:
    """The stamp of a reply that a client gave. Raises GateError for one without the decision it was made under."""
    decision = reply.terms
    if not isinstance(decision, Decision):
        raise GateError("this reply has no terms: only a reply that llmgate's client gave can be stamped")
    basis = decision.basis
    return Stamp(
        target=reply.target or decision.target,
        date=basis.date,
        registry=basis.registry,
        decision=decision.id,
        verdict=decision.verdict,
        uses=decision.uses,
        instruments=tuple(Instrument(i.id, i.sha256) for i in basis.instruments),
        answer_sha256=text_hash(reply.text),
        reply_id=reply.id,
        model=basis.model,
        developer=basis.developer,
        hosting=basis.hosting,
        tier=basis.tier,
        declared=basis.declared,
    )


def record_of(call: Called) -> Record:
    """The record of a finished call. A stream that broke is recorded with what of it had come."""
    reply = call.reply or getattr(call.error, "partial", None)
    stamp = stamp_of(reply) if reply is not None and reply.terms is not None else None
    owed = reply.terms.obligations if stamp is not None and reply is not None else ()
    return Record(
        id=call.id,
        time=utc(call.started),
        operation=call.operation,
        stream=call.stream,
        route=call.model,
        seconds=round(call.seconds, 6),
        first_token=None if call.first_token is None else round(call.first_token, 6),
        stamp=stamp,
        provider=stamp.target.partition(":")[0] if stamp else None,
        obligations=tuple(dict.fromkeys(f"{o.license}, {o.clause}: {o.kind}" for o in owed)),
        usage=reply.usage if reply is not None else None,
        cost_usd=reply.cost_usd if reply is not None else None,
        stop_reason=reply.stop_reason if reply is not None else None,
        attempts=tuple(_step(a) for a in call.attempts),
        error=type(call.error).__name__ if call.error is not None else None,
    )


def _step(attempt: Attempt) -> Step:
    name = (attempt.reason or "").partition(":")[0]
    error = name if attempt.outcome == "failed" and name.isidentifier() else None
    return Step(attempt.target, attempt.outcome, error, attempt.status, attempt.seconds, attempt.decision)


def decision_entry(decision: Decision, time: float) -> dict[str, Any]:
    """A decision as an entry of the log."""
    return {"kind": "decision", "time": utc(time), **decision.to_json()}


def utc(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-24T12:00:00.000000Z`."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def body(entry: Any) -> str:
    """An entry as the text that is stored and hashed."""
    return msgspec.json.encode(entry).decode()
