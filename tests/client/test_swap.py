"""The provider is swapped by config alone: real HTTP, each dialect, both clients, both transports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmgate import AsyncClient, Client

from ..loopback import serving


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as url:
        yield url


def toml(server: str, dialect: str, transport: str) -> dict[str, object]:
    here = {"dialect": dialect, "url": f"{server}/v1", "self_hosted": True, "transport": transport}
    return {
        "policy": {"use": ["commercial"]},
        "providers": {"here": here},
        "routes": {"r": {"targets": ["here:smollm2-135m-instruct"]}},
    }


@pytest.mark.parametrize("transport", ["pyreqwest", "httpx2"])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages", "gemini_generate"])
async def test_the_same_program_over_each_dialect(server: str, dialect: str, transport: str) -> None:
    config = toml(server, dialect, transport)
    with Client(config) as client:
        whole = client.chat("good morning")
        with client.stream("good morning") as stream:
            texts = list(stream.text)
    async with AsyncClient(config) as other:
        same = await other.chat("good morning")
        async with other.stream("good morning") as streaming:
            others = [t async for t in streaming.text]
    assert whole.text == same.text == "".join(texts) == "".join(others) == "you said: good morning"
    assert len(texts) > 2
    assert whole.usage == stream.reply.usage == streaming.reply.usage
    assert whole.usage is not None
    assert whole.usage.total == 7
