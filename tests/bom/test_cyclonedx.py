"""The bill of materials as CycloneDX: valid by the standard's strict schema, and saying what the registry knows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from llmgate.config import Config
from llmgate.policy.judged import Judged

from .conftest import Written

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_7)


@pytest.fixture(scope="module")
def bom(written: Written) -> dict[str, Any]:
    return written("cyclonedx")


def component(bom: dict[str, Any], id: str) -> dict[str, Any]:
    return next(c for c in bom["components"] if c["name"] == id)


def properties(thing: dict[str, Any]) -> dict[str, str]:
    return {p["name"]: p["value"] for p in thing["properties"]}


def licences(thing: dict[str, Any]) -> dict[str, str]:
    return {x["license"].get("id") or x["license"]["name"]: x["license"]["acknowledgement"] for x in thing["licenses"]}


def test_it_is_valid(bom: dict[str, Any]) -> None:
    assert bom["specVersion"] == "1.7"
    assert VALIDATOR.validate_str(json.dumps(bom)) is None


def test_the_schema_sees_a_wrong_model_card(bom: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(bom))
    component(broken, "smollm2-135m-instruct")["modelCard"]["modelParameters"]["inputs"] = ["text"]
    assert VALIDATOR.validate_str(json.dumps(broken)) is not None


def test_open_models_are_components_and_hosted_ones_services(bom: dict[str, Any]) -> None:
    models = {c["name"] for c in bom["components"] if c["type"] == "machine-learning-model"}
    assert models == {
        "llama-3.1-8b-instruct",
        "deepseek-r1-distill-llama-8b",
        "codestral-22b-v0.1",
        "smollm2-135m-instruct",
        "ours-7b",
    }
    assert {s["name"] for s in bom["services"]} == {
        "openai:gpt-5.5",
        "groq:llama-3.1-8b-instruct",
        "theirs:what-is-this",
    }


def test_what_depends_on_what_and_the_denied_is_not_used(bom: dict[str, Any], found: list[Judged]) -> None:
    rests = {d["ref"]: d.get("dependsOn", []) for d in bom["dependencies"]}
    assert rests["service:groq:llama-3.1-8b-instruct"] == ["model:llama-3.1-8b-instruct"]
    assert rests["service:openai:gpt-5.5"] == []
    served = {j.target for j in found if j.standing != "denied"}
    used = {ref.partition(":")[2] for ref in rests["application"]}
    assert "smollm2-135m-instruct" in used
    assert "openai:gpt-5.5" in used
    assert "codestral-22b-v0.1" not in used
    assert "mine:codestral-22b-v0.1" not in served
    assert component(bom, "codestral-22b-v0.1")["scope"] == "excluded"


def test_licences_by_spdx_id_or_by_name_and_url(bom: dict[str, Any]) -> None:
    smol = component(bom, "smollm2-135m-instruct")["licenses"][0]["license"]
    assert smol["id"] == "Apache-2.0"
    llama = component(bom, "llama-3.1-8b-instruct")
    assert licences(llama) == {
        "LicenseRef-scancode-llama-3.1-license-2024": "declared",
        "LicenseRef-llmgate-llama-3.1-aup": "concluded",
    }
    assert all(x["license"]["url"].startswith("https://") for x in llama["licenses"])
    assert licences(component(bom, "ours-7b")) == {"Apache-2.0": "declared"}
    gpt = next(s for s in bom["services"] if s["name"] == "openai:gpt-5.5")
    assert all(name.startswith("LicenseRef-llmgate-openai") for name in licences(gpt))


def test_a_derived_model_names_its_ancestors_and_carries_their_licences(bom: dict[str, Any], config: Config) -> None:
    distilled = component(bom, "deepseek-r1-distill-llama-8b")
    lineage = config.registry.model("deepseek-r1-distill-llama-8b").lineage
    assert {a["name"] for a in distilled["pedigree"]["ancestors"]} == {x.base for x in lineage}
    for line in lineage:
        assert f"{line.relation} of {line.base}" in distilled["pedigree"]["notes"]
    assert licences(distilled)["LicenseRef-scancode-llama-3.1-license-2024"] == "concluded"


def test_the_model_card_has_the_facts_and_the_verdicts(
    bom: dict[str, Any], config: Config, found: list[Judged]
) -> None:
    card = component(bom, "llama-3.1-8b-instruct")["modelCard"]
    model = config.registry.model("llama-3.1-8b-instruct")
    assert model.architecture
    assert card["modelParameters"]["architectureFamily"] == model.architecture.kind
    assert card["modelParameters"]["inputs"] == [{"format": "text"}]
    mmlu = next(b for b in model.benchmark if b.name == "mmlu")
    metrics = card["quantitativeAnalysis"]["performanceMetrics"]
    assert any(m["type"] == "mmlu" and m["value"] == f"{mmlu.score:g}" and mmlu.setting in m["slice"] for m in metrics)
    judged = next(j for j in found if j.target == "groq:llama-3.1-8b-instruct")
    said = f"commercial: {judged.decision.verdict}, as {judged.target} (decision {judged.decision.id})"
    assert card["considerations"]["useCases"] == [said]


def test_decisions_are_properties(bom: dict[str, Any], found: list[Judged]) -> None:
    for j in found:
        name = j.target if j.target in {s["name"] for s in bom["services"]} else None
        thing = next(s for s in bom["services"] if s["name"] == name) if name else component(bom, j.model)
        said = properties(thing)
        assert said["llmgate:decision"] == j.decision.id
        assert said["llmgate:verdict"] == j.decision.verdict
        assert said[f"llmgate:{j.decision.id}:policy"] == j.standing
    assert "llmgate:context" in properties(component(bom, "llama-3.1-8b-instruct"))


def test_no_secret_of_an_address_is_told(bom: dict[str, Any]) -> None:
    theirs = next(s for s in bom["services"] if s["name"] == "theirs:what-is-this")
    assert theirs["endpoints"] == ["http://10.0.0.6:8000/v1"]
    assert "secret" not in json.dumps(bom)


def test_the_same_content_has_the_same_id_and_no_time_of_its_own(
    bom: dict[str, Any], written: Written, found: list[Judged]
) -> None:
    assert "timestamp" not in bom["metadata"]
    assert written("cyclonedx", found[::-1]) == bom
    when = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    timed = written("cyclonedx", timestamp=when)
    assert timed["metadata"].pop("timestamp") == "2026-11-24T12:00:00Z"
    assert timed == bom
    assert written("cyclonedx", found[1:])["serialNumber"] != bom["serialNumber"]


def test_nothing_configured_is_still_a_valid_document(written: Written) -> None:
    assert VALIDATOR.validate_str(json.dumps(written("cyclonedx", []))) is None
