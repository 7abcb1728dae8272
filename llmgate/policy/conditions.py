"""Conditions over facts, in three values: True, False, or the names of the facts on which they hang."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..registry.schema import Test, When
from ..registry.vocabulary import REGIONS, countries

Truth = bool | frozenset[str]


def holds(when: When | None, facts: Mapping[str, Any]) -> Truth:
    """Whether a condition holds. A fact that is missing never makes it true or false by itself."""
    if when is None:
        return True
    if isinstance(when, Mapping):
        return _all(when, facts)
    missing: frozenset[str] = frozenset()
    for one in when:
        truth = _all(one, facts)
        if truth is True:
            return True
        if isinstance(truth, frozenset):
            missing |= truth
    return missing or False


def _all(condition: Mapping[str, Any], facts: Mapping[str, Any]) -> Truth:
    missing: set[str] = set()
    for name, test in condition.items():
        value = facts.get(name)
        if value is None:
            missing.add(name)
        elif not passes(test, value):
            return False
    return frozenset(missing) or True


def passes(test: Test | bool | str, value: Any) -> bool:
    """Whether a value passes a test. A value that is a set passes `in` if any item does, `not_in` if none does."""
    if not isinstance(test, Test):
        test = Test(is_=test)
    if test.is_ is not None:
        if isinstance(value, frozenset):
            return str(test.is_) in value
        if value != test.is_:
            return False
    if test.min is not None and value < test.min:
        return False
    if test.max is not None and value > test.max:
        return False
    if test.above is not None and value <= test.above:
        return False
    if test.below is not None and value >= test.below:
        return False
    items = value if isinstance(value, frozenset) else {value}
    if test.in_ is not None and not items & _expanded(test.in_):
        return False
    return test.not_in is None or not items & _expanded(test.not_in)


def _expanded(names: tuple[str, ...]) -> frozenset[str]:
    return countries(names) if any(n in REGIONS for n in names) else frozenset(names)


def describe(when: When) -> str:
    """A condition in words."""
    words = {"min": "at least", "max": "at most", "above": "above", "below": "below", "in_": "in", "not_in": "not in"}

    def test(name: str, t: Any) -> str:
        if not isinstance(t, Test):
            return f"{name} is {str(t).lower() if isinstance(t, bool) else t}"
        out = [f"{name} is {str(t.is_).lower()}"] if t.is_ is not None else []
        for key, word in words.items():
            bound = getattr(t, key)
            if bound is not None:
                shown = f"{bound:,.0f}" if isinstance(bound, float) else ", ".join(bound)
                out.append(f"{name} {word} {shown}")
        return " and ".join(out)

    options = [when] if isinstance(when, Mapping) else list(when)
    return " or ".join(" and ".join(test(n, t) for n, t in one.items()) for one in options)
