"""The front door: `Client` and `AsyncClient`. The same names, the same arguments, one logic; only the I/O differs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, Unpack

from ._core import Core, Hook, Running
from ._flow import Close, Flow, Incoming, Open, Opened, Read, Send, Step
from ._request import CallOptions, Messages
from ._transports import Transports
from .chat import Event, Reply, TextDelta
from .config import Config
from .errors import GateError, ProviderError
from .routing import Result
from .transport import AsyncTransport, Transport

__all__ = ["AsyncChatStream", "AsyncClient", "ChatStream", "Client"]

ConfigSource = Config | Path | str | Mapping[str, Any] | None


class Client:
    """One client for every model. Thread-safe; a context manager; owns its connections.

    config: a path, a mapping of the same tables, or a Config; else $LLMGATE_CONFIG, ./llmgate.toml, the user's
    config, or the built-in one: the embedded model. clients: your own SDK clients by provider id (`openai`,
    `anthropic`, `google-genai` objects); llmgate sends through them. hooks: told of each finished call.
    transport: used for every call instead of the network, for tests.
    """

    def __init__(
        self,
        config: ConfigSource = None,
        *,
        clients: Mapping[str, Any] | None = None,
        hooks: Iterable[Hook] = (),
        transport: Transport | None = None,
    ) -> None:
        self._core = Core(config, clients=clients, hooks=hooks, record=True)
        self._transports = Transports[Transport](self._core.clients, transport, asynchronous=False)

    @property
    def config(self) -> Config:
        return self._core.config

    def chat(self, messages: Messages, **options: Unpack[CallOptions]) -> Reply:
        """Asks and waits for the whole answer. See `CallOptions` for what a call may say.

        Raises GateError: ConfigError, PolicyDenied, ModelUnavailable, Unsupported, a ProviderError, or
        AllTargetsFailed where several targets failed.
        """
        running = self._core.begin(messages, options, stream=False)
        try:
            result: Result = self._drive(running.flow())
        except GateError as error:
            raise running.failed(error)  # noqa: B904 - it is the same error
        reply, dropped = result.value
        return running.done(reply, dropped, result)

    def stream(self, messages: Messages, **options: Unpack[CallOptions]) -> ChatStream:
        """Asks, and gives the answer as it comes: `with client.stream(...) as stream: ...`."""
        return ChatStream(self, self._core.begin(messages, options, stream=True))

    def _drive(self, flow: Flow) -> Any:
        opened: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    outcome = self._do(step)
                except GateError as error:
                    step = flow.throw(error)
                else:
                    if type(step) is Open:
                        opened = outcome
                    step = flow.send(outcome)
        except StopIteration as stop:
            return stop.value
        except GateError:
            raise
        except BaseException:
            if opened is not None:
                opened.close()
            raise

    def _do(self, step: Step) -> Any:
        if type(step) is Send:
            return self._transports.get(step.slot).send(step.request)
        if type(step) is Open:
            return self._transports.get(step.slot).open(step.request)
        if type(step) is Read:
            return step.stream.read()
        if type(step) is Close:
            return step.stream.close()
        return time.sleep(step.seconds)  # type: ignore[union-attr]

    def close(self) -> None:
        """Closes the connections. The client can be used again; it then opens new ones."""
        for transport in self._transports.drain():
            transport.close()
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """`Client` for asyncio: the same names, the same arguments."""

    def __init__(
        self,
        config: ConfigSource = None,
        *,
        clients: Mapping[str, Any] | None = None,
        hooks: Iterable[Hook] = (),
        transport: AsyncTransport | None = None,
    ) -> None:
        self._core = Core(config, clients=clients, hooks=hooks, record=True)
        self._transports = Transports[AsyncTransport](self._core.clients, transport, asynchronous=True)

    @property
    def config(self) -> Config:
        return self._core.config

    async def chat(self, messages: Messages, **options: Unpack[CallOptions]) -> Reply:
        """See `Client.chat`. Cancelling it closes the upstream connection."""
        running = self._core.begin(messages, options, stream=False)
        try:
            result: Result = await self._drive(running.flow())
        except GateError as error:
            raise running.failed(error)  # noqa: B904 - it is the same error
        reply, dropped = result.value
        return running.done(reply, dropped, result)

    def stream(self, messages: Messages, **options: Unpack[CallOptions]) -> AsyncChatStream:
        """See `Client.stream`: `async with client.stream(...) as stream: ...`."""
        return AsyncChatStream(self, self._core.begin(messages, options, stream=True))

    async def _drive(self, flow: Flow) -> Any:
        opened: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    outcome = await self._do(step)
                except GateError as error:
                    step = flow.throw(error)
                else:
                    if type(step) is Open:
                        opened = outcome
                    step = flow.send(outcome)
        except StopIteration as stop:
            return stop.value
        except GateError:
            raise
        except BaseException:
            if opened is not None:
                await opened.close()
            raise

    async def _do(self, step: Step) -> Any:
        if type(step) is Send:
            return await self._transports.get(step.slot).send(step.request)
        if type(step) is Open:
            return await self._transports.get(step.slot).open(step.request)
        if type(step) is Read:
            return await step.stream.read()
        if type(step) is Close:
            return await step.stream.close()
        import asyncio

        return await asyncio.sleep(step.seconds)  # type: ignore[union-attr]

    async def close(self) -> None:
        """Closes the connections. The client can be used again; it then opens new ones."""
        for transport in self._transports.drain():
            await transport.close()
        self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Streaming:
    """What both kinds of stream share."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._result: Result | None = None
        self._reply: Reply | None = None
        self._connection: Any = None
        self._incoming: Incoming | None = None

    @property
    def reply(self) -> Reply:
        """The whole reply, once the stream is at its end. Raises GateError before."""
        if self._reply is None:
            raise GateError("the stream is not at its end; `partial` is the reply as far as it has come")
        return self._reply

    @property
    def partial(self) -> Reply | None:
        """The reply as far as it has come."""
        return self._reply or (self._incoming.reply() if self._incoming else None)

    def _began(self, result: Result) -> Incoming:
        opened: Opened = result.value
        self._result = result
        self._connection = opened.stream
        self._incoming = opened.incoming
        self._running.began_answering()
        return opened.incoming

    def _ended(self) -> None:
        assert self._result is not None and self._incoming is not None
        self._reply = self._running.done(self._incoming.reply(), self._result.value.dropped, self._result)

    def _left(self) -> None:
        """Tells hooks of a stream that was closed before its end; of others they know already."""
        if self._result is not None and self._incoming is not None:
            self._running.left(self._incoming, self._result)

    def _broke(self, error: ProviderError) -> GateError:
        assert self._result is not None and self._incoming is not None
        if error.provider is None:
            error.provider = self._result.candidate.provider
        return self._running.broke(error, self._incoming, self._result)


