"""Facts about the user, on which an answer may hang: read, checked, normalised."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._toml import nearest
from ..errors import ConfigError
from ..registry.vocabulary import COUNTRIES, FACTS, MODEL_FACTS, REGIONS, USES, countries, is_fact

Value = float | bool | str | frozenset[str]

_SUFFIX = {"k": 1e3, "m": 1e6, "b": 1e9}
_NUMBER = re.compile(r"((?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d+)?|\.\d+)\s*([kKmMbB]?)", re.ASCII)


class Facts(Mapping[str, Value]):
    """Normalised facts, hashable. `monthly_active_users@2024-06` is a fact of its own."""

    __slots__ = ("_key", "_values")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = {name: parse(name, value) for name, value in (values or {}).items() if value is not None}
        self._key = frozenset(self._values.items())

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self._key == other._key

    def __repr__(self) -> str:
        return f"Facts({self._values!r})"

    def as_dict(self) -> dict[str, Value]:
        """A copy of the names and values."""
        return self._values.copy()

    def ordered(self) -> list[tuple[str, Any]]:
        """Names and values in an order that is the same in every process."""
        return [(n, sorted(v) if isinstance(v, frozenset) else v) for n, v in sorted(self._values.items())]

    def merged(self, more: Facts) -> Facts:
        """These facts with `more` added; on a clash `more` wins."""
        if not more:
            return self
        return Facts({**self._values, **more._values})


def parse(name: str, value: Any) -> Value:
    """A fact's value, from a string as on the command line or from its own type. ConfigError if it does not fit."""
    base, at, _month = name.partition("@")
    if name in MODEL_FACTS or not is_fact(name):
        hint = nearest(base, FACTS)
        if at and base in FACTS:
            hint = " (a month is written monthly_active_users@2024-06)"
        raise ConfigError(f'unknown fact "{name}"{hint}')
    kind = FACTS[base]
    try:
        parsed: Value = _PARSERS[kind](value)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ConfigError(f"{name} = {value!r}: {error}") from None
    return parsed


def uses(names: str | Iterable[str]) -> tuple[str, ...]:
    """Uses, checked, each once and in the vocabulary's order. ConfigError with the nearest name for a wrong one."""
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in USES:
            raise ConfigError(f'unknown use "{name}"{nearest(str(name), USES) or "; known: " + ", ".join(USES)}')
    return tuple(u for u in USES if u in given)


def number(value: Any) -> float:
    """A count, also as `800k`, `2M` or `1.5B`. ValueError for anything else."""
    if isinstance(value, bool):
        raise ValueError("a number is wanted")
    if isinstance(value, int | float):
        if not 0 <= value < math.inf:
            raise ValueError("a number from zero up is wanted")
        return float(value)
    found = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("a number is wanted, such as 800000, 800k, 2M or 1.5B")
    return float(found[1].replace(",", "").replace("_", "")) * _SUFFIX.get(found[2].lower(), 1.0)


def _texts(value: Any) -> frozenset[str]:
    if not isinstance(value, str | list | tuple | set | frozenset):
        raise ValueError("a list of names is wanted")
    parts = value.split(",") if isinstance(value, str) else value
    return frozenset(str(p).strip() for p in parts if str(p).strip())


def _country(value: Any) -> str:
    code = str(value).strip().upper()
    if code not in COUNTRIES:
        raise ValueError('a country code of two letters is wanted (ISO 3166-1 alpha-2), such as "DE" or "US"')
    return code


def _countries(value: Any) -> frozenset[str]:
    names = _texts(value)
    if not names:
        raise ValueError("at least one country is wanted")
    for name in names:
        if name.upper() not in REGIONS:
            _country(name)
    return countries(tuple(names))


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    low = str(value).strip().lower()
    if low not in {"true", "false", "yes", "no", "1", "0"}:
        raise ValueError("true or false is wanted")
    return low in {"true", "yes", "1"}


def _tier(value: Any) -> str:
    if value not in ("paid", "unpaid"):
        raise ValueError('"paid" or "unpaid" is wanted')
    return str(value)


def _date(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    try:
        return (value if isinstance(value, dt.date) else dt.date.fromisoformat(value)).isoformat()
    except (ValueError, TypeError):
        raise ValueError("a date is wanted, such as 2026-11-24") from None


def _text(value: Any) -> str:
    text = "-".join(value.lower().split()) if isinstance(value, str) else ""
    if not text:
        raise ValueError("a word is wanted")
    return text


_PARSERS: dict[str, Any] = {
    "number": number,
    "country": _country,
    "countries": _countries,
    "text": _text,
    "texts": _texts,
    "flag": _flag,
    "tier": _tier,
    "date": _date,
}
