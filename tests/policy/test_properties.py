"""What holds for any rules, any facts, and every document of the registry."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmgate.policy import Facts, Policy, Rules, decide
from llmgate.policy.decide import governing
from llmgate.registry import Registry, load
from llmgate.registry.schema import Rule
from llmgate.registry.vocabulary import FACTS, USES, VERDICTS

from .small import license, model, registry, rule

DAY = dt.date(2026, 11, 24)
ASKED = ("commercial", "host", "research")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "annual_revenue_usd": st.sampled_from([0, 10, 11]),
    "established": st.sampled_from(["DE", "US", "NO"]),
    "trained_model_competes": st.booleans(),
}
WHEN: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "annual_revenue_usd": st.just({"above": 10}),
        "established": st.sampled_from([{"in": ["EU"]}, {"not_in": ["EEA"]}]),
        "trained_model_competes": st.booleans(),
    },
).map(lambda when: when or None)
VERDICT = st.sampled_from(VERDICTS)
USES_OF = st.sampled_from(["*", *ASKED, "commercial host"])


@st.composite
def rules(draw: st.DrawFn, verdicts: st.SearchStrategy[str] = VERDICT) -> Rule:
    when = draw(WHEN)
    otherwise = draw(st.none() | VERDICT) if when else None
    return rule(draw(USES_OF), draw(verdicts), when=when, otherwise=otherwise)


FACTS_GIVEN: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=VALUES)
ALL_FACTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(VALUES)
KINDS = st.sampled_from(["weights", "policy"])


def under(*rows: Rule, kind: str = "weights") -> Registry:
    return registry(license("L", *rows, kind=kind), model("m", "L"))


def badness(found: Registry, facts: dict[str, Any]) -> dict[str, int]:
    decision = decide(found, "m", ASKED, facts)
    assert set(decision.uses) == set(ASKED)
    assert decision.verdict == max(decision.uses.values(), key=VERDICTS.index)
    return {use: VERDICTS.index(v) for use, v in decision.uses.items()}


@given(VERDICT, st.lists(rules(), max_size=4), rules(st.just("prohibited")), FACTS_GIVEN)
def test_a_further_prohibition_never_widens(always: str, rows: list[Rule], more: Rule, facts: dict[str, Any]) -> None:
    settled = rule(" ".join(ASKED), always)
    before, after = badness(under(settled, *rows), facts), badness(under(settled, *rows, more), facts)
    assert all(after[use] >= before[use] for use in ASKED)


@given(st.lists(rules(), min_size=1, max_size=4), st.lists(rules(), min_size=1, max_size=4), FACTS_GIVEN)
def test_a_further_instrument_never_widens(rows: list[Rule], more: list[Rule], facts: dict[str, Any]) -> None:
    alone = badness(registry(license("L", *rows), model("m", "L")), facts)
    both = badness(registry(license("L", *rows), license("P", *more, kind="policy"), model("m", "L", "P")), facts)
    assert all(both[use] >= alone[use] for use in ASKED)


@given(st.lists(rules(), min_size=1, max_size=4), FACTS_GIVEN, ALL_FACTS, KINDS)
def test_missing_facts_never_permit_what_some_facts_would_not(
    rows: list[Rule], some: dict[str, Any], rest: dict[str, Any], kind: str
) -> None:
    """If an answer without all the facts is `permitted`, it is so whatever the missing ones turn out to be; and what
    it would then turn into is announced: the answer names a missing fact."""
    found = registry(
        license("L", *rows, kind=kind), license("F", rule("*", "permitted"), kind="policy"), model("m", "L", "F")
    )
    before = decide(found, "m", ASKED, some)
    after = decide(found, "m", ASKED, {**rest, **some})
    for use in ASKED:
        if before.uses[use] == "permitted":
            assert after.uses[use] == "permitted"
        if before.uses[use] == "prohibited":
            assert after.uses[use] == "prohibited"
        if after.uses[use] != before.uses[use]:
            hanging = {m for r in before.reasons if use in r.uses for m in r.missing}
            assert hanging & (set(rest) - set(some))


@given(st.lists(rules(), min_size=1, max_size=4), FACTS_GIVEN, FACTS_GIVEN, st.sets(st.sampled_from(ASKED)))
def test_a_call_only_narrows_the_policy_of_the_config(
    rows: list[Rule], own: dict[str, Any], given: dict[str, Any], uses: set[str]
) -> None:
    found = under(*rows)
    policy = Policy(found, Rules(use=("commercial",), facts=Facts(own), mode="enforce"))
    target = found.resolve("m")
    plain = policy.decide(target)
    narrowed = policy.decide(target, tuple(uses), Facts(given) if given else None)
    assert VERDICTS.index(narrowed.verdict) >= VERDICTS.index(plain.verdict)


# The real registry

EVERY: dict[str, Any] = {
    "monthly_active_users": 10**3,
    "annual_revenue_usd": 10**3,
    "monthly_revenue_usd": 10**3,
    "established": "US",
    "users_in": "US",
    "sector": "health",
    "provider_tier": "paid",
    "trained_model_distributed": False,
    "trained_model_competes": False,
    "trained_model_family": "somebody-elses",
    "registered": "",
    "contracts": "",
    "date": "2026-11-24",
}
TARGETS = [m.id for m in load().data.models] + [f"{p.id}:{o.model}" for p in load().providers for o in p.offer]


def asked_facts() -> set[str]:
    rows = [row for x in load().licenses for row in (*x.rule, *x.obligation)]
    whens = [w for row in rows if row.when for w in (row.when if isinstance(row.when, tuple) else (row.when,))]
    return {name for when in whens for name in when}


def test_every_fact_has_a_value_in_this_test() -> None:
    assert set(EVERY) == set(FACTS)


@given(st.sampled_from(TARGETS))
def test_with_every_fact_given_nothing_is_missing(target: str) -> None:
    dated = {name: 10**3 for name in asked_facts() if "@" in name}
    decision = decide(load(), target, USES, {**EVERY, **dated})
    assert decision.missing_facts == ()
    assert not any(r.missing for r in decision.reasons)
    assert not any(o.only_if for o in decision.obligations)


@given(st.sampled_from(TARGETS), st.sets(st.sampled_from(USES), min_size=1))
def test_every_answer_stands_on_something(target: str, asked: set[str]) -> None:
    decision = decide(load(), target, asked, {"date": DAY})
    governed = {g.license.id for g in governing(load(), load().resolve(target), DAY)}
    for use, verdict in decision.uses.items():
        reasons = [r for r in decision.reasons if use in r.uses and r.verdict == verdict]
        assert reasons, (target, use)
        for r in reasons:
            assert r.summary
            assert r.license in governed | {"unknown"}
            assert r.grade in ("P", "S", "U")
            if verdict in ("permitted", "prohibited"):
                assert r.clause
                assert r.source.startswith("http")
                assert r.checked
    if decision.verdict == "conditional":
        assert decision.missing_facts or any(r.verdict == "conditional" and r.summary for r in decision.reasons)


@given(
    st.sampled_from(
        [m for m in load().data.models if m.license and set(m.license) <= {"Apache-2.0", "MIT"} and not m.lineage]
    )
)
def test_open_source_weights_of_ones_own_are_free_for_every_use(m: Any) -> None:
    decision = decide(load(), m.id, USES)
    assert decision.verdict == "permitted", str(decision)


def test_the_llama_licences_ask_only_for_their_month_and_for_seats_of_multimodal_ones() -> None:
    for m in load().data.models:
        if m.developer == "meta" and any("-community" in x or "llama-3" in x or "llama-2" in x for x in m.license):
            missing = decide(load(), m.id, ["commercial"]).missing_facts
            months = [f for f in missing if f.startswith("monthly_active_users@")]
            wanted = {*months, "established"} if "image" in m.input else set(months)
            assert months, m.id
            assert set(missing) == wanted, m.id


def test_commercial_use_of_the_closed_models_of_openai_and_anthropic_is_permitted() -> None:
    for m in load().data.models:
        if m.developer in ("openai", "anthropic") and m.weights == "closed":
            assert decide(load(), m.id, ["commercial"]).permitted, m.id
