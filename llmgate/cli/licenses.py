"""`llmgate licenses`: the instruments that the registry knows, and any one of them whole."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec
import typer

from ..policy import NOT_ADVICE, decide
from ..policy.conditions import describe
from ..policy.decision import trigger_words
from ..registry import Deployment, License, Registry, load
from ..registry.schema import Rule
from ..registry.vocabulary import USES
from . import options
from .output import STYLES, as_json, heading, say, table


def licenses(
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", show_default=False, help="An id or a short name: llama-3.1.")
    ] = None,
    json: options.Json = False,
) -> None:
    """The licences, policies and terms that the registry knows; with an id, all of that one.

    Example: llmgate licenses llama-3.1
    """
    registry = load()
    if id is not None:
        licence = registry.license(id)
        if json:
            as_json(_whole(registry, licence))
        else:
            _show(registry, licence)
        return
    if json:
        as_json([_summary(x) for x in registry.licenses])
        return
    table(
        ["license", "short", "kind", "grade", "effective", "OSI"],
        [
            [
                x.id,
                " ".join(x.short),
                x.kind,
                _grade(x) or "unread",
                x.effective_from or "",
                "yes" if x.osi_approved else "",
            ]
            for x in registry.licenses
        ],
    )
    unread = sum(x.text is None for x in registry.licenses)
    say(f"{len(registry.licenses)} instruments, {unread} of them unread", style="dim")


def _grade(licence: License) -> str | None:
    return licence.text.grade if licence.text else None


def _summary(licence: License) -> dict[str, Any]:
    return {
        "id": licence.id,
        "name": licence.name,
        "kind": licence.kind,
        "short": licence.short,
        "licensor": licence.licensor,
        "version": licence.version,
        "url": licence.url,
        "grade": _grade(licence),
        "effective_from": licence.effective_from,
        "effective_until": licence.effective_until,
        "osi_approved": licence.osi_approved,
    }


def _verdicts(registry: Registry, licence: License) -> dict[str, str]:
    """What the instrument, with the policies it incorporates, says of each use while no fact is given."""
    today = dt.date.today()
    day = max(licence.effective_from or today, min(today, licence.effective_until or today))
    decision = decide(registry, Deployment(licence.id, licence.id, license=(licence.id,)), USES, {"date": day})
    spoken = {use for reason in decision.reasons for use in reason.uses}
    return {use: verdict if use in spoken else "no objection" for use, verdict in decision.uses.items()}


def _whole(registry: Registry, licence: License) -> dict[str, Any]:
    verdicts = _verdicts(registry, licence)
    return {
        **_summary(licence),
        "governing_law": licence.governing_law,
        "incorporates": licence.incorporates,
        "supersedes": licence.supersedes,
        "note": licence.note,
        "text": msgspec.to_builtins(licence.text),
        "uses": {
            use: {"verdict": verdicts[use], "rules": [_rule(r, licence) for r in _of(licence, use)]} for use in USES
        },
        "obligations": [
            {**msgspec.to_builtins(o), "when": describe(o.when) if o.when else None} for o in licence.obligation
        ],
        "models": [m.id for m in registry.data.models if licence.id in m.license],
        "providers": [p.id for p in registry.providers if licence.id in p.terms],
    }


def _of(licence: License, use: str) -> list[Rule]:
    return [r for r in licence.rule if use in r.uses or "*" in r.uses]


def _rule(rule: Rule, licence: License) -> dict[str, Any]:
    text = licence.text
    return {
        "verdict": rule.verdict,
        "when": describe(rule.when) if rule.when else None,
        "otherwise": rule.otherwise,
        "clause": rule.clause,
        "summary": rule.summary,
        "remedy": rule.remedy,
        "source": rule.source or (text and text.url),
        "checked": rule.checked or (text and text.checked),
        "grade": rule.grade or (text and text.grade),
    }


def _show(registry: Registry, licence: License) -> None:
    say(licence.name, style="bold")
    say(f"{licence.id}{''.join(f', {s}' for s in licence.short)}")
    dates = f"from {licence.effective_from}" if licence.effective_from else "of unknown date"
    until = f" until {licence.effective_until}" if licence.effective_until else ""
    osi = "; OSI-approved" if licence.osi_approved else ""
    version = f"version {licence.version}, " if licence.version else ""
    say(f"{licence.kind} of {licence.licensor}, {version}{dates}{until}{osi}")
    if licence.incorporates:
        say(f"Incorporates: {', '.join(licence.incorporates)}")
    if licence.supersedes:
        say(f"Supersedes: {licence.supersedes}")
    if licence.governing_law:
        say(f"Governing law: {licence.governing_law}")
    if licence.note:
        say(licence.note)
    heading("Rights while no fact is given")
    rows = []
    for use, verdict in _verdicts(registry, licence).items():
        rows.append([use, verdict, "; ".join(dict.fromkeys(r.clause for r in _of(licence, use)))])
    table(["use", "verdict", "clauses"], rows)
    heading("What it says")
    for rule in licence.rule:
        named = "every use" if "*" in rule.uses else ", ".join(rule.uses)
        condition = f" if {describe(rule.when)}" if rule.when else ""
        condition += f", else {rule.otherwise}" if rule.otherwise else ""
        say(f"{rule.verdict}{condition}: {named} ({rule.clause})", indent=2, hang=2, style=STYLES[rule.verdict])
        say(rule.summary, indent=4)
        if rule.remedy:
            say(f"Remedy: {rule.remedy}", indent=4)
        if rule.source:
            say(rule.source, indent=4, style="dim")
    if not licence.rule:
        say("Nobody has read it yet." if licence.text is None else "It adds nothing.", indent=2)
    if licence.obligation:
        heading("What is owed")
    for o in licence.obligation:
        named = "any use" if "*" in o.uses else ", ".join(o.uses)
        condition = f", if {describe(o.when)}" if o.when else ""
        say(f"{o.kind}, when {trigger_words(o.trigger)}{condition}: {o.text}", indent=2, hang=2)
        say(f"({o.clause}; for {named})", indent=4, style="dim")
    heading("Source")
    if licence.text:
        say(f"Read {licence.text.checked}, grade {licence.text.grade}", indent=2)
    urls = [licence.url, *((licence.text.url, licence.text.copy) if licence.text else ())]
    for url in dict.fromkeys(u for u in urls if u):
        say(url, indent=2)
    say()
    say(NOT_ADVICE, style="dim")
