"""`llmgate ledger verify`: whether the record of calls is what it was when it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..errors import ConfigError
from . import options
from .lineage import LedgerFile, path_of
from .output import as_json, say


def verify(
    ledger: LedgerFile = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--earlier",
            metavar="FILE",
            help="What an earlier `verify --json` printed: what it saw must still be there.",
            show_default=False,
        ),
    ] = None,
    config: options.Config_ = None,
    json: options.Json = False,
) -> int:
    """Checks the ledger's hash chains: no entry changed, removed or moved. Exit code: 0 clean, 1 with findings.

    Whoever can write the file could make up a whole new one; only --earlier, kept elsewhere, tells that.

    Example: llmgate ledger verify --json > today.json
    """
    from ..ledger import Head, read_ledger

    path = path_of(ledger, options.Judge(config)) if ledger is None else ledger
    if path is None:
        raise ConfigError('there is no ledger: write [ledger] path = "..." in the config, or name it with --ledger')
    heads: list[Head] = []
    if earlier is not None:
        try:
            heads = msgspec.convert(msgspec.json.decode(earlier.read_bytes())["heads"], list[Head])
        except OSError as error:
            raise ConfigError(f"{earlier}: cannot read it: {error.strerror}") from None
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise ConfigError(f"{earlier}: this is nothing that `llmgate ledger verify --json` printed") from None
    reader = read_ledger(path)
    try:
        report = reader.verify(heads)
    finally:
        reader.close()
    if json:
        as_json(msgspec.to_builtins(report))
    else:
        for f in report.findings:
            say(f"{f.writer}, number {f.seq}: {f.what}", hang=2, style="red")
        found = f"{len(report.findings)} findings" if report.findings else "the chains are whole"
        say(f"{path}: {report.entries} entries of {len(report.heads)} writers: {found}")
    return 1 if report.findings else 0
