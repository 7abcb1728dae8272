"""What governs a deployment and how verdicts, obligations and gaps come of it, on registries made for the purpose."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from llmgate.errors import ConfigError
from llmgate.policy import Decision, Policy, Rules, decide, select, worst
from llmgate.policy.facts import Facts
from llmgate.registry import Deployment, Registry
from llmgate.registry.vocabulary import VERDICTS

from .small import license, model, owed, provider, registry, rule, single

FREE = rule("commercial research", "permitted")
RICH = {"annual_revenue_usd": {"above": 10}}


def verdict(found: Registry, target: str = "m", use: str = "commercial", **facts: object) -> str:
    return decide(found, target, use.split(), facts).verdict


# Verdicts


def test_the_worst_verdict_wins() -> None:
    assert VERDICTS == ("permitted", "conditional", "unknown", "prohibited")
    for pair in itertools.product(VERDICTS, repeat=2):
        found = single(*(rule("commercial", v) for v in pair))
        assert verdict(found) == max(pair, key=VERDICTS.index) == worst(pair)


def test_each_use_has_its_own_verdict_and_the_worst_stands_for_all() -> None:
    found = single(FREE, rule("host", "prohibited"))
    decision = decide(found, "m", ["host", "commercial"])
    assert decision.uses == {"commercial": "permitted", "host": "prohibited"}
    assert decision.verdict == "prohibited"
    assert [r.uses for r in decision.deciding] == [("host",)]


def test_a_use_that_nobody_asked_about_changes_nothing() -> None:
    found = single(FREE, rule("host", "prohibited", when=RICH), owed("host", "Show it"))
    decision = decide(found, "m", ["commercial"])
    assert (decision.verdict, decision.missing_facts, decision.obligations) == ("permitted", (), ())


def test_a_rule_for_all_uses_bears_on_each() -> None:
    found = single(FREE, rule("*", "prohibited", when=RICH))
    assert verdict(found, annual_revenue_usd=11) == "prohibited"
    assert verdict(found, annual_revenue_usd=10) == "permitted"
    missing = decide(found, "m", ["commercial", "research"])
    assert missing.uses == {"commercial": "conditional", "research": "conditional"}
    assert missing.missing_facts == ("annual_revenue_usd",)


def test_otherwise_speaks_when_the_condition_does_not_hold() -> None:
    found = single(rule("commercial", "prohibited", when=RICH, otherwise="permitted"))
    assert [verdict(found, annual_revenue_usd=n) for n in (11, 10)] == ["prohibited", "permitted"]
    assert verdict(found) == "conditional"


def test_a_rule_whose_two_sides_agree_does_not_hang_on_a_fact() -> None:
    found = single(rule("commercial", "prohibited", when=RICH, otherwise="prohibited"))
    assert verdict(found) == "prohibited"


@pytest.mark.parametrize(
    ("one", "other", "unsettled"),
    [
        ("permitted", "prohibited", "conditional"),
        ("permitted", "unknown", "conditional"),
        ("conditional", "prohibited", "conditional"),
        ("unknown", "prohibited", "unknown"),
        ("prohibited", "unknown", "unknown"),
    ],
)
def test_what_hangs_on_a_fact_is_never_better_than_the_better_side(one: str, other: str, unsettled: str) -> None:
    assert verdict(single(rule("commercial", one, when=RICH, otherwise=other))) == unsettled


def test_a_use_that_no_rule_names_is_unknown_and_the_reason_says_so() -> None:
    decision = decide(single(FREE), "m", ["commercial", "military"])
    assert decision.uses == {"commercial": "permitted", "military": "unknown"}
    (reason,) = decision.deciding
    assert reason.license == "L"
    assert "military is not settled" in reason.summary


def test_a_policy_only_restricts_so_its_silence_is_no_objection() -> None:
    found = registry(
        license("L", FREE, rule("host", "permitted"), incorporates=("P",)),
        license("P", rule("host", "prohibited"), kind="policy"),
        model("m", "L"),
    )
    assert verdict(found) == "permitted"
    assert verdict(found, use="host") == "prohibited"


# Evidence


def test_what_nobody_has_read_is_unknown_with_a_reason() -> None:
    found = registry(license("L", read=False), model("m", "L"))
    decision = decide(found, "m", ["commercial", "host"])
    assert set(decision.uses.values()) == {"unknown"}
    assert "nobody has read L yet (the license of m)" in decision.deciding[0].summary


def test_an_unread_policy_makes_what_incorporates_it_unknown() -> None:
    found = registry(license("L", FREE, incorporates=("P",)), license("P", kind="policy", read=False), model("m", "L"))
    decision = decide(found, "m", ["commercial"])
    assert decision.verdict == "unknown"
    assert "incorporated by L" in decision.deciding[0].summary


def test_grades_and_sources_are_those_of_the_row_or_else_of_the_text() -> None:
    found = single(
        rule("commercial", "permitted", source="https://test.example/row", checked="2025-05-05", grade="S"),
        rule("commercial", "permitted", clause="2"),
    )
    first, second = decide(found, "m", ["commercial"]).reasons
    assert (first.source, first.checked, first.grade) == ("https://test.example/row", dt.date(2025, 5, 5), "S")
    assert (second.source, second.checked, second.grade) == ("https://test.example/L", dt.date(2026, 1, 1), "P")


def test_terms_that_are_not_in_force_say_nothing() -> None:
    found = single(FREE, effective_from=dt.date(2025, 1, 1), effective_until=dt.date(2025, 12, 31))
    assert verdict(found, date="2025-06-01") == "permitted"
    for day in ("2024-12-31", "2026-01-01"):
        decision = decide(found, "m", ["commercial"], {"date": day})
        assert decision.verdict == "unknown"
        assert f"not in force on {day}" in decision.deciding[0].summary


def test_of_two_versions_of_terms_the_one_in_force_governs() -> None:
    found = registry(
        license("old", rule("commercial", "prohibited"), kind="terms", effective_until=dt.date(2025, 12, 31)),
        license("new", FREE, kind="terms", effective_from=dt.date(2026, 1, 1)),
        model("c", weights="closed"),
        provider("p", "first-party", "old", "new", developers=("maker",), offers={"c": None}),
    )
    assert verdict(found, "p:c", date="2025-12-31") == "prohibited"
    assert verdict(found, "p:c", date="2026-01-01") == "permitted"


# What governs


def test_a_model_under_two_licences_is_under_both() -> None:
    found = registry(license("L", FREE), license("N", rule("commercial", "prohibited")), model("m", "L", "N"))
    assert verdict(found) == "prohibited"


@pytest.mark.parametrize("relation", ["finetune", "merge", "quantized", "adapter"])
def test_these_kinds_of_descent_carry_the_bases_licence(relation: str) -> None:
    found = registry(
        license("MIT", FREE),
        license("L", rule("commercial", "prohibited"), incorporates=("P",)),
        license("P", owed("commercial", "Show it"), kind="policy"),
        model("base", "L"),
        model("middle", "MIT", made_from={"base": relation}),
        model("m", "MIT", made_from={"middle": "finetune"}),
    )
    decision = decide(found, "m", ["commercial"])
    assert decision.verdict == "prohibited"
    assert [o.license for o in decision.obligations] == ["P"]


@pytest.mark.parametrize("relation", ["distilled", "trained-on-outputs"])
def test_these_kinds_of_descent_do_not(relation: str) -> None:
    found = registry(
        license("MIT", FREE),
        license("L", rule("commercial", "prohibited")),
        model("base", "L"),
        model("m", "MIT", made_from={"base": relation}),
    )
    assert verdict(found) == "permitted"


def test_descent_in_a_circle_ends() -> None:
    found = registry(
        license("L", FREE),
        model("a", "L", made_from={"b": "merge"}),
        model("b", "L", made_from={"a": "merge"}),
    )
    assert verdict(found, "a") == "permitted"


HOSTS = registry(
    license("weights", rule("commercial", "prohibited"), rule("research", "permitted")),
    license("service", FREE, kind="terms"),
    license("developers", FREE, rule("train-on-outputs", "prohibited"), kind="terms"),
    license("aggregators", FREE, rule("train-on-outputs", "permitted"), kind="terms"),
    model("open", "weights"),
    model("derived", "weights", developer="other", made_from={"open": "finetune"}),
    model("closed", weights="closed"),
    model("kept", weights="unreleased", lifecycle="uncallable"),
    provider("first", "first-party", "developers", developers=("maker",), offers={"open": None, "closed": None}),
    provider("second", "first-party", "service", developers=("other",), offers={"derived": None}),
    provider("host", "host", "service", offers={"open": None}),
    provider("special", "host", "service", offers={"closed": ("developers",)}),
    provider("aggregator", "aggregator", "aggregators", offers={"open": None, "closed": None}),
    provider("termless", "host", offers={"open": None}),
    provider("own", "self-hosted"),
)


def test_a_hosts_terms_do_not_lift_the_licence_of_the_weights() -> None:
    assert verdict(HOSTS, "host:open") == "prohibited"
    assert verdict(HOSTS, "own:open") == "prohibited"
    assert verdict(HOSTS, "host:open", use="research") == "permitted"


def test_at_the_developers_own_service_its_terms_stand_for_the_licence() -> None:
    assert verdict(HOSTS, "first:open") == "permitted"
    assert verdict(HOSTS, "second:derived") == "prohibited"  # by the licence of another's model that it is made from


def test_an_offers_own_terms_stand_in_place_of_its_hosts() -> None:
    assert verdict(HOSTS, "special:closed", use="train-on-outputs") == "prohibited"


def test_at_an_aggregator_the_developers_terms_of_a_closed_model_count_too() -> None:
    decision = decide(HOSTS, "aggregator:closed", ["train-on-outputs"])
    assert decision.verdict == "prohibited"
    assert [r.license for r in decision.deciding] == ["developers"]
    assert {r.license for r in decide(HOSTS, "aggregator:open", ["research"]).reasons} == {"weights", "aggregators"}


def test_what_no_document_settles_is_unknown() -> None:
    for target, said in (
        ("host:nobody/knows", "the registry does not know nobody/knows"),
        ("host:closed", "no offer of closed at host"),
        ("termless:open", "no terms of termless"),
        ("own:closed", "no terms of own for closed"),
        ("kept", "no weights to license and no service"),
    ):
        decision = decide(HOSTS, target, ["research"])
        assert decision.verdict == "unknown", target
        assert any(said in r.summary for r in decision.deciding), (target, decision.deciding)


def test_a_declared_licence_governs_what_the_registry_does_not_know() -> None:
    deployment = Deployment("own:x", "x", HOSTS.provider("own"), None, None, ("weights",))
    assert decide(HOSTS, deployment, ["research"]).verdict == "permitted"
    assert decide(HOSTS, deployment, ["commercial"]).verdict == "prohibited"


def test_notes_say_how_it_was_judged() -> None:
    assert decide(HOSTS, "open", ["research"]).note == "Judged as self-hosted weights; for a host ask provider:model."
    assert "may add terms of their own" in (decide(HOSTS, "own:open", ["research"]).note or "")
    assert decide(HOSTS, "host:open", ["research"]).note is None


def test_conditions_may_ask_of_the_model_and_of_how_it_is_reached() -> None:
    found = registry(
        license(
            "L",
            FREE,
            rule("commercial", "prohibited", when={"model.input": {"in": ["image"]}, "target.hosted": False}),
            rule("commercial", "unknown", when={"model.input": {"in": ["image"]}, "target.hosted": True}),
        ),
        license("T", FREE, kind="terms"),
        model("text", "L"),
        model("pictures", "L", input=("text", "image")),
        provider("host", "host", "T", offers={"pictures": None, "text": None}),
        provider("own", "self-hosted"),
    )
    assert [verdict(found, t) for t in ("text", "pictures", "own:pictures", "host:text", "host:pictures")] == [
        "permitted",
        "prohibited",
        "prohibited",
        "permitted",
        "unknown",
    ]


# Steps and agreements of one's own


REGISTER = single(
    FREE, rule("commercial", "permitted", when={"registered": {"in": ["L"]}}, otherwise="conditional"), short=("ell",)
)


def test_a_step_of_ones_own_is_conditional_until_it_is_done() -> None:
    assert decide(REGISTER, "m", ["commercial"]).missing_facts == ("registered",)
    assert verdict(REGISTER, registered=[]) == "conditional"
    assert verdict(REGISTER, registered="L") == verdict(REGISTER, registered="ell") == "permitted"
    assert verdict(REGISTER, use="research") == "permitted"


def test_a_contract_replaces_the_instrument_that_it_names_and_no_other() -> None:
    found = registry(
        license(
            "L", rule("commercial", "prohibited"), owed("commercial", "Show it"), incorporates=("P",), short=("ell",)
        ),
        license("P", rule("military", "prohibited"), kind="policy"),
        model("m", "L"),
    )
    decision = decide(found, "m", ["commercial"], {"contracts": "ell"})
    assert decision.verdict == "permitted"
    assert decision.obligations == ()
    (reason,) = decision.reasons
    assert (reason.clause, reason.grade) == ("contracts", "declared")
    assert "llmgate has not read" in reason.summary
    assert verdict(found, use="military", contracts="ell") == "prohibited"


@pytest.mark.parametrize("fact", ["contracts", "registered"])
def test_an_agreement_that_nobody_knows_is_a_mistake(fact: str) -> None:
    with pytest.raises(ConfigError, match='no license "el"; did you mean "ell"'):
        decide(REGISTER, "m", ["commercial"], {fact: "el"})


# Obligations


def test_obligations_come_by_use_and_by_condition_and_never_change_the_verdict() -> None:
    found = single(
        rule("commercial host", "permitted"),
        owed("commercial", "Show it", when={"monthly_active_users": {"above": 100}}),
        owed("host", "Pass it on", kind="flow-down", trigger="host"),
        owed("*", "Say thanks"),
    )
    assert [o.text for o in decide(found, "m", ["commercial"], {"monthly_active_users": 101}).obligations] == [
        "Show it",
        "Say thanks",
    ]
    assert [o.text for o in decide(found, "m", ["commercial"], {"monthly_active_users": 100}).obligations] == [
        "Say thanks"
    ]
    (shown, _) = decide(found, "m", ["commercial"]).obligations
    assert (shown.text, shown.only_if) == ("Show it", "monthly_active_users above 100")
    assert decide(found, "m", ["commercial"]).verdict == "permitted"
    passed, thanks = decide(found, "m", ["host"]).obligations
    assert (passed.kind, passed.trigger, passed.clause) == ("flow-down", "host", "9")
    assert thanks.only_if is None


def test_the_same_obligation_is_owed_once() -> None:
    found = registry(
        license("L", FREE, owed("commercial", "Show it"), owed("commercial", "Show it")),
        model("m", "L", made_from={"base": "finetune"}),
        model("base", "L"),
    )
    assert len(decide(found, "m", ["commercial"]).obligations) == 1


# The policy of a config


def policy(found: Registry, **facts: object) -> Policy:
    return Policy(found, Rules(use=("commercial",), facts=Facts(facts), mode="enforce"))


def decided(p: Policy, use: tuple[str, ...] = (), tier: str | None = None, **facts: object) -> Decision:
    return p.decide(p.registry.resolve("m"), use, Facts(facts) if facts else None, tier)


LIMIT = single(rule("commercial", "permitted"), rule("host", "prohibited"), rule("*", "prohibited", when=RICH))


def test_a_calls_uses_are_added() -> None:
    p = policy(LIMIT, annual_revenue_usd=1)
    assert decided(p).verdict == "permitted"
    narrowed = decided(p, ("host",))
    assert narrowed.uses == {"commercial": "permitted", "host": "prohibited"}


def test_a_calls_facts_can_make_it_worse_and_never_better() -> None:
    assert decided(policy(LIMIT, annual_revenue_usd=1), annual_revenue_usd=11).verdict == "prohibited"
    assert decided(policy(LIMIT, annual_revenue_usd=11), annual_revenue_usd=1).verdict == "prohibited"
    assert decided(policy(LIMIT), annual_revenue_usd=1).verdict == "conditional"
    assert decided(policy(LIMIT), annual_revenue_usd=11).verdict == "prohibited"


def test_the_tier_of_an_account_is_a_fact_unless_one_is_given() -> None:
    found = single(rule("commercial", "prohibited", when={"provider_tier": "unpaid"}, otherwise="permitted"))
    assert decided(policy(found), tier="paid").verdict == "permitted"
    assert decided(policy(found), tier="unpaid").verdict == "prohibited"
    assert decided(policy(found, provider_tier="unpaid"), tier="paid").verdict == "prohibited"


def test_decisions_are_made_once() -> None:
    p = policy(LIMIT, annual_revenue_usd=1)
    assert decided(p) is decided(p)
    assert decided(p, ("host",)) is not decided(p)


@pytest.mark.parametrize("unknown", ["deny", "allow"])
@pytest.mark.parametrize("conditional", ["deny", "allow"])
def test_what_rules_let_through(unknown: str, conditional: str) -> None:
    rules = Rules(unknown=unknown, conditional=conditional)  # type: ignore[arg-type]
    assert rules.allows("permitted")
    assert not rules.allows("prohibited")
    assert rules.allows("unknown") is (unknown == "allow")
    assert rules.allows("conditional") is (conditional == "allow")


def test_select_judges_each_as_a_bare_id_or_at_a_host() -> None:
    bare = {m.id: d.verdict for m, d in select(HOSTS, ["commercial"])}
    assert bare == {"open": "prohibited", "derived": "prohibited", "closed": "permitted", "kept": "unknown"}
    hosted = select(HOSTS, ["research"], among=[HOSTS.model("open")], on="host")
    assert [(m.id, d.target, d.verdict) for m, d in hosted] == [("open", "host:open", "permitted")]
