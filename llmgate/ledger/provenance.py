"""The stamp that a dataset row carries, so that years later it is known what it may be used for."""

from __future__ import annotations

from typing import Any

import msgspec

from ..chat import Reply
from .record import stamp_of


def provenance(reply: Reply) -> dict[str, Any]:
    """Where an answer comes from and what governed it, as plain JSON types, for a row of a dataset.

        row = {"prompt": prompt, "answer": reply.text, "llmgate": llmgate.provenance(reply)}

    Its keys are those of `llmgate.ledger.Stamp`. `llmgate lineage --dataset FILE` reads it back.
    Raises GateError for a reply that no client of llmgate's gave.
    """
    stamped: dict[str, Any] = msgspec.to_builtins(stamp_of(reply))
    return stamped
