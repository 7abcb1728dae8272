"""The roads to a provider: ours over a transport, or the vendor's own SDK client; synchronous and asynchronous.

A `Gate` hides which of them is under test: the same call, the same answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import anthropic
import httpx2
import openai
from google import genai

from llmgate import AsyncClient, Client
from llmgate.chat import Event, Reply, TextDelta
from llmgate.config import Config
from llmgate.errors import ConnectionFailed, ModelUnavailable, StreamBroken
from llmgate.registry import Provider, load
from llmgate.transport import HttpRequest
from llmgate.transport.mock import AsyncMockTransport, MockTransport

from .wires import WIRES, Wire

KEY = "sk-conformance-0123456789abcdef"
KEY_ENV = "LLMGATE_CONFORMANCE_KEY"
SDK_PROVIDERS = ("openai", "anthropic", "gemini")
PREFERRED = {
    "openai": "gpt-5.5",
    "anthropic": "claude-sonnet-5",
    "gemini": "gemini-3.5-flash",
}


@dataclass(frozen=True)
class Road:
    """What is under test: a provider, how it is reached, and by which client."""

    provider: str
    sdk: bool
    is_async: bool

    def __str__(self) -> str:
        return f"{self.provider}-{'sdk' if self.sdk else 'native'}-{'async' if self.is_async else 'sync'}"


def roads() -> list[Road]:
    """Every provider of the registry that has a URL, by every road there is to it."""
    return [
        Road(provider.id, sdk, is_async)
        for provider in load().providers
        if provider.url is not None
        for sdk in ((False, True) if provider.id in SDK_PROVIDERS else (False,))
        for is_async in (False, True)
    ]


@cache
def model_of(provider: str) -> str:
    """A model that the provider answers chats with, as the registry has it."""
    registry = load()
    if provider in PREFERRED:
        return PREFERRED[provider]
    for offer in registry.provider(provider).offer:
        deployment = registry.resolve(f"{provider}:{offer.model}")
        with suppress(ModelUnavailable):
            registry.check_callable(deployment)
            if deployment.model is None or "text" in deployment.model.output:
                return offer.model
    return "a-model"


@cache
def config_of(provider: str, auth: str) -> Config:
    """The config under test; `again` is a route with a second target at the same provider."""
    table: dict[str, Any] = {} if auth == "none" else {"api_key": f"env:{KEY_ENV}"}
    target = f"{provider}:{model_of(provider)}"
    route = {"retries": 0, "timeout": "30s"}
    return Config.load(
        {
            "default": "one",
            "policy": {"use": ["commercial"], "mode": "report"},
            "providers": {provider: table},
            "routes": {
                "one": {"targets": [target], **route},
                "again": {"targets": [target, f"{provider}:another-model"], **route},
            },
        }
    )


@dataclass
class Sent:
    """A request as it left."""

    url: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Given:
    """An answer to give: a status, headers, and the chunks of a body; `broken` where the connection then breaks."""

    chunks: tuple[bytes, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False

    def read(self, failure: Callable[[], Exception]) -> Iterator[bytes]:
        yield from self.chunks
        if self.broken:
            raise failure() from OSError("connection reset by peer")

    async def aread(self, failure: Callable[[], Exception]) -> AsyncIterator[bytes]:
        for chunk in self.read(failure):
            yield chunk


class Upstream:
    """A provider that answers from a list, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[Given] = []
        self.sent: list[Sent] = []

    def say(self, *chunks: bytes, status: int = 200, broken: bool = False, **headers: str) -> None:
        """The next answer. `headers`: names with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append(Given(chunks, status, given, broken))

    def native(self, request: HttpRequest) -> tuple[int, Mapping[str, str], Iterator[bytes]]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.sent.append(Sent(request.url, headers, json.loads(request.body)))
        given = self.answers.pop(0)
        return given.status, given.headers, given.read(lambda: ConnectionFailed("connection reset"))

    def sdk(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(Sent(str(request.url), dict(request.headers), json.loads(request.content)))
        given = self.answers.pop(0)
        failure: Callable[[], Exception] = lambda: httpx2.ReadError("connection reset")  # noqa: E731
        is_async = self.is_async
        body = given.aread(failure) if is_async else given.read(failure)
        return httpx2.Response(given.status, headers=given.headers, content=body)

    is_async = False


class Streamed:
    """What came of a stream."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reply: Reply | None = None

    @property
    def pieces(self) -> list[str]:
        return [event.text for event in self.events if type(event) is TextDelta and event.text]


class Gate:
    """A client of ours on one of the roads, with an upstream that answers as told."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self.provider: Provider = load().provider(road.provider)
        self.wire: Wire = WIRES[self.provider.dialect]
        self.upstream = Upstream()
        self.upstream.is_async = road.is_async

    def chat(self, messages: Any, **options: Any) -> Reply:
        if not self.road.is_async:
            with self._client() as client:
                return client.chat(messages, **options)

        async def call() -> Reply:
            async with self._async_client() as client:
                return await client.chat(messages, **options)

        return _run(call())

    def stream(self, messages: Any, into: Streamed | None = None, **options: Any) -> Streamed:
        """Reads a stream to its end; `into` keeps what had come should it break."""
        streamed = into or Streamed()
        if not self.road.is_async:
            with self._client() as client, client.stream(messages, **options) as stream:
                streamed.events.extend(stream)
                streamed.reply = stream.reply
            return streamed

        async def call() -> None:
            async with self._async_client() as client, client.stream(messages, **options) as stream:
                async for event in stream:
                    streamed.events.append(event)
                streamed.reply = stream.reply

        _run(call())
        return streamed

    def broken(self, messages: Any, **options: Any) -> tuple[StreamBroken, Streamed]:
        """The StreamBroken that a stream ends with, and what had come until then."""
        streamed = Streamed()
        try:
            self.stream(messages, into=streamed, **options)
        except StreamBroken as error:
            return error, streamed
        raise AssertionError("the stream did not break")

    def _config(self) -> Config:
        return config_of(self.provider.id, self.provider.auth)

    def _client(self) -> Client:
        if not self.road.sdk:
            return Client(self._config(), transport=MockTransport(self.upstream.native))
        http = httpx2.Client(transport=httpx2.MockTransport(self.upstream.sdk))
        made: Any
        if self.provider.id == "openai":
            made = openai.OpenAI(api_key=KEY, http_client=http)
        elif self.provider.id == "anthropic":
            made = anthropic.Anthropic(api_key=KEY, http_client=http)
        else:
            made = genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(httpx_client=http))
        return Client(self._config(), clients={self.provider.id: made})

    def _async_client(self) -> AsyncClient:
        if not self.road.sdk:
            return AsyncClient(self._config(), transport=AsyncMockTransport(self.upstream.native))
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self.upstream.sdk))
        made: Any
        if self.provider.id == "openai":
            made = openai.AsyncOpenAI(api_key=KEY, http_client=http)
        elif self.provider.id == "anthropic":
            made = anthropic.AsyncAnthropic(api_key=KEY, http_client=http)
        else:
            made = genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(httpx_async_client=http)).aio
        return AsyncClient(self._config(), clients={self.provider.id: made})


def _run(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)
