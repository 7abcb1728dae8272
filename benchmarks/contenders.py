"""The libraries that are measured, each used as its own documents show, with its own defaults.

All send the same prompt and read the same text out of the answer: what a caller wants of a call.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

from . import wire

CHAT = "/chat/completions"


class Contender(Protocol):
    """`chat` and `chat_sync` return the answer's text, `stream` gives it as it comes. `url` is the API's base."""

    def __init__(self, url: str) -> None: ...
    async def chat(self) -> str: ...
    def chat_sync(self) -> str: ...
    def stream(self) -> AsyncIterator[str]: ...


class Httpx:
    """httpx, and httpx2 (its maintained successor), with the standard library's JSON."""

    def __init__(self, url: str, module: str = "httpx") -> None:
        library: Any = __import__(module)
        self._url = url + CHAT
        self._async = library.AsyncClient()
        self._sync = library.Client()

    async def chat(self) -> str:
        response = await self._async.post(self._url, json=wire.payload(stream=False))
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    def chat_sync(self) -> str:
        response = self._sync.post(self._url, json=wire.payload(stream=False))
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    async def stream(self) -> AsyncIterator[str]:
        async with self._async.stream("POST", self._url, json=wire.payload(stream=True)) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if text := _text(line):
                    yield text


class Httpx2(Httpx):
    def __init__(self, url: str) -> None:
        super().__init__(url, "httpx2")


class Pyreqwest:
    """pyreqwest with its own JSON; it has no line reader, so lines are split here."""

    def __init__(self, url: str) -> None:
        from pyreqwest.client import ClientBuilder, SyncClientBuilder

        self._url = url + CHAT
        self._async = ClientBuilder().error_for_status(True).build()
        self._sync = SyncClientBuilder().error_for_status(True).build()

    async def chat(self) -> str:
        response = await self._async.post(self._url).body_json(wire.payload(stream=False)).build().send()
        return str((await response.json())["choices"][0]["message"]["content"])

    def chat_sync(self) -> str:
        response = self._sync.post(self._url).body_json(wire.payload(stream=False)).build().send()
        return str(response.json()["choices"][0]["message"]["content"])

    async def stream(self) -> AsyncIterator[str]:
        request = self._async.post(self._url).body_json(wire.payload(stream=True))
        async with request.streamed_read_buffer_limit(0).build_streamed() as response:
            tail = b""
            while (chunk := await response.body_reader.read_chunk()) is not None:
                *lines, tail = (tail + bytes(chunk)).split(b"\n")
                for line in lines:
                    if text := _text(line.decode()):
                        yield text


def _text(line: str) -> str:
    """The text in a line of an event stream."""
    if not line.startswith("data: {"):
        return ""
    choices = json.loads(line[6:])["choices"]
    return choices[0]["delta"].get("content") or "" if choices else ""


class OpenAI:
    """The vendor's SDK, its own retries off."""

    def __init__(self, url: str) -> None:
        import openai

        self._async = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        self._sync = openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    async def chat(self) -> str:
        reply = await self._async.chat.completions.create(model=wire.MODEL, messages=wire.MESSAGES)
        return reply.choices[0].message.content or ""

    def chat_sync(self) -> str:
        reply = self._sync.chat.completions.create(model=wire.MODEL, messages=wire.MESSAGES)
        return reply.choices[0].message.content or ""

    async def stream(self) -> AsyncIterator[str]:
        chunks = await self._async.chat.completions.create(
            model=wire.MODEL,
            messages=wire.MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in chunks:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text


class Llmgate:
    """llmgate as an application uses it: route, policy, retries, usage and terms included."""

    def __init__(self, url: str, transport: str = "auto") -> None:
        from llmgate import AsyncClient, Client

        config = {
            "default": "bench",
            "policy": {"use": ["commercial"], "unknown": "allow"},
            "providers": {"up": {"dialect": "openai_chat", "url": url, "auth": "none", "transport": transport}},
            "routes": {"bench": {"targets": [f"up:{wire.MODEL}"]}},
        }
        self._async = AsyncClient(config)
        self._sync = Client(config)

    async def chat(self) -> str:
        return (await self._async.chat(wire.PROMPT)).text

    def chat_sync(self) -> str:
        return self._sync.chat(wire.PROMPT).text

    async def stream(self) -> AsyncIterator[str]:
        async with self._async.stream(wire.PROMPT) as stream:
            async for text in stream.text:
                yield text


class LlmgatePyreqwest(Llmgate):
    def __init__(self, url: str) -> None:
        super().__init__(url, "pyreqwest")


class LlmgateHttpx2(Llmgate):
    def __init__(self, url: str) -> None:
        super().__init__(url, "httpx2")


CONTENDERS: dict[str, type[Contender]] = {
    "httpx": Httpx,
    "httpx2": Httpx2,
    "pyreqwest": Pyreqwest,
    "openai SDK": OpenAI,
    "llmgate": Llmgate,
    "llmgate on pyreqwest": LlmgatePyreqwest,
    "llmgate on httpx2": LlmgateHttpx2,
}
BASE = "httpx"
DISTRIBUTIONS = ("httpx", "httpx2", "pyreqwest", "aiohttp", "openai", "msgspec", "pydantic", "llmgate-gateway")
