"""`llmgate bom`: a machine-learning bill of materials of the configured models."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from .. import __version__
from ..errors import ConfigError
from . import configured, options
from .output import complain

EPOCH = "SOURCE_DATE_EPOCH"


def bom(
    format: Annotated[
        Literal["cyclonedx", "spdx"],
        typer.Option("--format", show_default=False, help="cyclonedx: CycloneDX 1.7. spdx: SPDX 3.0.1, AI profile."),
    ],
    config: options.Config_ = None,
    target: configured.Targets = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not to stdout.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Of the application whose models these are.")] = "application",
    timestamp: Annotated[
        str | None,
        typer.Option("--timestamp", metavar="WHEN", help=f"As 2026-11-24T12:00:00Z. Default: ${EPOCH}, else none."),
    ] = None,
) -> None:
    """A machine-learning bill of materials of the configured models, as JSON.

    Open models are components under the licence of their weights, with their lineage and model card; hosted ones
    are services under their terms; each carries the verdicts under this config's policy. Without a timestamp the
    document is the same for the same config and registry.

    Example: llmgate bom --format cyclonedx --config llmgate.toml -o models.cdx.json
    """
    from ..policy.bom import render

    when = _moment(timestamp)
    loaded = configured.load(config)
    found = configured.judged(loaded, target or ())
    text = render(format, loaded.registry, found, name=name, version=__version__, timestamp=when)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{output} can not be written: {error.strerror or error}") from None
    complain(f"{output} is written")


def _moment(given: str | None) -> dt.datetime | None:
    """The time that was asked for, by option or by environment. ConfigError for one that is no time."""
    if given is not None:
        try:
            when = dt.datetime.fromisoformat(given)
        except ValueError:
            raise ConfigError(f'--timestamp {given}: a time is wanted, such as "2026-11-24T12:00:00Z"') from None
        return when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    seconds = os.environ.get(EPOCH, "").strip()
    if not seconds:
        return None
    try:
        return dt.datetime.fromtimestamp(int(seconds), dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigError(f"{EPOCH} is {seconds!r}: seconds since 1970 are wanted") from None
