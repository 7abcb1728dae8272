"""`registry check` and `registry audit`, `licenses diff`, and a registry of one's own in the config."""

from __future__ import annotations

from pathlib import Path

from ..registry.folder import MODEL, PROVIDER, write
from .conftest import Gate

HOST = PROVIDER.replace("\n[[offer]]", 'terms = ["LicenseRef-test-community"]\ncountry = "US"\n\n[[offer]]')


def test_an_audit_fails_on_findings_and_can_be_told_to_fail_on_errors_alone(gate: Gate) -> None:
    ran = gate("registry", "audit", "--max-age", "36500d", "--json")
    assert ran.code == 1
    assert {f["level"] for f in ran.json} == {"note"}
    assert {"missing", "ungraded"} <= {f["kind"] for f in ran.json}
    only_errors = gate("registry", "audit", "--max-age", "36500", "--fail-on", "error")
    assert only_errors.code == 0
    assert only_errors.out.strip().startswith("0 errors, ")
    stale = gate("registry", "audit", "--max-age", "0d", "--fail-on", "error")
    assert stale.code == 1
    assert "stale (error)" in stale.out


def test_an_audit_covers_folders_of_ones_own(gate: Gate, tmp_path: Path) -> None:
    write(tmp_path / "ours", provider=HOST.replace('wire = "able-1-fast"', 'wire = "able-1-fast"\ncontext = 9999'))
    gate.config('registry = ["./ours"]\n')
    found = {(f["kind"], f["where"]): f["what"] for f in gate("registry", "audit", "--json").json}
    assert (
        found["differing", "providers/testhost"] == "able-1-fast: its context of 9,999 is more than able-1 has (4,096)"
    )
    assert ("differing", "providers/testhost") not in {
        (f["kind"], f["where"]) for f in gate("registry", "audit", "--no-config", "--json").json
    }


def test_wrong_options_of_an_audit_are_told(gate: Gate) -> None:
    ran = gate("registry", "audit", "--max-age", "soon")
    assert (ran.code, ran.out) == (2, "")
    assert '--max-age "soon": a number of days is wanted' in ran.err
    assert gate("registry", "audit", "--fail-on", "fire").code == 2


def test_a_folder_of_ones_own_can_be_checked(gate: Gate, tmp_path: Path) -> None:
    write(tmp_path / "ours")
    assert "ours included" in gate("registry", "check", "ours").out
    assert "able-1 is well" in gate("registry", "check", "ours/models/test/able-1.toml").out
    write(tmp_path / "ours", model=MODEL.replace('"LicenseRef-test-community"', '"LicenseRef-test-comunity"'))
    ran = gate("registry", "check", "ours")
    assert ran.code == 2
    assert "able-1.toml:8: " in ran.err
    assert 'did you mean "LicenseRef-test-community"?' in ran.err


def test_models_and_licences_of_ones_own_are_listed_and_judged(gate: Gate, tmp_path: Path) -> None:
    write(tmp_path / "ours")
    gate.config('registry = ["./ours"]\n\n[policy]\nannual_revenue_usd = 10\n')
    listed = gate("models", "--developer", "test", "--permits", "commercial", "--json").json
    assert [m["id"] for m in listed] == ["able-1", "baker-1"]
    assert gate("licenses", "test-community", "--json").json["models"] == ["able-1", "baker-1"]
    assert gate("check", "able").code == 0
    assert gate("check", "able", "--fact", "annual_revenue_usd=2M").code == 4
    assert gate("check", "able", "--no-config").code == 2


def test_own_rules_are_judged_and_cited_on_the_command_line(gate: Gate) -> None:
    path = gate.config(
        '[policy]\n\n[[policy.rules]]\nname = "osi-only"\nrequire = { "license.osi_approved" = true }\n'
        'summary = "Only OSI-approved licences."\n'
    )
    ran = gate("check", "llama-2-7b", "--fact", "monthly_active_users@2023-06=1", "--json")
    assert ran.code == 4
    (own,) = [r for r in ran.json["reasons"] if r["license"] == "policy"]
    assert (own["clause"], own["grade"], own["verdict"]) == ("osi-only", "own", "prohibited")
    assert own["source"].endswith(f"{Path(path).name}:3")
    assert own["checked"] is None
    assert gate("check", "mixtral-8x7b-instruct-v0.1").code == 0
    listed = gate("models", "--permits", "commercial", "--open-weights", "--json").json
    assert listed
    assert not [m["id"] for m in listed if "LicenseRef-scancode-llama-2-license-2023" in m["license"]]
    assert "osi-only" in gate("why", "llama-2-7b").out
    assert gate("config", "check", "--json").json["policy"]["rules"] == ["osi-only"]
    assert "your own rule osi-only: Only OSI-approved licences." in gate("config", "check").out


def test_a_difference_of_licences_by_use_clause_and_obligation(gate: Gate) -> None:
    found = gate("licenses", "diff", "llama-3", "llama-3.1", "--json").json
    uses = {u["use"]: u for u in found["uses"]}
    assert uses["train-on-outputs"]["missing_before"] == ["monthly_active_users@2024-03", "trained_model_family"]
    assert uses["train-on-outputs"]["missing_after"] == ["monthly_active_users@2024-06"]
    assert uses["train-on-outputs"]["change"] == "otherwise"
    assert uses["military"]["change"] == "same"
    clauses = {c["about"]: c for c in found["clauses"]}
    assert clauses["1.b.v"]["before"][0].startswith("prohibited for train-on-outputs if trained_model_family not in ")
    assert clauses["1.b.v"]["after"] == []
    owed = {c["about"]: c for c in found["obligations"]}
    assert "Built with Meta Llama 3" in owed["display, redistribute"]["before"][0]
    assert "Built with Llama" in owed["display, redistribute"]["after"][0]
    assert found["fields"]["effective_from"] == ["2024-04-18", "2024-07-23"]
    shown = gate("licenses", "diff", "llama-3", "llama-3.1")
    assert "What the clauses say" in shown.out
    assert "+ permitted for train-on-outputs" in shown.out


def test_a_licence_does_not_differ_from_itself(gate: Gate) -> None:
    found = gate("licenses", "diff", "MIT", "MIT", "--json").json
    assert (found["fields"], found["clauses"], found["obligations"]) == ({}, [], [])
    assert {u["change"] for u in found["uses"]} == {"same"}


def test_stricter_and_looser_are_told_apart(gate: Gate) -> None:
    there = {u["use"]: u["change"] for u in gate("licenses", "diff", "CC-BY-NC-4.0", "MIT", "--json").json["uses"]}
    back = {u["use"]: u["change"] for u in gate("licenses", "diff", "MIT", "CC-BY-NC-4.0", "--json").json["uses"]}
    assert (there["commercial"], back["commercial"]) == ("looser", "stricter")


def test_a_difference_needs_two_that_there_are(gate: Gate) -> None:
    assert gate("licenses", "diff", "llama-3").code == 2
    assert "licenses diff A B" in gate("licenses", "llama-3", "llama-3.1").err
    assert 'did you mean "llama-3' in gate("licenses", "diff", "llama-3", "llama-3.11").err


def test_models_by_lifecycle(gate: Gate) -> None:
    retired = gate("models", "--lifecycle", "retired", "--lifecycle", "deprecated", "--json").json
    assert {m["lifecycle"] for m in retired} == {"retired", "deprecated"}
    assert 'did you mean "retired"?' in gate("models", "--lifecycle", "retird").err
