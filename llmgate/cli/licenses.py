"""`llmgate licenses`: the instruments that the registry knows, and any one of them whole."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from ..errors import ConfigError
from ..policy import NOT_ADVICE
from ..policy.conditions import describe
from ..policy.decision import trigger_words
from ..policy.diff import Difference, diff, verdicts
from ..registry import License, Registry
from ..registry.schema import Rule
from ..registry.vocabulary import USES
from . import options
from .output import STYLES, as_json, heading, say, table


def licenses(
    id: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID | diff A B]", show_default=False, help="An id or a short name: llama-3.1; or diff and two."
        ),
    ] = None,
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> None:
    """The licences, policies and terms that the registry knows; with an id, all of that one; with diff, what changed
    from one to another, per use, clause and obligation.

    Example: llmgate licenses diff llama-3 llama-3.1
    """
    registry = options.Judge(config, no_config).registry
    if id and (id[0] == "diff" or len(id) > 1):
        if id[0] != "diff" or len(id) != 3:
            raise ConfigError("write: llmgate licenses, llmgate licenses ID, or llmgate licenses diff A B")
        difference = diff(registry, registry.license(id[1]), registry.license(id[2]))
        if json:
            as_json(difference)
        else:
            _show_difference(registry, difference)
        return
    if id:
        licence = registry.license(id[0])
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


def _show_difference(registry: Registry, found: Difference) -> None:
    say(f"{registry.license(found.before).name} -> {registry.license(found.after).name}", style="bold")
    for name, (before, after) in found.fields.items():
        say(f"{name.replace('_', ' ')}: {before or 'none'} -> {after or 'none'}", indent=2, hang=2)
    heading("Rights while no fact is given")
    rows = [
        [u.use, _hanging(u.before, u.missing_before), _hanging(u.after, u.missing_after), u.change] for u in found.uses
    ]
    table(
        ["use", found.before, found.after, "change"], [[*row[:3], "" if row[3] == "same" else row[3]] for row in rows]
    )
    for title, changes in (("What the clauses say", found.clauses), ("What is owed", found.obligations)):
        heading(title)
        for change in changes:
            say(change.about, indent=2, style="bold")
            for sign, said in (("-", change.before), ("+", change.after)):
                for text in said:
                    say(f"{sign} {text}", indent=4, hang=2, style="red" if sign == "-" else "green")
        if not changes:
            say("The same.", indent=2)
    say()
    say(NOT_ADVICE, style="dim")


def _hanging(verdict: str, missing: tuple[str, ...]) -> str:
    return verdict + (f" on {', '.join(missing)}" if missing else "")


def _whole(registry: Registry, licence: License) -> dict[str, Any]:
    found = verdicts(registry, licence)
    return {
        **_summary(licence),
        "governing_law": licence.governing_law,
        "incorporates": licence.incorporates,
        "supersedes": licence.supersedes,
        "note": licence.note,
        "text": msgspec.to_builtins(licence.text),
        "uses": {
            use: {"verdict": found[use][0], "rules": [_rule(r, licence) for r in _of(licence, use)]} for use in USES
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
    for use, (verdict, _) in verdicts(registry, licence).items():
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
