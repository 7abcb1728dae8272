"""`llmgate lineage` and `llmgate ledger verify`, on what a real client left behind."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

import llmgate
from llmgate import Client
from llmgate.transport.mock import MockTransport

from ..client.gates import reply
from .conftest import Gate

EMBEDDED = "local:smollm2-135m-instruct"
LLAMA = "own:meta-llama-3-8b-instruct"
MISTRAL = "own:mistral-7b-instruct-v0.3"
CONFIG = f"""
default = "{EMBEDDED}"

[policy]
use = ["commercial"]
mode = "report"
"monthly_active_users@2024-03" = 1000

[ledger]
path = "calls.db"

[providers.own]
dialect = "openai_chat"
url = "http://127.0.0.1:9/v1"
self_hosted = true
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder with a config and the ledger of a few calls, and the rows of a dataset that was made of them."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "llmgate.toml").write_text(CONFIG)
    made: list[dict[str, Any]] = []

    def keep(answer: llmgate.Reply) -> None:
        made.append({"answer": answer.text, "llmgate": llmgate.provenance(answer)})

    with Client(folder / "llmgate.toml", transport=MockTransport(lambda request: reply("As a llama."))) as client:
        keep(client.chat("What is the capital of France?", temperature=0, max_tokens=8))
        keep(client.chat("hi", model=LLAMA))
    with Client(folder / "llmgate.toml", transport=MockTransport(lambda request: reply("Un vent."))) as client:
        keep(client.chat("hi", model=MISTRAL))
        keep(client.chat("hi again", model=MISTRAL))
    return folder, made


