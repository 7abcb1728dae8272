"""The engine: a registry, a deployment, uses and facts in; a Decision out. Pure, and knows no licence by name."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..registry import Deployment, License, Model, Provider, Registry
from ..registry.schema import Obligation, Rule
from ..registry.vocabulary import MODEL_FACTS, VERDICTS
from . import own
from .conditions import Truth, describe, holds
from .decision import Basis, Decision, Instrument, Owed, Reason, worst
from .facts import Facts
from .facts import uses as checked_uses

_CARRIES = frozenset({"finetune", "merge", "quantized", "adapter"})
"""Kinds of lineage by which the base's licences govern the derived model too."""


# What governs a deployment ----------------------------------------------------------------------


class Governing(msgspec.Struct, frozen=True, gc=False):
    """An instrument that governs, and why."""

    license: License
    why: str


def governing(registry: Registry, deployment: Deployment, today: dt.date) -> Iterator[Governing]:
    """Every instrument that governs a deployment: weights, lineage, incorporated policies, the host's terms.

    At the developer's own service the developer's terms stand in place of the licence of its weights, which are not
    handed out there; licences that others hold in it by descent still count. At an aggregator the terms of a closed
    model's developer stand beside the aggregator's own.
    """
    seen: set[str] = set()

    def with_policies(ids: Iterable[str], why: str) -> Iterator[Governing]:
        for id_ in ids:
            licence = registry.license(id_)
            if licence.id in seen:
                continue
            seen.add(licence.id)
            yield Governing(licence, why)
            if licence.incorporates:
                yield from with_policies(licence.incorporates, f"incorporated by {licence.id}")

    if deployment.license:
        yield from with_policies(deployment.license, "declared in the config")
    model, provider = deployment.model, deployment.provider
    if model is not None:
        if not _own_service(model, provider):
            yield from with_policies(model.license, f"the license of {model.id}")
        for base in ancestors(registry, model):
            if not _own_service(base, provider):
                yield from with_policies(base.license, f"{model.id} is made from {base.id}")
    if provider is not None:
        stated = deployment.offer.terms if deployment.offer is not None else None
        yield from with_policies(
            _current(registry, provider.terms if stated is None else stated, today), f"the terms of {provider.name}"
        )
        if provider.kind == "aggregator" and model is not None and model.weights == "closed":
            developer = registry.first_party(model)
            if developer is not None:
                why = f"the terms of {developer.name}, whose model it is"
                yield from with_policies(_current(registry, developer.terms, today), why)


class _Documents(msgspec.Struct, frozen=True, gc=False):
    """The instruments that govern a deployment on a day, and what follows from them alone.

    names: what a decision on them hangs on beside uses and facts: with the same names it is the same decision.
    asks: for each, the facts that its conditions ask; asks_of_target: of all, those that are the target's.
    """

    governing: tuple[Governing, ...]
    names: tuple[str, ...]
    asks: tuple[tuple[str, ...], ...]
    asks_of_target: tuple[str, ...]
    instruments: tuple[Instrument, ...]


def _documents(registry: Registry, governing: Iterable[Governing], today: dt.date) -> _Documents:
    found = tuple(governing)
    shape: tuple[Any, ...] = ("shape", today, *[g.license.id for g in found])
    readable, asks, asks_of_target = registry.remember(shape, lambda: _shape(found, today))
    return _Documents(
        governing=found,
        # An unreadable one says why it governs, so that it governs for the same reason is part of being the same.
        names=shape[2:] if readable else (*shape[2:], *[g.why for g in found]),
        asks=asks,
        asks_of_target=asks_of_target,
        instruments=tuple(
            [Instrument(g.license.id, g.license.text.sha256 if g.license.text else None, g.why) for g in found]
        ),
    )


