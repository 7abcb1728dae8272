"""What the audit finds, in data that is well formed; and that the registry's own has nothing that can not be true."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from llmgate.registry import load
from llmgate.registry.audit import KINDS, LEVELS, Finding, audit
from llmgate.registry.schema import Benchmark, Data, Offer, Parameters, Price, Source

from ..policy.small import WEB, license, model, provider, registry, rule

TODAY = dt.date(2026, 6, 1)
FRESH = dt.date(2026, 5, 1)
OLD = dt.date(2025, 1, 1)


def findings(*things: Any, max_age: int = 180) -> set[tuple[str, str, str]]:
    found = audit(registry(*things).data, TODAY, max_age)
    assert all(f.level == LEVELS[f.kind] for f in found)
    assert found == sorted(found)
    return {(f.kind, f.where, f.what) for f in found}


def whole(id: str = "m", **more: Any) -> Any:
    facts = {"context": 8192, "parameters": "undisclosed", "released": "2025-01"}
    return model(id, "L", **(facts | more))


LICENSE = license("L", rule("*", "permitted"))


def offer(wire: str = "w", **more: Any) -> Offer:
    facts = {"price": Price(input=Decimal(1), output=Decimal(2)), "checked": FRESH}
    return Offer(model="m", wire=wire, source=WEB, grade="S", **(facts | more))


def host(*offers: Offer, **more: Any) -> Any:
    import msgspec

    source = Source(WEB, FRESH, "S", ("url", "country"))
    facts = {"country": "DE", "source": (source,), "developers": ()} | more
    return msgspec.structs.replace(provider("p", "host", "L", **facts), offer=offers)


def test_nothing_is_found_where_all_is_well() -> None:
    assert findings(whole(), LICENSE, host(offer())) == set()


def reading(checked: dt.date, *facts: str, grade: Any = "S") -> Source:
    return Source(WEB, checked, grade, facts)


def test_a_reading_is_stale_by_its_age_unless_a_later_one_says_the_same() -> None:
    old = findings(whole(source=(reading(OLD, "context"),)), LICENSE)
    assert old == {("stale", "models/m", "read 2025-01-01 or later, and not since 2025-12-03: source[0]")}
    assert findings(whole(source=(reading(OLD, "context"), reading(FRESH, "context"))), LICENSE) == set()
    assert findings(whole(source=(reading(OLD, "context"),)), LICENSE, max_age=600) == set()


def test_a_past_offer_is_not_read_again() -> None:
    live = findings(whole(successor="n"), whole("n"), LICENSE, host(offer(checked=OLD)))
    assert {kind for kind, _, _ in live} == {"stale"}
    past = host(offer(checked=OLD, retired_on=dt.date(2026, 1, 1)))
    assert findings(whole(successor="n"), whole("n"), LICENSE, past) == set()


BENCHMARK: dict[str, Any] = {"name": "mmlu", "setting": "5-shot", "source": WEB, "checked": FRESH, "grade": "S"}


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"max_output": 9000}, "max_output 9,000 is more than its context of 8,192"),
        ({"parameters": Parameters(10, 11)}, "more active parameters than there are"),
        ({"retired_on": dt.date(2026, 1, 1)}, "retired on 2026-01-01, but its lifecycle is active"),
        ({"retired_on": dt.date(2024, 1, 1), "lifecycle": "retired"}, "before its release in 2025-01"),
        ({"knowledge_cutoff": "2025-02"}, "its knowledge ends in 2025-02, after its release in 2025-01"),
        ({"successor": "m"}, "is its own successor"),
        ({"made_from": {"n": "finetune"}}, "made from n, which was released later (2026-02)"),
        ({"benchmark": tuple(Benchmark(score=s, **BENCHMARK) for s in (1, 2))}, "mmlu (5-shot) is 1 and 2"),
    ],
)
def test_what_contradicts_itself_in_a_model(facts: dict[str, Any], what: str) -> None:
    found = findings(whole(**facts), whole("n", released="2026-02"), LICENSE)
    assert next(w for kind, where, w in found if (kind, where) == ("conflicting", "models/m")).endswith(what)


@pytest.mark.parametrize(
    ("offers", "kind", "what"),
    [
        ([offer(context=100_000)], "differing", "its context of 100,000 is more than m has (8,192)"),
        ([offer(context=4000, output=5000)], "conflicting", "its output of 5,000 is more than its context of 4,000"),
        ([offer(), offer()], "conflicting", "m as w stands there 2 times"),
        ([offer(price=None)], "missing", "no price"),
        ([offer(price=Price(input=Decimal(1)))], "missing", "no price of output"),
        (
            [offer(price=Price(input=Decimal(1), output=Decimal(1), cached_input=Decimal(2)))],
            "conflicting",
            "costs more",
        ),
        ([offer(retired_on=dt.date(2026, 1, 1))], "missing", "retired on 2026-01-01 without a successor"),
    ],
)
def test_what_is_wrong_with_offers(offers: list[Offer], kind: str, what: str) -> None:
    found = findings(whole(), LICENSE, host(*offers))
    assert [(k, where) for k, where, _ in found] == [(kind, "providers/p")]
    assert what in next(iter(found))[2]


def test_a_retired_model_that_its_maker_still_offers() -> None:
    closed = model("m", weights="closed", lifecycle="retired", successor="n", parameters="undisclosed", released="2025")
    maker = host(offer(), developers=("maker",))
    found = findings(closed, whole("n"), LICENSE, maker)
    assert ("conflicting", "providers/p", "w: m is retired, but this offer of its maker is not") in found


def test_what_is_wrong_with_documents() -> None:
    assert ("missing", "licenses/L", "nobody has read it: every use is unknown") in findings(license("L", read=False))
    assert ("dangling", "licenses/L", "no model, provider or other document names it") in findings(LICENSE)
    twice = findings(whole(), LICENSE, license("L2", rule("*", "permitted")), model("m2", "L2"))
    assert ("conflicting", "licenses/L", "has the very text of L2") in twice
    both = license("L", rule("host", "permitted"), rule("host", "prohibited"))
    assert ("conflicting", "licenses/L", "host is permitted and prohibited without a condition") in findings(both)


def test_what_is_missing_or_badly_graded() -> None:
    bare = findings(
        model("m", "L", source=(reading(FRESH, "license", grade="K"),)), LICENSE, host(offer(), country=None)
    )
    assert ("missing", "models/m", "no released, no parameters, no context") in bare
    assert ("ungraded", "models/m", "only grade K: license") in bare
    assert ("missing", "providers/p", "no country") in bare
    unsourced = host(offer(), source=())
    assert ("ungraded", "providers/p", "no source is named for country") in findings(whole(), LICENSE, unsourced)


def test_the_registry_states_nothing_that_can_not_be_true() -> None:
    data: Data = load().data
    newest = max(s.checked for m in data.models for s in m.source)
    found: list[Finding] = audit(data, newest, 10_000)
    assert [f for f in found if f.level == "error"] == []
    assert {f.kind for f in found} <= set(KINDS)
    assert any(f.kind == "missing" for f in found)
