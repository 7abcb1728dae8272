"""What was used and what it cost, added up over a ledger's records."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec import Struct

from ..chat import Usage
from . import Reader
from .record import Record

BY: dict[str, Callable[[Record], str | None]] = {
    "model": lambda r: (r.stamp.model or r.stamp.target) if r.stamp else None,
    "target": lambda r: r.stamp.target if r.stamp else None,
    "provider": lambda r: r.provider,
    "route": lambda r: r.route,
    "day": lambda r: r.time[:10],
}
"""What records can be added up by. None: nobody answered."""


class Row(Struct):
    """calls: those that failed included. unpriced: answers whose price is not known, which `cost_usd` leaves out."""

    name: str | None
    calls: int = 0
    failed: int = 0
    usage: Usage = msgspec.field(default_factory=Usage)
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, record: Record) -> None:
        self.calls += 1
        self.failed += record.error is not None
        if used := record.usage:
            for bucket in Usage.__struct_fields__:
                setattr(self.usage, bucket, getattr(self.usage, bucket) + getattr(used, bucket))
        if record.cost_usd is not None:
            self.cost_usd += record.cost_usd
        elif record.stamp is not None:
            self.unpriced += 1


def add_up(reader: Reader, by: str, since: str = "") -> list[Row]:
    """The records from a time on (ISO 8601, UTC), added up by a key of `BY`, most calls first."""
    name_of = BY[by]
    rows: dict[str | None, Row] = {}
    for entry in reader.entries("call", since):
        record = msgspec.json.decode(entry.body, type=Record)
        name = name_of(record)
        rows.setdefault(name, Row(name)).add(record)
    return sorted(rows.values(), key=lambda row: (-row.calls, row.name or "~"))