class ChatStream(_Streaming):
    """An answer as it comes. Iterate it for Events, `text` for text only; `reply` is whole once it is at its end."""

    def __init__(self, client: Client, running: Running) -> None:
        super().__init__(running)
        self._client = client

    def __enter__(self) -> Self:
        if self._incoming is None:
            try:
                self._began(self._client._drive(self._running.flow()))
            except GateError as error:
                raise self._running.failed(error)  # noqa: B904 - it is the same error
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drops the upstream connection, if the stream is not at its end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._left()

    def __iter__(self) -> Iterator[Event]:
        self.__enter__()
        incoming = self._incoming
        assert incoming is not None
        try:
            kept, incoming.events = incoming.events, []
            yield from kept
            while not incoming.ended and self._connection is not None:
                try:
                    events = incoming.feed(self._connection.read())
                except ProviderError as error:
                    raise self._broke(error) from error
                yield from events
            if incoming.ended and self._reply is None:
                self._ended()
        finally:
            self.close()

    @property
    def text(self) -> Iterator[str]:
        """The answer's text as it comes."""
        return (event.text for event in self if type(event) is TextDelta)


class AsyncChatStream(_Streaming):
    """`ChatStream` for asyncio."""

    def __init__(self, client: AsyncClient, running: Running) -> None:
        super().__init__(running)
        self._client = client

    async def __aenter__(self) -> Self:
        if self._incoming is None:
            try:
                self._began(await self._client._drive(self._running.flow()))
            except GateError as error:
                raise self._running.failed(error)  # noqa: B904 - it is the same error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drops the upstream connection, if the stream is not at its end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
            self._left()

    async def __aiter__(self) -> AsyncIterator[Event]:
        await self.__aenter__()
        incoming = self._incoming
        assert incoming is not None
        try:
            kept, incoming.events = incoming.events, []
            for event in kept:
                yield event
            while not incoming.ended and self._connection is not None:
                try:
                    events = incoming.feed(await self._connection.read())
                except ProviderError as error:
                    raise self._broke(error) from error
                for event in events:
                    yield event
            if incoming.ended and self._reply is None:
                self._ended()
        finally:
            await self.close()

    @property
    async def text(self) -> AsyncIterator[str]:
        """The answer's text as it comes."""
        async for event in self:
            if type(event) is TextDelta:
                yield event.text
