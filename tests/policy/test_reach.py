"""Every rule and every obligation in the data is reached by some question."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from llmgate.policy import decide
from llmgate.policy.decide import governing
from llmgate.registry import Deployment, License, load
from llmgate.registry.schema import Obligation, Rule, Test
from llmgate.registry.vocabulary import COUNTRIES, FACTS, MODEL_FACTS, USES, countries

from .small import model

TODAY = dt.date(2026, 11, 24)
IDS = [x.id for x in load().licenses]


def day_of(licence: License) -> dt.date:
    """The day nearest to today on which a document is in force."""
    return max(licence.effective_from or TODAY, min(TODAY, licence.effective_until or TODAY))


@cache
def governed() -> dict[str, list[Deployment]]:
    """The deployments that a document governs on a day on which it is in force."""
    registry = load()
    names = [m.id for m in registry.data.models] + [f"{p.id}:{o.model}" for p in registry.providers for o in p.offer]
    days = {day_of(x) for x in registry.licenses}
    found: dict[str, list[Deployment]] = defaultdict(list)
    for name in dict.fromkeys(names):
        deployment = registry.resolve(name)
        for day in days:
            for g in governing(registry, deployment, day):
                if day == day_of(g.license):
                    found[g.license.id].append(deployment)
    return found


def value(name: str, test: Test | bool | str, holds: bool) -> Any:
    """A value of a user's fact with which a test holds, or does not."""
    test = test if isinstance(test, Test) else Test(is_=test)
    kind = FACTS[name.partition("@")[0]]
    if kind == "number":
        if test.above is not None or test.min is not None:
            bound = test.min if test.above is None else test.above
            return (bound or 0) + 1 if holds else (bound or 1) - 1
        bound = test.max if test.below is None else test.below
        return (bound or 1) - 1 if holds else (bound or 0) + 1
    if kind == "flag":
        return test.is_ is holds
    if kind in ("country", "countries"):
        named = countries(test.in_ or test.not_in or (str(test.is_),))
        inside = (test.not_in is None) == holds
        return min(named if inside else COUNTRIES - named)
    if kind == "tier":
        named = {*(test.in_ or test.not_in or (str(test.is_),))}
        return min(named if (test.not_in is None) == holds else {"paid", "unpaid"} - named)
    named_texts = test.in_ or test.not_in or (str(test.is_),)
    inside = (test.not_in is None) == holds
    return named_texts[0] if inside else ("MIT" if name in ("contracts", "registered") else "something-else")


def questions(row: Rule | Obligation, holds: bool = True) -> Iterator[dict[str, Any]]:
    """Facts with which the condition of a row holds in one of its ways; or with which none of them does."""
    options = row.when if isinstance(row.when, tuple) else ({},) if row.when is None else (row.when,)
    if holds:
        for one in options:
            yield {n: value(n, t, True) for n, t in one.items() if n not in MODEL_FACTS}
    else:
        yield {n: value(n, t, False) for one in options for n, t in one.items() if n not in MODEL_FACTS}


def asks_of_the_target(row: Rule | Obligation) -> bool:
    options = row.when if isinstance(row.when, tuple) else () if row.when is None else (row.when,)
    return any(name in MODEL_FACTS for one in options for name in one)


def imagined(licence: License, row: Rule | Obligation) -> Iterator[Deployment]:
    """Models as a row asks for them, declared to be under the document: such as somebody's own may be."""
    for one in row.when if isinstance(row.when, tuple) else (row.when or {},):
        asked = {n.partition(".")[2]: t for n, t in one.items() if n.startswith("model.")}
        texts = {n: t if isinstance(t, str) else (t.in_ or ("others",))[0] for n, t in asked.items()}
        facts = {n: (text,) if n in ("input", "output") else text for n, text in texts.items()}
        yield Deployment(licence.id, licence.id, model=model(facts.pop("id", "m"), **facts), license=(licence.id,))


def places(licence: License, row: Rule | Obligation) -> list[Deployment]:
    """Where to ask: anything that the document governs; all of it where the row asks something of the target."""
    found = governed()[licence.id]
    return [*(found if asks_of_the_target(row) else found[:1]), *imagined(licence, row)]


def uses_of(row: Rule | Obligation) -> tuple[str, ...]:
    return USES if "*" in row.uses else tuple(row.uses)


@pytest.mark.parametrize("id", IDS)
def test_every_rule_speaks_to_some_question(id: str) -> None:
    licence = load().license(id)
    for row in licence.rule:
        for holds, verdict in ((True, row.verdict), (False, row.otherwise)):
            if verdict is None:
                continue
            wanted = (licence.id, row.clause, verdict, row.summary)
            assert any(
                wanted in {(r.license, r.clause, r.verdict, r.summary) for r in decision.reasons}
                for facts in questions(row, holds)
                for place in places(licence, row)
                for decision in [decide(load(), place, uses_of(row), {"date": day_of(licence), **facts})]
            ), (row.clause, verdict)


@pytest.mark.parametrize("id", IDS)
def test_every_obligation_is_owed_by_somebody(id: str) -> None:
    licence = load().license(id)
    for row in licence.obligation:
        assert any(
            (licence.id, row.clause, row.text, None) in {(o.license, o.clause, o.text, o.only_if) for o in owed}
            for facts in questions(row)
            for place in places(licence, row)
            for owed in [decide(load(), place, uses_of(row), {"date": day_of(licence), **facts}).obligations]
        ), (row.clause, row.text)
