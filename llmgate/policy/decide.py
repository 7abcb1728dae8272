"""The engine: a registry, a deployment, uses and facts in; a Decision out. Pure, and knows no licence by name."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..registry import Deployment, License, Model, Provider, Registry
from ..registry.schema import Obligation, Rule, Test, When
from ..registry.vocabulary import REGIONS, VERDICTS, countries
from .decision import Decision, Owed, Reason, worst
from .facts import Facts

_CARRIES = frozenset({"finetune", "merge", "quantized", "adapter"})
"""Kinds of lineage by which the base's licences govern the derived model too."""


# Conditions, in three values: True, False, or the names of the facts on which it hangs -----------

Truth = bool | frozenset[str]


def holds(when: When | None, facts: Mapping[str, Any]) -> Truth:
    """Whether a condition holds. A fact that is missing never makes it true or false by itself."""
    if when is None:
        return True
    if isinstance(when, Mapping):
        return _all(when, facts)
    missing: frozenset[str] = frozenset()
    for one in when:
        truth = _all(one, facts)
        if truth is True:
            return True
        if isinstance(truth, frozenset):
            missing |= truth
    return missing or False


def _all(condition: Mapping[str, Any], facts: Mapping[str, Any]) -> Truth:
    missing: set[str] = set()
    for name, test in condition.items():
        value = facts.get(name)
        if value is None:
            missing.add(name)
        elif not passes(test, value):
            return False
    return frozenset(missing) or True


def passes(test: Test | bool | str, value: Any) -> bool:
    """Whether a value passes a test. A value that is a set passes `in` if any item does, `not_in` if none does."""
    if not isinstance(test, Test):
        test = Test(is_=test)
    if test.is_ is not None:
        if isinstance(value, frozenset):
            return str(test.is_) in value
        if value != test.is_:
            return False
    if test.min is not None and value < test.min:
        return False
    if test.max is not None and value > test.max:
        return False
    if test.above is not None and value <= test.above:
        return False
    if test.below is not None and value >= test.below:
        return False
    items = value if isinstance(value, frozenset) else {value}
    if test.in_ is not None and not items & _expanded(test.in_):
        return False
    return test.not_in is None or not items & _expanded(test.not_in)


def _expanded(names: tuple[str, ...]) -> frozenset[str]:
    return countries(names) if any(n in REGIONS for n in names) else frozenset(names)


def describe(when: When) -> str:
    """A condition in words."""
    words = {"min": "at least", "max": "at most", "above": "above", "below": "below", "in_": "in", "not_in": "not in"}

    def test(name: str, t: Any) -> str:
        if not isinstance(t, Test):
            return f"{name} is {str(t).lower() if isinstance(t, bool) else t}"
        out = [f"{name} is {str(t.is_).lower()}"] if t.is_ is not None else []
        for key, word in words.items():
            bound = getattr(t, key)
            if bound is not None:
                shown = f"{bound:,.0f}" if isinstance(bound, float) else ", ".join(bound)
                out.append(f"{name} {word} {shown}")
        return " and ".join(out)

    options = [when] if isinstance(when, Mapping) else list(when)
    return " or ".join(" and ".join(test(n, t) for n, t in one.items()) for one in options)


# What governs a deployment ----------------------------------------------------------------------


class Governing(msgspec.Struct, frozen=True):
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


def _own_service(model: Model, provider: Provider | None) -> bool:
    return provider is not None and provider.kind == "first-party" and model.developer in provider.developers


def _current(registry: Registry, terms: tuple[str, ...], today: dt.date) -> list[str]:
    """Of several versions of a service's terms those in force; the last one where none is."""
    return [t for t in terms if _in_force(registry.license(t), today)] or list(terms)[-1:]


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


def _in_force(licence: License, today: dt.date) -> bool:
    if licence.effective_from and today < licence.effective_from:
        return False
    return not (licence.effective_until and today > licence.effective_until)


# The decision -----------------------------------------------------------------------------------


