"""Every contender over every scenario, in interleaved rounds."""

from __future__ import annotations

import statistics
import time
import urllib.request
from contextlib import ExitStack
from typing import Any

from .contenders import BASE, CONTENDERS
from .processes import Child, cores
from .worker import SCENARIOS


def measure(rounds: int) -> dict[str, Any]:
    """Contender to scenario to medians over the rounds.

    `wall` and `cpu`: microseconds per call or per chunk. `wall_ratio`, `cpu_ratio`: to raw httpx in the same round.
    `upstream_busy`: the largest share of its core that the upstream used; near 1 it would be what was measured.
    """
    for_upstream, for_contenders = cores()
    with ExitStack() as stack:
        upstream = stack.enter_context(Child("upstream", *for_upstream))
        url = f"http://127.0.0.1:{upstream.read()}"
        workers = {}
        for name in CONTENDERS:
            workers[name] = stack.enter_context(Child("worker", name, url, *for_contenders))
            workers[name].read()
        found: dict[str, dict[str, list[dict[str, float]]]] = {
            name: {scenario: [] for scenario in SCENARIOS} for name in CONTENDERS
        }
        for number in range(rounds + 1):
            for scenario in SCENARIOS:
                for name in _turned(list(CONTENDERS), number):
                    figures = _ask(workers[name], scenario, url)
                    if number:  # the first round warms up
                        found[name][scenario].append(figures)
    return {
        name: {scenario: _medians(found[name][scenario], found[BASE][scenario]) for scenario in SCENARIOS}
        for name in CONTENDERS
    }


def _turned(names: list[str], by: int) -> list[str]:
    """Each round begins with another one, so that none is always measured after the same neighbour."""
    return names[by % len(names) :] + names[: by % len(names)]


def _ask(worker: Child, scenario: str, url: str) -> dict[str, float]:
    before, began = _upstream_cpu(url), time.perf_counter()
    figures: dict[str, float] = worker.ask(scenario)
    seconds = time.perf_counter() - began
    return figures | {"upstream_busy": (_upstream_cpu(url) - before) / seconds}


def _upstream_cpu(url: str) -> float:
    with urllib.request.urlopen(f"{url}/cpu") as answer:
        return float(answer.read())


def _medians(own: list[dict[str, float]], base: list[dict[str, float]]) -> dict[str, float]:
    out = {clock: statistics.median(f[clock] for f in own) for clock in ("wall", "cpu")}
    for clock in ("wall", "cpu"):
        out[f"{clock}_ratio"] = statistics.median(f[clock] / b[clock] for f, b in zip(own, base, strict=True))
    out["upstream_busy"] = max(f["upstream_busy"] for f in own)
    return out
