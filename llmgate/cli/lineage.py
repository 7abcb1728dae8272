"""`llmgate lineage`: which recorded outputs may be used for what, under the instruments they were produced under."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from ..errors import ConfigError
from ..ledger.audit import STAMP
from ..policy import NOT_ADVICE, worst
from ..policy.decision import cite
from ..policy.facts import uses
from . import options
from .check import EXIT
from .output import STYLES, as_json, complain, say

if TYPE_CHECKING:
    from ..ledger.lineage import Group

LedgerFile = Annotated[
    str | None,
    typer.Option(
        "--ledger", metavar="FILE", help="The ledger. Default: the one that the config names.", show_default=False
    ),
]
_ROWS_SHOWN = 20


def lineage(
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="USE",
            help="What you mean to do with the outputs; repeatable. Default: train-on-outputs.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Only outputs from this day on: 2026-01-01.", show_default=False),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option(
            "--dataset",
            metavar="FILE",
            help="Judge the rows of this JSONL file by their stamps, rather than the ledger's records.",
            show_default=False,
        ),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(
            "--text-field",
            metavar="NAME",
            help="Where a row's answer stands, to hold it against the stamp: answer, messages.1.content.",
            show_default=False,
        ),
    ] = None,
    stamp_field: Annotated[
        str, typer.Option("--stamp-field", metavar="NAME", help="Where a row's stamp stands.")
    ] = STAMP,
    ledger: LedgerFile = None,
    fact: options.FactList = None,
    mau: options.Mau = None,
    revenue: options.Revenue = None,
    established: options.Established = None,
    users_in: options.UsersIn = None,
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> int:
    """Which recorded outputs may be used so, to train which kind of model, and why the rest may not.

    Each output is judged now, by the documents that governed it on the day it was produced. What is to be trained
    is told by facts: trained_model_family, trained_model_competes, trained_model_distributed. Exit code: the worst
    verdict's: 0 permitted, 3 conditional, 4 prohibited, 5 unknown, 2 wrong usage.

    Example: llmgate lineage --since 2026-01-01 --fact trained_model_competes=false
    """
    from ..ledger import audit, read_ledger
    from ..ledger.lineage import Lineage

    asked = uses(use or ["train-on-outputs"])
    given = options.facts_of(fact, mau, revenue, established, users_in)
    if "date" in given:
        raise ConfigError("each output is judged by the day it was produced: the fact date can not be given")
    if text_field and dataset is None:
        raise ConfigError("--text-field names a field of the rows of a --dataset")
    judge = options.Judge(config, no_config, given)
    rules = judge.config.rules.own if judge.config else ()
    path = path_of(ledger, judge)
    if path is None and dataset is None:
        raise ConfigError('there is no ledger: write [ledger] path = "..." in the config, or name it with --ledger')
    first = _day(since)
    findings: tuple[Any, ...] = ()
    answers = None
    # A dataset's stamps speak for themselves: the config's ledger is only then of use where texts are compared.
    reader = read_ledger(path) if path and (dataset is None or ledger or (text_field and Path(path).exists())) else None
    try:
        if reader is not None:
            report = reader.verify()
            findings = report.findings
            answers = audit.Answers(reader, report) if dataset else None
        judged = Lineage(judge.registry, asked, judge.facts, rules)
        if dataset is not None:
            items = audit.rows(dataset, stamp_field=stamp_field, text_field=text_field, answers=answers, since=first)
            groups = judged.groups(items)
        else:
            assert reader is not None
            groups = judged.groups(audit.recorded(reader, report, first))
    finally:
        if reader is not None:
            reader.close()
    if findings:
        complain(f"the ledger's chain is broken in {len(findings)} places: llmgate ledger verify tells where")
    verdict = worst([g.verdict for g in groups])
    if json:
        as_json({"verdict": verdict, "use": asked, "findings": len(findings), "groups": [_as_json(g) for g in groups]})
    else:
        _show(groups, asked, "rows" if dataset else "outputs")
    return EXIT[verdict]


def path_of(given: str | None, judge: options.Judge) -> str | None:
    """The ledger that is meant, if any."""
    if given is not None:
        return given
    table = judge.config.ledger if judge.config else None
    return table.path if table else None


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError(f"--since {text}: a date is wanted, such as 2026-01-01") from None


def _as_json(group: Group) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(group)
    decision = built.pop("decision")
    built["reasons"] = group.decision.to_json()["reasons"] if group.decision else []
    built["obligations"] = decision["obligations"] if decision else []
    built["missing_facts"] = decision["missing_facts"] if decision else []
    return built


def _show(groups: list[Group], asked: tuple[str, ...], what: str) -> None:
    counts: dict[str, int] = {}
    for g in groups:
        counts[g.verdict] = counts.get(g.verdict, 0) + g.count
    total = sum(counts.values())
    if not total:
        say(f"No {what} to judge.")
        return
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    say(f"{_counted(total, what)}, for {', '.join(asked)}: {said}", style="bold")
    for g in groups:
        _show_group(g, what)
    say()
    say(NOT_ADVICE, style="dim")


def _counted(number: int, what: str) -> str:
    return f"{number} {what if number != 1 else what.removesuffix('s')}"


def _kinds(g: Group) -> list[tuple[str, str]]:
    """The kinds of model that might be trained, each with its verdict; names that mean the same in one line."""
    names: dict[tuple[str, str], list[str]] = {}
    for student in g.students:
        facts = dict(student.facts)
        last = facts.popitem()
        rest = "".join(f"{name}={value}, " for name, value in facts.items())
        names.setdefault((f"{rest}{last[0]}=", student.verdict), []).append(last[1])
    return [(kind + " or ".join(values), verdict) for (kind, verdict), values in names.items()]


def _show_group(g: Group, what: str) -> None:
    say()
    whose = f" of {g.target}" if g.target else ""
    say(f"{g.verdict}: {_counted(g.count, what)}{whose}", style=f"bold {STYLES[g.verdict]}")
    if g.first and g.last:
        days = f"{g.first} to {g.last}" if g.first != g.last else f"{g.first}"
        governed = ", ".join(i.id for i in g.instruments) or "no document that the registry knew"
        say(f"produced {days} under {governed}", indent=2, hang=2, style="dim")
    if g.rows:
        more = f" and {len(g.rows) - _ROWS_SHOWN} more" if len(g.rows) > _ROWS_SHOWN else ""
        lines = "lines" if len(g.rows) > 1 else "line"
        say(f"{lines} {', '.join(map(str, g.rows[:_ROWS_SHOWN]))}{more}", indent=2, hang=2)
    if g.why_unknown:
        say(g.why_unknown, indent=2, hang=2)
    if g.decision is None:
        return
    for reason in g.decision.deciding:
        remedy = f" Remedy: {reason.remedy}" if reason.remedy else ""
        say(f"{reason.summary}{remedy}", indent=2, hang=2)
        say(f"[{cite(reason)}]", indent=4, style="dim")
    for kind, verdict in _kinds(g):
        say(f"{kind}: {verdict}", indent=2, style=STYLES[verdict])
    told = {name for student in g.students for name in student.facts}
    hangs = [name for name in g.decision.missing_facts if name not in told]
    if hangs and g.verdict == "conditional":
        say(f"Not given: {', '.join(hangs)}", indent=2)
    for owed in g.decision.obligations if g.verdict != "prohibited" else ():
        say(f"You then owe: {owed.text} [{owed.license}, {owed.clause}]", indent=2, hang=2)
