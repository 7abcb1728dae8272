"""The bill of materials as SPDX 3.0.1: valid by the standard's schema and bindings, and saying what is known."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import spdx_python_model
from jsonschema.validators import validator_for

from llmgate.config import Config
from llmgate.policy.judged import Judged

from .conftest import Written

SCHEMA = json.loads((Path(__file__).parent / "schema/spdx-3.0.1.json").read_text("utf-8"))
VALIDATOR = validator_for(SCHEMA)(SCHEMA)
NO_LICENSE = "https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense"


@pytest.fixture(scope="module")
def bom(written: Written) -> dict[str, Any]:
    return written("spdx")


def of_type(bom: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [x for x in bom["@graph"] if x["type"] == kind]


def named(bom: dict[str, Any], name: str) -> dict[str, Any]:
    return next(x for x in bom["@graph"] if x.get("name") == name)


def related(bom: dict[str, Any], subject: dict[str, Any], kind: str) -> list[dict[str, Any] | str]:
    """What a relationship of that kind leads to; ids that stand for no element of the document as they are."""
    elements = {x["spdxId"]: x for x in bom["@graph"] if "spdxId" in x}
    return [
        elements.get(to, to)
        for r in of_type(bom, "Relationship")
        if r["from"] == subject["spdxId"] and r["relationshipType"] == kind
        for to in r["to"]
    ]


def expression(bom: dict[str, Any], subject: dict[str, Any], kind: str) -> str:
    (found,) = related(bom, subject, kind)
    return found if isinstance(found, str) else found["simplelicensing_licenseExpression"]


def test_it_is_valid_by_the_schema(bom: dict[str, Any]) -> None:
    assert next(VALIDATOR.iter_errors(bom), None) is None


def test_the_schema_sees_a_wrong_document(written: Written) -> None:
    broken = written("spdx", [])
    of_type(broken, "Bom")[0]["ai_domain"] = ["chat"]
    assert next(VALIDATOR.iter_errors(broken), None) is not None


def test_the_standards_own_bindings_read_it_back_whole(bom: dict[str, Any]) -> None:
    model, objects = spdx_python_model.load_data(bom)
    again = model.JSONLDSerializer().serialize_data(objects, force_at_graph=True)

    def by_id(document: dict[str, Any]) -> dict[str, Any]:
        return {x["spdxId"]: x for x in document["@graph"] if "spdxId" in x}

    assert by_id(again).keys() == by_id(bom).keys()
    package = named(bom, "llama-3.1-8b-instruct")
    assert by_id(again)[package["spdxId"]]["ai_hyperparameter"] == package["ai_hyperparameter"]


def test_every_id_that_is_named_is_there(bom: dict[str, Any]) -> None:
    ids = {x["spdxId"] for x in bom["@graph"] if "spdxId" in x}
    for r in of_type(bom, "Relationship"):
        assert {r["from"], *r["to"]} <= ids | {NO_LICENSE}
    (whole,) = of_type(bom, "SpdxDocument")
    assert {*whole["element"], whole["spdxId"]} == ids


def test_models_are_ai_packages_with_their_facts(bom: dict[str, Any], config: Config) -> None:
    package = named(bom, "llama-3.1-8b-instruct")
    model = config.registry.model("llama-3.1-8b-instruct")
    assert package["type"] == "ai_AIPackage"
    assert model.architecture
    assert package["ai_typeOfModel"] == [model.architecture.kind]
    assert package["software_downloadLocation"] == f"https://huggingface.co/{model.huggingface}"
    assert package["software_packageUrl"] == f"pkg:huggingface/{model.huggingface}"
    figures = {e["key"]: e["value"] for e in package["ai_hyperparameter"]}
    assert figures["context"] == str(model.context)
    mmlu = next(b for b in model.benchmark if b.name == "mmlu")
    scores = {e["key"]: e["value"] for e in package["ai_metric"]}
    assert any(k.startswith(f"mmlu ({mmlu.setting}") and v == f"{mmlu.score:g}" for k, v in scores.items())
    supplier = next(x for x in bom["@graph"] if x.get("spdxId") == package["suppliedBy"])
    assert supplier["type"] == "Organization"
    assert package["ai_informationAboutTraining"]


def test_declared_and_concluded_licences(bom: dict[str, Any]) -> None:
    llama = named(bom, "llama-3.1-8b-instruct")
    assert expression(bom, llama, "hasDeclaredLicense") == "LicenseRef-scancode-llama-3.1-license-2024"
    concluded = expression(bom, llama, "hasConcludedLicense").split(" AND ")
    assert concluded == ["LicenseRef-scancode-llama-3.1-license-2024", "LicenseRef-llmgate-llama-3.1-aup"]
    distilled = named(bom, "deepseek-r1-distill-llama-8b")
    assert "LicenseRef-scancode-llama-3.1-license-2024" in expression(bom, distilled, "hasConcludedLicense")
    assert expression(bom, named(bom, "smollm2-135m-instruct"), "hasDeclaredLicense") == "Apache-2.0"
    for x in of_type(bom, "simplelicensing_LicenseExpression"):
        mapped = {e["key"]: e["value"] for e in x.get("simplelicensing_customIdToUri", [])}
        wanted = {w for w in x["simplelicensing_licenseExpression"].split(" AND ") if w.startswith("LicenseRef-")}
        assert mapped.keys() == wanted
        assert set(mapped.values()) <= {c["spdxId"] for c in of_type(bom, "expandedlicensing_CustomLicense")}


def test_what_nobody_knows_is_no_assertion(bom: dict[str, Any]) -> None:
    unknown = named(bom, "theirs:what-is-this")
    assert expression(bom, unknown, "hasDeclaredLicense") == NO_LICENSE
    assert unknown["software_downloadLocation"] == "NOASSERTION"
    assert "ai" not in of_type(bom, "SpdxDocument")[0]["profileConformance"]


def test_the_ai_profile_is_claimed_where_all_it_wants_is_there(written: Written, found: list[Judged]) -> None:
    known = [j for j in found if j.model in ("llama-3.1-8b-instruct", "gpt-5.5")]
    assert len(known) == 2
    document = written("spdx", known)
    assert "ai" in of_type(document, "SpdxDocument")[0]["profileConformance"]
    for package in of_type(document, "ai_AIPackage"):
        for wanted in ("suppliedBy", "releaseTime", "software_downloadLocation", "software_packageVersion"):
            assert package[wanted]
        assert package["software_primaryPurpose"] == "model"


def test_lineage_and_hosts_are_relationships(bom: dict[str, Any]) -> None:
    distilled = named(bom, "deepseek-r1-distill-llama-8b")
    assert "llama-3.1-8b" in {x["name"] for x in related(bom, distilled, "descendantOf") if isinstance(x, dict)}
    service = named(bom, "groq:llama-3.1-8b-instruct")
    assert related(bom, service, "dependsOn") == [named(bom, "llama-3.1-8b-instruct")]
    assert [x["name"] for x in related(bom, service, "availableFrom") if isinstance(x, dict)] == ["Groq"]
    used = {x["name"] for x in related(bom, named(bom, "shop"), "dependsOn") if isinstance(x, dict)}
    assert {"openai:gpt-5.5", "smollm2-135m-instruct"} <= used
    assert "codestral-22b-v0.1" not in used


def test_each_decision_is_an_annotation(bom: dict[str, Any], found: list[Judged]) -> None:
    said = [dict(json.loads(a["statement"])) for a in of_type(bom, "Annotation")]
    for j in found:
        assert any(
            (s["decision"], s["target"], s["verdict"], s["policy"])
            == (j.decision.id, j.target, j.decision.verdict, j.standing)
            for s in said
        )
    assert "secret" not in json.dumps(bom)


def test_texts_to_be_shown_are_attribution(bom: dict[str, Any]) -> None:
    assert "Built with Llama" in named(bom, "llama-3.1-8b-instruct")["software_attributionText"]
    assert "software_attributionText" not in named(bom, "codestral-22b-v0.1")


def test_the_same_content_has_the_same_ids_and_the_time_is_the_facts_or_ones_own(
    bom: dict[str, Any], written: Written, found: list[Judged]
) -> None:
    assert written("spdx", found[::-1]) == bom
    timed = written("spdx", timestamp=dt.datetime(2027, 1, 2, 3, tzinfo=dt.UTC))
    (creation,) = of_type(timed, "CreationInfo")
    assert creation["created"] == "2027-01-02T03:00:00Z"
    creation["created"] = of_type(bom, "CreationInfo")[0]["created"]
    assert timed == bom
