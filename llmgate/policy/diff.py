"""What changed between two instruments: per use, per clause, per obligation."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

from msgspec import Struct

from ..registry import Deployment, License, Registry
from ..registry.schema import Obligation, Rule
from ..registry.vocabulary import USES, VERDICTS
from .conditions import describe
from .decide import decide

T = TypeVar("T", Rule, Obligation)
Change = Literal["same", "stricter", "looser", "otherwise"]
NO_OBJECTION = "no objection"
"""What a policy says of a use by its silence."""
_FIELDS = ("kind", "version", "effective_from", "effective_until", "governing_law", "osi_approved", "incorporates")


class UseChange(Struct, frozen=True):
    """One use while no fact is given: both verdicts, and the facts on which they hang.

    change: `otherwise` where the verdict is the same but hangs on other facts.
    """

    use: str
    before: str
    after: str
    change: Change
    missing_before: tuple[str, ...] = ()
    missing_after: tuple[str, ...] = ()


class RowChange(Struct, frozen=True):
    """A clause, or a kind of obligation, of which the two documents say different things; empty: nothing."""

    about: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Difference(Struct, frozen=True):
    """What changed from one instrument to another. `uses` has every use, the rest only what differs."""

    before: str
    after: str
    fields: dict[str, tuple[str, str]]
    uses: tuple[UseChange, ...]
    clauses: tuple[RowChange, ...]
    obligations: tuple[RowChange, ...]


def diff(registry: Registry, before: License, after: License) -> Difference:
    """What changed from one instrument, with the policies it incorporates, to another."""
    first, second = verdicts(registry, before), verdicts(registry, after)
    fields = {name: (_shown(getattr(before, name)), _shown(getattr(after, name))) for name in _FIELDS}
    return Difference(
        before=before.id,
        after=after.id,
        fields={name: pair for name, pair in fields.items() if pair[0] != pair[1]},
        uses=tuple(_use(use, first[use], second[use]) for use in USES),
        clauses=tuple(_rows(before.rule, after.rule, lambda r: r.clause, rule_words)),
        obligations=tuple(_rows(before.obligation, after.obligation, lambda o: f"{o.kind}, {o.trigger}", owed_words)),
    )


def verdicts(registry: Registry, licence: License) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What an instrument, with the policies it incorporates, says of each use while no fact is given, and the facts on
    which that hangs. Judged on the day nearest to today on which it is in force."""
    today = dt.date.today()
    day = max(licence.effective_from or today, min(today, licence.effective_until or today))
    decision = decide(registry, Deployment(licence.id, licence.id, license=(licence.id,)), USES, {"date": day})
    out = {}
    for use, verdict in decision.uses.items():
        said = [r for r in decision.reasons if use in r.uses]
        missing = {m for r in said if verdict == r.verdict == "conditional" for m in r.missing}
        out[use] = (verdict if said else NO_OBJECTION, tuple(sorted(missing)))
    return out


def rule_words(rule: Rule) -> str:
    """What a rule says, in one line."""
    condition = f" if {describe(rule.when)}" if rule.when else ""
    condition += f", else {rule.otherwise}" if rule.otherwise else ""
    remedy = f" Remedy: {rule.remedy}" if rule.remedy else ""
    return f"{rule.verdict} for {_uses(rule.uses)}{condition}: {rule.summary}{remedy}"


def owed_words(o: Obligation) -> str:
    """What an obligation asks for, in one line."""
    condition = f", if {describe(o.when)}" if o.when else ""
    return f"for {_uses(o.uses)}{condition}: {o.text} ({o.clause})"


def _uses(uses: Iterable[str]) -> str:
    return "every use" if "*" in uses else ", ".join(uses)


def _use(use: str, before: tuple[str, tuple[str, ...]], after: tuple[str, tuple[str, ...]]) -> UseChange:
    ranks = [VERDICTS.index("permitted" if v == NO_OBJECTION else v) for v, _ in (before, after)]
    change: Change = "looser" if ranks[0] > ranks[1] else "stricter" if ranks[0] < ranks[1] else "same"
    if change == "same" and before != after:
        change = "otherwise"
    return UseChange(use, before[0], after[0], change, before[1], after[1])


def _rows(
    before: Iterable[T], after: Iterable[T], about: Callable[[T], str], words: Callable[[T], str]
) -> Iterator[RowChange]:
    found: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((before, after)):
        for row in rows:
            found[about(row)][side].append(words(row))
    for name, (first, second) in found.items():
        if sorted(first) != sorted(second):
            yield RowChange(
                name, tuple(x for x in first if x not in second), tuple(x for x in second if x not in first)
            )


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