@pytest.fixture
def gate(asked: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> Gate:
    """The command in a copy of that folder."""
    folder, _ = asked
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return Gate(tmp_path)


def dataset(gate: Gate, *rows: Any) -> str:
    (gate.folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "data.jsonl"


def by_target(said: dict[str, Any]) -> dict[str | None, str]:
    return {g["target"]: g["verdict"] for g in said["groups"]}


def test_which_outputs_may_train_what(gate: Gate) -> None:
    ran = gate("lineage", "--json")
    assert by_target(ran.json) == {EMBEDDED: "permitted", MISTRAL: "permitted", LLAMA: "conditional"}
    assert {g["target"]: g["count"] for g in ran.json["groups"]} == {EMBEDDED: 1, MISTRAL: 2, LLAMA: 1}
    assert (ran.json["verdict"], ran.json["use"], ran.code) == ("conditional", ["train-on-outputs"], 3)
    [llama] = [g for g in ran.json["groups"] if g["target"] == LLAMA]
    assert llama["missing_facts"] == ["trained_model_family"]
    may = {s["facts"]["trained_model_family"]: s["verdict"] for s in llama["students"]}
    assert (may["llama-3"], may["any-other"]) == ("permitted", "prohibited")


@pytest.mark.parametrize(("student", "verdict", "code"), [("mistral", "prohibited", 4), ("llama-3", "permitted", 0)])
def test_the_student_decides(gate: Gate, student: str, verdict: str, code: int) -> None:
    ran = gate("lineage", "--fact", f"trained_model_family={student}", "--json")
    assert by_target(ran.json) == {EMBEDDED: "permitted", MISTRAL: "permitted", LLAMA: verdict}
    assert ran.code == code
    [reason] = [r for g in ran.json["groups"] if g["target"] == LLAMA for r in g["reasons"] if r["verdict"] == verdict][
        :1
    ]
    assert reason["license"]
    assert reason["clause"]
    assert reason["source"].startswith("https://")


def test_the_text_says_how_many_which_and_why(gate: Gate) -> None:
    out = gate("lineage", "--fact", "trained_model_family=mistral").out
    assert "4 outputs, for train-on-outputs: 3 permitted, 1 prohibited" in out
    assert f"permitted: 2 outputs of {MISTRAL}" in out
    assert f"prohibited: 1 output of {LLAMA}" in out
    assert "LicenseRef-llmgate-llama-3-community" in out
    assert out.count("not legal advice") == 1
    hangs = gate("lineage").out
    assert "trained_model_family=llama-3 or llama3 or meta-llama-3: permitted" in hangs
    assert "trained_model_family=any-other: prohibited" in hangs


def test_facts_of_the_config_count(gate: Gate) -> None:
    gate.config(CONFIG.replace("[ledger]", 'trained_model_family = "mistral"\n\n[ledger]'))
    assert gate("lineage").code == 4
    assert gate("lineage", "--no-config", "--ledger", "calls.db").code == 3
    gate.config(CONFIG.replace('"monthly', '# "monthly'))
    assert "Not given: monthly_active_users@2024-03" in gate("lineage").out


def test_a_hosts_terms_bind_by_what_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "k" * 20)
    gate = Gate(tmp_path)
    gate.config(CONFIG.replace("[providers.own]", '[providers.openai]\napi_key = "env:A_KEY"\n\n[providers.own]'))
    with Client(tmp_path / "llmgate.toml", transport=MockTransport(lambda request: reply())) as client:
        assert client.chat("hi", model="openai:gpt-4o").target == "openai:gpt-4o"
    [group] = gate("lineage", "--json").json["groups"]
    assert [(*s["facts"].values(), s["verdict"]) for s in group["students"]] == [
        # whether it competes, whether it is distributed
        ("false", "false", "permitted"),
        ("false", "true", "permitted"),
        ("true", "false", "conditional"),
        ("true", "true", "prohibited"),
    ]
    rival = ("--fact", "trained_model_competes=true", "--fact", "trained_model_distributed=true")
    assert gate("lineage", *rival).code == 4
    assert gate("lineage", "--fact", "trained_model_competes=false").code == 0


@pytest.mark.parametrize("line", ["config check", "doctor", "check gpt-4o"])
def test_commands_that_call_nobody_make_no_ledger(gate: Gate, line: str) -> None:
    for file in gate.folder.glob("calls.db*"):
        file.unlink()
    gate(*line.split())
    assert list(gate.folder.glob("calls.db*")) == []


def test_since_a_day(gate: Gate) -> None:
    assert len(gate("lineage", "--since", "2020-01-01", "--json").json["groups"]) == 3
    ran = gate("lineage", "--since", "2999-01-01")
    assert (ran.code, ran.out) == (0, "No outputs to judge.\n")


def test_a_dataset_is_judged_by_its_stamps(gate: Gate, asked: tuple[Path, list[dict[str, Any]]]) -> None:
    _, rows = asked
    file = dataset(gate, *rows)
    said = gate("lineage", "--dataset", file, "--text-field", "answer", "--no-config", "--json")
    assert {g["target"]: (g["verdict"], g["rows"]) for g in said.json["groups"]} == {
        EMBEDDED: ("permitted", [1]),
        LLAMA: ("conditional", [2]),
        MISTRAL: ("permitted", [3, 4]),
    }
    assert said.code == 3


def test_rows_without_a_stamp_and_rows_tampered_with_are_unknown(
    gate: Gate, asked: tuple[Path, list[dict[str, Any]]]
) -> None:
    _, rows = asked
    file = dataset(gate, rows[0], {"answer": "from nowhere"}, {**rows[0], "answer": "put in later"})
    ran = gate("lineage", "--dataset", file, "--text-field", "answer", "--no-config")
    assert ran.code == 5
    assert "3 rows, for train-on-outputs: 1 permitted, 2 unknown" in ran.out
    assert "line 2\n  without a stamp" in ran.out
    assert "line 3\n  tampered with: its text is not the one that was stamped" in ran.out


def test_the_ledger_knows_rows_that_have_no_stamp(gate: Gate, asked: tuple[Path, list[dict[str, Any]]]) -> None:
    _, rows = asked
    file = dataset(gate, *({"answer": row["answer"]} for row in rows))
    said = gate("lineage", "--dataset", file, "--text-field", "answer", "--json").json
    assert {g["target"]: g["rows"] for g in said["groups"]} == {EMBEDDED: [1], LLAMA: [2], MISTRAL: [3, 4]}


def test_a_text_that_the_registry_has_no_more_is_unknown(gate: Gate, asked: tuple[Path, list[dict[str, Any]]]) -> None:
    _, rows = asked
    old = msgspec.json.decode(msgspec.json.encode(rows[0]))
    old["llmgate"]["instruments"][0]["sha256"] = "0" * 64
    ran = gate("lineage", "--dataset", dataset(gate, old), "--no-config")
    assert ran.code == 5
    assert "is not in the registry now" in ran.out


def test_a_changed_ledger_is_told_and_its_record_not_believed(gate: Gate) -> None:
    clean = gate("ledger", "verify", "--json")
    assert (clean.code, clean.json["findings"]) == (0, [])
    (gate.folder / "earlier.json").write_text(clean.out)
    assert gate("ledger", "verify", "--earlier", "earlier.json").code == 0
    db = sqlite3.connect(gate.folder / "calls.db")
    db.execute("DROP TRIGGER entries_stay")
    db.execute("UPDATE entries SET body = replace(body, ?, ?) WHERE kind = 'call'", (LLAMA, MISTRAL))
    db.commit()
    db.close()
    found = gate("ledger", "verify")
    assert found.code == 1
    assert "its hash does not fit" in found.out
    ran = gate("lineage", "--json")
    assert ran.code == 5
    assert by_target(ran.json) == {EMBEDDED: "permitted", MISTRAL: "permitted", None: "unknown"}
    assert "the ledger's chain is broken in 1 places" in ran.err


def test_a_ledger_that_was_made_anew_is_told_by_what_was_noted_earlier(gate: Gate) -> None:
    (gate.folder / "earlier.json").write_text(gate("ledger", "verify", "--json").out)
    for file in gate.folder.glob("calls.db*"):
        file.unlink()
    with Client(gate.folder / "llmgate.toml", transport=MockTransport(lambda request: reply())) as client:
        client.chat("hi", model=MISTRAL)
    assert gate("ledger", "verify").code == 0
    assert gate("ledger", "verify", "--earlier", "earlier.json").code == 1


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("lineage --no-config", ["there is no ledger", "--ledger"]),
        ("lineage --ledger nowhere.db", ["there is no ledger at nowhere.db"]),
        ("lineage --ledger llmgate.toml", ["llmgate.toml", "not a database"]),
        ("lineage --since yesterday", ["--since yesterday", "2026-01-01"]),
        ("lineage --use trane-on-outputs", ['"trane-on-outputs"', '"train-on-outputs"']),
        ("lineage --fact date=2026-01-01", ["date can not be given"]),
        ("lineage --text-field answer", ["--dataset"]),
        ("lineage --dataset nowhere.jsonl", ["nowhere.jsonl", "cannot read it"]),
        ("ledger verify --ledger nowhere.db", ["there is no ledger at nowhere.db"]),
        ("ledger verify --earlier llmgate.toml", ["llmgate.toml", "verify --json"]),
        ("ledger verify --earlier nowhere.json", ["nowhere.json", "cannot read it"]),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(gate: Gate, line: str, parts: list[str]) -> None:
    ran = gate(*line.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("llmgate: ")
    assert ran.err.count("\n") == 1
    for part in parts:
        assert part in ran.err