def _shape(found: tuple[Governing, ...], today: dt.date) -> tuple[bool, tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """What many deployments under the same instruments share: whether all are readable, asks, asks_of_target."""
    asks = tuple(_asks(g.license) for g in found)
    return (
        all(_readable(g.license, today) for g in found),
        asks,
        tuple(name for names in asks for name in names if name in MODEL_FACTS),
    )


def _own_service(model: Model, provider: Provider | None) -> bool:
    return provider is not None and provider.kind == "first-party" and model.developer in provider.developers


def _current(registry: Registry, terms: tuple[str, ...], today: dt.date) -> list[str]:
    """Of several versions of a service's terms those in force; the last one where none is."""
    return [t for t in terms if in_force(registry.license(t), today)] or list(terms)[-1:]


def ancestors(registry: Registry, model: Model) -> Iterator[Model]:
    """The models whose licences a model carries by descent, nearest first."""
    todo, seen = [model], {model.id}
    while todo:
        for line in todo.pop(0).lineage:
            if line.relation in _CARRIES and line.base not in seen:
                seen.add(line.base)
                base = registry.model(line.base)
                todo.append(base)
                yield base


def in_force(licence: License, today: dt.date) -> bool:
    """Whether a document is in force on a day."""
    if licence.effective_from and today < licence.effective_from:
        return False
    return not (licence.effective_until and today > licence.effective_until)


# The decision -----------------------------------------------------------------------------------


def decide(
    registry: Registry,
    target: str | Deployment,
    use: Iterable[str],
    facts: Facts | Mapping[str, Any] | None = None,
    *,
    rules: tuple[own.OwnRule, ...] = (),
    instruments: Iterable[Governing] | None = None,
    gaps: Iterable[str] = (),
) -> Decision:
    """What the documents say of using a target so.

    target: `provider:model`, a bare model id, or a resolved Deployment. use: names of uses. facts: see `Facts`.
    rules: a company's own; they only restrict.
    instruments: what governs it, where that is not for the registry to say, as for an answer of an earlier day.
    gaps: what else is not known, in words; each makes the verdict no better than `unknown`.
    Raises ConfigError for an unknown model, use or fact.
    """
    deployment = registry.resolve(target) if isinstance(target, str) else target
    asked = checked_uses(use)
    given = facts if isinstance(facts, Facts) else Facts(facts)
    today = dt.date.fromisoformat(str(given["date"])) if "date" in given else dt.date.today()
    model, provider = deployment.model, deployment.provider
    tier = given.get("provider_tier")

    if instruments is None:
        place = (deployment.wire, model and model.id, provider and provider.id, deployment.license)
        documents = registry.remember(
            ("documents", *place, today), lambda: _documents(registry, governing(registry, deployment, today), today)
        )
    else:
        documents = _documents(registry, instruments, today)
    own_facts = _own_facts(deployment) if documents.asks_of_target or rules else {}
    absent = (*_gaps(deployment), *gaps)
    key = ("weighed", documents.names, asked, given, today, absent, *map(own_facts.get, documents.asks_of_target))
    weighed = registry.remember(key, lambda: _weigh(registry, documents, asked, given, today, own_facts, absent))
    if rules:
        contracts = _instruments(registry, given, "contracts")
        in_place = [g.license for g in documents.governing if g.license.id not in contracts]
        known = _known(registry, given, today, own_facts) | own.target_facts(deployment, in_place)
        for name in {n for rule in rules for n in rule.asks() if n.startswith("use.")}:
            one = (name.removeprefix("use."),)
            known[name] = decide(registry, deployment, one, given, instruments=documents.governing, gaps=gaps).verdict
        more = own.reasons(rules, asked, known, deployment.name)
        weighed = _summed(registry, asked, given, [*weighed.reasons, *more], weighed.obligations, rules)
    return Decision(
        target=deployment.name,
        verdict=weighed.verdict,
        uses=dict(weighed.uses),
        reasons=weighed.reasons,
        obligations=weighed.obligations,
        missing_facts=weighed.missing_facts,
        id="d-" + hashlib.sha256(weighed.digest + deployment.name.encode()).hexdigest()[:16],
        basis=Basis(
            date=today,
            registry=registry.hash,
            instruments=documents.instruments,
            model=model.id if model else None,
            developer=model.developer if model else None,
            hosting=provider.kind if provider else None,
            tier=tier if isinstance(tier, str) else None,
            declared=deployment.license or (),
        ),
        note=_note(deployment),
    )


class _Weighed(msgspec.Struct, frozen=True, gc=False):
    """All of a Decision that is the same for every target under the same documents."""

    verdict: str
    uses: dict[str, str]
    reasons: tuple[Reason, ...]
    obligations: tuple[Owed, ...]
    missing_facts: tuple[str, ...]
    digest: bytes


def _weigh(
    registry: Registry,
    documents: _Documents,
    asked: tuple[str, ...],
    given: Facts,
    today: dt.date,
    own_facts: Mapping[str, Any],
    absent: Iterable[str],
) -> _Weighed:
    known = _known(registry, given, today, own_facts)
    contracts = _instruments(registry, given, "contracts")
    reasons: list[Reason] = []
    owed: list[Owed] = []
    for g, asks in zip(documents.governing, documents.asks, strict=True):
        if g.license.id in contracts:
            reasons.append(_replaced(g.license, asked))
        elif why_not := _unreadable(g, today):
            reasons.append(Reason(g.license.id, "", "unknown", why_not, g.license.url, None, "U", asked))
        else:
            key = ("said", g.license.id, asked, *map(known.get, asks))
            said, owes = registry.remember(key, functools.partial(_said, g.license, asked, known))
            reasons += said
            owed += owes
    reasons.extend(Reason("unknown", "", "unknown", gap, "", None, "U", asked) for gap in absent)
    return _summed(registry, asked, given, reasons, owed)


def _summed(
    registry: Registry,
    asked: tuple[str, ...],
    given: Facts,
    reasons: list[Reason],
    owed: Iterable[Owed],
    rules: tuple[own.OwnRule, ...] = (),
) -> _Weighed:
    """What reasons come to: for each use the worst, and the worst of all."""
    reasons = [r for verdict in reversed(VERDICTS) for r in reasons if r.verdict == verdict]  # the worst first
    by_use = {u: next((r.verdict for r in reasons if u in r.uses), "unknown") for u in asked}
    said = [(r.license, r.clause, r.verdict) for r in reasons]
    identity = msgspec.json.encode([registry.hash, asked, given.ordered(), by_use, said, *rules])
    return _Weighed(
        verdict=worst(list(by_use.values()), "unknown"),
        uses=by_use,
        reasons=tuple(reasons),
        obligations=tuple(dict.fromkeys(owed)),
        missing_facts=tuple(sorted({m for r in reasons if r.verdict == "conditional" for m in r.missing})),
        digest=hashlib.sha256(identity).digest(),
    )


def _known(registry: Registry, given: Facts, today: dt.date, own_facts: Mapping[str, Any]) -> dict[str, Any]:
    """Every fact that a condition may ask: those given, the day, the target's own."""
    known: dict[str, Any] = {"date": today.isoformat(), **given.as_dict(), **own_facts}
    if "registered" in given:
        known["registered"] = _instruments(registry, given, "registered")
    return known


def _unreadable(g: Governing, today: dt.date) -> str | None:
    """Why an instrument settles nothing, if it does not: not in force, or unread."""
    licence = g.license
    if _readable(licence, today):
        return None
    if not in_force(licence, today):
        return f"{licence.name} is not in force on {today}, and no other version is known ({g.why})"
    return f"nobody has read {licence.name} yet ({g.why})"


def _readable(licence: License, today: dt.date) -> bool:
    read = licence.text is not None and (licence.kind == "policy" or bool(licence.rule))
    return read and in_force(licence, today)


def _asks(licence: License) -> tuple[str, ...]:
    """The facts that the conditions of a document ask."""
    whens = [row.when for rows in (licence.rule, licence.obligation) for row in rows]
    options = [one for when in whens if when for one in (when if isinstance(when, tuple) else (when,))]
    return tuple(sorted({name for one in options for name in one}))


def _said(
    licence: License, asked: tuple[str, ...], known: Mapping[str, Any]
) -> tuple[tuple[Reason, ...], tuple[Owed, ...]]:
    return tuple(_reasons(licence, asked, known)), tuple(_owed(licence, asked, known))


def _reasons(licence: License, asked: tuple[str, ...], known: Mapping[str, Any]) -> Iterator[Reason]:
    text = licence.text
    assert text is not None
    spoken: set[str] = set()
    for rule in licence.rule:
        uses = asked if "*" in rule.uses else tuple(u for u in asked if u in rule.uses)
        if not uses:
            continue
        verdict, missing = _verdict(rule, holds(rule.when, known))
        if verdict is None:
            continue
        if "*" not in rule.uses:
            spoken.update(uses)
        yield Reason(
            license=licence.id,
            clause=rule.clause,
            verdict=verdict,
            summary=rule.summary,
            source=rule.source or text.url,
            checked=rule.checked or text.checked,
            grade=rule.grade or text.grade,
            uses=uses,
            missing=missing,
            remedy=rule.remedy if verdict == "prohibited" else None,
        )
    silent = tuple(u for u in asked if u not in spoken)
    if silent and licence.kind != "policy":
        summary = f"what {licence.name} says of {', '.join(silent)} is not settled by what was read of it"
        yield Reason(licence.id, "", "unknown", summary, text.url, text.checked, text.grade, silent)


def _verdict(rule: Rule, truth: Truth) -> tuple[str | None, tuple[str, ...]]:
    """A rule's verdict (None: it is silent), and the facts on which it hangs: then never better than either way."""
    if truth is True:
        return rule.verdict, ()
    if truth is False:
        return rule.otherwise, ()
    best = min(rule.verdict, rule.otherwise or "permitted", key=VERDICTS.index)
    return worst(("conditional", best)), tuple(sorted(truth))


def _owed(licence: License, asked: tuple[str, ...], known: Mapping[str, Any]) -> Iterator[Owed]:
    for o in licence.obligation:
        if "*" not in o.uses and not set(o.uses) & set(asked):
            continue
        truth = holds(o.when, known)
        if truth is False:
            continue
        yield _as_owed(licence, o, None if truth is True or o.when is None else describe(o.when))


def _as_owed(licence: License, o: Obligation, only_if: str | None) -> Owed:
    text = licence.text
    return Owed(
        kind=o.kind,
        trigger=o.trigger,
        text=o.text,
        license=licence.id,
        clause=o.clause,
        summary=o.summary,
        source=o.source or (text.url if text else None),
        checked=o.checked or (text.checked if text else None),
        grade=o.grade or (text.grade if text else None),
        only_if=only_if,
    )


def _replaced(licence: License, asked: tuple[str, ...]) -> Reason:
    summary = f"you declare an agreement that replaces {licence.name}; its terms, which llmgate has not read, govern"
    return Reason(licence.id, "contracts", "permitted", summary, licence.url, None, "declared", asked)


def _gaps(deployment: Deployment) -> Iterator[str]:
    """What no document settles: a model nobody knows, a closed model without terms."""
    model, provider = deployment.model, deployment.provider
    if model is None and not deployment.license:
        yield f"the registry does not know {deployment.wire}: its license is unknown"
    elif model is not None and model.weights != "open":
        if provider is None:
            yield f"{model.id} has no weights to license and no service whose terms the registry knows"
        elif not provider.terms and not (deployment.offer and deployment.offer.terms):
            yield f"the registry knows no terms of {provider.name} for {model.id}"
        elif deployment.offer is None and model.developer not in provider.developers:
            yield f"the registry knows no offer of {model.id} at {provider.name}"
    elif provider is not None and not provider.terms and provider.kind not in ("self-hosted", "embedded"):
        if not (deployment.offer and deployment.offer.terms):
            yield f"the registry knows no terms of {provider.name}"


def _note(deployment: Deployment) -> str | None:
    model, provider = deployment.model, deployment.provider
    if model is None:
        return None
    if provider is None and model.weights == "open":
        return "Judged as self-hosted weights; for a host ask provider:model."
    if provider is not None and provider.kind in ("self-hosted", "embedded"):
        return "Judged as self-hosted weights: whoever runs the server for you may add terms of their own."
    return None


def _own_facts(deployment: Deployment) -> dict[str, Any]:
    model, provider = deployment.model, deployment.provider
    hosted = provider is not None and provider.kind not in ("self-hosted", "embedded")
    if model is None:
        return {"target.hosted": hosted}
    return {
        "target.hosted": hosted,
        "model.id": model.id,
        "model.family": model.family,
        "model.developer": model.developer,
        "model.weights": model.weights,
        "model.input": frozenset(model.input),
        "model.output": frozenset(model.output),
    }


def _instruments(registry: Registry, given: Facts, fact: str) -> frozenset[str]:
    """The ids of the instruments that a fact names, by id or short name; ConfigError for one that there is not."""
    named = given.get(fact)
    return frozenset(registry.license(name).id for name in named) if isinstance(named, frozenset) else frozenset()
