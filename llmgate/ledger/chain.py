"""The hash chain: each writer numbers its entries, and each entry's hash covers the one before it.

Whoever can write the file can also make up a whole new chain. What such a chain can not do is to hold the heads that
somebody noted earlier: keep `llmgate ledger verify --json` elsewhere, and give it to a later `--earlier`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct

START = "0" * 64
"""What stands for the hash before a writer's first entry."""


class Entry(Struct, frozen=True):
    """One line of the log. `body` is the JSON text that was hashed."""

    writer: str
    seq: int
    hash: str
    body: str


class Head(Struct, frozen=True):
    """How far a writer had come."""

    writer: str
    seq: int
    hash: str


class Finding(Struct, frozen=True):
    """Something that the chain does not bear out."""

    writer: str
    seq: int
    what: str


class Report(Struct, frozen=True):
    """What a check of the whole log came to."""

    entries: int
    heads: tuple[Head, ...]
    findings: tuple[Finding, ...]


class Opened(Struct, frozen=True, tag_field="kind", tag="opened"):
    """A writer's first entry. `after`: the heads of those who wrote last before it, which it thereby witnesses."""

    time: str
    after: tuple[Head, ...] = ()


def link(before: str, writer: str, seq: int, body: str) -> str:
    """The hash of a writer's entry, given the hash of the one before it."""
    return hashlib.sha256(f"{before}\n{writer}\n{seq}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()


def walk(entries: Iterable[Entry]) -> Iterator[tuple[Entry, str | None]]:
    """Entries, ordered by writer and number, each with what is wrong with it, if anything."""
    writer, seq, before = "", 0, START
    for entry in entries:
        if entry.writer != writer:
            writer, seq, before = entry.writer, 0, START
        wrong = None
        if entry.seq != seq + 1:
            missing = f"{seq + 1} to {entry.seq - 1}" if entry.seq > seq + 2 else f"{seq + 1}"
            wrong = f"before it, number {missing} is missing"
        elif entry.hash != link(before, writer, entry.seq, entry.body):
            wrong = "its hash does not fit: it, or its place, was changed"
        yield entry, wrong
        seq, before = entry.seq, entry.hash


def verify(
    entries: Iterable[Entry],
    heads: Iterable[Head],
    earlier: Iterable[Head],
    hash_at: Callable[[str, int], str | None],
) -> Report:
    """Checks a whole log against itself, the heads it states, and heads that were noted earlier.

    hash_at: the hash that a writer's entry of a number has in the log, None if it is not there.
    """
    count = 0
    findings: list[Finding] = []
    reached: dict[str, Head] = {}
    wanted: list[tuple[Head, str]] = [(h, "an earlier check saw it") for h in earlier]
    for entry, wrong in walk(entries):
        count += 1
        if wrong:
            findings.append(Finding(entry.writer, entry.seq, wrong))
        reached[entry.writer] = Head(entry.writer, entry.seq, entry.hash)
        if entry.seq == 1:
            wanted += [(h, f"writer {entry.writer} saw it") for h in _witnessed(entry.body)]
    stated = {h.writer: h for h in heads}
    for writer in sorted(stated.keys() | reached.keys()):
        if stated.get(writer) != reached.get(writer):
            last = reached[writer].seq if writer in reached else 0
            findings.append(Finding(writer, last, "the log does not end where it is stated to end"))
    for head, who in wanted:
        if hash_at(head.writer, head.seq) != head.hash:
            findings.append(Finding(head.writer, head.seq, f"it is gone or was changed: {who}"))
    return Report(count, tuple(reached.values()), tuple(dict.fromkeys(findings)))


def _witnessed(body: str) -> tuple[Head, ...]:
    try:
        return msgspec.json.decode(body, type=Opened).after
    except msgspec.MsgspecError:
        return ()
