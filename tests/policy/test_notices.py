"""What is owed, to whom, and for which models: from decisions to a text that can be committed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmgate.policy import Rules, decide
from llmgate.policy.judged import Judged, Standing, merged, standing
from llmgate.policy.notices import Notices, notices
from llmgate.registry import Registry

from .small import license, model, owed, provider, registry, rule

SMALL = registry(
    license(
        "L1",
        rule("commercial redistribute", "permitted"),
        owed("commercial", "Built with L1", kind="display", trigger="product_contains"),
        owed("commercial", "Name it L1-...", {"established": "DE"}, kind="naming", trigger="publish_model"),
        owed("redistribute", "First line.\n  Second line.", kind="notice", trigger="redistribute"),
    ),
    license(
        "L2",
        rule("commercial redistribute", "permitted"),
        owed("commercial", "Thanks to L2", trigger="product_contains"),
    ),
    license("L3", rule("commercial", "prohibited", clause="7"), owed("commercial", "Never shown")),
    license("L4", read=False),
    license("L5", rule("commercial", "permitted")),
    license("T", rule("commercial", "permitted"), owed("commercial", "Powered by host", trigger="host"), kind="terms"),
    model("one", "L1"),
    model("two", "L1"),
    model("child", "L2", made_from={"one": "finetune"}),
    model("barred", "L3"),
    model("unread", "L4"),
    model("free", "L5"),
    provider("host", "host", "T", offers={"one": None}),
)


def judged(*targets: str, use: Sequence[str] = ("commercial",), rules: Rules | None = None) -> list[Judged]:
    given = rules or Rules(use=tuple(use), mode="enforce")
    found = []
    for target in targets:
        deployment = SMALL.resolve(target)
        decision = decide(SMALL, deployment, given.use, given.facts)
        found.append(Judged(deployment, decision, standing(given, decision), ("chat",)))
    return found


def made(*targets: str, use: Sequence[str] = ("commercial",), rules: Rules | None = None) -> Notices:
    return notices(SMALL, judged(*targets, use=use, rules=rules))


def texts(n: Notices) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """(trigger, licence, text) -> models."""
    return {(o.trigger, i.license, x.text): x.models for o in n.owed for i in o.instruments for x in i.items}


def test_a_duty_stands_once_with_all_the_models_that_carry_it() -> None:
    found = texts(made("one", "two", "child"))
    assert found[("product_contains", "L1", "Built with L1")] == ("child", "one", "two")
    assert found[("product_contains", "L2", "Thanks to L2")] == ("child",)


def test_it_is_grouped_by_what_sets_it_off_in_one_order_whatever_the_order_of_the_targets() -> None:
    n = made("one", "host:one", "child", use=["commercial", "redistribute"])
    assert [o.trigger for o in n.owed if o.trigger != "host"] == ["product_contains", "redistribute", "publish_model"]
    assert [i.license for i in n.owed[0].instruments] == ["L1", "L2"]
    turned = notices(SMALL, judged("child", "host:one", "one", use=["commercial", "redistribute"]))
    assert turned == n
    assert str(turned) == str(n)


def test_each_says_clause_source_and_the_condition_in_words() -> None:
    n = made("one")
    (item,) = [x for o in n.owed for i in o.instruments for x in i.items if x.kind == "naming"]
    assert item.only_if == "established is DE"
    assert (item.clause, item.source, item.grade) == ("9", "https://test.example/L1", "P")
    assert "only if established is DE" in str(n)
    assert "clause 9" in str(n)


def test_a_text_is_printed_as_it_stands() -> None:
    shown = str(made("one", use=["redistribute"]))
    assert "        First line.\n          Second line.\n" in shown


def test_only_the_uses_that_were_asked_are_owed_for() -> None:
    assert ("redistribute", "L1", "First line.\n  Second line.") not in texts(made("one"))
    assert "Judged for commercial" in " ".join(str(made("one")).split())


def test_a_denied_target_stands_apart_with_its_reason_and_adds_nothing() -> None:
    n = made("one", "barred")
    assert all(license != "L3" for _, license, _ in texts(n))
    (denied,) = n.denied
    assert (denied.target, denied.policy, denied.verdict) == ("barred", "denied", "prohibited")
    assert [r.clause for r in denied.reasons] == ["7"]
    assert [o.text for o in denied.obligations] == ["Never shown"]
    owing, apart = str(n).split("Denied by policy")
    assert "Never shown" not in str(n)
    assert "- barred: prohibited" in apart
    assert "L3, 7" in apart
    assert "barred" not in owing


def test_what_policy_only_reports_is_called_and_owes() -> None:
    n = made("barred", rules=Rules(mode="report"))
    assert texts(n) == {("product_uses", "L3", "Never shown"): ("barred",)}
    assert n.denied[0].policy == "reported"
    assert "Policy only reports" in str(n)


def test_an_unread_document_is_said_to_be_so() -> None:
    allowed = made("unread", rules=Rules(unknown="allow", mode="enforce"))
    assert [(u.license, u.targets) for u in allowed.unknown] == [("L4", ("unread",))]
    assert "nobody has read L4 yet" in str(allowed)
    denied = made("unread")
    assert denied.unknown == ()
    assert "nobody has read L4 yet" in str(denied)


def test_where_nothing_is_owed_it_says_so() -> None:
    assert "Nothing is owed" in str(made("free"))
    assert "Owe nothing to ship for these uses" in str(made("free", "one"))
    assert [t.owes for t in made("free", "one").targets] == [False, True]


def test_a_host_owes_by_its_terms_too() -> None:
    assert ("host", "T", "Powered by host") in texts(made("host:one"))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(mode="enforce"), "denied"),
        (Rules(mode="report"), "reported"),
        (Rules(mode="enforce", unknown="allow"), "allowed"),
    ],
)
def test_how_a_target_stands(rules: Rules, expected: Standing) -> None:
    (found,) = judged("unread", rules=rules)
    assert found.standing == expected


def test_what_routes_judge_alike_is_one() -> None:
    (first,) = judged("one")
    second = Judged(first.deployment, first.decision, first.standing, ("other", "chat"))
    (both,) = merged([first, second])
    assert both.routes == ("chat", "other")


def test_the_registry_as_it_is_gives_a_text_for_every_open_model(real: Registry) -> None:
    found = []
    for m in real.data.models:
        deployment = real.resolve(m.id)
        found.append(Judged(deployment, decide(real, deployment, ["commercial", "redistribute", "host"])))
    n = notices(real, found)
    owed_there = {o for j in found for o in j.decision.obligations}
    shown = {(o.trigger, i.license, x.text, x.only_if) for o in n.owed for i in o.instruments for x in i.items}
    assert shown == {(o.trigger, o.license, o.text, o.only_if) for o in owed_there}
    for _, _, text, _ in shown:
        assert all(line in str(n) for line in text.splitlines())


@pytest.fixture(scope="module")
def real() -> Registry:
    from llmgate.registry import load

    return load()
