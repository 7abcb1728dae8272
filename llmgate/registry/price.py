"""What a call costs: pure functions over an offer's prices and a reply's usage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from decimal import Decimal

from ..chat import Usage
from .schema import Price, Rates, Tariff

Prices = Price | tuple[Price, ...] | None
MODALITIES = ("audio", "image")
"""The kinds of tokens that may have rates of their own."""

_MILLION = Decimal(1_000_000)


def at(prices: Prices, on: dt.date) -> Price | None:
    """The price that holds on a day; None where none is known."""
    rows = prices if isinstance(prices, tuple) else () if prices is None else (prices,)
    return next((p for p in reversed(rows) if p.valid_from is None or p.valid_from <= on), None)


def rates(tariff: Tariff, prompt: int) -> Rates:
    """The rates of a request whose prompt has this many tokens, cached ones included."""
    return next((t for t in reversed(tariff.tier) if prompt > t.above), tariff)


def cost(
    usage: Usage | None, prices: Prices, on: dt.date, *, batch: bool = False, beside: Collection[str] = ()
) -> Decimal | None:
    """What a call made on that day cost, in USD.

    None where the usage, or the rate of a kind of token that was used, is not known: never zero for it.
    batch: as part of a batch. beside: `audio`, `image`: what was in it beside text; usage does not tell their tokens
    apart, so where they have rates of their own the cost is not known.
    """
    price = at(prices, on)
    tariff = price.batch if price is not None and batch else price
    if usage is None or tariff is None:
        return None
    rate = rates(tariff, usage.input + usage.cached_input + usage.cache_write)
    if any(_apart(rate, kind) for kind in beside):
        return None
    total = Decimal(0)
    for tokens, per_million in (
        (usage.input, rate.input),
        (usage.cached_input, rate.cached_input),
        (usage.cache_write, rate.cache_write),
        (usage.output + usage.reasoning, rate.output),
    ):
        if tokens:
            if per_million is None:
                return None
            total += per_million * tokens
    return total / _MILLION


def _apart(rate: Rates, kind: str) -> bool:
    """Whether tokens of that kind have a rate that is not the text's."""
    own = {f"input_{kind}": rate.input, f"output_{kind}": rate.output, f"cached_{kind}": rate.cached_input}
    return any(getattr(rate, name) not in (None, text) for name, text in own.items())
