"""The registry and policy: loading, one decision, a question to every model; beside the plainest equivalents.

Loading is held against `json.loads` of the same artefact, a decision that was made before against a lookup in a dict.
Each round measures everything once, the rounds' medians are reported. Alone: `python -m benchmarks registry`.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from llmgate.policy import Facts, Policy, Rules, decide, select
from llmgate.registry import ARTEFACT, Registry, load

ROUNDS = 25
ASKED = ("commercial", "train-on-outputs")
TARGETS = ("llama-3.1-8b-instruct", "gpt-4o", "groq:gpt-oss-120b", "openrouter:gpt-4o", "mixtral-8x7b-instruct-v0.1")
"""Weights alone, closed ones, hosts, an aggregator: between one and four documents each."""

_read = load.__wrapped__  # as in a process that has not loaded it yet
_fresh = itertools.count()


def measure() -> dict[str, Any]:
    """Milliseconds of loading and of questions to all models, microseconds of a decision, and ratios."""
    raw = ARTEFACT.read_bytes()
    registry = load()
    rounds = [_round(raw, registry) for _ in range(ROUNDS)]
    out: dict[str, Any] = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    out["load_ratio"] = statistics.median(r["load_ms"] / r["json_ms"] for r in rounds)
    out["again_ratio"] = statistics.median(r["again_us"] / r["dict_us"] for r in rounds)
    out |= {"models": len(registry.data.models), "bytes": len(raw)}
    return out


def _round(raw: bytes, registry: Registry) -> dict[str, float]:
    facts = Facts({"established": "DE", "annual_revenue_usd": 1_000_000})
    deployments = [registry.resolve(t) for t in TARGETS]
    policy = Policy(registry, Rules(use=ASKED, facts=facts))
    plain = {(d.name, ASKED, facts): d for d in deployments}
    new = [Facts({"established": "DE", "annual_revenue_usd": next(_fresh)}) for _ in range(20)]
    cold = _read()
    return {
        "json_ms": 1e3 * _spent(lambda: json.loads(raw)),
        "load_ms": 1e3 * _spent(_read),
        "first_us": 1e6
        * _spent(lambda: [decide(registry, t, ASKED, f) for f in new for t in TARGETS], 20 * len(TARGETS)),
        "again_us": 1e6
        * _spent(lambda: [policy.decide(d) for _ in range(200) for d in deployments], 200 * len(TARGETS)),
        "dict_us": 1e6
        * _spent(lambda: [plain[d.name, ASKED, facts] for _ in range(200) for d in deployments], 200 * len(TARGETS)),
        "select_first_ms": 1e3 * _spent(lambda: select(cold, ASKED, facts)),
        "select_ms": 1e3 * _spent(lambda: select(cold, ASKED, facts)),
        "filter_ms": 1e3 * _spent(lambda: registry.models(input=["image"], min_context=100_000, weights="open")),
    }


def _spent(what: Callable[[], object], times: int = 1) -> float:
    """Seconds for one of `times` that a call does."""
    began = time.perf_counter()
    kept = what()  # freed after the clock is read
    spent = time.perf_counter() - began
    del kept
    return spent / times


def rows(results: dict[str, Any]) -> list[list[str]]:
    """The results in words: what, how long, and beside what."""
    r = results
    return [
        [f"json.loads of the artefact ({r['bytes'] / 1e6:.2f} MB)", f"{r['json_ms']:.1f} ms", ""],
        [f"load the registry ({r['models']} models)", f"{r['load_ms']:.1f} ms", f"{r['load_ratio']:.2f} x json.loads"],
        ["one decision, with facts not seen before", f"{r['first_us']:.1f} us", ""],
        ["a decision made before", f"{r['again_us']:.2f} us", f"{r['again_ratio']:.1f} x a dict lookup"],
        ["two uses of every model, for the first time", f"{r['select_first_ms']:.1f} ms", ""],
        ["two uses of every model, again", f"{r['select_ms']:.1f} ms", ""],
        ["a filter over every model", f"{r['filter_ms']:.2f} ms", ""],
    ]
