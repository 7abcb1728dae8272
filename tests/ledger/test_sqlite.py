"""The ledger in a real SQLite file: what is acknowledged stays, whatever happens to the process."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from llmgate import ConfigError
from llmgate.ledger import open_ledger, read_ledger
from llmgate.ledger.record import Content
from llmgate.ledger.sqlite import SqliteLedger


def note(number: int, who: str = "a") -> str:
    return json.dumps({"kind": "note", "time": "2026-11-24T00:00:00Z", "who": who, "n": number}, separators=(",", ":"))


def notes(path: Path) -> list[dict[str, Any]]:
    reader = read_ledger(path)
    try:
        return [json.loads(e.body) for e in reader.entries("note")]
    finally:
        reader.close()


def assert_whole(path: Path) -> None:
    reader = read_ledger(path)
    try:
        assert reader.verify().findings == ()
    finally:
        reader.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_what_is_appended_comes_back_in_order(path: Path) -> None:
    ledger = open_ledger(path)
    assert ledger.append([note(1), note(2)]) == "written"
    assert ledger.append([note(3)]) == "written"
    assert [n["n"] for n in notes(path)] == [1, 2, 3]
    ledger.close()
    assert ledger.append([note(4)]) == "written", "closed, it opens anew"
    ledger.close()
    assert sorted(n["n"] for n in notes(path)) == [1, 2, 3, 4]
    assert_whole(path)


def test_nobody_else_may_read_the_file(path: Path) -> None:
    open_ledger(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_entries_of_a_kind_from_a_time_on(path: Path) -> None:
    ledger = open_ledger(path)
    ledger.append(
        [json.dumps({"kind": k, "time": t}) for k, t in [("a", "2026-01"), ("a", "2026-02"), ("b", "2026-03")]]
    )
    ledger.close()
    reader = read_ledger(path)
    assert [json.loads(e.body)["time"] for e in reader.entries("a", "2026-02")] == ["2026-02"]
    assert len(list(reader.entries())) == 4, "the writer's first entry says that it opened the ledger"
    reader.close()


def test_the_file_itself_refuses_changes(path: Path) -> None:
    ledger = open_ledger(path)
    ledger.append([note(1)])
    ledger.close()
    db = sqlite3.connect(path)
    for change in ("UPDATE entries SET body = '{}'", "DELETE FROM entries"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(change)
    db.close()


_WRITE_UNTIL_KILLED = """
import itertools, sys
from llmgate.ledger import open_ledger
ledger = open_ledger(sys.argv[1])
for n in itertools.count():
    body = '{"kind":"note","time":"2026-11-24T00:00:00Z","n":%d}' % n
    if ledger.append([body]) == "written":
        print(n, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 57, 400])
