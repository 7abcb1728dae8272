"""A company's own rules: what they can ask, how they are cited, and that they only ever narrow."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import Config, ConfigError
from llmgate.policy import Decision, OwnRule, Policy, Rules, decide, select
from llmgate.policy.own import checked
from llmgate.registry import load
from llmgate.registry.vocabulary import FACTS, TARGET_FACTS, USES, VERDICTS

from .small import license, model, provider, registry, rule

PLACES = registry(
    license("Open", rule("*", "permitted"), rule("commercial confidential-input", "permitted"), osi_approved=True),
    license("Ours", rule("commercial confidential-input", "permitted"), grade="S"),
    license("Terms", rule("commercial", "permitted"), rule("confidential-input", "prohibited"), kind="terms"),
    license("Good-Terms", rule("commercial confidential-input", "permitted"), kind="terms"),
    model("free", "Open", context=1000),
    model("fenced", "Ours", developer="other", family="baker"),
    model("shut", weights="closed"),
    provider("near", "host", "Good-Terms", offers={"free": None, "fenced": None}, country="DE"),
    provider("far", "host", "Terms", offers={"free": None, "fenced": None}, country="CN"),
    provider("nowhere", "host", "Good-Terms", offers={"free": None}),
    provider("own", "self-hosted"),
)


def own(**fields: Any) -> OwnRule:
    return checked(msgspec.convert({"name": "house", **fields}, OwnRule), PLACES)


def under(target: str, *rules: OwnRule, **facts: Any) -> Decision:
    return decide(PLACES, target, ["commercial"], facts, rules=rules)


IN_CHINA = {"provider.country": {"in": ["CN"]}}


@pytest.mark.parametrize(
    ("fields", "denied", "left"),
    [
        ({"when": {"model.developer": "other"}}, ["fenced", "near:fenced"], ["free"]),
        ({"when": {"model.family": {"in": ["baker"]}}}, ["fenced"], ["free", "near:free"]),
        ({"when": {"license.id": "Ours"}}, ["fenced", "far:fenced"], ["free"]),
        ({"when": {"license.id": {"in": ["Terms", "Ours"]}}}, ["fenced", "far:free"], ["near:free"]),
        ({"when": IN_CHINA}, ["far:free"], ["near:free", "free", "own:free"]),
        ({"when": {"provider.id": "far"}}, ["far:free"], ["near:free", "free"]),
        ({"when": {"provider.kind": "host"}}, ["far:free", "near:free"], ["own:free", "free"]),
        ({"when": {"model.weights": "open", "target.hosted": True}}, ["near:free"], ["free"]),
        ({"when": {"model.lifecycle": {"not_in": ["active"]}}}, [], ["free"]),
        ({"require": {"license.osi_approved": True}}, ["fenced"], ["free", "near:free"]),
        ({"require": {"license.grade": "P"}}, ["fenced"], ["free", "near:free"]),
        ({"require": {"target.wire": {"in": ["free-wire", "free"]}}}, ["near:fenced"], ["near:free", "free"]),
        ({"require": {"model.id": "free"}}, ["near:fenced"], ["near:free"]),
        ({"require": {"use.confidential-input": "permitted"}}, ["far:free"], ["near:free", "free"]),
        ({"when": {"target.hosted": True}, "require": {"provider.country": {"in": ["EU"]}}}, ["far:free"], ["free"]),
        ({"when": {"established": {"not_in": ["EU"]}}}, ["free"], []),
        ({"when": [{"model.developer": "other"}, IN_CHINA]}, ["fenced", "far:free"], ["free", "near:free"]),
    ],
)
def test_what_a_rule_can_ask(fields: dict[str, Any], denied: list[str], left: list[str]) -> None:
    for target in denied:
        assert under(target, own(**fields), established="US").verdict == "prohibited", target
    for target in left:
        assert under(target, own(**fields), established="US").permitted, target


def test_it_is_cited_like_a_clause() -> None:
    cite = own(when=IN_CHINA, summary="No data to China.", source="https://intra.test/7", remedy="Ask the board.")
    said = under("far:free", cite).deciding
    assert [(r.license, r.clause, r.verdict, r.summary) for r in said] == [
        ("policy", "house", "prohibited", "No data to China.")
    ]
    assert (said[0].source, said[0].grade, said[0].remedy) == ("https://intra.test/7", "own", "Ask the board.")
    assert "[policy, house; https://intra.test/7, grade own]" in str(under("far:free", cite))


def test_a_fact_that_nobody_gave_makes_it_conditional_and_one_that_nobody_knows_unknown() -> None:
    abroad = own(when={"established": {"not_in": ["EU"]}})
    assert under("free", abroad).verdict == "conditional"
    assert under("free", abroad).missing_facts == ("established",)
    hidden = under("nowhere:free", own(when=IN_CHINA))
    assert hidden.verdict == "unknown"
    assert "does not know provider.country of nowhere:free" in hidden.deciding[0].summary
    assert hidden.missing_facts == ()
    assert under("near:nobody-knows", own(when={"model.developer": "other"})).verdict == "unknown"


def test_it_speaks_of_its_uses_alone_and_by_its_own_verdict() -> None:
    ask = own(uses=["commercial"], verdict="conditional", when={"model.id": "free"}, summary="After the board's word.")
    decision = decide(PLACES, "free", ["commercial", "confidential-input"], rules=(ask,))
    assert decision.uses == {"commercial": "conditional", "confidential-input": "permitted"}


def test_an_agreement_that_replaces_a_licence_takes_it_out_of_what_governs() -> None:
    fenced = own(when={"license.id": "Ours"})
    assert under("fenced", fenced).verdict == "prohibited"
    assert under("fenced", fenced, contracts=["Ours"]).permitted


def test_a_decision_under_other_rules_is_another_one() -> None:
    plain, ruled = under("free"), under("free", own(when=IN_CHINA))
    assert plain.verdict == ruled.verdict
    assert plain.id != ruled.id
    assert ruled.id == under("free", own(when=IN_CHINA)).id


def test_what_is_remembered_hangs_on_the_rules() -> None:
    target = PLACES.resolve("far:free")
    strict = Policy(PLACES, Rules(own=(own(when=IN_CHINA),)))
    assert not strict.decide(target).permitted
    assert Policy(PLACES, Rules()).decide(target).permitted
    assert not strict.decide(target).permitted
    found = select(PLACES, ["commercial"], on="far", among=[PLACES.model("free")], rules=strict.rules.own)
    assert [d.verdict for _, d in found] == ["prohibited"]


# They only narrow

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "established": st.sampled_from([{"in": ["EU"]}, {"not_in": ["US"]}]),
    "annual_revenue_usd": st.sampled_from([{"above": 10}, {"max": 10}]),
    "model.developer": st.sampled_from(["other", {"not_in": ["other"]}]),
    "model.context": st.sampled_from([{"min": 100}, {"below": 100}]),
    "provider.country": st.sampled_from([IN_CHINA["provider.country"], {"not_in": ["EU"]}]),
    "license.osi_approved": st.booleans(),
    "license.grade": st.sampled_from(["P", {"in": ["S", "unread"]}]),
    "use.confidential-input": st.sampled_from(["permitted", {"not_in": ["prohibited"]}]),
    "target.hosted": st.booleans(),
}
CONDITION: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=VALUES).filter(bool)
WHEN = CONDITION | st.lists(CONDITION, min_size=1, max_size=2)
OWN = st.builds(
    own,
    uses=st.sampled_from([["*"], ["commercial"], ["host", "confidential-input"]]),
    verdict=st.sampled_from(["prohibited", "conditional", "unknown"]),
    when=WHEN,
) | st.builds(own, require=WHEN)
TARGETS = ["free", "fenced", "shut", "near:free", "far:free", "far:fenced", "nowhere:free", "own:free", "far:what"]
GIVEN: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"established": st.sampled_from(["DE", "US"]), "annual_revenue_usd": st.sampled_from([0, 10, 11])}
)
ASKED = ("commercial", "host", "confidential-input")


@given(st.sampled_from(TARGETS), st.lists(OWN, max_size=3), OWN, GIVEN)
def test_a_further_rule_never_widens(target: str, rules: list[OwnRule], more: OwnRule, facts: dict[str, Any]) -> None:
    before = decide(PLACES, target, ASKED, facts, rules=tuple(rules))
    after = decide(PLACES, target, ASKED, facts, rules=(*rules, more))
    assert all(VERDICTS.index(after.uses[u]) >= VERDICTS.index(before.uses[u]) for u in ASKED)
    assert after.obligations == before.obligations


@given(st.sampled_from(TARGETS), OWN, GIVEN, st.sampled_from(["DE", "US"]), st.sampled_from([0, 10, 11]))
def test_what_is_permitted_without_all_facts_stays_so(
    target: str, one: OwnRule, some: dict[str, Any], country: str, revenue: int
) -> None:
    before = decide(PLACES, target, ASKED, some, rules=(one,))
    everything = {"established": country, "annual_revenue_usd": revenue} | some
    after = decide(PLACES, target, ASKED, everything, rules=(one,))
    for use in ASKED:
        if before.uses[use] == "permitted":
            assert after.uses[use] == "permitted"


# In the config

CONFIG = """\
default = "chat"

