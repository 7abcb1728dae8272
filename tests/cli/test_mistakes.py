"""A user's mistake is one line on stderr that names it and what is near, and exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import Gate

SECRET = "sk-abcdefghijklmnopqrstuvwxyz0123456789"


def assert_one_line(gate: Gate, arguments: list[str], *parts: str) -> None:
    ran = gate(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("llmgate: ")
    assert ran.err.count("\n") == 1
    assert SECRET not in ran.err
    for part in parts:
        assert part in ran.err


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("chekc x", ["'chekc'", "'check'"]),
        ("check gpt-4o --jsn", ["--jsn", 'did you mean "--json"?']),
        ("check", ["MODEL", "llmgate check --help"]),
        ("check gpt4o", ['there is no model "gpt4o"', '"gpt-4o"']),
        ("check opnai:gpt-4o", ['there is no provider "opnai"', '"openai"']),
        ("check openai:", ["provider:model"]),
        ("check gpt-4o --use comercial", ['unknown use "comercial"', '"commercial"']),
        ("check gpt-4o --fact montly_active_users=3", ['"montly_active_users"', '"monthly_active_users"']),
        ("check gpt-4o --fact sector", ["--fact sector", "NAME=VALUE"]),
        ("check gpt-4o --fact established=DE --established FR", ["established is given twice"]),
        ("check gpt-4o --mau lots", ["monthly_active_users", "lots", "number"]),
        ("check gpt-4o --established Germany", ["established", "two letters"]),
        ("check gpt-4o --fact contracts=lama-3.1", ['there is no license "lama-3.1"', '"llama-3.1"']),
        ("check gpt-4o --config nowhere.toml", ["nowhere.toml", "cannot read"]),
        ("check gpt-4o --config a.toml --no-config", ["exclude each other"]),
        ("models --min-context much", ["--min-context", "much"]),
        ("models --sort size", ["--sort", '"size"', "parameters"]),
        ("models --input txt", ["--input", '"text"']),
        ("models --family llama-3.11", ["--family", '"llama-3.1"']),
        ("models --on grok", ['"groq"']),
        ("models --include everything", ["--include", "conditional"]),
        ("licenses llama-3.11", ['"llama-3.1"']),
        ("compare gpt-4o openai:nothing-of-the-kind", ["nothing-of-the-kind"]),
        ("chat --max-tokens few hello", ["--max-tokens"]),
        ("chat -m nosuchroute hello", ['"nosuchroute"']),
        ("config chek", ["'check'"]),
        ("registry check nowhere", ["nowhere"]),
    ],
)
def test_wrong_command_lines(gate: Gate, line: str, parts: list[str]) -> None:
    assert_one_line(gate, line.split(), *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('default = "chat"\n[polcy]\nuse = ["commercial"]\n', ["llmgate.toml:2", "polcy", '"policy"']),
        ('[policy]\nuse = ["comercial"]\n', ["llmgate.toml:2", '"comercial"', '"commercial"']),
        ("[policy]\nmonthly_actve_users = 3\n", ["llmgate.toml:2", '"monthly_active_users"']),
        ("[policy\n", ["llmgate.toml:1", "not valid TOML"]),
        ('[routes.a]\ntargets = ["openai:gpt-4o", "gorq:x"]\n', ["llmgate.toml:2", '"gorq"', '"groq"']),
        ('default = "b"\n[routes.a]\ntargets = ["openai:gpt-4o"]\n', ["llmgate.toml:1", '"b"']),
        (f'[providers.openai]\napi_key = "{SECRET}"\n', ["llmgate.toml:2", "providers.openai.api_key", "env:NAME"]),
    ],
)
@pytest.mark.parametrize("command", [["config", "check"], ["check", "gpt-4o"], ["doctor"], ["chat", "hello"]])
def test_wrong_configs(gate: Gate, command: list[str], text: str, parts: list[str]) -> None:
    gate.config(text)
    assert_one_line(gate, command, *parts)


def test_the_config_named_by_the_environment_must_exist(gate: Gate) -> None:
    ran = gate("config", "check", LLMGATE_CONFIG="/nowhere/llmgate.toml")
    assert ran.code == 2
    assert "/nowhere/llmgate.toml" in ran.err


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_that_installs_it_is_told(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from llmgate.cli import main; sys.exit(main(['models']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "llmgate: the command line is not installed: pip install 'llmgate-gateway[cli]'\n"


def _loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_importing_the_package_loads_no_terminal_library() -> None:
    assert not _loaded("import llmgate.cli") & {"typer", "rich"}


def test_check_loads_no_transport() -> None:
    loaded = _loaded("from llmgate.cli import main\nmain(['check', 'gpt-4o', '--json'])")
    assert not loaded & {"pyreqwest", "httpx2", "asyncio", "ssl", "xllamacpp", "llmgate.client", "llmgate.transport"}
