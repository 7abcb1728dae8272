"""`llmgate usage`: what was used and what it cost, from the ledger."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

import msgspec
import typer

from .._toml import nearest
from ..errors import ConfigError
from . import options
from .lineage import LedgerFile, path_of
from .output import as_json, quantity, say, table


def usage(
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="Add up by model, target, provider, route or day.")
    ] = "model",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="From then on: 2026-01-01, or 7d.", show_default=False),
    ] = None,
    ledger: LedgerFile = None,
    config: options.Config_ = None,
    json: options.Json = False,
) -> None:
    """Calls, tokens and cost, from the ledger. A price that is not known is not counted as zero, but told.

    Example: llmgate usage --by target --since 7d
    """
    from ..ledger import read_ledger
    from ..ledger.usage import BY, add_up

    if by not in BY:
        raise ConfigError(f'--by: there is no "{by}"{nearest(by, BY) or "; known: " + ", ".join(BY)}')
    first = _time(since)
    path = ledger if ledger is not None else path_of(None, options.Judge(config))
    if path is None:
        raise ConfigError('there is no ledger: write [ledger] path = "..." in the config, or name it with --ledger')
    reader = read_ledger(path)
    try:
        rows = add_up(reader, by, first)
    finally:
        reader.close()
    if json:
        as_json([{by: built.pop("name"), **built} for built in map(msgspec.to_builtins, rows)])
        return
    table(
        [by, "calls", "failed", "input", "cached", "output", "reasoning", "USD", "unpriced"],
        [
            [
                row.name or "(nobody answered)",
                row.calls,
                row.failed or "",
                quantity(row.usage.input + row.usage.cache_write),
                quantity(row.usage.cached_input),
                quantity(row.usage.output),
                quantity(row.usage.reasoning),
                f"{row.cost_usd:.6f}" if row.cost_usd else "",
                row.unpriced or "",
            ]
            for row in rows
        ],
    )
    if not rows:
        say("No calls.")


def _time(text: str | None) -> str:
    """A day, or some days ago, as the ledger writes times: in UTC."""
    if text is None:
        return ""
    try:
        if days := re.fullmatch(r"(\d{1,5})d", text):
            return (dt.datetime.now(dt.UTC) - dt.timedelta(days=int(days[1]))).strftime("%Y-%m-%dT%H:%M:%S")
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise ConfigError(f"--since {text}: a date is wanted, such as 2026-01-01, or days, such as 7d") from None
