"""A call from its plan to its reply, as a generator of I/O steps: one logic for the sync and the async client."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import msgspec

from .chat import Assembler, ChatRequest, Event, Reply, Started, TextDelta, UsageUpdate
from .errors import GateError, ProviderError, StreamBroken, Timeout
from .policy import Decision
from .providers import Decoding, Endpoint
from .registry import Deployment
from .routing import Candidate, Health, KeyRing, Terms, Try, Wait, arrange, run
from .routing.health import Clock
from .transport import HttpRequest, Settings


class Slot(msgspec.Struct, frozen=True):
    """A target made ready to be called."""

    candidate: Candidate
    deployment: Deployment
    endpoint: Endpoint
    settings: Settings
    decision: Decision
    allowed: bool
    """Whether the route's policy allows it; in report mode what it does not allow is called all the same."""


class Plan(msgspec.Struct, frozen=True):
    """A route made ready for one kind of call: its slots, in the config's order, and how hard to try."""

    route: str
    slots: Mapping[str, Slot]
    candidates: tuple[Candidate, ...]
    terms: Terms
    strategy: str


# The I/O steps that a flow yields. It is sent what came of each, or has its GateError thrown in.


class Send(msgspec.Struct):
    slot: Slot
    request: HttpRequest


class Open(msgspec.Struct):
    slot: Slot
    request: HttpRequest


class Read(msgspec.Struct):
    stream: Any


class Close(msgspec.Struct):
    stream: Any


class Sleep(msgspec.Struct):
    seconds: float


Step = Send | Open | Read | Close | Sleep
Flow = Generator[Step, Any, Any]


class Incoming:
    """A stream as it comes: bytes in, events out, a Reply at its end."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._assembler = Assembler()
        self.events: list[Event] = []
        self.begun = False
        self.ended = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events of these bytes; b"" is the end. Raises ProviderError for a stream that states or is an error."""
        if chunk:
            events = self._decoding.feed(chunk)
        else:
            events = self._decoding.finish()
            self.ended = True
        feed = self._assembler.feed
        for event in events:
            feed(event)
        return events

    def open(self, chunk: bytes) -> None:
        """`feed` for the bytes before the caller sees anything: events are kept, `begun` tells of the first token."""
        events = self.feed(chunk)
        self.events.extend(events)
        self.begun = self.begun or any(_shows(e) for e in events)

    def reply(self) -> Reply:
        return self._assembler.reply()


def _shows(event: Event) -> bool:
    """Whether an event carries something of the answer itself."""
    kind = type(event)
    if kind is TextDelta:
        return bool(event.text)  # type: ignore[union-attr]
    return kind is not Started and kind is not UsageUpdate


class Opened(msgspec.Struct):
    """A stream whose first token is here."""

    stream: Any
    incoming: Incoming
    dropped: tuple[str, ...]


def call(
    plan: Plan,
    request: ChatRequest,
    options: Mapping[str, dict[str, Any]],
    *,
    stream: bool,
    health: Health,
    ring: KeyRing,
    clock: Clock,
) -> Flow:
    """Carries out a call: yields I/O steps, returns the routing Result whose value is (Reply, dropped) or Opened."""
    order = plan.candidates
    if plan.strategy != "order" and len(order) > 1:
        order = tuple(arrange(order, plan.strategy, health, _tokens(request)))
    machine = run(order, plan.terms, health, ring, clock)
    action: Try | Wait = next(machine)
    while True:
        outcome: Any = None
        if isinstance(action, Wait):
            yield Sleep(action.seconds)
        else:
            slot = plan.slots[action.candidate.name]
            try:
                if stream:
                    outcome = yield from _stream(slot, action, request, options, clock)
                else:
                    outcome = yield from _whole(slot, action, request, options)
            except GateError as error:
                if isinstance(error, ProviderError) and error.provider is None:
                    error.provider = action.candidate.provider
                outcome = error
        try:
            action = machine.send(outcome)
        except StopIteration as stop:
            return stop.value


def _encode(
    slot: Slot, action: Try, request: ChatRequest, options: Mapping[str, dict[str, Any]], *, stream: bool
) -> tuple[HttpRequest, tuple[str, ...]]:
    own = options.get(action.candidate.provider) if options else None
    fitted = msgspec.structs.replace(
        request, model=slot.deployment.wire, options={**request.options, **own} if own else request.options
    )
    return slot.endpoint.encode(fitted, action.key, stream=stream, timeout=action.timeout)


def _whole(slot: Slot, action: Try, request: ChatRequest, options: Mapping[str, dict[str, Any]]) -> Flow:
    wire, dropped = _encode(slot, action, request, options, stream=False)
    response = yield Send(slot, wire)
    return slot.endpoint.decode(response, action.key), dropped


def _stream(slot: Slot, action: Try, request: ChatRequest, options: Mapping[str, dict[str, Any]], clock: Clock) -> Flow:
    wire, dropped = _encode(slot, action, request, options, stream=True)
    deadline = clock() + action.timeout
    stream = yield Open(slot, wire)
    try:
        if stream.status != 200:
            body = b""
            while chunk := (yield Read(stream)):
                body += chunk
            cause = getattr(stream, "cause", None)
            raise slot.endpoint.error(stream.status, stream.headers, body, action.key) from cause
        incoming = Incoming(Decoding(slot.endpoint, stream.headers, action.key))
        while not (incoming.begun or incoming.ended):
            incoming.open((yield Read(stream)))
            if not incoming.begun and clock() > deadline:
                raise Timeout(f"no token within {action.timeout:g} s")
    except GateError:
        yield Close(stream)
        raise
    return Opened(stream, incoming, dropped)


def broken(error: ProviderError, partial: Reply) -> StreamBroken:
    """The error for a stream that failed after its first token."""
    return StreamBroken(
        f"the stream broke after {len(partial.text)} characters: {error}",
        partial=partial,
        provider=error.provider,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
    )


def _tokens(request: ChatRequest) -> tuple[int, int]:
    """About how many tokens go in and come out: four characters to a token, 500 out unless bounded."""
    return max(1, sum(len(m.text) for m in request.messages) // 4), request.max_tokens or 500
