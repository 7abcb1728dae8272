"""`llmgate usage`: added up from the records of real calls."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmgate import Client, RateLimited
from llmgate.transport.mock import MockTransport

from ..client.gates import error, reply
from .conftest import Gate

OWN = "own:mistral-7b-instruct-v0.3"
PRICED = "mistral:mistral-small-4-119b-2603"


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Gate, Decimal]:
    """A folder with a ledger of two priced answers, one without a price and one failure; what the two cost."""
    monkeypatch.setenv("A_KEY", "k" * 20)
    gate = Gate(tmp_path)
    path = gate.config(
        '[policy]\nmode = "report"\n[ledger]\npath = "calls.db"\n[providers.mistral]\napi_key = "env:A_KEY"\n'
        '[providers.own]\ndialect = "openai_chat"\nurl = "http://own/v1"\nself_hosted = true\n'
    )
    answers: list[Any] = [reply(), reply(), reply(), error(429)]
    with Client(path, transport=MockTransport(lambda request: answers.pop(0))) as client:
        costs = [client.chat("hi", model=PRICED).cost_usd for _ in range(2)]
        client.chat("hi", model=OWN)
        with pytest.raises(RateLimited):
            client.chat("hi", model=OWN, retries=0)
    assert None not in costs
    return gate, sum((c for c in costs if c is not None), Decimal(0))


def test_calls_tokens_and_cost_by_target(used: tuple[Gate, Decimal]) -> None:
    gate, cost = used
    rows = gate("usage", "--by", "target", "--json").json
    assert [(r["target"], r["calls"], r["failed"], r["unpriced"]) for r in rows] == [
        (PRICED, 2, 0, 0),
        (OWN, 1, 0, 1),
        (None, 1, 1, 0),
    ]
    assert Decimal(rows[0]["cost_usd"]) == cost > 0
    assert (rows[0]["usage"]["input"], rows[0]["usage"]["output"]) == (20, 8)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("model", [PRICED.partition(":")[2], OWN.partition(":")[2], None]),
        ("provider", ["mistral", "own", None]),
        ("route", [OWN, PRICED]),
    ],
)
def test_by_other_things(used: tuple[Gate, Decimal], by: str, names: list[str | None]) -> None:
    assert sorted(r[by] or "" for r in used[0]("usage", "--by", by, "--json").json) == sorted(n or "" for n in names)


def test_since(used: tuple[Gate, Decimal]) -> None:
    gate, _ = used
    day = dt.datetime.now(dt.UTC).date()
    assert sum(r["calls"] for r in gate("usage", "--since", "1d", "--json").json) == 4
    assert sum(r["calls"] for r in gate("usage", "--since", str(day - dt.timedelta(1)), "--json").json) == 4
    assert gate("usage", "--since", str(day + dt.timedelta(2)), "--json").json == []


def test_the_table(used: tuple[Gate, Decimal]) -> None:
    gate, cost = used
    out = gate("usage").out
    assert f"{cost:.6f}" in out
    assert "(nobody answered)" in out


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("usage --by modell", ['there is no "modell"', '"model"']),
        ("usage --since lately", ["--since lately", "7d"]),
        ("usage --ledger nowhere.db", ["there is no ledger at nowhere.db"]),
        ("usage", ["there is no ledger"]),
    ],
)
def test_wrong_usage(gate: Gate, line: str, parts: list[str]) -> None:
    ran = gate(*line.split())
    assert (ran.code, ran.out) == (2, "")
    assert all(part in ran.err for part in parts)
