"""Whatever is changed, removed, moved or put in behind the ledger's back, the chain tells."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from llmgate.ledger import Head, Report, open_ledger, read_ledger
from llmgate.ledger.chain import link


def fill(path: Path, entries: int = 5) -> str:
    """A writer's chain; its id."""
    ledger = open_ledger(path)
    for n in range(entries):
        ledger.append([json.dumps({"kind": "note", "time": "2026-11-24", "n": n})])
    writer: str = ledger._writer  # type: ignore[attr-defined]
    ledger.close()
    return writer


def verify(path: Path, earlier: tuple[Head, ...] = ()) -> Report:
    reader = read_ledger(path)
    try:
        return reader.verify(earlier)
    finally:
        reader.close()


def tamper(path: Path, *statements: str) -> None:
    """As somebody with the file in his hands would."""
    db = sqlite3.connect(path)
    for statement in ("DROP TRIGGER entries_stay", "DROP TRIGGER entries_last", *statements):
        db.execute(statement)
    db.commit()
    db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_an_honest_ledger_is_clean(path: Path) -> None:
    fill(path), fill(path)
    report = verify(path)
    assert (report.entries, report.findings) == (12, ())
    assert [h.seq for h in report.heads] == [6, 6]


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE entries SET body = replace(body, '\"n\": 2', '\"n\": 7') WHERE seq = 4", 4),
        ("DELETE FROM entries WHERE seq = 4", 5),
        ("DELETE FROM entries WHERE seq = 1", 2),
        ("DELETE FROM entries WHERE seq = 6", 5),
        ("DELETE FROM entries WHERE seq > 3", 3),
        ("UPDATE entries SET hash = hex(zeroblob(32)) WHERE seq = 6", 6),
        ("INSERT INTO entries (writer, seq, hash, body) SELECT writer, 7, hash, body FROM entries WHERE seq = 6", 7),
        ("UPDATE heads SET seq = 5", 6),
        ("DELETE FROM heads", 6),
    ],
)
def test_a_change_is_found_where_it_is(path: Path, statement: str, number: int) -> None:
    writer = fill(path)
    tamper(path, statement)
    findings = verify(path).findings
    assert number in [f.seq for f in findings if f.writer == writer]


def test_two_entries_that_changed_places_are_found(path: Path) -> None:
    fill(path)
    tamper(
        path,
        "UPDATE entries SET seq = 100 WHERE seq = 3",
        "UPDATE entries SET seq = 3 WHERE seq = 4",
        "UPDATE entries SET seq = 4 WHERE seq = 100",
    )
    assert {3, 4} <= {f.seq for f in verify(path).findings}


def test_an_entry_that_moved_to_another_writer_is_found(path: Path) -> None:
    fill(path, 3), fill(path, 5)
    longest = max(verify(path).heads, key=lambda h: h.seq)
    shortest = min(verify(path).heads, key=lambda h: h.seq)
    tamper(
        path,
        f"UPDATE entries SET writer = '{shortest.writer}', seq = {shortest.seq + 1} "
        f"WHERE writer = '{longest.writer}' AND seq = {longest.seq}",
    )
    assert {f.writer for f in verify(path).findings} == {longest.writer, shortest.writer}


def test_a_writer_that_is_gone_whole_is_missed_by_the_next(path: Path) -> None:
    gone = fill(path)
    fill(path)
    tamper(path, f"DELETE FROM entries WHERE writer = '{gone}'", f"DELETE FROM heads WHERE writer = '{gone}'")
    assert [(f.writer, f.seq) for f in verify(path).findings] == [(gone, 6)]


def _forge(path: Path, last: Callable[[str], str]) -> None:
    """Rewrites the last entry, and everything that hangs on it, as one who knows the ledger would."""
    db = sqlite3.connect(path)
    rows = db.execute("SELECT writer, seq, hash, body FROM entries ORDER BY seq").fetchall()
    writer, seq, _, body = rows[-1]
    forged = link(rows[-2][2], writer, seq, last(body))
    db.execute("DROP TRIGGER entries_stay")
    db.execute("UPDATE entries SET body = ?, hash = ? WHERE seq = ?", (last(body), forged, seq))
    db.execute("UPDATE heads SET hash = ?", (forged,))
    db.commit()
    db.close()


def test_a_forged_chain_is_told_only_by_what_was_noted_earlier(path: Path) -> None:
    fill(path)
    earlier = verify(path).heads
    _forge(path, lambda body: body.replace("4", "9"))
    assert verify(path).findings == ()
    findings = verify(path, earlier).findings
    assert [(f.seq, f.what) for f in findings] == [(6, "it is gone or was changed: an earlier check saw it")]
