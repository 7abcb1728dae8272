"""How answers are shown: JSON, tables and paragraphs on stdout; remarks and errors, one line each, on stderr."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"permitted": "green", "conditional": "yellow", "unknown": "magenta", "prohibited": "red"}
_UNBOUNDED = 10_000
"""Columns where nobody's screen sets a limit: what is piped is neither cut nor wrapped."""


def complain(what: object) -> None:
    """An error or a remark: one line on stderr."""
    message = getattr(what, "message", None) or str(what)
    print(f"llmgate: {' '.join(str(message).split())}", file=sys.stderr)


def as_json(value: Any) -> None:
    """A value as indented JSON, in UTF-8 whatever the terminal's encoding."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


@functools.cache
def console() -> Console:
    """The console for stdout: as wide as the terminal; plain and unbounded where stdout is no terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _UNBOUNDED
    return Console(width=width, markup=False, highlight=False, emoji=False)


def say(text: str = "", *, indent: int = 0, hang: int = 0, style: str | None = None) -> None:
    """A paragraph, wrapped to the terminal at spaces only, so that URLs and ids stay whole."""
    out = console()
    margin = " " * indent
    wrapped = textwrap.fill(
        text,
        max(40, min(out.width, 110)) if out.width < _UNBOUNDED else _UNBOUNDED * 10,
        initial_indent=margin,
        subsequent_indent=margin + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    out.print(wrapped, style=style, soft_wrap=True)


def flowing(text: str | None) -> str:
    """A docstring with each paragraph on one line, for whoever wraps it anew."""
    return "\n\n".join(" ".join(p.split()) for p in (text or "").split("\n\n"))


def heading(text: str) -> None:
    say()
    say(text, style="bold")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table. Cells that are verdicts get their colour; the first column, the names, folds last."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console()
    piped = out.width >= _UNBOUNDED
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    longest = max((len(row[0]) for row in [columns, *cells]), default=0)
    drawn = Table(box=None if piped else box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        room = None if drawn.columns else min(longest, out.width // 2)
        drawn.add_column(column, overflow="fold", width=room)
    for row in cells:
        drawn.add_row(*(Text(cell, style=STYLES.get(cell.partition(" ")[0], "")) for cell in row))
    out.print(drawn)


def narrow() -> bool:
    """Whether the terminal has room for the essential columns only."""
    return console().width < 110


def quantity(number: float | None) -> str:
    """A count in short: 8.03B, 131k."""
    if number is None:
        return ""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g}{letter}" if number / size < 1000 else f"{number / size:.0f}{letter}"
    return f"{number:g}"
