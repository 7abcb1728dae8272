"""`llmgate check` and `llmgate why`."""

from __future__ import annotations

import pytest

from .conftest import Gate


@pytest.mark.parametrize(
    ("arguments", "verdict", "code"),
    [
        (["mistral-7b-instruct-v0.3"], "permitted", 0),
        (["llama-3.1-8b-instruct"], "conditional", 3),
        (["llama-3.2-11b-vision-instruct", "--established", "DE"], "prohibited", 4),
        (["deepseek:a-model-nobody-knows"], "unknown", 5),
    ],
)
def test_the_exit_code_tells_the_verdict(gate: Gate, arguments: list[str], verdict: str, code: int) -> None:
    ran = gate("check", *arguments, "--json")
    assert (ran.json["verdict"], ran.code) == (verdict, code)
    assert gate("check", *arguments).code == code


def test_json_has_the_documented_keys(gate: Gate) -> None:
    said = gate("check", "llama-3.1-8b-instruct", "--use", "commercial", "--use", "host", "--json").json
    assert {"verdict", "uses", "reasons", "obligations", "missing_facts", "target", "id"} <= said.keys()
    assert said["uses"] == {"commercial": "conditional", "host": "conditional"}
    assert said["missing_facts"] == ["monthly_active_users@2024-06"]
    for reason in said["reasons"]:
        assert {"license", "clause", "verdict", "summary", "source", "checked", "grade"} <= reason.keys()
    assert said["obligations"]
    for owed in said["obligations"]:
        assert {"kind", "trigger", "text", "license", "clause"} <= owed.keys()


def test_facts_by_flag_and_by_name_decide(gate: Gate) -> None:
    at_release = "monthly_active_users@2024-06"
    small = gate("check", "llama-3.1-8b-instruct", "--fact", f"{at_release}=1M", "--json")
    assert small.json["verdict"] == "permitted"
    assert "Built with Llama" in [o["text"] for o in small.json["obligations"]]
    assert gate("check", "llama-3.1-8b-instruct", "--fact", f"{at_release}=0.8B").code == 4
    assert gate("check", "llama-3.2-11b-vision-instruct", "--established", "US", "--mau", "1M").code == 3


def test_facts_of_the_config_count_unless_it_is_left_out(gate: Gate) -> None:
    gate.config('[policy]\nestablished = "DE"\n')
    assert gate("check", "llama-3.2-11b-vision-instruct").code == 4
    assert gate("check", "llama-3.2-11b-vision-instruct", "--no-config").code == 3
    assert gate("check", "llama-3.2-11b-vision-instruct", "--established", "US").code == 3


def test_the_tier_of_the_configs_account_counts(gate: Gate) -> None:
    bare = gate("check", "gemini:gemini-2.5-pro", "--json").json
    assert "provider_tier" in bare["missing_facts"]
    gate.config('[providers.gemini]\ntier = "paid"\n')
    assert "provider_tier" not in gate("check", "gemini:gemini-2.5-pro", "--json").json["missing_facts"]


def test_a_model_that_the_config_declares_is_judged_by_the_declared_licence(gate: Gate) -> None:
    gate.config('[models."vllm:my-own"]\nlicense = ["apache-2.0"]\n')
    assert gate("check", "vllm:my-own").code == 0
    assert gate("check", "vllm:my-own", "--no-config").code == 5


def test_the_text_is_plain_when_piped_and_urls_stay_whole(gate: Gate) -> None:
    ran = gate("check", "llama-3.2-11b-vision-instruct", "--established", "DE")
    source = gate("check", "llama-3.2-11b-vision-instruct", "--established", "DE", "--json").json["reasons"][0][
        "source"
    ]
    assert source in ran.out
    assert "\x1b" not in ran.out
    assert "Remedy: " in ran.out
    assert ran.out.count("not legal advice") == 1


def test_a_bare_open_model_is_judged_as_self_hosted_and_says_so(gate: Gate) -> None:
    assert "self-hosted" in gate("check", "mistral-7b-instruct-v0.3").out


def test_why_shows_every_governing_instrument_and_every_reason(gate: Gate) -> None:
    said = gate("why", "groq:llama-3.3-70b-instruct", "--json").json
    reasons = {document["license"]: document["why"] for document in said["governing"]}
    assert reasons["LicenseRef-scancode-llama-3.3-license-2024"] == "the license of llama-3.3-70b-instruct"
    assert "incorporated by" in reasons["LicenseRef-llmgate-llama-3.3-aup"]
    assert any("the terms of Groq" in why for why in reasons.values())
    text = gate("why", "groq:llama-3.3-70b-instruct").out
    assert all(id in text for id in reasons)
    assert all(reason["summary"] in text for reason in said["reasons"])
