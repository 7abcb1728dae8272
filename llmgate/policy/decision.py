"""What policy says of a target: a Decision, with its reasons and what is owed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from msgspec import Struct

from ..registry.vocabulary import VERDICTS

NOT_ADVICE = "This is a reading of the documents named, not legal advice."


class Reason(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one clause of one instrument says of the uses that were asked."""

    license: str
    clause: str
    verdict: str
    summary: str
    source: str
    checked: dt.date | None
    grade: str
    uses: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Facts that nobody gave and on which this hangs."""
    remedy: str | None = None


class Owed(Struct, frozen=True, omit_defaults=True, gc=False):
    """Something owed once the uses are made. `trigger` says what sets it off, `only_if` under which facts."""

    kind: str
    trigger: str
    text: str
    license: str
    clause: str
    summary: str | None = None
    source: str | None = None
    checked: dt.date | None = None
    grade: str | None = None
    only_if: str | None = None


class Instrument(Struct, frozen=True, omit_defaults=True, gc=False):
    """A document that governed: by its id, and by the hash of its text where that was opened."""

    id: str
    sha256: str | None = None
    why: str = ""


class Basis(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a decision was made on, as far as it takes to judge the same deployment again later.

    date: the day that was judged. registry: its hash. model: the registry's id, None if it does not know it.
    hosting: the kind of its provider, None for weights wherever. tier: of the provider's account.
    declared: licences that the config declares for a model which the registry does not know.
    """

    date: dt.date
    registry: str
    instruments: tuple[Instrument, ...]
    model: str | None = None
    developer: str | None = None
    hosting: str | None = None
    tier: str | None = None
    declared: tuple[str, ...] = ()


class Decision(Struct, frozen=True, gc=False):
    """The verdict on a target for some uses. It prints as a short paragraph."""

    target: str
    verdict: str
    uses: dict[str, str]
    reasons: tuple[Reason, ...]
    obligations: tuple[Owed, ...]
    missing_facts: tuple[str, ...]
    id: str
    basis: Basis
    note: str | None = None

    @property
    def permitted(self) -> bool:
        return self.verdict == "permitted"

    @property
    def deciding(self) -> list[Reason]:
        """The reasons that made the verdict what it is."""
        return [r for r in self.reasons if r.verdict == self.verdict]

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        for reason in built["reasons"]:
            reason.setdefault("checked", None)
        return built

    def __str__(self) -> str:
        asked = ", ".join(f"{use}: {verdict}" for use, verdict in self.uses.items())
        lines = [f"{self.target} is {self.verdict} ({asked})."]
        if self.note:
            lines.append(self.note)
        for reason in self.deciding:
            remedy = f" Remedy: {reason.remedy}" if reason.remedy else ""
            lines.append(f"- {reason.summary}{remedy} [{cite(reason)}]")
        if self.missing_facts and self.verdict == "conditional":
            lines.append(f"It hangs on what was not given: {', '.join(self.missing_facts)}.")
        if self.obligations and self.verdict != "prohibited":
            lines.append("What is owed:")
            for owed in self.obligations:
                condition = f" (if {owed.only_if})" if owed.only_if else ""
                text = owed.text if len(owed.text) <= 160 else owed.text[:157] + "..."
                when = trigger_words(owed.trigger)
                lines.append(f"- {owed.kind} when {when}{condition}: {text} [{owed.license}, {owed.clause}]")
        lines.append(NOT_ADVICE)
        return "\n".join(lines)


def cite(reason: Reason) -> str:
    """`license, clause; source, checked, grade`."""
    parts = [f"{reason.license}, {reason.clause}" if reason.clause else reason.license]
    if reason.source:
        parts.append(f"{reason.source}{f' of {reason.checked}' if reason.checked else ''}, grade {reason.grade}")
    return "; ".join(parts)


def worst(verdicts: list[str] | tuple[str, ...], default: str = "permitted") -> str:
    """The worst of several: prohibited > unknown > conditional > permitted."""
    return max(verdicts, key=VERDICTS.index, default=default)


def trigger_words(trigger: str) -> str:
    """What sets an obligation off, in words that follow `when`."""
    return {
        "product_uses": "a product uses it",
        "product_contains": "a product contains it",
        "host": "you host it for others",
        "redistribute": "you redistribute it",
        "publish_model": "you publish a model made with it",
        "publish_output": "you publish its output",
    }.get(trigger, trigger)
