"""The package as a whole: light imports, the exported names, the wheel."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import llmgate

ROOT = Path(__file__).parents[1]
HEAVY = (
    "pyreqwest",
    "httpx",
    "httpx2",
    "aiohttp",
    "openai",
    "anthropic",
    "google",
    "xllamacpp",
    "rich",
    "typer",
    "pydantic",
)


def loaded_by(code: str) -> set[str]:
    """The top-level modules that running `code` in a fresh interpreter loads. Sockets are closed to it."""
    guard = (
        "import sys, socket\n"
        "def no(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = no; socket.getaddrinfo = no\n"
    )
    script = f"{guard}{code}\nimport json; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "code",
    [
        "import llmgate",
        "import llmgate; llmgate.Client; llmgate.AsyncClient",
        "import llmgate; llmgate.Client()",
        "import llmgate; assert llmgate.check('grok-1', use=['commercial']).permitted",
        "import llmgate.cli",
    ],
)
def test_importing_loads_nothing_heavy_and_touches_no_network(code: str) -> None:
    assert not loaded_by(code) & set(HEAVY)


def test_import_alone_does_not_even_load_msgspec() -> None:
    assert "msgspec" not in loaded_by("import llmgate")


def test_the_lazy_names_are_the_typed_ones() -> None:
    """`__init__` lists its names twice: for type checkers and for the lazy loader."""
    tree = ast.parse((ROOT / "llmgate/__init__.py").read_text())
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == llmgate._HOME


@pytest.mark.parametrize("name", [n for n in llmgate.__all__ if n != "__version__"])
def test_every_exported_name_loads_and_has_a_docstring(name: str) -> None:
    assert getattr(llmgate, name).__doc__


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Clint"):
        _ = llmgate.Clint


def test_the_core_is_three_distributions() -> None:
    import importlib.metadata

    required = importlib.metadata.requires("llmgate-gateway") or []
    assert sorted(re.split("[<>]", r)[0] for r in required if "extra ==" not in r) == [
        "msgspec",
        "pyreqwest",
        "tenacity",
    ]


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_venv_outside_the_repository(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True)
    [wheel] = tmp_path.glob("llmgate_gateway-*.whl")
    venv.create(tmp_path / "v", with_pip=True)
    python = tmp_path / "v/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[cli]"], check=True)
    command = [tmp_path / "v/bin/llmgate", "check", "mixtral-8x7b-instruct-v0.1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "permitted"
    command = [tmp_path / "v/bin/llmgate", "chat", "hi"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
