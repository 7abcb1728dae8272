"""Where answers to be judged come from: a ledger's records, or the rows of a dataset, each checked before it counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigError
from . import Reader
from .chain import Report
from .lineage import Item
from .record import Record, Stamp, text_hash

STAMP = "llmgate"
"""The field of a row that holds its stamp, unless another is named."""


def recorded(reader: Reader, report: Report, since: dt.date | None = None) -> Iterator[Item]:
    """The answers of a ledger. report: what its verification came to; what it does not bear out is not believed."""
    doubtful = {(f.writer, f.seq) for f in report.findings}
    for entry in reader.entries("call"):
        try:
            stamp = msgspec.json.decode(entry.body, type=Record).stamp
        except msgspec.MsgspecError:
            yield Item(None, "the record can not be read")
            continue
        if stamp is None or (since and stamp.date < since):
            continue
        broken = (entry.writer, entry.seq) in doubtful
        yield Item(stamp, "the ledger's chain does not bear the record out" if broken else None)


class Answers:
    """The answers of a ledger, by the hash of their text."""

    def __init__(self, reader: Reader, report: Report) -> None:
        self._by_text: dict[str, list[Stamp]] = {}
        for item in recorded(reader, report):
            if item.stamp and item.stamp.answer_sha256 and item.why is None:
                self._by_text.setdefault(item.stamp.answer_sha256, []).append(item.stamp)

    def of(self, text: str) -> list[Stamp]:
        """The stamps of the answers with this text, each kind of origin once."""
        found = self._by_text.get(text_hash(text) or "", [])
        return list({_origin(s): s for s in found}.values())

    def contradict(self, stamp: Stamp) -> bool:
        """Whether the ledger has this very reply, with another origin."""
        same = [
            s for s in self._by_text.get(stamp.answer_sha256 or "", []) if s.reply_id and s.reply_id == stamp.reply_id
        ]
        return bool(same) and _origin(stamp) not in map(_origin, same)


def _origin(stamp: Stamp) -> tuple[Any, ...]:
    return (stamp.target, stamp.model, stamp.hosting, stamp.tier, stamp.declared, stamp.instruments, stamp.date)


def rows(
    path: Path,
    *,
    stamp_field: str = STAMP,
    text_field: str | None = None,
    answers: Answers | None = None,
    since: dt.date | None = None,
) -> Iterator[Item]:
    """The rows of a JSONL dataset. Raises ConfigError for a file that can not be read.

    text_field: where the answer's text stands, checked against the stamp; dots lead inwards (`messages.1.content`).
    answers: of a ledger: a row without a stamp is then looked up by its text, and a stamp that is at odds with the
    ledger is not believed.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                item = _item(line, number, stamp_field, text_field, answers)
                if not (since and item.stamp and item.stamp.date < since):
                    yield item
    except OSError as error:
        raise ConfigError(f"{path}: cannot read it: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None


def _item(line: str, number: int, stamp_field: str, text_field: str | None, answers: Answers | None) -> Item:
    try:
        row = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return Item(None, "the row is no JSON object", number)
    text = dig(row, text_field) if text_field else None
    if text_field and not isinstance(text, str):
        return Item(None, f"the row has no text at {text_field}", number)
    written = dig(row, stamp_field)
    if written is None:
        return _looked_up(text, number, answers)
    try:
        stamp = msgspec.convert(written, Stamp)
    except msgspec.ValidationError as error:
        return Item(None, f"its stamp can not be read: {error}", number)
    if text_field and text_hash(str(text)) != stamp.answer_sha256:
        return Item(stamp, "tampered with: its text is not the one that was stamped", number)
    if answers and answers.contradict(stamp):
        return Item(stamp, "tampered with: its stamp is at odds with the ledger", number)
    return Item(stamp, None, number)


def _looked_up(text: Any, number: int, answers: Answers | None) -> Item:
    if answers is None or text is None:
        return Item(None, "without a stamp: nobody knows where it comes from", number)
    found = answers.of(text)
    if len(found) == 1:
        return Item(found[0], None, number)
    known = "several recorded answers have its text" if found else "no recorded answer has its text"
    return Item(None, f"without a stamp, and {known}", number)


def dig(value: Any, path: str) -> Any:
    """What stands at a path like `messages.1.content`, None where nothing does. A key may hold dots itself."""
    if isinstance(value, dict) and path in value:
        return value[path]
    head, _, rest = path.partition(".")
    if isinstance(value, dict):
        inner = value.get(head)
    elif isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        inner = value[int(head)]
    else:
        return None
    return dig(inner, rest) if rest else inner
