"""What was called, what it cost, under which terms: kept only where the config says `[ledger] path = "..."`.

`Ledger` is what a place to keep entries must do; `open_ledger` and `read_ledger` find the one for a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

from .chain import Entry, Finding, Head, Report
from .record import Content, Record, Stamp, record_of, stamp_of, text_hash

__all__ = [
    "Content",
    "Entry",
    "Finding",
    "Head",
    "Ledger",
    "Reader",
    "Record",
    "Report",
    "Stamp",
    "open_ledger",
    "read_ledger",
    "record_of",
    "stamp_of",
    "text_hash",
]

Appended = Literal["written", "waiting", "lost"]
"""written: on disk for good, whatever kills the process. waiting: in memory, tried again soon. lost: no room."""


class Ledger(Protocol):
    """Takes entries. Thread-safe, and never waits long."""

    def append(self, bodies: Iterable[str], content: Content | None = None) -> Appended:
        """Adds entries, all or none, in this order."""

    def close(self) -> None:
        """Writes what still waits, and lets go. A later append opens it anew."""


class Reader(Protocol):
    """Gives entries back."""

    def entries(self, kind: str | None = None, since: str = "") -> Iterator[Entry]:
        """Entries by writer and number; of one kind, from a time on (ISO 8601, UTC)."""

    def verify(self, earlier: Iterable[Head] = ()) -> Report:
        """Checks the chain; `earlier`: heads that an earlier check reported."""

    def close(self) -> None: ...


def open_ledger(path: str | Path) -> Ledger:
    """The ledger at a path, made if it is not there. Raises ConfigError where it can not be written."""
    from .sqlite import SqliteLedger

    return SqliteLedger(Path(path))


def read_ledger(path: str | Path) -> Reader:
    """The ledger at a path, to be read. Raises ConfigError if there is none."""
    from .sqlite import SqliteReader

    return SqliteReader(Path(path))
