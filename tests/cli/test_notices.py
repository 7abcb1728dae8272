"""`llmgate notices` and `llmgate bom`, as commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import Gate

CONFIG = """
default = "chat"
[policy]
use = ["commercial", "redistribute"]
"monthly_active_users@2024-06" = 40_000
[providers.mine]
dialect = "openai_chat"
url = "http://127.0.0.1:1/v1"
self_hosted = true
[routes.chat]
targets = ["mine:llama-3.1-8b-instruct", "mine:codestral-22b-v0.1", "local:smollm2-135m-instruct"]
[routes.open]
targets = ["mine:llama-3.1-8b-instruct"]
[routes.open.policy]
use = ["commercial", "host"]
"""


def test_the_text_says_what_is_owed_and_why_the_rest_is_denied(gate: Gate) -> None:
    gate.config(CONFIG)
    ran = gate("notices")
    assert (ran.code, ran.err) == (0, "")
    owed, denied = ran.out.split("Denied by policy")
    assert "        Built with Llama\n" in owed
    assert "Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright © Meta Platforms" in owed
    assert "1.b.iii" in owed
    assert "https://github.com/meta-llama/llama-models/blob/main/models/llama3_1/LICENSE" in owed
    assert "codestral" not in owed
    assert "- mine:codestral-22b-v0.1: prohibited" in denied
    assert gate("notices").out == ran.out


def test_a_terminal_without_the_letters_loses_none(gate: Gate) -> None:
    gate.config(CONFIG)
    assert "©" in gate("notices", PYTHONIOENCODING="ascii").out


def test_json_is_grouped_by_trigger_then_instrument(gate: Gate) -> None:
    path = gate.config(CONFIG, "other.toml")
    said = gate("notices", "--config", path, "--json").json
    assert said.keys() == {"uses", "registry", "owed", "denied", "unknown", "targets"}
    triggers = [o["trigger"] for o in said["owed"]]
    assert {"product_contains", "host", "redistribute"} <= set(triggers)
    assert len(triggers) == len(set(triggers))
    for occasion in said["owed"]:
        for instrument in occasion["instruments"]:
            assert {"license", "name", "url", "items"} == instrument.keys()
            for item in instrument["items"]:
                assert {"kind", "text", "clause", "only_if", "source", "checked", "grade", "models"} <= item.keys()
    assert [d["target"] for d in said["denied"]] == ["mine:codestral-22b-v0.1"]
    assert said["denied"][0]["reasons"]
    standing = {(t["target"], tuple(t["routes"])): t["policy"] for t in said["targets"]}
    assert standing[("mine:llama-3.1-8b-instruct", ("open",))] == "allowed"


def test_the_overrides_of_a_route_count(gate: Gate) -> None:
    gate.config(CONFIG)
    triggers = {o["trigger"] for o in gate("notices", "--target", "chat", "--json").json["owed"]}
    assert "host" not in triggers
    assert "host" in {o["trigger"] for o in gate("notices", "--target", "open", "--json").json["owed"]}


def test_one_target_alone(gate: Gate) -> None:
    gate.config(CONFIG)
    listed = gate("notices", "--target", "local:smollm2-135m-instruct", "--json").json
    assert [t["target"] for t in listed["targets"]] == ["local:smollm2-135m-instruct"]
    elsewhere = gate("notices", "--target", "gemma-2-9b-it", "--json").json
    assert [t["target"] for t in elsewhere["targets"]] == ["gemma-2-9b-it"]
    wrong = gate("notices", "--target", "gemma-2-9b-itt")
    assert wrong.code == 2
    assert "gemma-2-9b-it" in wrong.err


def test_without_a_config_it_is_the_embedded_model_and_says_so(gate: Gate) -> None:
    ran = gate("notices", "--json", XDG_CONFIG_HOME=str(gate.folder))
    assert "no config was found" in ran.err
    assert [t["model"] for t in ran.json["targets"]] == ["smollm2-135m-instruct"]


@pytest.mark.parametrize("kind", ["cyclonedx", "spdx"])
def test_bom_is_the_same_each_time_and_takes_a_time(gate: Gate, kind: str) -> None:
    gate.config(CONFIG)
    first = gate("bom", "--format", kind)
    assert first.code == 0
    assert gate("bom", "--format", kind, "-o", "models.json").out == ""
    assert (gate.folder / "models.json").read_text("utf-8") == first.out
    by_environment = gate("bom", "--format", kind, SOURCE_DATE_EPOCH="1764000000").out
    by_option = gate("bom", "--format", kind, "--timestamp", "2025-11-24T17:00:00+01:00").out
    assert by_environment == by_option
    assert "2025-11-24T16:00:00Z" in by_option
    assert by_option != first.out


def test_bom_names_what_it_was_asked_for(gate: Gate) -> None:
    gate.config(CONFIG)
    said = gate("bom", "--format", "cyclonedx", "--name", "shop", "--target", "local:smollm2-135m-instruct").json
    assert said["metadata"]["component"]["name"] == "shop"
    assert [c["name"] for c in said["components"]] == ["smollm2-135m-instruct"]


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--format", "cyclonedx", "--timestamp", "yesterday"], {}, "a time is wanted"),
        (["--format", "spdx"], {"SOURCE_DATE_EPOCH": "soon"}, "seconds since 1970"),
        (["--format", "excel"], {}, "excel"),
        ([], {}, "--format"),
        (["--format", "spdx", "-o", "no/such/folder/x.json"], {}, "can not be written"),
    ],
)
def test_mistakes_are_one_line(gate: Gate, arguments: list[str], environment: dict[str, str], says: str) -> None:
    gate.config(CONFIG)
    ran = gate("bom", *arguments, **environment)
    assert ran.code == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(("kind", "library"), [("cyclonedx", "cyclonedx"), ("spdx", "spdx_python_model")])
def test_a_missing_library_is_named_with_the_command(gate: Gate, tmp_path: Path, kind: str, library: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{json.dumps(library)}] = None\n", "utf-8")
    gate.config(CONFIG)
    ran = gate("bom", "--format", kind, PYTHONPATH=str(tmp_path))
    assert ran.code == 2
    assert "pip install 'llmgate-gateway[bom]'" in ran.err


def test_the_example_in_the_docs_is_real(gate: Gate) -> None:
    page = (Path(__file__).parents[2] / "docs/notices-and-bom.md").read_text("utf-8")
    found = re.search(r"```toml\n(.*?)```.*?```\n(.*?)```", page, re.DOTALL)
    assert found
    config, promised = found.groups()
    gate.config(config)
    written = gate("notices").out
    for piece in promised.split("[...]\n"):
        assert piece in written
