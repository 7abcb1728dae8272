"""The engine: a registry, a deployment, uses and facts in; a Decision out. Pure, and knows no licence by name."""

from __future__ import annotations

import datetime as dt
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


def _governing(registry: Registry, deployment: Deployment, today: dt.date) -> tuple[Governing, ...]:
    """`governing`, worked out once for a day."""
    model, provider = deployment.model, deployment.provider
    named = (deployment.wire, model and model.id, provider and provider.id, deployment.license)
    made: tuple[Governing, ...] = registry.remember(
        ("governing", *named, today), lambda: tuple(governing(registry, deployment, today))
    )
    return made


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
    known: dict[str, Any] = {"date": today.isoformat(), **given, **_own_facts(deployment)}
    contracts = {registry.license(c).id for c in _items(given, "contracts")}
    if "registered" in given:
        known["registered"] = frozenset(registry.license(r).id for r in _items(given, "registered"))

    reasons: list[Reason] = []
    owed: list[Owed] = []
    governs = _governing(registry, deployment, today) if instruments is None else tuple(instruments)
    for g in governs:
        if g.license.id in contracts:
            reasons.append(_replaced(g.license, asked))
        elif why_not := _unreadable(g, today):
            reasons.append(Reason(g.license.id, "", "unknown", why_not, g.license.url, None, "U", asked))
        else:
            stated, owes = _said(registry, g.license, asked, given, known)
            reasons += stated
            owed += owes
    reasons.extend(_gaps(deployment, asked))
    reasons.extend(_gap(text, asked) for text in gaps)
    if rules:
        known |= own.target_facts(deployment, [g.license for g in governs if g.license.id not in contracts])
        for name in {n for rule in rules for n in rule.asks() if n.startswith("use.")}:
            known[name] = decide(registry, deployment, (name.removeprefix("use."),), given, instruments=governs).verdict
        reasons.extend(own.reasons(rules, asked, known, deployment.name))

    by_use = {u: worst([r.verdict for r in reasons if u in r.uses], "unknown") for u in asked}
    verdict = worst(list(by_use.values()), "unknown")
    missing = sorted({m for r in reasons if r.verdict == "conditional" for m in r.missing})
    reasons.sort(key=lambda r: -VERDICTS.index(r.verdict))
    said = [(r.license, r.clause, r.verdict) for r in reasons]
    identity = msgspec.json.encode([registry.hash, deployment.name, asked, given.ordered(), by_use, said, *rules])
    return Decision(
        target=deployment.name,
        verdict=verdict,
        uses=by_use,
        reasons=tuple(reasons),
        obligations=tuple(dict.fromkeys(owed)),
        missing_facts=tuple(missing),
        id="d-" + hashlib.sha256(identity).hexdigest()[:16],
        basis=_basis(registry, deployment, governs, today, given),
        note=_note(deployment),
    )


def _basis(
    registry: Registry, deployment: Deployment, governs: Iterable[Governing], today: dt.date, given: Facts
) -> Basis:
    model, provider, tier = deployment.model, deployment.provider, given.get("provider_tier")
    texts = [(g, g.license.text) for g in governs]
    return Basis(
        date=today,
        registry=registry.hash,
        instruments=tuple(Instrument(g.license.id, text.sha256 if text else None, g.why) for g, text in texts),
        model=model.id if model else None,
        developer=model.developer if model else None,
        hosting=provider.kind if provider else None,
        tier=tier if isinstance(tier, str) else None,
        declared=deployment.license or (),
    )


def _unreadable(g: Governing, today: dt.date) -> str | None:
    """Why an instrument settles nothing, if it does not: not in force, or unread."""
    licence = g.license
    if not in_force(licence, today):
        return f"{licence.name} is not in force on {today}, and no other version is known ({g.why})"
    if licence.text is None or (licence.kind != "policy" and not licence.rule):
        return f"nobody has read {licence.name} yet ({g.why})"
    return None


def _said(
    registry: Registry, licence: License, asked: tuple[str, ...], given: Facts, known: Mapping[str, Any]
) -> tuple[list[Reason], list[Owed]]:
    """What a licence says and asks for: the same for all targets that are alike in what it asks of them, so it is
    worked out once for them all."""
    names = registry.remember(("asks", licence.id), lambda: _asks_of_target(licence))
    key = ("said", licence.id, asked, given, known["date"], *[known.get(n) for n in names])
    made: tuple[list[Reason], list[Owed]] = registry.remember(
        key, lambda: (list(_reasons(licence, asked, known)), list(_owed(licence, asked, known)))
    )
    return made


def _asks_of_target(licence: License) -> list[str]:
    """The facts of the target, not of the user, on which a licence hangs."""
    rows: tuple[Rule | Obligation, ...] = (*licence.rule, *licence.obligation)
    options = [one for r in rows if r.when for one in (r.when if isinstance(r.when, tuple) else (r.when,))]
    return sorted({name for one in options for name in one if name in MODEL_FACTS})


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


def _gap(summary: str, asked: tuple[str, ...]) -> Reason:
    return Reason("unknown", "", "unknown", summary, "", None, "U", asked)


def _gaps(deployment: Deployment, asked: tuple[str, ...]) -> Iterator[Reason]:
    """What no document settles: a model nobody knows, a closed model without terms."""
    model, provider = deployment.model, deployment.provider

    def gap(summary: str) -> Reason:
        return _gap(summary, asked)

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
