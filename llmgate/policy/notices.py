"""What the configured models oblige one to ship: to whom, under which instrument, in which words. Pure."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from msgspec import Struct

from ..registry import License, Registry
from ..registry.vocabulary import ObligationKind, Trigger
from .decision import NOT_ADVICE, Owed, Reason, trigger_words
from .judged import Judged

_WIDTH = 100
_KINDS: tuple[str, ...] = get_args(ObligationKind)
_TRIGGERS: tuple[str, ...] = get_args(Trigger)
_TO = {
    "product_uses": "the users of a product that uses the model",
    "product_contains": "the users of a product that contains the model",
    "host": "those to whom you offer the model as a service",
    "redistribute": "those to whom you pass the weights on",
    "publish_model": "those who get a model that you made with it",
    "publish_output": "those who get to see its output",
}
"""Whom a duty is owed to, by what sets it off."""


class Item(Struct, frozen=True):
    """One duty, and the models and targets that carry it. `only_if`: the facts under which it applies, in words."""

    kind: str
    text: str
    clause: str
    summary: str | None
    only_if: str | None
    source: str | None
    checked: dt.date | None
    grade: str | None
    models: tuple[str, ...]
    targets: tuple[str, ...]


class Owing(Struct, frozen=True):
    """What one instrument demands."""

    license: str
    name: str
    url: str
    items: tuple[Item, ...]


class Occasion(Struct, frozen=True):
    """What sets duties off, to whom they are then owed, and the instruments that demand them."""

    trigger: str
    when: str
    to: str
    instruments: tuple[Owing, ...]


class Denied(Struct, frozen=True):
    """A target that policy denies (never called), or would deny (`reported`: called all the same).

    obligations: what it would owe if it were called; of a reported one they stand among what is owed.
    """

    target: str
    model: str
    routes: tuple[str, ...]
    policy: str
    verdict: str
    uses: dict[str, str]
    reasons: tuple[Reason, ...]
    missing_facts: tuple[str, ...]
    obligations: tuple[Owed, ...]
    decision: str


class Unknown(Struct, frozen=True):
    """What no evidence settles of targets that are called: what is owed there may be more than is listed."""

    license: str
    summary: str
    source: str
    targets: tuple[str, ...]


class Target(Struct, frozen=True):
    """A target that was judged. owes: whether it adds to what is owed."""

    target: str
    model: str
    routes: tuple[str, ...]
    policy: str
    verdict: str
    owes: bool
    decision: str


class Notices(Struct, frozen=True):
    """Everything that the configured models oblige one to ship. It prints as text to be committed as NOTICE."""

    uses: tuple[str, ...]
    registry: str
    owed: tuple[Occasion, ...]
    denied: tuple[Denied, ...]
    unknown: tuple[Unknown, ...]
    targets: tuple[Target, ...]

    def __str__(self) -> str:
        return "\n".join(_lines(self)) + "\n"


def notices(registry: Registry, found: Sequence[Judged]) -> Notices:
    """What the judged targets oblige one to ship: the same for the same decisions, whatever their order."""
    ordered = sorted(found, key=lambda j: (j.target, j.decision.id))
    asked = {use for j in ordered for use in j.decision.uses}
    served = [j for j in ordered if j.standing != "denied"]
    return Notices(
        uses=tuple(sorted(asked)),
        registry=registry.hash,
        owed=tuple(_occasions(registry, served)),
        denied=tuple(_denied(j) for j in ordered if j.standing != "allowed"),
        unknown=tuple(_unknown(served)),
        targets=tuple(
            Target(
                j.target,
                j.model,
                j.routes,
                j.standing,
                j.decision.verdict,
                j.standing != "denied" and bool(j.decision.obligations),
                j.decision.id,
            )
            for j in ordered
        ),
    )


def _occasions(registry: Registry, served: Iterable[Judged]) -> Iterator[Occasion]:
    carried: dict[str, dict[str, dict[Owed, list[Judged]]]] = {}
    for j in served:
        for owed in j.decision.obligations:
            carried.setdefault(owed.trigger, {}).setdefault(owed.license, {}).setdefault(owed, []).append(j)
    for trigger in sorted(carried, key=_TRIGGERS.index):
        instruments = [
            _owing(registry.license(license), carried[trigger][license]) for license in sorted(carried[trigger])
        ]
        yield Occasion(trigger, trigger_words(trigger), _TO[trigger], tuple(instruments))


def _owing(licence: License, carried: dict[Owed, list[Judged]]) -> Owing:
    ordered = sorted(carried, key=lambda o: (_KINDS.index(o.kind), o.clause, o.text, o.only_if or ""))
    items = [
        Item(
            kind=o.kind,
            text=o.text,
            clause=o.clause,
            summary=o.summary,
            only_if=o.only_if,
            source=o.source,
            checked=o.checked,
            grade=o.grade,
            models=_once(j.model for j in carried[o]),
            targets=_once(j.target for j in carried[o]),
        )
        for o in ordered
    ]
    return Owing(licence.id, licence.name, licence.url, tuple(items))


def _denied(j: Judged) -> Denied:
    d = j.decision
    missing = d.missing_facts if d.verdict == "conditional" else ()
    return Denied(
        j.target, j.model, j.routes, j.standing, d.verdict, d.uses, tuple(d.deciding), missing, d.obligations, d.id
    )


def _unknown(found: Iterable[Judged]) -> Iterator[Unknown]:
    gaps: dict[tuple[str, str, str], list[str]] = {}
    for j in found:
        for r in j.decision.reasons:
            if r.verdict == "unknown":
                gaps.setdefault((r.license, r.summary, r.source), []).append(j.target)
    for (license, summary, source), targets in sorted(gaps.items()):
        yield Unknown(license, summary, source, _once(targets))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


# As text ----------------------------------------------------------------------------------------


def _lines(n: Notices) -> Iterator[str]:
    yield "NOTICES"
    yield ""
    yield from _wrap(
        "What the models that this software is configured to use oblige you to ship, and to whom. Judged for "
        f"{', '.join(n.uses) or 'no use'}: another use may oblige you to more. Written by `llmgate notices`."
    )
    if not n.owed:
        yield from _title("Nothing is owed")
        yield "No document that was read obliges you to ship anything for these uses."
    for occasion in n.owed:
        yield from _title(f"When {occasion.when}: to {occasion.to}")
        for number, instrument in enumerate(occasion.instruments):
            if number:
                yield ""
            yield from _wrap(f"{instrument.name} ({instrument.license})", hang=2)
            yield instrument.url
            for item in instrument.items:
                yield from _item(item)
    served = [t for t in n.targets if t.policy != "denied"]
    free = [t for t in served if not t.owes]
    if n.owed and free:
        yield from _title("Owe nothing to ship for these uses")
        yield from (f"- {t.target}" for t in free)
    if n.unknown:
        yield from _title("Not known: what is owed may be more")
        for gap in n.unknown:
            yield from _wrap(f"- {gap.summary}{f' [{gap.source}]' if gap.source else ''}", hang=2)
            yield from _wrap(f"for {', '.join(gap.targets)}", margin=2, hang=2)
    for policy, title in (
        ("denied", "Denied by policy: never called, and not part of the above"),
        ("reported", "Policy only reports; enforced, it would deny these (what they owe stands above)"),
    ):
        refused = [d for d in n.denied if d.policy == policy]
        if refused:
            yield from _title(title)
        for d in refused:
            yield from _refusal(d)
    yield ""
    yield NOT_ADVICE


def _item(item: Item) -> Iterator[str]:
    yield ""
    yield from _wrap(f"- {item.kind}, clause {item.clause}, for {', '.join(item.models)}", margin=2, hang=2)
    if item.only_if:
        yield from _wrap(f"only if {item.only_if}", margin=4, hang=2)
    yield ""
    # The text is never folded: it is to be shipped as it stands.
    yield from (f"        {line}".rstrip() for line in item.text.splitlines())
    yield ""
    if item.summary:
        yield from _wrap(item.summary, margin=4)
    if item.source:
        read = f", read {item.checked}" if item.checked else ""
        yield f"    Source: {item.source}{read}{f', grade {item.grade}' if item.grade else ''}"


def _refusal(d: Denied) -> Iterator[str]:
    asked = ", ".join(f"{use}: {verdict}" for use, verdict in d.uses.items())
    yield f"- {d.target}: {d.verdict} ({asked})"
    for r in d.reasons:
        where = ", ".join(part for part in (r.license if r.license != "unknown" else "", r.clause) if part)
        cited = "; ".join(part for part in (where, r.source) if part)
        remedy = f" Remedy: {r.remedy}" if r.remedy else ""
        yield from _wrap(f"{r.summary}{remedy}{f' [{cited}]' if cited else ''}", margin=4, hang=2)
    if d.missing_facts:
        yield from _wrap(f"It hangs on what was not given: {', '.join(d.missing_facts)}.", margin=4, hang=2)


def _title(text: str) -> Iterator[str]:
    yield ""
    yield ""
    yield text
    yield "-" * len(text)


def _wrap(text: str, *, margin: int = 0, hang: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * margin,
        subsequent_indent=" " * (margin + hang),
        break_long_words=False,
        break_on_hyphens=False,
    )
