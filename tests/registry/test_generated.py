"""What is generated from the registry is what is committed: the editors' schemas, the page of what is covered."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from llmgate.registry.coverage import page
from llmgate.registry.json_schema import KINDS, texts
from llmgate.registry.read import read_folder

ROOT = Path(__file__).parents[2]
STALE = "run `make registry`"


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_that_of_the_structs(kind: str) -> None:
    assert (ROOT / "registry/schema" / f"{kind}.json").read_text("utf-8") == texts()[kind], STALE


def test_the_page_of_what_is_covered_is_that_of_the_data() -> None:
    assert (ROOT / "docs/coverage.md").read_text("utf-8") == page(read_folder(ROOT / "registry")), STALE


FOLDERS = {"model": "models", "license": "licenses", "provider": "providers"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_of_the_registry_has_only_keys_of_its_schema(kind: str) -> None:
    schema = json.loads(texts()[kind])
    top = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    files = sorted((ROOT / "registry" / FOLDERS[kind]).glob("**/*.toml"))
    assert files
    for file in files:
        data = tomllib.loads(file.read_text("utf-8"))
        assert data.keys() <= top["properties"].keys(), file
        assert set(top["required"]) <= data.keys(), file


def test_the_page_counts_the_data() -> None:
    data = read_folder(ROOT / "registry")
    text = page(data)
    assert f"| models | {len(data.models)} |" in text
    assert f"| providers | {len(data.providers)} |" in text
    assert all(f"| {p.id} | {p.kind} |" in text for p in data.providers)
    assert all(f"| {m.developer} |" in text for m in data.models)
