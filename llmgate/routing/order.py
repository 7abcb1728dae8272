"""In which order the targets of a route are tried."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from ..chat import Attempt
from .health import Health


class Candidate(Struct, frozen=True):
    """A target as routing sees it.

    price: USD per million tokens in and out, None where either is unknown. context: tokens, None if unknown.
    blocked: why it may or can not be called at all. needs_key: whether a call must have a key.
    """

    name: str
    provider: str
    context: int | None = None
    price: tuple[Decimal, Decimal] | None = None
    weight: float = 1.0
    blocked: Attempt | None = None
    decision: str | None = None
    keys: tuple[str, ...] = ()


def arrange(
    candidates: Sequence[Candidate],
    strategy: str,
    health: Health,
    tokens: tuple[int, int] = (1, 1),
    rng: random.Random | None = None,
) -> list[Candidate]:
    """The candidates in the order to try them.

    order: as listed. weighted: drawn by weight, without return. cheapest: by price for about these tokens in and
    out, unknown prices last. fastest: by measured latency, unmeasured ones first so that they get measured.
    """
    found = list(candidates)
    if strategy == "weighted":
        # Efraimidis and Spirakis: sorting by u^(1/w) draws without return in proportion to the weights.
        draw = (rng or random).random
        found.sort(key=lambda c: draw() ** (1 / c.weight) if c.weight > 0 else -1.0, reverse=True)
    elif strategy == "cheapest":
        found.sort(key=lambda c: _cost(c, tokens))
    elif strategy == "fastest":
        found.sort(key=lambda c: health.latency(c.name) or 0.0)
    return found


def _cost(candidate: Candidate, tokens: tuple[int, int]) -> tuple[bool, Decimal]:
    if candidate.price is None:
        return True, Decimal(0)
    return False, candidate.price[0] * tokens[0] + candidate.price[1] * tokens[1]
