"""Cancelling an asynchronous call closes its connection at once: the server sees it hang up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from llmgate import AsyncClient
from llmgate.transport import LIBRARIES, AsyncTransport, Settings, create_async

from .conftest import request
from .servers import PATIENCE, Server

DEAF = pytest.mark.xfail(
    reason="pyreqwest lets go of a request that has no answer yet, but does not end it: its connection stays open "
    "until the answer comes or the timeout ends",
    strict=True,
)
"""For a request that is cancelled before its answer began."""
ASYNC = LIBRARIES["async"]
UNANSWERED = [pytest.param(library, marks=DEAF if library == "pyreqwest" else ()) for library in ASYNC]


@pytest.fixture(params=ASYNC)
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[AsyncTransport]:
    made = create_async(Settings(transport=request.param))
    yield made
    await made.close()


async def cancelled(call: Awaitable[Any], once: Callable[[], bool]) -> None:
    """Cancels a call as soon as `once` has come true."""
    task = asyncio.ensure_future(call)
    assert await asyncio.to_thread(once)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def hung_up(server: Server) -> bool:
    return await asyncio.to_thread(server.hung_up.wait, PATIENCE)


@pytest.mark.parametrize("transport", UNANSWERED, indirect=True)
async def test_a_call(transport: AsyncTransport) -> None:
    with Server() as server:
        await cancelled(transport.send(request(server.url("/hang"), timeout=60)), lambda: server.arrived.wait(PATIENCE))
        assert await hung_up(server)
        assert (await transport.send(request(server.url()))).status == 200


@pytest.mark.parametrize("transport", UNANSWERED, indirect=True)
async def test_a_stream_that_has_not_begun(transport: AsyncTransport) -> None:
    with Server() as server:
        await cancelled(transport.open(request(server.url("/hang"), timeout=60)), lambda: server.arrived.wait(PATIENCE))
        assert await hung_up(server)


async def test_a_stream_under_way(transport: AsyncTransport) -> None:
    with Server() as server:
        stream = await transport.open(request(server.url("/drip")))
        assert await stream.read() == b": one\n\n"
        reading = asyncio.ensure_future(stream.read())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await stream.close()
        assert await hung_up(server)


def client(server: Server, library: str) -> AsyncClient:
    chosen = "auto" if library == "aiohttp" else library
    table = {"dialect": "openai_chat", "url": server.url(""), "transport": chosen}
    return AsyncClient({"policy": {"use": ["commercial"], "mode": "report"}, "providers": {"own": table}})


class Answering(Server):
    """Answers any call with what `/hang` or `/drip` does: the client chooses the path, the test the conduct."""

    def __init__(self, conduct: str) -> None:
        super().__init__()
        self.conduct = conduct

    async def answer(self, seen: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        seen.target = self.conduct
        return await super().answer(seen, reader, writer)


@pytest.mark.parametrize("library", UNANSWERED)
async def test_a_clients_call(library: str) -> None:
    with Answering("/hang") as server:
        async with client(server, library) as gate:
            await cancelled(gate.chat("Hi", model="own:m"), lambda: server.arrived.wait(PATIENCE))
            assert await hung_up(server)


@pytest.mark.parametrize("library", UNANSWERED)
async def test_a_clients_stream_before_its_first_token(library: str) -> None:
    with Answering("/hang") as server:
        async with client(server, library) as gate:

            async def call() -> None:
                async with gate.stream("Hi", model="own:m"):
                    raise AssertionError("it can not have begun")

            await cancelled(call(), lambda: server.arrived.wait(PATIENCE))
            assert await hung_up(server)


@pytest.mark.parametrize("library", ASYNC)
async def test_a_clients_stream_that_waits_for_its_first_token(library: str) -> None:
    with Answering("/drip") as server:
        async with client(server, library) as gate:

            async def call() -> None:
                async with gate.stream("Hi", model="own:m"):
                    raise AssertionError("it can not have begun")

            task = asyncio.ensure_future(call())
            assert await asyncio.to_thread(server.arrived.wait, PATIENCE)
            for _ in range(100):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await hung_up(server)
