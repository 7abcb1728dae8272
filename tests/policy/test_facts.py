"""Facts as people write them: on the command line, in the config, in Python."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.errors import ConfigError
from llmgate.policy import Facts, uses
from llmgate.registry.vocabulary import COUNTRIES, FACTS, REGIONS, USES

NUMBERS = [name for name, kind in FACTS.items() if kind == "number"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0", 0),
        ("800000", 800_000),
        ("800_000", 800_000),
        ("1,500,000", 1_500_000),
        ("800k", 800_000),
        ("2M", 2e6),
        ("2 m", 2e6),
        ("1.5B", 1.5e9),
        (".5M", 5e5),
        (7, 7),
        (7.5, 7.5),
    ],
)
def test_numbers(written: Any, meant: float) -> None:
    assert Facts({"monthly_active_users": written})["monthly_active_users"] == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "many",
        "1,5M",
        "1.2.3",
        "-5",
        "5T",
        "k",
        "1e3",
        "nan",
        "inf",
        "٣",
        -1,
        float("nan"),
        float("inf"),
        True,
        [1],
        {},
    ],
)
def test_what_is_no_number(written: Any) -> None:
    with pytest.raises(ConfigError, match=r"^annual_revenue_usd = .*: a number") as caught:
        Facts({"annual_revenue_usd": written})
    assert "\n" not in str(caught.value)


@given(st.sampled_from(NUMBERS), st.integers(0, 10**6), st.sampled_from(["", "k", "K", "m", "M", "b", "B"]))
def test_a_suffix_multiplies(name: str, n: int, suffix: str) -> None:
    factor = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[suffix.lower()]
    assert Facts({name: f"{n}{suffix}"}) == Facts({name: n * factor}) == Facts({name: f"{n:,}{suffix}"})


@given(st.sampled_from(sorted(FACTS)), st.text(max_size=12) | st.none() | st.integers() | st.lists(st.text(max_size=3)))
def test_anything_is_either_a_fact_or_one_clear_line(name: str, value: Any) -> None:
    problem, facts = "", Facts()
    try:
        facts = Facts({name: value})
    except ConfigError as error:
        problem = str(error)
    if problem:
        assert problem.startswith(f"{name} = {value!r}: ")
        assert "object" not in problem.removeprefix(f"{name} = {value!r}")
    else:
        assert Facts(dict(facts)) == facts
        assert hash(Facts(dict(facts))) == hash(facts)
        assert len(facts) == (value is not None)


def test_dated_facts_are_facts_of_their_own() -> None:
    facts = Facts({"monthly_active_users@2024-06": "500M", "monthly_active_users": "900M"})
    assert facts["monthly_active_users@2024-06"] == 5e8
    assert facts["monthly_active_users"] == 9e8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("monthly_activ_users", 'unknown fact "monthly_activ_users"; did you mean "monthly_active_users"?'),
        ("estabished", 'unknown fact "estabished"; did you mean "established"?'),
        ("monthly_active_users@june", 'unknown fact "monthly_active_users@june" (a month is written'),
        ("monthly_active_users@2024-13", 'unknown fact "monthly_active_users@2024-13" (a month is written'),
        ("established@2024-06", 'unknown fact "established@2024-06" (a month'),
        ("model.input", 'unknown fact "model.input"'),
        ("target.hosted", 'unknown fact "target.hosted"'),
    ],
)
def test_a_wrong_name_is_told_the_nearest_right_one(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Facts({name: "1"})
    assert str(caught.value).startswith(said)


@given(st.sampled_from(sorted(COUNTRIES)))
def test_countries_in_any_case(code: str) -> None:
    assert Facts({"established": code.lower()}) == Facts({"established": f" {code} "})
    assert Facts({"users_in": code.lower()})["users_in"] == frozenset({code})


@pytest.mark.parametrize("wrong", ["Germany", "UK", "EU", "XX", "", 49])
def test_what_is_no_country(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="a country code of two letters is wanted"):
        Facts({"established": wrong})


def test_lists_of_countries_and_regions() -> None:
    assert Facts({"users_in": "us, eu"})["users_in"] == REGIONS["EU"] | {"US"}
    assert Facts({"users_in": ["EEA"]})["users_in"] == REGIONS["EEA"]
    assert REGIONS["EEA"] - REGIONS["EU"] == {"IS", "LI", "NO"}
    assert len(REGIONS["EU"]) == 27
    assert REGIONS["EEA"] <= COUNTRIES


@pytest.mark.parametrize(
    ("wrong", "said"), [("US,Mars", "two letters"), ("", "at least one"), ([], "at least one"), (1, "list")]
)
def test_what_is_no_list_of_countries(wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Facts({"users_in": wrong})


@pytest.mark.parametrize("yes", ["true", "True", "YES", "1", True, 1])
def test_flags_that_are_set(yes: Any) -> None:
    assert Facts({"trained_model_competes": yes})["trained_model_competes"] is True


@pytest.mark.parametrize("no", ["false", "no", "0", False, 0])
def test_flags_that_are_not(no: Any) -> None:
    assert Facts({"trained_model_competes": no})["trained_model_competes"] is False


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("trained_model_competes", "perhaps", "true or false is wanted"),
        ("provider_tier", "free", '"paid" or "unpaid" is wanted'),
        ("provider_tier", ["paid"], '"paid" or "unpaid" is wanted'),
        ("date", "tomorrow", "a date is wanted, such as"),
        ("date", 2026, "a date is wanted, such as"),
        ("trained_model_family", " ", "a word is wanted"),
        ("trained_model_family", ["qwen"], "a word is wanted"),
        ("contracts", 1, "a list of names is wanted"),
    ],
)
def test_other_values_that_do_not_fit(name: str, wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Facts({name: wrong})
    assert str(caught.value) == f"{name} = {wrong!r}: {caught.value.args[0].rpartition(': ')[2]}"
    assert said in str(caught.value)


def test_dates_words_and_lists() -> None:
    assert Facts({"date": dt.date(2026, 3, 1)}) == Facts({"date": "2026-03-01"})
    assert Facts({"date": dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)}) == Facts({"date": "2026-03-01"})
    assert Facts({"trained_model_family": "Llama 2"}) == Facts({"trained_model_family": "llama-2"})
    assert Facts({"contracts": "a, b,,"}) == Facts({"contracts": ["b", "a"]})
    assert Facts({"registered": ""})["registered"] == frozenset()


def test_what_is_none_is_not_given() -> None:
    assert Facts({"established": None}) == Facts() == Facts({})


@given(st.permutations(["US", "DE", "FR", "CH", "NO"]))
def test_the_order_of_a_list_does_not_matter(codes: list[str]) -> None:
    first, second = Facts({"users_in": codes}), Facts({"users_in": sorted(codes)})
    assert first == second
    assert first.ordered() == second.ordered() == [("users_in", sorted(codes))]


def test_merged_facts_prefer_the_later() -> None:
    base = Facts({"established": "DE", "annual_revenue_usd": 1})
    assert base.merged(Facts({"established": "US"})) == Facts({"established": "US", "annual_revenue_usd": 1})
    assert base.merged(Facts()) is base


def test_uses_come_once_and_in_one_order() -> None:
    assert uses(["military", "commercial", "military"]) == ("commercial", "military")
    assert uses("research") == ("research",)
    assert uses(reversed(USES)) == USES


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("comercial", 'did you mean "commercial"?'), ("train", "train"), ("zzz", "known: commercial, research")],
)
def test_a_wrong_use_is_told_the_nearest_right_one(wrong: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        uses([wrong])
    assert str(caught.value).startswith(f'unknown use "{wrong}"')
    assert said in str(caught.value)
