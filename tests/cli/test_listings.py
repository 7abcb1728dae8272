"""`models`, `licenses`, `compare`, `registry check`, help."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Gate

CHECKOUT = Path(__file__).parents[2]


def test_models_json_has_the_documented_keys(gate: Gate) -> None:
    listed = {m["id"]: m for m in gate("models", "--json").json}
    keys = "id name aliases developer input output context parameters license released lifecycle"
    for model in listed.values():
        assert set(keys.split()) <= model.keys()
    assert listed["mixtral-8x7b-instruct-v0.1"]["parameters"].keys() == {"total", "active"}
    assert listed["mistral-7b-instruct-v0.3"]["parameters"]["active"] is None
    assert listed["gpt-4o"]["parameters"] == "undisclosed"
    assert listed["gpt-4o"]["license"] == []
    assert listed["llama-3.1-8b-instruct"]["license"] == ["LicenseRef-scancode-llama-3.1-license-2024"]


def test_only_the_permitted_are_listed_and_the_conditional_are_counted(gate: Gate) -> None:
    asked = ["models", "--permits", "commercial", "--family", "llama-3.1", "--json"]
    ran = gate(*asked)
    assert ran.json == []
    assert "conditional, on monthly_active_users@2024-06 (" in ran.err
    included = gate(*asked, "--include", "conditional")
    assert {m["verdict"] for m in included.json} == {"conditional"}
    assert included.err == ""
    given = gate(*asked, "--fact", "monthly_active_users@2024-06=5M")
    assert {m["id"] for m in given.json} == {m["id"] for m in included.json}
    assert {m["verdict"] for m in given.json} == {"permitted"}


def test_what_is_listed_is_what_check_permits(gate: Gate) -> None:
    listed = gate("models", "--permits", "commercial", "--input", "image", "--min-context", "100k", "--json").json
    assert listed
    for model in (listed[0], listed[-1]):
        assert "image" in model["input"]
        assert model["context"] >= 100_000
        assert gate("check", model["id"]).code == 0


def test_filters_narrow(gate: Gate) -> None:
    small = gate("models", "--open-weights", "--max-params", "8B", "--output", "text", "--json").json
    assert small
    assert all(m["weights"] == "open" and m["parameters"]["total"] <= 8e9 for m in small)
    closed = gate("models", "--closed", "--developer", "anthropic", "--json").json
    assert closed
    assert all(m["weights"] == "closed" and m["developer"] == "anthropic" for m in closed)


def test_on_judges_that_host(gate: Gate) -> None:
    listed = gate("models", "--on", "groq", "--permits", "commercial", "--include", "conditional", "--json").json
    assert listed
    assert all(m["target"] == f"groq:{m['id']}" for m in listed)


@pytest.mark.parametrize("key", ["released", "context", "parameters", "mmlu"])
def test_sorted_from_the_greatest_and_the_unknown_last(gate: Gate, key: str) -> None:
    def value(m: dict) -> float | str | None:
        if key == "parameters":
            return m[key]["total"] if isinstance(m[key], dict) else None
        if key == "mmlu":
            return max((b["score"] for b in m["benchmark"] if b["name"] == "mmlu"), default=None)
        return m[key]

    values = [value(m) for m in gate("models", "--sort", key, "--json").json]
    known = [v for v in values if v is not None]
    assert len(known) > 20
    assert known == values[: len(known)]
    assert known == sorted(known, reverse=True)


def test_the_grid_counts_what_leads_to_what(gate: Gate) -> None:
    cells = {(c["input"], c["output"]): c for c in gate("models", "--grid", "--json").json}
    takes = {m["id"] for m in gate("models", "--input", "image", "--output", "text", "--json").json}
    cell = cells["image", "text"]
    assert cell["count"] == len(takes)
    assert cell["examples"]
    assert set(cell["examples"]) <= takes
    text = gate("models", "--grid").out
    assert f"image to text ({len(takes)}): {cell['examples'][0]}" in text


def test_a_table_lists_every_model_by_its_whole_id(gate: Gate) -> None:
    ids = [m["id"] for m in gate("models", "--json").json]
    rows = gate("models").out.splitlines()
    assert [row.split()[0] for row in rows[1:-1]] == ids
    assert rows[-1] == f"{len(ids)} models"


def test_licenses_tell_what_is_unread(gate: Gate) -> None:
    listed = gate("licenses", "--json").json
    unread = [x["id"] for x in listed if x["grade"] is None]
    text = gate("licenses").out
    assert f"{len(listed)} instruments, {len(unread)} of them unread" in text
    apache = next(x for x in listed if x["id"] == "Apache-2.0")
    assert apache["osi_approved"] is True
    assert apache["kind"] == "weights"


def test_one_license_whole(gate: Gate) -> None:
    said = gate("licenses", "llama-3.1", "--json").json
    assert said["id"] == "LicenseRef-scancode-llama-3.1-license-2024"
    assert said["uses"]["commercial"]["verdict"] == "conditional"
    assert said["uses"]["military"]["verdict"] == "prohibited"
    conditions = [rule["when"] for rule in said["uses"]["commercial"]["rules"]]
    assert "monthly_active_users@2024-06 above 700,000,000" in conditions
    assert "llama-3.1-8b-instruct" in said["models"]
    text = gate("licenses", "llama-3.1").out
    assert "prohibited if monthly_active_users@2024-06 above 700,000,000" in text
    assert "Built with Llama" in text
    assert said["text"]["url"] in text


def test_a_policy_that_is_silent_has_no_objection(gate: Gate) -> None:
    uses = gate("licenses", "LicenseRef-llmgate-llama-3.1-aup", "--json").json["uses"]
    assert uses["military"]["verdict"] == "prohibited"
    assert uses["commercial"] == {"verdict": "no objection", "rules": []}


def test_compare_puts_models_side_by_side(gate: Gate) -> None:
    names = ["llama-3.1-8b-instruct", "gpt-4o", "mistral-7b-instruct-v0.3"]
    said = gate("compare", *names, "--json").json
    assert [m["id"] for m in said] == names
    assert [m["verdicts"]["commercial"] for m in said] == ["conditional", "permitted", "permitted"]
    text = gate("compare", *names).out
    row = next(line for line in text.splitlines() if line.startswith("commercial"))
    assert row.split() == ["commercial", "conditional", "permitted", "permitted"]


def test_registry_check_of_the_checkout_and_of_a_file(gate: Gate) -> None:
    assert gate("registry", "check", "--json").json["models"] >= 80
    ran = gate("registry", "check", str(CHECKOUT / "registry/licenses/MIT.toml"))
    assert ran.code == 0
    assert "MIT is well" in ran.out


def test_registry_check_names_file_and_line(gate: Gate) -> None:
    (gate.folder / "licenses").mkdir()
    text = (CHECKOUT / "registry/licenses/MIT.toml").read_text("utf-8")
    gate.config(text.replace('kind = "weights"', 'knd = "weights"'), "licenses/MIT.toml")
    for path in ("licenses/MIT.toml", "."):
        ran = gate("registry", "check", path)
        assert ran.code == 2
        assert 'unknown key "knd"; did you mean "kind"?' in ran.err
        assert "MIT.toml:3" in ran.err


def test_a_folder_of_ones_own_may_refer_to_the_registry(gate: Gate) -> None:
    (gate.folder / "providers").mkdir()
    offer = '[[offer]]\nmodel = "{}"\nwire = "x"\nsource = "https://example.com"\nchecked = 2026-11-24\ngrade = "U"\n'
    head = 'id = "mine"\nname = "Mine"\nkind = "host"\ndialect = "openai_chat"\nurl = "https://example.com/v1"\n'
    gate.config(head + offer.format("llama-3.1-8b-instruct"), "providers/mine.toml")
    assert gate("registry", "check", ".").code == 0
    gate.config(head + offer.format("llama-3.1-8b-instrct"), "providers/mine.toml")
    ran = gate("registry", "check", ".")
    assert ran.code == 2
    assert '"llama-3.1-8b-instruct"' in ran.err


@pytest.mark.parametrize(
    "command",
    ["chat", "models", "check", "why", "licenses", "compare", "doctor", "config check", "registry check"],
)
def test_every_command_explains_itself_with_an_example(gate: Gate, command: str) -> None:
    ran = gate(*command.split(), "--help", COLUMNS="200")
    assert ran.code == 0
    assert f"Example: llmgate {command}" in ran.out


def test_alone_it_shows_its_commands_and_the_version_on_request(gate: Gate) -> None:
    import llmgate

    assert "licenses" in gate().out
    assert gate("--version").out == f"llmgate {llmgate.__version__}\n"
