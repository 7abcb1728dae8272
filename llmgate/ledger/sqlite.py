"""The ledger in one SQLite file: appended to by any number of threads and processes, each with a chain of its own.

An append commits before it returns, which outlives the process (WAL; against a loss of power SQLite syncs at
checkpoints). If another writer holds the file for longer than a moment, entries wait in memory, a bounded lot of them,
and a thread writes them as soon as it can; what finds no room is counted, and the count goes into the chain.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from ..errors import ConfigError
from . import Appended
from .chain import START, Entry, Finding, Head, Opened, Report, link, verify
from .record import Content, body, text_hash, utc

_APPLICATION = 0x6C6C6D67  # "llmg", by which SQLite files of ours are known
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE entries (
  row INTEGER PRIMARY KEY,
  writer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  body TEXT NOT NULL,
  kind TEXT AS (json_extract(body, '$.kind')),
  time TEXT AS (json_extract(body, '$.time')),
  UNIQUE (writer, seq)
);
CREATE INDEX entries_by_time ON entries (kind, time);
CREATE TABLE heads (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE content (call TEXT PRIMARY KEY, prompt TEXT NOT NULL, answer TEXT NOT NULL);
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_last BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""
_WITNESSED = 8
"""How many other writers' heads a new writer notes."""
_PATIENCE = 0.1
_PAUSE = 0.2
_OPENING = 10.0
"""Seconds: that an append waits for the file; between tries of what waits; for a file to be made ready."""
_ROOM = 32_000_000
"""Characters of entries that may wait in memory."""

_log = logging.getLogger("llmgate")
_TROUBLE = (sqlite3.Error, ConfigError)
_open_ones: weakref.WeakSet[SqliteLedger] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """What still waits must not be lost because a client was not closed."""
    for ledger in list(_open_ones):
        ledger.close()


_forking: list[SqliteLedger] = []


def _before_fork() -> None:
    """No SQLite connection may live through a fork: closing it in the child alone would harm the parent's."""
    _forking.extend(_open_ones)
    for ledger in _forking:
        ledger._writing.acquire()
        ledger._disconnect()


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop()._writing.release()


def _after_fork_in_child() -> None:
    while _forking:
        _forking.pop()._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


class _Batch(Struct):
    bodies: tuple[str, ...]
    content: Content | None

    @property
    def size(self) -> int:
        kept = len(self.content.prompt) + len(self.content.answer) if self.content else 0
        return sum(map(len, self.bodies)) + kept


class SqliteLedger:
    """Appends to the file at `path`. Thread-safe; a fork of the process becomes a writer of its own."""

    def __init__(self, path: Path, *, room: int = _ROOM) -> None:
        self.path = path
        self._room = room
        self._reset()
        with self._writing:
            self._connect(_OPENING)
        _open_ones.add(self)

    def _reset(self) -> None:
        """As new: nothing waits, nobody writes."""
        self._writing = threading.Lock()
        """Held for a transaction."""
        self._queue = threading.Lock()
        """Held for a look at what waits. Never taken the other way round: writing, then queue."""
        self._waiting: deque[_Batch] = deque()
        self._size = 0
        self._lost = 0
        self._drainer: threading.Thread | None = None
        self._db: sqlite3.Connection | None = None
        self._new_writer()

    def _new_writer(self) -> None:
        self._writer = f"w-{secrets.token_hex(8)}"
        self._seq, self._hash = 0, START

    # Appending

    def append(self, bodies: Iterable[str], content: Content | None = None) -> Appended:
        """Adds entries, all or none. `written` once they are committed."""
        batch = _Batch(tuple(bodies), content)
        if not self._waiting and not self._lost and self._writing.acquire(timeout=_PATIENCE):
            try:
                self._write([batch])
                return "written"
            except _TROUBLE as error:
                _log.warning("the ledger %s can not be written just now: %s", self.path, error)
            finally:
                self._writing.release()
        return self._put_off(batch)

    def _put_off(self, batch: _Batch) -> Appended:
        with self._queue:
            fits = self._size + batch.size <= self._room
            if fits:
                self._waiting.append(batch)
                self._size += batch.size
            else:
                self._lost += 1
                if self._lost == 1:
                    _log.error("the ledger %s can not be written, and no room is left: records are lost", self.path)
            if self._drainer is None:
                self._drainer = threading.Thread(target=self._drain, name="llmgate-ledger", daemon=True)
                self._drainer.start()
        return "waiting" if fits else "lost"

    def _drain(self) -> None:
        """Until nothing waits any more."""
        while True:
            with self._queue:
                if not self._waiting and not self._lost:
                    self._drainer = None
                    return
            with self._writing, contextlib.suppress(*_TROUBLE):
                if self._write_waiting():
                    continue
            time.sleep(_PAUSE)

    def _write_waiting(self) -> bool:
        """Writes what waits, and how much was lost. The lock `writing` is held."""
        with self._queue:
            batches, lost = list(self._waiting), self._lost
        gap = [_Batch((body({"kind": "lost", "time": utc(time.time()), "batches": lost}),), None)] if lost else []
        self._write([*batches, *gap])
        with self._queue:
            for batch in batches:
                self._waiting.popleft()
                self._size -= batch.size
            self._lost -= lost
        return True

    def _write(self, batches: list[_Batch]) -> None:
        """One transaction. The lock `writing` is held. Raises sqlite3.Error or ConfigError if nothing was written."""
        db = self._connect()
        db.execute("BEGIN IMMEDIATE")
        try:
            bodies = [b for batch in batches for b in batch.bodies]
            if self._seq == 0:
                after = db.execute("SELECT writer, seq, hash FROM heads ORDER BY rowid DESC LIMIT ?", (_WITNESSED,))
                bodies.insert(0, body(Opened(utc(time.time()), tuple(Head(*row) for row in after))))
            seq, digest, rows = self._seq, self._hash, []
            for text in bodies:
                seq += 1
                digest = link(digest, self._writer, seq, text)
                rows.append((self._writer, seq, digest, text))
            db.executemany("INSERT INTO entries (writer, seq, hash, body) VALUES (?, ?, ?, ?)", rows)
            db.execute("REPLACE INTO heads (writer, seq, hash) VALUES (?, ?, ?)", rows[-1][:3])
            kept = [(c.call, c.prompt, c.answer) for c in (batch.content for batch in batches) if c is not None]
            if kept:
                db.executemany("INSERT OR REPLACE INTO content (call, prompt, answer) VALUES (?, ?, ?)", kept)
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            self._new_writer()  # whether the commit happened may be open: a chain of its own is right either way
            raise
        self._seq, self._hash = seq, digest

    # The file

    def _connect(self, patience: float = _PATIENCE) -> sqlite3.Connection:
        """The connection, opened if need be. The lock `writing` is held."""
        if self._db is None:
            self._new_writer()
            self._db = _open(self.path, patience)
        return self._db

    def close(self) -> None:
        """Writes what still waits, as far as the file allows, and closes it."""
        with self._writing:
            if self._waiting or self._lost:
                try:
                    self._connect().execute(f"PRAGMA busy_timeout = {int(_OPENING * 1000)}")
                    self._write_waiting()
                except _TROUBLE as error:
                    _log.error("the ledger %s misses %d records: %s", self.path, len(self._waiting), error)
            self._disconnect()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


