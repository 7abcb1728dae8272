"""A Decision as people and programs read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import llmgate
from llmgate.policy import NOT_ADVICE, decide

from .small import license, model, owed, registry, rule, single

ASK = """
import llmgate
facts = {"users_in": "DE,FR,US,CH,NO,BR", "provider_tier": "paid", "contracts": "mit,apache-2.0,llama-3.1"}
print(llmgate.check("gemini-2.5-pro", use=["commercial", "host"], **facts).id)
"""


def in_a_process_of_its_own(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_id_is_the_same_in_every_process() -> None:
    first, second = (in_a_process_of_its_own(seed) for seed in ("1", "2"))
    assert first == second
    assert first.startswith("d-")


def test_the_id_tells_questions_apart() -> None:
    found = single(rule("commercial host", "permitted"), rule("host", "permitted", when={"established": "DE"}))
    same = [decide(found, "m", ["commercial", "host"]).id, decide(found, "m", ["host", "commercial"]).id]
    others = [
        decide(found, "m", ["commercial"]).id,
        decide(found, "m", ["host"]).id,
        decide(found, "m", ["host"], {"established": "DE"}).id,
        decide(found, "m", ["host"], {"established": "US"}).id,
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 5


def test_the_id_tells_registries_apart() -> None:
    found = single(rule("commercial", "permitted"))
    other = registry(license("L", rule("commercial", "permitted")), model("m", "L"))
    other.hash = "another"
    assert decide(found, "m", ["commercial"]).id != decide(other, "m", ["commercial"]).id


def test_it_prints_short_and_disclaims_once() -> None:
    decision = llmgate.check("llama-3.1-8b-instruct", use=["commercial"], **{"monthly_active_users@2024-06": "800M"})
    text = str(decision)
    assert text.splitlines()[0] == "llama-3.1-8b-instruct is prohibited (commercial: prohibited)."
    assert text.count("legal advice") == 1
    assert text.endswith(NOT_ADVICE)
    assert "Remedy: " in text
    assert "LicenseRef-scancode-llama-3.1-license-2024, 2" in text
    assert "grade P" in text
    assert "What is owed" not in text
    assert len(text) < 1200


@pytest.mark.parametrize("model_id", ["gpt-4o", "mixtral-8x7b-instruct-v0.1", "gemma-3-27b-it", "alphacode"])
def test_every_verdict_prints(model_id: str) -> None:
    text = str(llmgate.check(model_id, use=["commercial", "train-on-outputs"]))
    assert text.count("legal advice") == 1
    assert all(len(line) < 900 for line in text.splitlines())


def test_what_is_missing_and_what_is_owed_are_printed() -> None:
    found = single(
        rule("commercial", "permitted"),
        rule("*", "prohibited", when={"annual_revenue_usd": {"above": 10}}),
        owed("commercial", "Show it", when={"monthly_active_users": {"above": 100}}),
        owed("commercial", "x" * 500, kind="notice", trigger="redistribute"),
    )
    lines = str(decide(found, "m", ["commercial"])).splitlines()
    assert "It hangs on what was not given: annual_revenue_usd." in lines
    assert "- display when a product uses it (if monthly_active_users above 100): Show it [L, 9]" in lines
    assert any(line.endswith("... [L, 9]") and len(line) < 260 for line in lines)


def test_json_is_as_documented() -> None:
    decision = llmgate.check("sdxl", use=["host", "commercial"])
    said = json.loads(json.dumps(decision.to_json(), default=str))
    assert set(said) >= {"verdict", "uses", "reasons", "obligations", "missing_facts", "target", "id"}
    assert said["uses"] == {"commercial": "permitted", "host": "permitted"}
    for reason in said["reasons"]:
        assert set(reason) >= {"license", "clause", "verdict", "summary", "source", "checked", "grade"}
    assert said["obligations"]
    for obligation in said["obligations"]:
        assert set(obligation) >= {"kind", "trigger", "text", "license", "clause"}


def test_a_reason_without_a_date_says_so_in_json() -> None:
    said = llmgate.check("alphacode", use=["research"]).to_json()
    assert said["reasons"][0]["checked"] is None


def test_the_deciding_reasons_come_first() -> None:
    decision = llmgate.check("c4ai-command-r-plus-08-2024", use=["commercial", "research"])
    order = [r.verdict for r in decision.reasons]
    assert order == sorted(order, key=["prohibited", "unknown", "conditional", "permitted"].index)
    assert decision.deciding == list(decision.reasons[: len(decision.deciding)])
    assert not decision.permitted