def test_kill_9_in_the_middle_of_writing_loses_nothing_acknowledged(path: Path, acknowledged: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    seen = [int(writer.stdout.readline()) for _ in range(acknowledged)]
    os.kill(writer.pid, signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    kept = [n["n"] for n in notes(path)]
    assert set(seen) <= set(kept)
    assert kept == list(range(len(kept))), "nothing is missing in between"
    assert_whole(path)


def test_a_check_sees_one_moment_while_others_write(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    counts = []
    for _ in range(20):
        for _ in range(10):
            writer.stdout.readline()
        reader = read_ledger(path)
        report = reader.verify()
        reader.close()
        assert report.findings == ()
        counts.append(report.entries)
    writer.kill()
    writer.stdout.close()
    writer.wait()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_threads_share_a_writer(path: Path) -> None:
    ledger = open_ledger(path)

    def write(who: str) -> None:
        for n in range(100):
            assert ledger.append([note(n, who)]) != "lost"

    threads = [threading.Thread(target=write, args=(str(t),)) for t in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ledger.close()
    found = notes(path)
    assert len(found) == 800
    for who in range(8):
        assert [n["n"] for n in found if n["who"] == str(who)] == list(range(100))
    assert_whole(path)


_WRITE = """
import sys
from llmgate.ledger import open_ledger
ledger = open_ledger(sys.argv[1])
for n in range(300):
    body = '{"kind":"note","time":"2026-11-24T00:00:00Z","who":"%s","n":%d}' % (sys.argv[2], n)
    assert ledger.append([body]) != "lost"
ledger.close()
"""


def test_two_processes_write_two_chains(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITE, str(path), who]) for who in "ab"]
    assert [w.wait(timeout=120) for w in writers] == [0, 0]
    found = notes(path)
    for who in "ab":
        assert sorted(n["n"] for n in found if n["who"] == who) == list(range(300))
    reader = read_ledger(path)
    report = reader.verify()
    reader.close()
    assert report.findings == ()
    assert len(report.heads) >= 2


_FORK = """
import os, sys
from llmgate.ledger import open_ledger
ledger = open_ledger(sys.argv[1])
def write(n):
    assert ledger.append(['{"kind":"note","time":"2026-11-24T00:00:00Z","n":%d}' % n]) == "written"
write(1)
child = os.fork()
write(2 if child == 0 else 3)
ledger.close()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_both_sides_of_a_fork_go_on_as_writers_of_their_own(path: Path) -> None:
    subprocess.run([sys.executable, "-c", _FORK, str(path)], check=True, timeout=60)
    assert sorted(n["n"] for n in notes(path)) == [1, 2, 3]
    reader = read_ledger(path)
    assert len(reader.verify().heads) == 3
    reader.close()
    assert_whole(path)


# When somebody else holds the file


@pytest.fixture
def held(path: Path) -> Any:
    """A ledger whose file another connection is writing to."""
    ledger = SqliteLedger(path, room=1000)
    ledger.append([note(0)])
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield ledger, other
    other.close()
    ledger.close()


def test_entries_wait_while_the_file_is_held_and_keep_their_order(held: Any, path: Path) -> None:
    ledger, other = held
    assert [ledger.append([note(n)]) for n in range(1, 5)] == ["waiting"] * 4
    assert [n["n"] for n in notes(path)] == [0]
    other.execute("ROLLBACK")
    ledger.close()
    assert [n["n"] for n in notes(path)] == [0, 1, 2, 3, 4]
    assert_whole(path)


def test_what_waits_is_written_without_another_call(held: Any, path: Path) -> None:
    ledger, other = held
    ledger.append([note(1)])
    drainer = ledger._drainer
    other.execute("ROLLBACK")
    drainer.join(60)
    assert [n["n"] for n in notes(path)] == [0, 1]


def test_what_finds_no_room_is_counted_in_the_chain(held: Any, path: Path) -> None:
    ledger, other = held
    said = [ledger.append([note(n)]) for n in range(1, 40)]
    assert set(said) == {"waiting", "lost"}
    other.execute("ROLLBACK")
    ledger.close()
    reader = read_ledger(path)
    lost = [json.loads(e.body)["batches"] for e in reader.entries("lost")]
    reader.close()
    assert sum(lost) == said.count("lost")
    assert [n["n"] for n in notes(path)] == [0, *(n for n, s in enumerate(said, 1) if s == "waiting")]
    assert_whole(path)


_LEFT_WAITING = """
import sqlite3, sys, threading
from llmgate.ledger import open_ledger
ledger = open_ledger(sys.argv[1])
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
assert ledger.append(['{"kind":"note","time":"2026-11-24T00:00:00Z","n":1}']) == "waiting"
other.execute("ROLLBACK")
other.close()
"""


def test_a_process_that_ends_in_order_writes_what_still_waits(path: Path) -> None:
    subprocess.run([sys.executable, "-c", _LEFT_WAITING, str(path)], check=True, timeout=60)
    assert [n["n"] for n in notes(path)] == [1]


# Contents


def test_a_stored_answer_that_was_changed_is_found(path: Path) -> None:
    import hashlib

    digest = hashlib.sha256(b"Paris").hexdigest()
    ledger = open_ledger(path)
    entry = {"kind": "call", "time": "2026-11-24", "id": "call-1", "stamp": {"answer_sha256": digest}}
    ledger.append([json.dumps(entry)], Content("call-1", "[]", "Paris"))
    ledger.close()
    assert_whole(path)
    db = sqlite3.connect(path)
    db.execute("UPDATE content SET answer = 'Lyon'")
    db.commit()
    reader = read_ledger(path)
    assert [f.what for f in reader.verify().findings] == ["the stored answer is not the one that was given"]
    reader.close()
    db.execute("DELETE FROM content")
    db.commit()
    db.close()
    assert_whole(path)  # contents may be erased, and the record of the call stays


# Files that are none


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can not be opened: No such file"):
        open_ledger(tmp_path / "nowhere" / "ledger.db")
    with pytest.raises(ConfigError, match="there is no ledger at"):
        read_ledger(tmp_path / "ledger.db")


def test_files_that_are_no_ledger(path: Path) -> None:
    path.write_text("this is a text, and not a short one either, so that it is no SQLite file " * 20)
    with pytest.raises(ConfigError, match="not a database"):
        open_ledger(path)
    with pytest.raises(ConfigError, match="not a database"):
        read_ledger(path)
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE entries (a)")
    db.commit()
    db.close()
    with pytest.raises(ConfigError, match="no ledger of llmgate's"):
        open_ledger(path)
    with pytest.raises(ConfigError, match="no ledger of llmgate's"):
        read_ledger(path)


def test_a_ledger_of_a_later_version_is_left_alone(path: Path) -> None:
    open_ledger(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="another version"):
        open_ledger(path)