def decide(
    registry: Registry, target: str | Deployment, use: Iterable[str], facts: Facts | Mapping[str, Any] | None = None
) -> Decision:
    """What the documents say of using a target so.

    target: `provider:model`, a bare model id, or a resolved Deployment. use: names of uses. facts: see `Facts`.
    Raises ConfigError for an unknown model, use or fact.
    """
    from .facts import uses as checked_uses

    deployment = registry.resolve(target) if isinstance(target, str) else target
    asked = checked_uses(use)
    given = facts if isinstance(facts, Facts) else Facts(facts)
    today = dt.date.fromisoformat(str(given["date"])) if "date" in given else dt.date.today()
    known: dict[str, Any] = {"date": today.isoformat(), **given, **_own_facts(deployment)}
    contracts = {registry_id for c in _items(given, "contracts") for registry_id in _contract(registry, c)}
    registered = {registry_id for c in _items(given, "registered") for registry_id in _contract(registry, c)}
    if "registered" in given:
        known["registered"] = frozenset(registered)

    reasons: list[Reason] = []
    owed: list[Owed] = []
    for g in governing(registry, deployment, today):
        if g.license.id in contracts:
            reasons.append(_replaced(g.license, asked))
            continue
        reasons.extend(_reasons(g, asked, known, today))
        owed.extend(_owed(g.license, asked, known))
    reasons.extend(_gaps(deployment, asked))

    by_use = {u: worst([r.verdict for r in reasons if u in r.uses], "unknown") for u in asked}
    verdict = worst(list(by_use.values()), "unknown")
    missing = sorted({m for r in reasons if r.verdict == "conditional" for m in r.missing})
    reasons.sort(key=lambda r: ("prohibited", "unknown", "conditional", "permitted").index(r.verdict))
    said = [(r.license, r.clause, r.verdict) for r in reasons]
    identity = msgspec.json.encode([registry.hash, deployment.name, asked, given.ordered(), by_use, said])
    return Decision(
        target=deployment.name,
        verdict=verdict,
        uses=by_use,
        reasons=tuple(reasons),
        obligations=tuple(dict.fromkeys(owed)),
        missing_facts=tuple(missing),
        id="d-" + hashlib.sha256(identity).hexdigest()[:16],
        note=_note(deployment),
    )


def _reasons(g: Governing, asked: tuple[str, ...], known: Mapping[str, Any], today: dt.date) -> Iterator[Reason]:
    licence = g.license
    if not _in_force(licence, today):
        what = f"{licence.name} is not in force on {today}, and no other version is known ({g.why})"
        yield Reason(licence.id, "", "unknown", what, licence.url, None, "U", asked)
        return
    if licence.text is None or (licence.kind != "policy" and not licence.rule):
        what = f"nobody has read {licence.name} yet ({g.why})"
        yield Reason(licence.id, "", "unknown", what, licence.url, None, "U", asked)
        return
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
            source=rule.source or licence.text.url,
            checked=rule.checked or licence.text.checked,
            grade=rule.grade or licence.text.grade,
            uses=uses,
            missing=missing,
            remedy=rule.remedy if verdict == "prohibited" else None,
        )
    silent = tuple(u for u in asked if u not in spoken)
    if silent and licence.kind != "policy":
        text = f"what {licence.name} says of {', '.join(silent)} is not settled by what was read of it"
        yield Reason(
            licence.id, "", "unknown", text, licence.text.url, licence.text.checked, licence.text.grade, silent
        )


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


def _gaps(deployment: Deployment, asked: tuple[str, ...]) -> Iterator[Reason]:
    """What no document settles: a model nobody knows, a closed model without terms."""
    model, provider = deployment.model, deployment.provider

    def gap(summary: str) -> Reason:
        return Reason("unknown", "", "unknown", summary, "", None, "U", asked)

    if model is None and not deployment.license:
        yield gap(f"the registry does not know {deployment.wire}: its license is unknown")
    elif model is not None and model.weights != "open":
        if provider is None:
            yield gap(f"{model.id} has no weights to license and no service whose terms the registry knows")
        elif not provider.terms and not (deployment.offer and deployment.offer.terms):
            yield gap(f"the registry knows no terms of {provider.name} for {model.id}")
        elif deployment.offer is None and model.developer not in provider.developers:
            yield gap(f"the registry knows no offer of {model.id} at {provider.name}")
    elif provider is not None and not provider.terms and provider.kind not in ("self-hosted", "embedded"):
        if not (deployment.offer and deployment.offer.terms):
            yield gap(f"the registry knows no terms of {provider.name}")


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


def _items(facts: Mapping[str, Any], name: str) -> frozenset[str]:
    value = facts.get(name, frozenset())
    return value if isinstance(value, frozenset) else frozenset()


def _contract(registry: Registry, name: str) -> set[str]:
    """The id of an instrument named by id or short name; ConfigError if there is none."""
    return {registry.license(name).id}
