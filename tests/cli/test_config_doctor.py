"""`config check` and `doctor`: what the config amounts to here and now."""

from __future__ import annotations

import socket

from .conftest import Gate

KEY = "sk-this-must-never-be-shown"

ROUTES = """
default = "chat"

[policy]
use = ["commercial"]
monthly_active_users = 50_000

[providers.openai]
api_key = "env:MY_OPENAI"

[routes.chat]
targets = ["openai:gpt-4o", "anthropic:claude-sonnet-5", "groq:llama-3.3-70b-instruct", "local:smollm2-135m-instruct"]
"""


def test_config_check_shows_each_target_with_its_verdict_and_key(gate: Gate) -> None:
    gate.config(ROUTES)
    ran = gate("config", "check", "--json", MY_OPENAI=KEY)
    assert ran.code == 0
    assert ran.json["policy"]["use"] == ["commercial"]
    assert ran.json["policy"]["mode"] == "enforce"
    assert ran.json["policy"]["facts"] == {"monthly_active_users": 50_000}
    rows = {row["target"]: row for row in ran.json["targets"]}
    assert list(rows) == [
        "openai:gpt-4o",
        "anthropic:claude-sonnet-5",
        "groq:llama-3.3-70b-instruct",
        "local:smollm2-135m-instruct",
    ]
    assert (rows["openai:gpt-4o"]["key"], rows["openai:gpt-4o"]["callable"]) == ("env:MY_OPENAI", True)
    assert rows["anthropic:claude-sonnet-5"]["key"] is None
    assert "ANTHROPIC_API_KEY" in rows["anthropic:claude-sonnet-5"]["reason"]
    assert rows["groq:llama-3.3-70b-instruct"]["policy"] == "denied"
    assert "monthly_active_users@2024-11" in rows["groq:llama-3.3-70b-instruct"]["reason"]
    assert rows["local:smollm2-135m-instruct"]["key"] == "not needed"
    text = gate("config", "check", MY_OPENAI=KEY).out
    assert all(target in text for target in rows)
    assert KEY not in text + ran.out


def test_config_check_without_a_config_tells_of_the_built_in_one(gate: Gate) -> None:
    ran = gate("config", "check")
    assert ran.code == 0
    assert "No config was found" in ran.out
    assert "local:smollm2-135m-instruct" in ran.out


def test_a_policy_that_only_reports_says_so(gate: Gate) -> None:
    gate.config('[routes.a]\ntargets = ["groq:llama-3.3-70b-instruct"]\n')
    ran = gate("config", "check", "--json", GROQ_API_KEY=KEY)
    (row,) = ran.json["targets"]
    assert row["policy"] == "reported"
    assert ran.err.startswith("llmgate: the config has no [policy] table")


def test_doctor_tells_where_a_key_was_found_but_never_the_key(gate: Gate) -> None:
    gate.config(ROUTES)
    secret = gate.folder / "groq.key"
    secret.write_text(KEY, "utf-8")
    gate.config(ROUTES + f'\n[providers.groq]\napi_key = "file:{secret.as_posix()}"\n')
    ran = gate("doctor", "--offline", "--json", MY_OPENAI=KEY, MISTRAL_API_KEY=KEY)
    found = {p["provider"]: p["key"] for p in ran.json["providers"]}
    assert found == {
        "anthropic": None,
        "groq": f"file:{secret.as_posix()}",
        "local": "not needed",
        "mistral": "env:MISTRAL_API_KEY",
        "openai": "env:MY_OPENAI",
    }
    text = gate("doctor", "--offline", MY_OPENAI=KEY, MISTRAL_API_KEY=KEY)
    assert KEY not in ran.out + ran.err + text.out + text.err


def test_doctor_reaches_who_listens_and_not_who_does_not(gate: Gate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_, socket.create_server(("127.0.0.1", 0)) as shut:
        there, gone = open_.getsockname()[1], shut.getsockname()[1]
        shut.close()
        gate.config(
            f'[providers.vllm]\nurl = "http://127.0.0.1:{there}/v1"\n'
            f'[providers.llamacpp]\nurl = "http://127.0.0.1:{gone}/v1"\n'
            f'[providers.ollama]\nurl = "https://127.0.0.1:{gone}/v1"\n'
            f'proxy = "http://someone:{KEY}@127.0.0.1:{there}"\n'
            '[routes.a]\ntargets = ["vllm:llama-3.1-8b-instruct", "llamacpp:x", "ollama:y"]\n'
        )
        ran = gate("doctor", "--json", no_proxy="127.0.0.1")
    reach = {p["provider"]: p["reach"] for p in ran.json["providers"]}
    assert reach["vllm"].startswith("yes: ")
    assert reach["llamacpp"].startswith("no: ")
    assert reach["ollama"].startswith("yes, its proxy: ")
    assert KEY not in ran.out


def test_doctor_exits_1_where_nothing_can_be_called(gate: Gate) -> None:
    gate.config('[policy]\n[routes.a]\ntargets = ["openai:gpt-4o"]\n')
    assert gate("doctor", "--offline").code == 1
    assert gate("doctor", "--offline", OPENAI_API_KEY=KEY).code == 0
