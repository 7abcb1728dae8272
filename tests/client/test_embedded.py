"""The embedded model, for real: sync and async, streamed, constrained, refused what it can not do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pydantic
import pytest

from llmgate import AsyncClient, Client, ConfigError, ContextTooLong, PolicyDenied, Tool, Unsupported
from llmgate.providers import local

PROMPT = "What is the capital of France? Answer in one sentence."
WIRE = "smollm2-135m-instruct"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.chdir(tmp_path)
    return Client()


def test_with_no_config_it_answers_and_says_under_which_license(client: Client) -> None:
    reply = client.chat(PROMPT, temperature=0, max_tokens=40)
    assert reply.text
    assert reply.target == f"local:{WIRE}"
    assert reply.terms.verdict == "permitted"
    assert reply.terms.reasons[0].license == "Apache-2.0"
    assert reply.usage is not None
    assert reply.usage.input + reply.usage.cached_input > 10
    assert 0 < reply.usage.output <= 40


def test_it_streams_token_by_token_and_is_the_same_text(client: Client) -> None:
    with client.stream(PROMPT, temperature=0, max_tokens=40) as stream:
        texts = list(stream.text)
    assert len(texts) > 3
    assert "".join(texts) == stream.reply.text == client.chat(PROMPT, temperature=0, max_tokens=40).text


async def test_async_calls_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with AsyncClient() as client:
        replies = await asyncio.gather(*(client.chat(PROMPT, temperature=0, max_tokens=8) for _ in range(4)))
        assert len({r.text for r in replies}) == 1
        async with client.stream(PROMPT, temperature=0, max_tokens=8) as stream:
            texts = [t async for t in stream.text]
    assert "".join(texts) == replies[0].text


async def test_cancelling_a_stream_stops_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with AsyncClient() as client:
        async with client.stream("Count from one to a thousand.", max_tokens=2000) as stream:
            async for _ in stream.text:
                break
        # Both of the engine's slots are free again, or this would wait for the 2000 tokens.
        async with asyncio.timeout(20):
            await asyncio.gather(*(client.chat("Hi", max_tokens=2) for _ in range(2)))


class City(pydantic.BaseModel):
    city: str
    country: str


def test_schema_constrained_output(client: Client) -> None:
    reply = client.chat("Name a city and its country.", schema=City, temperature=0, max_tokens=60)
    assert isinstance(reply.parsed, City)


def test_tools_are_refused_not_passed_over(client: Client) -> None:
    with pytest.raises(Unsupported, match="tools"):
        client.chat(PROMPT, tools=[Tool("f")])


def test_a_prompt_that_is_too_long(client: Client) -> None:
    with pytest.raises(ContextTooLong):
        client.chat("word " * 6000)


def test_a_gguf_file_of_the_users_own(tmp_path: Path) -> None:
    target = f"local:{local.weights(WIRE)}"
    base: dict[str, Any] = {"policy": {"use": ["commercial"]}, "routes": {"r": {"targets": [target]}}}
    with pytest.raises(PolicyDenied, match="unknown"):
        Client(base).chat(PROMPT)
    declared = Client({**base, "models": {target: {"license": ["Apache-2.0"]}}})
    reply = declared.chat(PROMPT, temperature=0, max_tokens=10)
    assert reply.target == target
    assert reply.terms.reasons[0].license == "Apache-2.0"


def test_files_that_are_not_there_or_no_models(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"something else")
    allow = {"policy": {"use": ["commercial"], "unknown": "allow"}}
    with pytest.raises(ConfigError, match="there is no such file"):
        Client(allow).chat("hi", model=f"local:{tmp_path}/gone.gguf")
    with pytest.raises(ConfigError, match="not a GGUF file"):
        Client(allow).chat("hi", model=f"local:{tmp_path}/x.gguf")
    (tmp_path / "x.gguf").write_bytes(b"GGUF and then nonsense")
    with pytest.raises(ConfigError, match="can not load this file"):
        Client(allow).chat("hi", model=f"local:{tmp_path}/x.gguf")


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
def test_the_same_engine_as_an_http_server_in_two_dialects(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real llama.cpp server over real HTTP: the provider is swapped by config, the answer stays the same."""
    url, key = local.address(WIRE)
    monkeypatch.setenv("ENGINE_KEY", key)
    here = {"dialect": dialect, "url": url, "api_key": "env:ENGINE_KEY", "self_hosted": True}
    config = {
        "policy": {"use": ["commercial"]},
        "providers": {"here": here},
        "routes": {"r": {"targets": [f"here:{WIRE}"]}},
    }
    with Client(config) as client:
        over_http = client.chat(PROMPT, temperature=0, max_tokens=20)
        with client.stream(PROMPT, temperature=0, max_tokens=20) as stream:
            texts = list(stream.text)
    assert over_http.text == "".join(texts) == Client().chat(PROMPT, temperature=0, max_tokens=20).text
    assert over_http.usage is not None
    assert over_http.usage.total > 20
