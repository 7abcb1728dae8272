"""Conditions in three values: what is missing decides nothing, and what is decided stays so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.policy.conditions import describe, holds, passes
from llmgate.registry.schema import Test as Check

NAMES = ("annual_revenue_usd", "established", "users_in", "trained_model_competes")
TESTS = {
    "annual_revenue_usd": st.builds(Check, above=st.sampled_from([0.0, 10.0])) | st.builds(Check, max=st.just(10.0)),
    "established": st.builds(Check, in_=st.sampled_from([("EU",), ("US", "GB")]))
    | st.builds(Check, not_in=st.just(("EEA",))),
    "users_in": st.builds(Check, in_=st.sampled_from([("EU",), ("US",)])) | st.builds(Check, not_in=st.just(("CH",))),
    "trained_model_competes": st.booleans(),
}
VALUES = {
    "annual_revenue_usd": st.sampled_from([0.0, 5.0, 10.0, 11.0]),
    "established": st.sampled_from(["DE", "US", "NO", "CH"]),
    "users_in": st.frozensets(st.sampled_from(["DE", "US", "CH"]), min_size=1),
    "trained_model_competes": st.booleans(),
}
CONDITIONS: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=TESTS).filter(bool)
WHENS = CONDITIONS | st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple)
FACTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=VALUES)
ALL_FACTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(VALUES)


def named(when: Any) -> set[str]:
    return {name for one in ([when] if isinstance(when, dict) else when) for name in one}


@given(WHENS, FACTS, ALL_FACTS)
def test_a_further_fact_never_turns_what_is_decided(when: Any, some: dict[str, Any], rest: dict[str, Any]) -> None:
    before, after = holds(when, some), holds(when, {**rest, **some})
    if isinstance(before, bool):
        assert after is before


@given(WHENS, ALL_FACTS)
def test_with_every_fact_there_is_an_answer(when: Any, facts: dict[str, Any]) -> None:
    assert isinstance(holds(when, facts), bool)


@given(WHENS, FACTS)
def test_what_it_hangs_on_is_what_was_asked_and_not_given(when: Any, facts: dict[str, Any]) -> None:
    truth = holds(when, facts)
    if isinstance(truth, frozenset):
        assert truth
        assert truth <= named(when) - set(facts)


@given(WHENS, FACTS)
def test_what_it_hangs_on_matters(when: Any, facts: dict[str, Any]) -> None:
    """Where a condition hangs on facts, some values of them settle it."""
    truth = holds(when, facts)
    if isinstance(truth, bool):
        return
    options = {
        "annual_revenue_usd": [0.0, 10.0, 11.0],
        "established": ["DE", "US", "NO"],
        "users_in": [frozenset({"DE"}), frozenset({"US"}), frozenset({"CH"})],
        "trained_model_competes": [True, False],
    }
    found = [facts]
    for name in truth:
        found = [{**f, name: value} for f in found for value in options[name]]
    assert any(isinstance(holds(when, f), bool) for f in found)


def test_no_condition_always_holds() -> None:
    assert holds(None, {}) is True


def test_all_of_a_table_and_any_of_several() -> None:
    both = {"trained_model_competes": True, "established": "DE"}
    assert holds(both, {"trained_model_competes": False}) is False
    assert holds(both, {"trained_model_competes": True}) == frozenset({"established"})
    either = ({"trained_model_competes": True}, {"established": "DE"})
    assert holds(either, {"trained_model_competes": True}) is True
    assert holds(either, {"trained_model_competes": False}) == frozenset({"established"})
    assert holds(either, {"trained_model_competes": False, "established": "US"}) is False


@pytest.mark.parametrize(
    ("check", "below", "at", "above"),
    [
        (Check(min=10), False, True, True),
        (Check(max=10), True, True, False),
        (Check(above=10), False, False, True),
        (Check(below=10), True, False, False),
        (Check(min=10, max=10), False, True, False),
    ],
)
def test_bounds(check: Check, below: bool, at: bool, above: bool) -> None:
    assert [passes(check, 9.0), passes(check, 10.0), passes(check, 11.0)] == [below, at, above]


@pytest.mark.parametrize(
    ("country", "eu", "eea"),
    [("DE", True, True), ("NO", False, True), ("IS", False, True), ("CH", False, False), ("GB", False, False)],
)
def test_regions_expand(country: str, eu: bool, eea: bool) -> None:
    assert passes(Check(in_=("EU",)), country) is eu
    assert passes(Check(in_=("EEA",)), country) is eea
    assert passes(Check(not_in=("EEA",)), country) is not eea
    assert passes(Check(in_=("EEA", "GB")), country) is (eea or country == "GB")


def test_a_list_passes_in_if_any_item_does_and_not_in_if_none_does() -> None:
    users = frozenset({"US", "FR"})
    assert passes(Check(in_=("EU",)), users)
    assert not passes(Check(not_in=("EU",)), users)
    assert passes(Check(not_in=("EU",)), frozenset({"US", "BR"}))
    assert passes("FR", users)
    assert not passes("DE", users)


def test_a_bare_value_is_short_for_is() -> None:
    for bare, value in ((True, True), (False, False), ("paid", "paid")):
        assert passes(bare, value)
        assert passes(Check(is_=bare), value)
    assert not passes(True, False)
    assert not passes("paid", "unpaid")


def test_a_condition_in_words() -> None:
    when = ({"monthly_revenue_usd": Check(above=20_000_000.0)}, {"established": Check(in_=("EU", "CH"))})
    assert describe(when) == "monthly_revenue_usd above 20,000,000 or established in EU, CH"
    assert describe({"provider_tier": "unpaid", "trained_model_competes": True}) == (
        "provider_tier is unpaid and trained_model_competes is true"
    )
