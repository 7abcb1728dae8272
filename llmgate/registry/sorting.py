"""The orders in which models can be listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .schema import Benchmark, Model, Parameters


def mmlu(model: Model) -> Benchmark | None:
    """The best MMLU score that is recorded, with its setting."""
    return max((b for b in model.benchmark if b.name == "mmlu"), key=lambda b: b.score, default=None)


def _falling(value: Callable[[Model], float | None]) -> Callable[[Model], Any]:
    """The key for an order with the greatest first and the unknown last."""
    return lambda m: (value(m) is None, -(value(m) or 0), m.id)


def _day(model: Model) -> float | None:
    return float((model.released or "").replace("-", "").ljust(8, "0")) if model.released else None


SORTS: dict[str, Callable[[Model], Any]] = {
    "id": lambda m: m.id,
    "released": _falling(_day),
    "context": _falling(lambda m: m.context),
    "parameters": _falling(lambda m: m.parameters.total if isinstance(m.parameters, Parameters) else None),
    "mmlu": _falling(lambda m: b.score if (b := mmlu(m)) else None),
}
"""Keys by name; all but `id` list the greatest first and the unknown last."""