[policy]
use = ["commercial"]

[[policy.rules]]
name = "no-distills"
when = { "model.id" = "deepseek-r1-distill-llama-70b" }

[[policy.rules]]
when = { "target.hosted" = true }
require = { "provider.country" = { in = ["EU", "US"] } }

[providers.mine]
dialect = "openai_chat"
url = "http://127.0.0.1:9/v1"
self_hosted = true

[routes.chat]
targets = ["mine:mixtral-8x7b-instruct-v0.1", "mine:mistral-7b-instruct-v0.3"]

[[routes.chat.policy.rules]]
name = "one-version"
when = { "model.developer" = "mistralai" }
require = { "model.id" = "mixtral-8x7b-instruct-v0.1" }
"""


def config(tmp_path: Path, text: str = CONFIG) -> Config:
    path = tmp_path / "llmgate.toml"
    path.write_text(text, "utf-8")
    return Config.load(path)


def test_a_route_adds_to_the_rules_of_the_config(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert [r.name for r in found.rules.own] == ["no-distills", "rule 2"]
    route = found.route("chat")
    assert [r.name for r in route.rules.own] == ["no-distills", "rule 2", "one-version"]
    mixtral, mistral = (Policy(found.registry, route.rules).decide(t) for t in route.targets)
    assert mixtral.permitted
    said = mistral.deciding[0]
    assert (said.license, said.clause) == ("policy", "one-version")
    line = CONFIG[: CONFIG.index("[[routes.chat.policy.rules]]")].count("\n") + 1
    assert said.source == f"{tmp_path / 'llmgate.toml'}:{line}"


def test_rules_may_be_given_in_python() -> None:
    rules = [{"when": {"model.developer": "mistralai"}}]
    found = Config.load({"policy": {"rules": rules}, "routes": {"r": {"targets": ["local:smollm2-135m-instruct"]}}})
    decision = Policy(found.registry, found.rules).decide(found.registry.resolve("mixtral-8x7b-instruct-v0.1"))
    assert decision.deciding[0].source == "config policy.rules.0"


@pytest.mark.parametrize(
    ("wrong", "line", "message"),
    [
        ('wehn = { "model.id" = "x" }', 3, 'unknown key "policy.rules[0].wehn"; did you mean "when"?'),
        ('when = { "model.ids" = "x" }', 3, 'when asks "model.ids", which is no fact; did you mean "model.id"?'),
        ('when = { "model.id" = "gpt-4oo" }', 3, 'there is no model "gpt-4oo"; did you mean "gpt-4o"?'),
        ('when = { "model.developer" = "deepseek" }', 3, 'no developer "deepseek"; did you mean "deepseek-ai"?'),
        ('when = { "license.id" = "Apache-2" }', 3, 'there is no license "Apache-2"; did you mean "Apache-2.0"?'),
        ('when = { "provider.kind" = "cloud" }', 3, 'there is no kind of provider "cloud"'),
        ('when = { "provider.country" = { in = ["China"] } }', 3, 'names "China", which is no country code'),
        ('require = { "license.grade" = "A" }', 3, 'there is no grade "A"'),
        ('require = { "use.host" = "yes" }', 3, 'there is no verdict "yes"'),
        ('require = { "license.osi_approved" = "yes" }', 3, "needs true or false"),
        ('when = { "model.parameters" = 7 }', 3, "policy.rules[0].when"),
        ('name = "empty"', 2, 'a rule needs "when", "require" or both'),
        ("when = {}", 3, "when is empty"),
        ('uses = ["comercial"]\nwhen = { "target.hosted" = true }', 3, "policy.rules[0].uses"),
        ('verdict = "permitted"\nwhen = { "target.hosted" = true }', 3, "policy.rules[0].verdict"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, wrong: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, f"[policy]\n[[policy.rules]]\n{wrong}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'llmgate.toml'}:{line}: ")
    assert message in str(caught.value)


def test_the_rules_of_the_documentation_are_right() -> None:
    page = (Path(__file__).parents[2] / "docs/config.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(\[\[policy\.rules\]\].*?)```", page, re.DOTALL)
    found = Config.load({"policy": tomllib.loads(block)["policy"]})
    assert [r.name for r in found.rules.own] == ["legal-7", *(f"rule {n}" for n in range(2, 7))]
    assert {name for name in TARGET_FACTS if not name.startswith("use.")} <= set(re.findall(r"`([\w.]+)`", page))


def test_every_fact_of_a_target_can_be_asked_of_every_target_of_the_registry() -> None:
    tests: dict[str, Any] = {"number": {"above": 1}, "flag": True, "country": {"in": ["CH"]}}
    rules = tuple(
        OwnRule(name=name, when=msgspec.convert({name: tests.get(kind, {"in": ["nothing"]})}, dict[str, Any]))
        for name, kind in TARGET_FACTS.items()
    )
    checked_rules = tuple(msgspec.convert(msgspec.to_builtins(r), OwnRule) for r in rules)
    for target in ("gpt-4o", "llama-3.1-8b-instruct", "groq:gpt-oss-120b", "local:smollm2-135m-instruct"):
        said = decide(load(), target, USES, rules=checked_rules).reasons
        assert all(r.verdict in ("prohibited", "unknown") for r in said if r.license == "policy")
    assert not set(TARGET_FACTS) & set(FACTS)
