"""The hook that puts finished calls into a ledger."""

from __future__ import annotations

import datetime as dt

import msgspec

from . import Ledger
from .record import Called, Content, body, decision_entry, record_of

_REMEMBERED = 10_000


class Keeper:
    """Records each call, and each decision that it hung on once. content: whether prompts and answers are kept."""

    def __init__(self, ledger: Ledger, *, content: bool = False) -> None:
        self.ledger = ledger
        self._content = content
        self._noted: set[tuple[str, dt.date]] = set()

    def __call__(self, call: Called) -> None:
        new = {(d.id, d.basis.date): d for d in call.decisions if (d.id, d.basis.date) not in self._noted}
        bodies = [body(decision_entry(d, call.started)) for d in new.values()]
        bodies.append(body(record_of(call)))
        if self.ledger.append(bodies, self._kept(call) if self._content else None) != "lost":
            if len(self._noted) > _REMEMBERED:
                self._noted.clear()
            self._noted.update(new)

    @staticmethod
    def _kept(call: Called) -> Content | None:
        reply = call.reply or getattr(call.error, "partial", None)
        if reply is None or call.request is None:
            return None
        return Content(call.id, msgspec.json.encode(call.request.messages).decode(), reply.text)

    def close(self) -> None:
        self.ledger.close()
