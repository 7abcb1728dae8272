"""What recorded answers may be used for: judged now, under the instruments in force when each was produced."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import ConfigError
from ..policy.decide import Governing, decide, governing, in_force
from ..policy.decision import Decision, Instrument
from ..policy.facts import Facts
from ..policy.own import OwnRule
from ..registry import Deployment, License, Model, Provider, Registry
from ..registry.schema import Test
from ..registry.vocabulary import VERDICTS
from .record import Stamp

OTHER = "any-other"
"""Stands for a family that no document names."""
_STUDENT = "trained_model_"


class Student(Struct, frozen=True):
    """A kind of model that might be trained, by its facts, and the verdict for it."""

    facts: dict[str, str]
    verdict: str


class Group(Struct, frozen=True):
    """Answers of one target, produced under the same instruments, with the same verdict.

    why_unknown: for answers without a stamp that can be believed; there is then no decision.
    students: where the verdict hangs on what is to be trained: what it is for each kind of model.
    rows: the lines of a dataset.
    """

    verdict: str
    count: int
    target: str | None = None
    instruments: tuple[Instrument, ...] = ()
    first: dt.date | None = None
    last: dt.date | None = None
    decision: Decision | None = None
    students: tuple[Student, ...] = ()
    why_unknown: str | None = None
    rows: tuple[int, ...] = ()


class Item(Struct, frozen=True):
    """An answer to be judged: its stamp, or why there is none that can be believed."""

    stamp: Stamp | None
    why: str | None = None
    row: int | None = None


class Lineage:
    """Judges answers by their stamps, for some uses and facts. Each distinct question is worked out once."""

    def __init__(
        self,
        registry: Registry,
        use: Iterable[str],
        facts: Facts | Mapping[str, Any] | None = None,
        rules: tuple[OwnRule, ...] = (),
    ) -> None:
        """facts: of now, and of what is to be trained; the day is each answer's own. ConfigError if one is given."""
        given = facts if isinstance(facts, Facts) else Facts(facts)
        self.registry = registry
        self.use = tuple(use)
        self.rules = rules
        self.facts = Facts({k: v for k, v in given.items() if k != "date"})
        self._made: dict[Any, Decision] = {}

    def groups(self, items: Iterable[Item]) -> list[Group]:
        """The answers in groups, the best verdict first."""
        found: dict[Any, list[tuple[Item, Decision | None]]] = {}
        for item in items:
            decision = self.judge(item.stamp) if item.stamp and not item.why else None
            found.setdefault(_alike(item, decision), []).append((item, decision))
        groups = [self._group(members) for members in found.values()]
        return sorted(groups, key=lambda g: (VERDICTS.index(g.verdict), g.target or "~", g.first or dt.date.min))

    def _group(self, members: list[tuple[Item, Decision | None]]) -> Group:
        item, decision = members[0]
        rows = tuple(i.row for i, _ in members if i.row is not None)
        if decision is None or item.stamp is None:
            return Group("unknown", len(members), why_unknown=item.why, rows=rows)
        days = [i.stamp.date for i, _ in members if i.stamp]
        return Group(
            verdict=decision.verdict,
            count=len(members),
            target=item.stamp.target,
            instruments=item.stamp.instruments,
            first=min(days),
            last=max(days),
            decision=decision,
            students=tuple(self._students(item.stamp, decision)),
            rows=rows,
        )

    def judge(self, stamp: Stamp, more: Mapping[str, Any] | None = None) -> Decision:
        """The decision on using an answer so, with `more` facts, under what governed it on its day."""
        key = (*_question(stamp), *sorted((more or {}).items()))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._judge(stamp, more or {})
        return made

    def _judge(self, stamp: Stamp, more: Mapping[str, Any]) -> Decision:
        deployment = self._deployment(stamp)
        instruments, gaps = self._instruments(stamp, deployment)
        then = {"date": stamp.date, **({"provider_tier": stamp.tier} if stamp.tier else {})}
        facts = self.facts.merged(Facts({**then, **more}))
        return decide(self.registry, deployment, self.use, facts, rules=self.rules, instruments=instruments, gaps=gaps)

    # What governed it then

    def _instruments(self, stamp: Stamp, deployment: Deployment) -> tuple[list[Governing], list[str]]:
        """What governed an answer: what was recorded, and what is now known to have been in force that day.

        A recorded one whose text the registry does not have is a gap. Of two versions of a document the one in force
        on the day counts, should the registry only have learned later that there was a newer one.
        """
        now = list(governing(self.registry, deployment, stamp.date))
        recorded: list[License] = []
        gaps: list[str] = []
        for instrument in stamp.instruments:
            licence = self._text(instrument)
            if licence is not None:
                recorded.append(licence)
            else:
                text = f"text (sha256 {instrument.sha256[:12]}...)" if instrument.sha256 else "text"
                gaps.append(f"{instrument.id} governed it on {stamp.date}, and its {text} is not in the registry now")
        named = {i.id for i in stamp.instruments} | {x.id for x in recorded}
        later = [g for g in now if g.license.id not in named]
        replaced = {id for g in later if in_force(g.license, stamp.date) for id in self._earlier(g.license)}
        kept = [x for x in recorded if in_force(x, stamp.date) or x.id not in replaced]
        added = [
            g for g in later if in_force(g.license, stamp.date) or not self._earlier(g.license) & {x.id for x in kept}
        ]
        return [
            *(Governing(x, "it governed when the answer was produced") for x in kept),
            *(Governing(g.license, f"{g.why}, by what is known now") for g in added),
        ], gaps

    def _earlier(self, licence: License) -> set[str]:
        """The ids of the versions before it."""
        out: set[str] = set()
        while licence.supersedes is not None and licence.supersedes not in out:
            out.add(licence.supersedes)
            licence = self.registry.license(licence.supersedes)
        return out

    def _text(self, instrument: Instrument) -> License | None:
        """The very text that governed: by its hash, whatever it is called now; by its id alone if none was taken."""
        try:
            licence: License | None = self.registry.license(instrument.id)
        except ConfigError:
            licence = None
        if instrument.sha256 is None or (licence and licence.text and licence.text.sha256 == instrument.sha256):
            return licence
        same = (x for x in self.registry.licenses if x.text and x.text.sha256 == instrument.sha256)
        return next(same, None)

    def _deployment(self, stamp: Stamp) -> Deployment:
        """The recorded deployment, as far as the registry still has it, else as the stamp describes it."""
        declared = tuple(x for x in stamp.declared if any(x == y.id for y in self.registry.licenses)) or None
        try:
            found: Deployment | None = self.registry.resolve(stamp.target)
        except ConfigError:
            found = None
        model = self._model(stamp)
        if found is not None and found.provider is not None and found.provider.kind == stamp.hosting:
            if stamp.model is None or found.model is model:
                return msgspec.structs.replace(found, license=declared)
        name, _, wire = stamp.target.partition(":")
        if stamp.hosting is None:
            return Deployment(stamp.target, wire or name, None, model, None, declared)
        terms = [x.id for x in map(self._text, stamp.instruments) if x and x.kind == "terms"]
        provider = Provider(
            id=name,
            name=name,
            kind=stamp.hosting,  # type: ignore[arg-type]
            dialect="openai_chat",
            terms=tuple(terms),
            developers=(stamp.developer,) if stamp.hosting == "first-party" and stamp.developer else (),
        )
        return Deployment(stamp.target, wire, provider, model, None, declared)

    def _model(self, stamp: Stamp) -> Model | None:
        try:
            return self.registry.model(stamp.model) if stamp.model else None
        except ConfigError:
            return None

    # What it may be used to train

    def _students(self, stamp: Stamp, decision: Decision) -> Iterator[Student]:
        """The verdict for each kind of model to be trained, where it hangs on that."""
        if decision.verdict != "conditional":
            return
        hangs = [name for name in decision.missing_facts if name.startswith(_STUDENT)]
        choices: list[Sequence[str]] = [
            [*self._families(stamp), OTHER] if name == "trained_model_family" else ("false", "true") for name in hangs
        ]
        for values in itertools.product(*choices) if hangs else ():
            facts = dict(zip(hangs, values, strict=True))
            yield Student(facts, self.judge(stamp, facts).verdict)

    def _families(self, stamp: Stamp) -> list[str]:
        """The families that the documents of an answer name as their own."""
        instruments, _ = self._instruments(stamp, self._deployment(stamp))
        named: set[str] = set()
        for rule in (r for g in instruments for r in g.license.rule if set(r.uses) & {*self.use, "*"}):
            for one in rule.when if isinstance(rule.when, tuple) else (rule.when or {},):
                test = one.get("trained_model_family")
                if isinstance(test, Test):
                    named |= {*(test.in_ or ()), *(test.not_in or ())}
                    test = test.is_
                if isinstance(test, str):
                    named.add(test)
        return sorted(named)


def _question(stamp: Stamp) -> tuple[Any, ...]:
    """What of a stamp a decision depends on."""
    where = (stamp.target, stamp.model, stamp.developer, stamp.hosting, stamp.tier, stamp.declared)
    return (*where, stamp.instruments, stamp.date)


def _alike(item: Item, decision: Decision | None) -> Any:
    if decision is None or item.stamp is None:
        return item.why
    said = tuple((r.license, r.clause, r.verdict, r.summary) for r in decision.deciding)
    return item.stamp.target, item.stamp.tier, item.stamp.instruments, decision.verdict, said
