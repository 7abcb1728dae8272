"""One contender in a process of its own: `python -m benchmarks.worker NAME URL [CORE]`.

It is asked a scenario's name and answers microseconds per call or per chunk: `wall`, and `cpu` of the whole process,
its threads included. Before its first answer it proves that it reads the texts as they were sent.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from . import wire
from .contenders import CONTENDERS, Contender
from .processes import pin

SECONDS = 0.15  # short turns: what else the machine does then falls on neighbours alike
TASKS = 64
PACED_STREAMS = 8

Figures = dict[str, float]


def one_async(contender: Contender, loop: asyncio.AbstractEventLoop) -> Figures:
    """Awaited calls, one after another: the median call."""

    async def calls() -> list[float]:
        times = []
        stop = time.perf_counter() + SECONDS
        while (began := time.perf_counter()) < stop:
            await contender.chat()
            times.append(time.perf_counter() - began)
        return times

    cpu = time.process_time()
    times = loop.run_until_complete(calls())
    return _figures(statistics.median(times), time.process_time() - cpu, len(times))


def one_sync(contender: Contender, _loop: asyncio.AbstractEventLoop) -> Figures:
    """Blocking calls, one after another: the median call."""
    times = []
    cpu = time.process_time()
    stop = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < stop:
        contender.chat_sync()
        times.append(time.perf_counter() - began)
    return _figures(statistics.median(times), time.process_time() - cpu, len(times))


def concurrent(contender: Contender, loop: asyncio.AbstractEventLoop) -> Figures:
    """64 tasks that call without a pause: seconds over calls answered."""

    async def calls() -> tuple[float, int]:
        began = time.perf_counter()
        stop = began + SECONDS

        async def task() -> int:
            done = 0
            while time.perf_counter() < stop:
                await contender.chat()
                done += 1
            return done

        answered = sum(await asyncio.gather(*(task() for _ in range(TASKS))))
        return time.perf_counter() - began, answered

    cpu = time.process_time()
    seconds, answered = loop.run_until_complete(calls())
    return _figures(seconds / answered, time.process_time() - cpu, answered)


def stream(contender: Contender, loop: asyncio.AbstractEventLoop) -> Figures:
    """Streams whose chunks are all there at once, one after another: the median stream, call included, by chunk."""

    async def streams() -> list[float]:
        times = []
        stop = time.perf_counter() + SECONDS
        while (began := time.perf_counter()) < stop:
            async for _ in contender.stream():
                pass
            times.append(time.perf_counter() - began)
        return times

    cpu = time.process_time()
    times = loop.run_until_complete(streams())
    return _figures(statistics.median(times) / wire.CHUNKS, time.process_time() - cpu, len(times) * wire.CHUNKS)


def paced(contender: Contender, loop: asyncio.AbstractEventLoop) -> Figures:
    """Eight streams at a model's pace. Its CPU is what counts: the wall time is the upstream's pauses."""

    async def one() -> None:
        async for _ in contender.stream():
            pass

    async def streams() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(PACED_STREAMS)))
        return time.perf_counter() - began

    cpu = time.process_time()
    seconds = loop.run_until_complete(streams())
    chunks = PACED_STREAMS * wire.CHUNKS
    return _figures(seconds / chunks, time.process_time() - cpu, chunks)


SCENARIOS: dict[str, Callable[[Contender, asyncio.AbstractEventLoop], Figures]] = {
    "one_async": one_async,
    "one_sync": one_sync,
    "concurrent": concurrent,
    "stream": stream,
    "paced": paced,
}


def _figures(wall: float, cpu: float, count: int) -> Figures:
    return {"wall": wall * 1e6, "cpu": cpu / count * 1e6, "count": count}


async def prove(contender: Contender) -> None:
    """Raises AssertionError if the contender does not read what was sent."""
    assert await contender.chat() == wire.ANSWER
    assert "".join([text async for text in contender.stream()]) == wire.STREAMED


def main(name: str, url: str, *core: str) -> None:
    pin(core)
    loop = asyncio.new_event_loop()
    made: dict[str, Any] = {path: CONTENDERS[name](url + path) for path in ("/v1", "/paced/v1")}
    for contender in made.values():
        loop.run_until_complete(prove(contender))
    assert made["/v1"].chat_sync() == wire.ANSWER
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        scenario = json.loads(line)
        contender = made["/paced/v1" if scenario == "paced" else "/v1"]
        print(json.dumps(SCENARIOS[scenario](contender, loop)), flush=True)
    loop.run_until_complete(loop.shutdown_asyncgens())


if __name__ == "__main__":
    main(*sys.argv[1:])