def _open(path: Path, patience: float) -> sqlite3.Connection:
    """A connection to a ledger file that is ready. Raises ConfigError where that can not be."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # what it holds is nobody else's business
        db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"the ledger {path} can not be opened: {reason}") from None
    try:
        _prepare(db, path, patience)
    except sqlite3.Error as error:
        db.close()
        raise ConfigError(f"the ledger {path} can not be opened: {error}") from None
    except ConfigError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # several processes make the same file at once
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    db.execute("PRAGMA synchronous = NORMAL")
    if _is_empty(db):
        db.execute("BEGIN IMMEDIATE")
        if _is_empty(db):  # still: another process may have been first
            for statement in _statements(_SCHEMA):
                db.execute(statement)
        db.execute("COMMIT")
    _check(db, path)
    db.execute(f"PRAGMA busy_timeout = {int(_PATIENCE * 1000)}")


def _is_empty(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction it stands in."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def _check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise ConfigError(f"{path} is no ledger of llmgate's")
    if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        raise ConfigError(f"the ledger {path} was written by another version of llmgate, which this one can not read")


class SqliteReader:
    """Reads the ledger at `path`, also while others write. Raises ConfigError if it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ConfigError(f"there is no ledger at {path}")
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_OPENING)
            try:
                _check(self._db, path)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise ConfigError(f"the ledger {path} can not be read: {error}") from None

    def entries(self, kind: str | None = None, since: str = "") -> Iterator[Entry]:
        """Entries by writer and number."""
        asked, values = "SELECT writer, seq, hash, body FROM entries", []
        if kind is not None:
            asked += " WHERE kind = ? AND time >= ?"
            values += [kind, since]
        for row in self._db.execute(f"{asked} ORDER BY writer, seq", values):
            yield Entry(*row)

    def verify(self, earlier: Iterable[Head] = ()) -> Report:
        """Checks the chain, and that stored answers are those that were given."""
        self._db.execute("BEGIN")  # one moment's view, whoever writes meanwhile
        try:
            heads = [Head(*row) for row in self._db.execute("SELECT writer, seq, hash FROM heads")]
            report = verify(self.entries(), heads, earlier, self._hash_at)
            changed = tuple(self._changed_answers())
        finally:
            self._db.execute("ROLLBACK")
        return Report(report.entries, report.heads, report.findings + changed)

    def _hash_at(self, writer: str, seq: int) -> str | None:
        row = self._db.execute("SELECT hash FROM entries WHERE writer = ? AND seq = ?", (writer, seq)).fetchone()
        return row[0] if row else None

    def _changed_answers(self) -> Iterator[Finding]:
        rows = self._db.execute(
            "SELECT e.writer, e.seq, c.answer, json_extract(e.body, '$.stamp.answer_sha256') FROM content c "
            "JOIN entries e ON e.kind = 'call' AND json_extract(e.body, '$.id') = c.call"
        )
        for writer, seq, answer, digest in rows:
            if text_hash(answer) != digest:
                yield Finding(writer, seq, "the stored answer is not the one that was given")

    def close(self) -> None:
        self._db.close()
