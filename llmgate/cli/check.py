"""`llmgate check` and `llmgate why`: what the documents say of using one model so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated

import typer

from ..policy import NOT_ADVICE, Decision, Reason
from ..policy.decision import trigger_words
from . import options
from .output import STYLES, as_json, heading, say

EXIT = {"permitted": 0, "conditional": 3, "prohibited": 4, "unknown": 5}

ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", show_default=False, help="A model's id or alias, or provider:model.")
]
UseList = Annotated[
    list[str] | None,
    typer.Option(
        "--use", metavar="USE", help="What you mean to do; repeatable. Default: commercial.", show_default=False
    ),
]


def check(
    model: ModelName,
    use: UseList = None,
    fact: options.FactList = None,
    mau: options.Mau = None,
    revenue: options.Revenue = None,
    established: options.Established = None,
    users_in: options.UsersIn = None,
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> int:
    """May this model be used so?

    A bare open-weight id is judged as self-hosted weights, a bare closed id under its maker's terms,
    provider:model under that host's terms too. Exit code: 0 permitted, 3 conditional, 4 prohibited,
    5 unknown, 2 wrong usage.

    Example: llmgate check llama-3.1-8b-instruct --established DE --fact monthly_active_users@2024-06=2M
    """
    judge = options.Judge(config, no_config, options.facts_of(fact, mau, revenue, established, users_in))
    decision = judge.decide(model, use or ["commercial"])
    if json:
        as_json(decision.to_json())
    else:
        _verdict(decision)
        _reasons(decision.deciding)
        _rest(decision)
    return EXIT[decision.verdict]


def why(
    model: ModelName,
    use: UseList = None,
    fact: options.FactList = None,
    mau: options.Mau = None,
    revenue: options.Revenue = None,
    established: options.Established = None,
    users_in: options.UsersIn = None,
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> None:
    """The whole trace of a verdict: which documents govern and why, every reason, what is owed.

    Example: llmgate why groq:llama-3.3-70b-instruct --use commercial --use host
    """
    from ..policy.decide import governing

    judge = options.Judge(config, no_config, options.facts_of(fact, mau, revenue, established, users_in))
    decision = judge.decide(model, use or ["commercial"])
    today = dt.date.fromisoformat(str(judge.facts.get("date", dt.date.today().isoformat())))
    documents = [
        {
            "license": g.license.id,
            "name": g.license.name,
            "kind": g.license.kind,
            "why": g.why,
            "url": g.license.url,
            "grade": g.license.text.grade if g.license.text else None,
            "effective_from": g.license.effective_from,
            "effective_until": g.license.effective_until,
        }
        for g in governing(judge.registry, judge.deployment(model), today)
    ]
    if json:
        as_json({**decision.to_json(), "governing": documents})
        return
    _verdict(decision)
    heading("What governs")
    for number, document in enumerate(documents, 1):
        read = f"grade {document['grade']}" if document["grade"] else "unread"
        say(f"{number}. {document['name']} ({document['kind']}, {read}): {document['why']}", indent=2, hang=3)
        say(f"{document['license']}", indent=5, style="dim")
    if not documents:
        say("No document that the registry knows.", indent=2)
    _reasons(decision.reasons)
    _rest(decision)


def _verdict(decision: Decision) -> None:
    say(f"{decision.target}: {decision.verdict}", style=f"bold {STYLES[decision.verdict]}")
    if len(decision.uses) > 1:
        for use, verdict in decision.uses.items():
            say(f"{use}: {verdict}", indent=2, style=STYLES[verdict])
    if decision.note:
        say(decision.note)


def _reasons(reasons: Iterable[Reason]) -> None:
    heading("Why")
    for reason in reasons:
        clause = f", {reason.clause}" if reason.clause else ""
        say(f"{reason.verdict} for {', '.join(reason.uses)}: {reason.license}{clause}", indent=2, hang=2)
        say(reason.summary, indent=4)
        if reason.missing:
            say(f"Not given: {', '.join(reason.missing)}", indent=4)
        if reason.remedy:
            say(f"Remedy: {reason.remedy}", indent=4)
        read = f"read {reason.checked}, grade {reason.grade}" if reason.checked else f"grade {reason.grade}"
        say(f"{reason.source} ({read})".strip() if reason.source else f"({read})", indent=4, style="dim")


def _rest(decision: Decision) -> None:
    """What is owed, what was not given, and that this is no advice."""
    if decision.missing_facts and decision.verdict != "prohibited":
        heading("It hangs on what was not given")
        for name in decision.missing_facts:
            say(f"--fact {name}=...", indent=2)
    if decision.obligations and decision.verdict != "prohibited":
        heading("What you owe")
        for owed in decision.obligations:
            say(f"{owed.kind}, when {trigger_words(owed.trigger)}: {owed.text}", indent=2, hang=2)
            details = [f"{owed.license}, {owed.clause}"]
            details += [f"if {owed.only_if}"] if owed.only_if else []
            say(f"({'; '.join(details)})", indent=4, style="dim")
    say()
    say(f"{NOT_ADVICE} ({decision.id})", style="dim")
