"""What is particular to the road over a client that the user hands over."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai

from llmgate import AsyncClient, Client
from llmgate.chat import Tool
from llmgate.errors import ConfigError, ConnectionFailed, Overloaded, Timeout
from llmgate.providers import sdk

from .roads import KEY, KEY_ENV, SDK_PROVIDERS, Gate, Road, config_of
from .wires import WIRES

ROADS = [Road(provider, True, is_async) for provider in SDK_PROVIDERS for is_async in (False, True)]
LOOKUP = Tool(
    "look_up",
    "Looks it up",
    {"type": "object", "properties": {"a_key": {"type": "string"}, "anotherKey": {"type": "integer"}}},
)


@pytest.fixture(params=ROADS, ids=str)
def gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setenv(KEY_ENV, KEY)
    return Gate(request.param)


@pytest.mark.parametrize("stream", [False, True])
def test_the_body_is_ours(gate: Gate, stream: bool) -> None:
    options: dict[str, Any] = {
        "tools": [LOOKUP],
        "tool_choice": "look_up",
        "temperature": 0.5,
        "max_tokens": 64,
        "stop": ["END"],
        "provider_options": {gate.provider.id: {"not_yet_known": {"snake_case": 1, "camelCase": [None]}}},
    }
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüße 🌌"}]
    bodies = []
    for road in (gate.road, Road(gate.road.provider, False, gate.road.is_async)):
        one = Gate(road)
        one.upstream.say(*(one.wire.text.events if stream else [one.wire.text.body]))
        one.stream(messages, **options) if stream else one.chat(messages, **options)
        bodies.append(one.upstream.sent[0].body)
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_reaches_the_path(gate: Gate, stream: bool) -> None:
    if gate.provider.id != "gemini":
        pytest.skip("the model is in the body")
    gate.upstream.say(*(gate.wire.text.events if stream else [gate.wire.text.body]))
    gate.stream("Hi") if stream else gate.chat("Hi")
    verb = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
    assert gate.upstream.sent[0].url.endswith(f"/models/gemini-3.5-flash{verb}")


@pytest.mark.parametrize("stream", [False, True])
def test_the_retries_are_ours_alone(gate: Gate, stream: bool) -> None:
    gate.upstream.say(gate.wire.error(500, "no"), status=500)
    with pytest.raises(Overloaded):
        gate.stream("Hi") if stream else gate.chat("Hi")
    assert len(gate.upstream.sent) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("raised", "becomes"),
    [(httpx2.ReadTimeout("slow"), Timeout), (httpx2.ConnectError("refused"), ConnectionFailed)],
)
def test_what_the_network_raises(
    gate: Gate, raised: httpx2.TransportError, becomes: type[Exception], stream: bool
) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise raised

    gate.upstream.sdk = fail  # type: ignore[method-assign]
    with pytest.raises(becomes) as caught:
        gate.stream("Hi") if stream else gate.chat("Hi")
    assert caught.value.__cause__ is not None


def test_no_headers_of_ours_but_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, content=WIRES["openai_chat"].text.body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    config = {
        "policy": {"mode": "report", "use": ["commercial"]},
        "providers": {"openai": {"headers": {"openai-beta": "x=1"}}},
    }
    client = Client(config, clients={"openai": openai.OpenAI(api_key=KEY, http_client=http)})
    client.chat("Hi", model="openai:gpt-5.5")
    client.close()
    assert seen[0]["openai-beta"] == "x=1"
    assert seen[0]["user-agent"].startswith("OpenAI/")
    assert not http.is_closed, "the client is the user's, and stays open"
    http.close()


def test_a_host_of_the_same_api_is_reached_by_the_same_sdk() -> None:
    urls = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        urls.append(str(request.url))
        return httpx2.Response(200, content=WIRES["openai_chat"].text.body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    own = openai.OpenAI(api_key=KEY, http_client=http, base_url="https://groq.test/v9")
    with Client(config_of("groq", "bearer"), clients={"groq": own}) as client:
        assert client.chat("Hi", model="groq:some-model").text
    azure = openai.AzureOpenAI(
        api_key=KEY, http_client=http, azure_endpoint="https://azure.test", api_version="2026-01-01"
    )
    with Client(config_of("openai", "bearer"), clients={"openai": azure}) as client:
        assert client.chat("Hi", model="openai:gpt-5.5").text
    assert urls[0] == "https://groq.test/v9/chat/completions"
    assert urls[1] == "https://azure.test/openai/deployments/gpt-5.5/chat/completions?api-version=2026-01-01"


def test_a_stream_left_early_drops_its_connection(gate: Gate) -> None:
    closed = []

    class Endless(httpx2.SyncByteStream, httpx2.AsyncByteStream):
        def __iter__(self) -> Any:
            yield from gate.wire.text.events[: gate.wire.begun + 1]
            while True:
                yield gate.wire.text.events[gate.wire.begun]

        async def __aiter__(self) -> Any:
            for event in self:
                yield event

        def close(self) -> None:
            closed.append(True)

        async def aclose(self) -> None:
            closed.append(True)

    gate.upstream.sdk = lambda _request: httpx2.Response(200, stream=Endless())  # type: ignore[method-assign]

    async def leave() -> None:
        async with gate._async_client().stream("Hi") as stream:
            async for _event in stream:
                break
        for _ in range(20):  # google-genai's own nested generators end one after the other, each by the loop
            await asyncio.sleep(0)
        assert closed

    if gate.road.is_async:
        asyncio.run(leave())
    else:
        with gate._client().stream("Hi") as stream:
            for _event in stream:
                break
        assert closed


SYNC = {
    "openai": lambda: openai.OpenAI(api_key=KEY),
    "anthropic": lambda: anthropic.Anthropic(api_key=KEY),
}
ASYNC = {
    "openai": lambda: openai.AsyncOpenAI(api_key=KEY),
    "anthropic": lambda: anthropic.AsyncAnthropic(api_key=KEY),
    "gemini": lambda: genai.Client(api_key=KEY).aio,
}


@pytest.mark.parametrize("provider", SYNC)
def test_a_synchronous_client_is_none_for_async(provider: str) -> None:
    with pytest.raises(ConfigError, match=rf'clients\["{provider}"\].* is synchronous: AsyncClient wants'):
        sdk.async_transport(provider, SYNC[provider]())


@pytest.mark.parametrize("provider", ASYNC)
def test_an_asynchronous_client_is_none_for_sync(provider: str) -> None:
    with pytest.raises(ConfigError, match=rf'clients\["{provider}"\].* is asynchronous: Client wants'):
        sdk.sync_transport(provider, ASYNC[provider]())


@pytest.mark.parametrize("thing", [openai, "sk-123", object(), openai.OpenAI(api_key=KEY).chat, httpx2.Client()])
def test_what_is_no_client_is_refused(thing: Any) -> None:
    with pytest.raises(ConfigError, match=r'clients\["openai"\].* is no client of the openai, anthropic or') as caught:
        sdk.sync_transport("openai", thing)
    assert "sk-123" not in str(caught.value)
    with pytest.raises(ConfigError):
        sdk.async_transport("openai", thing)


def test_a_client_of_another_api_is_refused() -> None:
    own = anthropic.Anthropic(api_key=KEY)
    with (
        Client(config_of("openai", "bearer"), clients={"openai": own}) as client,
        pytest.raises(ConfigError, match="another API than openai speaks"),
    ):
        client.chat("Hi", model="openai:gpt-5.5")


def test_one_genai_client_serves_both(gate: Gate) -> None:
    if gate.provider.id != "gemini":
        pytest.skip("these SDKs have two kinds of client")

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert json.loads(request.content)["contents"]
        return httpx2.Response(200, content=gate.wire.text.body)

    options = genai.types.HttpOptions(
        httpx_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        httpx_async_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )
    own = genai.Client(api_key=KEY, http_options=options)

    async def ask() -> str:
        async with AsyncClient(config_of("gemini", gate.provider.auth), clients={"gemini": own}) as client:
            return (await client.chat("Hi")).text

    with Client(config_of("gemini", gate.provider.auth), clients={"gemini": own}) as client:
        assert client.chat("Hi").text == asyncio.run(ask()) == "".join(gate.wire.pieces)
