"""The examples run as a user runs them, and say what the README says they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(name: str, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart(tmp_path: Path) -> None:
    said = run("quickstart.py", tmp_path)
    assert "models that write text do" in said
    for skipped in ("openai:gpt-5.5: no key: set OPENAI_API_KEY", "anthropic:claude-sonnet-5: no key", "gemini:"):
        assert f"skipped: {skipped}" in said
    assert "answered by local:smollm2-135m-instruct" in said
    assert "answered by demo:smollm2-135m-instruct" in said
    assert "is prohibited" in said
    assert "LicenseRef-llmgate-llama-3.2-aup" in said
    assert "https://" in said


def test_one_client(tmp_path: Path) -> None:
    said = run("one_client.py", tmp_path)
    assert "-- local:smollm2-135m-instruct, under Apache-2.0: permitted" in said


def test_commercial_models(tmp_path: Path) -> None:
    said = run("commercial_models.py", tmp_path).splitlines()
    verdicts = {line.split()[0]: line.split()[1] for line in said[:4]}
    assert verdicts == {
        "llama-3.1-8b-instruct": "permitted",
        "stable-diffusion-3.5-large": "prohibited",
        "mixtral-8x7b-instruct-v0.1": "permitted",
        "codestral-22b-v0.1": "prohibited",
    }


def test_swapping_the_provider_is_a_diff_of_one_line(tmp_path: Path) -> None:
    said = run("swap_provider.py", tmp_path).splitlines()
    assert [line[0] for line in said[:2]] == ["-", "+"]
    assert "targets" in said[0]
    embedded, server = said[2:4]
    assert embedded.endswith("-- local:smollm2-135m-instruct")
    assert server.endswith("-- llamacpp:smollm2-135m-instruct")
    assert embedded.split(":", 1)[1].split(" -- ")[0] == server.split(":", 1)[1].split(" -- ")[0]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.toml")), ids=lambda p: p.name)
def test_the_configs_are_good(path: Path) -> None:
    from llmgate import Config

    assert Config.load(path).default == "chat"
