"""Client and AsyncClient behind one face, over a scripted upstream, so that each test runs for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from llmgate import AsyncClient, Client, Reply
from llmgate.transport import HttpRequest, HttpResponse
from llmgate.transport.mock import AsyncMockTransport, MockTransport

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
Answer = tuple[int, Mapping[str, str], "bytes | Iterable[bytes]"]
MODEL = "smollm2-135m-instruct"


def reply(text: str = "hello", **fields: Any) -> Answer:
    """An OpenAI chat completion."""
    message = {"role": "assistant", "content": text, **fields}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    }
    return 200, JSON, json.dumps(body).encode()


def error(status: int, code: str | None = None, headers: Mapping[str, str] | None = None, text: str = "no") -> Answer:
    body = {"error": {"message": text, "type": "some_error", "code": code}}
    return status, {**JSON, **(headers or {})}, json.dumps(body).encode()


def chunks(*texts: str, done: bool = True, finish: bool = True) -> list[bytes]:
    """A stream of OpenAI chunks; without `done` and `finish` it breaks off."""

    def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    out = [event({"role": "assistant", "content": ""}), *(event({"content": t}) for t in texts)]
    if finish:
        out.append(event({}, "stop"))
        usage = {"prompt_tokens": 10, "completion_tokens": len(texts), "total_tokens": 10 + len(texts)}
        out.append(b"data: " + json.dumps({"id": "chatcmpl-1", "choices": [], "usage": usage}).encode() + b"\n\n")
    if done:
        out.append(b"data: [DONE]\n\n")
    return out


def stream(*texts: str, **how: bool) -> Answer:
    return 200, SSE, chunks(*texts, **how)


class Upstream:
    """Answers by host: each host has a list of answers, the last of which repeats. An exception is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {host: list(a) if isinstance(a, list) else [a] for host, a in answers.items()}
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> HttpResponse | Answer:
        self.requests.append(request)
        queue = self.answers[str(urlsplit(request.url).hostname)]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    @property
    def hosts(self) -> list[str]:
        return [str(urlsplit(r.url).hostname) for r in self.requests]

    def body(self, index: int = -1) -> dict[str, Any]:
        return json.loads(self.requests[index].body)  # type: ignore[no-any-return]

    def keys(self) -> list[str]:
        return [r.headers.get("authorization", "").removeprefix("Bearer ") for r in self.requests]


def config(*hosts: str, route: Mapping[str, Any] | None = None, **tables: Any) -> dict[str, Any]:
    """A config whose route `r` has a target at each host, all own servers that run an Apache-2.0 model."""
    return {
        "default": "r",
        "policy": {"use": ["commercial"]},
        "providers": {
            h: {"dialect": "openai_chat", "url": f"http://{h}/v1", "self_hosted": True, **tables.get(h, {})}
            for h in hosts
        },
        "routes": {"r": {"targets": [f"{h}:{MODEL}" for h in hosts], "retries": 0, **(route or {})}},
    }


class Gate:
    """`chat` and `stream` of either client."""

    def __init__(self, asynchronous: bool, config: Any, upstream: Callable[[HttpRequest], Any], **more: Any) -> None:
        self.asynchronous = asynchronous
        if asynchronous:
            self.client: Any = AsyncClient(config, transport=AsyncMockTransport(upstream), **more)
        else:
            self.client = Client(config, transport=MockTransport(upstream), **more)

    async def chat(self, messages: Any = "hi", **options: Any) -> Reply:
        if self.asynchronous:
            return await self.client.chat(messages, **options)  # type: ignore[no-any-return]
        return self.client.chat(messages, **options)  # type: ignore[no-any-return]

    async def stream(
        self, messages: Any = "hi", seen: list[str] | None = None, **options: Any
    ) -> tuple[list[str], Reply]:
        """The texts that came, and the reply. `seen` keeps the texts if the stream breaks."""
        texts = [] if seen is None else seen
        if self.asynchronous:
            async with self.client.stream(messages, **options) as answer:
                async for text in answer.text:
                    texts.append(text)
        else:
            with self.client.stream(messages, **options) as answer:
                for text in answer.text:
                    texts.append(text)
        return texts, answer.reply
