"""What the client's calls leave in the ledger: both clients, answers, failures, streams that broke or were left."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import llmgate
from llmgate import Client, ConfigError, GateError, PolicyDenied, RateLimited, Reply, StreamBroken
from llmgate.chat import Message, Text
from llmgate.ledger import Record, Stamp, read_ledger
from llmgate.transport.mock import MockTransport

from ..client.gates import MODEL, Gate, Upstream, chunks, config, error, reply, stream

SECRET = "sk-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def gate(request: pytest.FixtureRequest) -> Callable[..., Gate]:
    return lambda config, upstream, **more: Gate(request.param, config, upstream, **more)


def with_ledger(path: Path, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**given, "ledger": {"path": str(path), **more}}


def bodies(path: Path, kind: str) -> list[dict[str, Any]]:
    reader = read_ledger(path)
    try:
        assert reader.verify().findings == ()
        return [json.loads(e.body) for e in reader.entries(kind)]
    finally:
        reader.close()


def records(path: Path) -> list[Record]:
    return [msgspec.convert(b, Record) for b in bodies(path, "call")]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_an_answer_is_on_record_before_the_caller_has_it(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=reply("Paris.")))
    answer = await one.chat("secret words")
    [record] = records(path)
    stamp = record.stamp
    assert stamp is not None
    assert (record.route, record.operation, record.stream, record.provider) == ("r", "chat", False, "a")
    assert (stamp.target, stamp.model, stamp.developer) == (f"a:{MODEL}", MODEL, "huggingface")
    assert (stamp.decision, stamp.verdict, stamp.uses) == (answer.terms.id, "permitted", {"commercial": "permitted"})
    assert [i.id for i in stamp.instruments] == ["Apache-2.0"]
    assert stamp.instruments[0].sha256 == one.client.config.registry.license("Apache-2.0").text.sha256
    assert (stamp.registry, stamp.hosting) == (one.client.config.registry.hash, "self-hosted")
    assert (stamp.answer_sha256, stamp.reply_id) == (sha("Paris."), "chatcmpl-1")
    assert record.usage is not None
    assert (record.usage.input, record.usage.output) == (10, 4)
    assert [(a.target, a.outcome, a.decision) for a in record.attempts] == [(f"a:{MODEL}", "answered", answer.terms.id)]
    [decision] = bodies(path, "decision")
    assert decision["id"] == answer.terms.id
    assert decision["reasons"][0]["clause"]


async def test_a_decision_is_logged_once_also_that_of_a_target_that_was_denied(
    path: Path, gate: Callable[..., Gate]
) -> None:
    given = config("a")
    given["routes"]["r"]["targets"].insert(0, "a:codestral-22b-v0.1")
    one = gate(with_ledger(path, given), Upstream(a=reply()))
    await one.chat()
    await one.chat()
    assert [d["verdict"] for d in bodies(path, "decision")] == ["prohibited", "permitted"]
    assert [[a.outcome for a in r.attempts] for r in records(path)] == [["denied", "answered"]] * 2


async def test_a_price_that_is_known_is_on_record(path: Path, gate: Callable[..., Gate]) -> None:
    given = {"providers": {"mistral": {"api_key": "env:A_KEY"}}, "policy": {"use": ["commercial"], "mode": "report"}}
    one = gate(with_ledger(path, given), lambda request: reply())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_KEY", SECRET)
        answer = await one.chat(model="mistral:mistral-small-2603")
    [record] = records(path)
    assert isinstance(answer.cost_usd, Decimal)
    assert record.cost_usd == answer.cost_usd


async def test_neither_words_nor_keys_are_kept(path: Path, gate: Callable[..., Gate]) -> None:
    given = config("a", "b", a={"api_key": "env:A_KEY"}, b={"api_key": "env:A_KEY"})
    refusing = error(400, text=f"the prompt 'secret words' of {SECRET} is not to my taste")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_KEY", SECRET)
        one = gate(with_ledger(path, given), Upstream(a=refusing, b=reply("secret answer")))
        await one.chat("secret words", metadata={"k": "secret words"})
    assert [a.error for a in records(path)[0].attempts] == ["InvalidRequest", None]
    for file in path.parent.glob("ledger.db*"):
        raw = file.read_bytes()
        assert b"secret" not in raw
        assert SECRET.encode() not in raw


async def test_words_are_kept_where_the_config_asks_for_it(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a"), content=True), Upstream(a=reply("Paris.")))
    await one.chat("What is the capital of France?")
    [record] = records(path)
    db = sqlite3.connect(path)
    [(call, prompt, answer)] = db.execute("SELECT call, prompt, answer FROM content").fetchall()
    db.close()
    assert (call, answer) == (record.id, "Paris.")
    assert msgspec.json.decode(prompt, type=list[Message])[0].text == "What is the capital of France?"


async def test_failures_are_on_record_without_an_answer(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=error(429)))
    with pytest.raises(RateLimited):
        await one.chat()
    [record] = records(path)
    assert (record.error, record.stamp, record.attempts[-1].error) == ("RateLimited", None, "RateLimited")


async def test_a_denied_call_is_on_record_with_its_decision(path: Path, gate: Callable[..., Gate]) -> None:
    given = config("a")
    given["routes"]["r"]["targets"] = ["a:codestral-22b-v0.1"]
    one = gate(with_ledger(path, given), Upstream(a=reply()))
    with pytest.raises(PolicyDenied) as denied:
        await one.chat()
    assert [r.error for r in records(path)] == ["PolicyDenied"]
    assert [d["id"] for d in bodies(path, "decision")] == [denied.value.decisions[0].id]


async def test_a_stream_is_on_record_once_it_is_whole(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=stream("Par", "is.")))
    await one.stream()
    [record] = records(path)
    assert record.stream
    assert record.first_token is not None
    assert record.stamp is not None
    assert record.stamp.answer_sha256 == sha("Paris.")


async def test_a_stream_that_broke_is_on_record_with_what_had_come(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=stream("Par", done=False, finish=False)))
    with pytest.raises(StreamBroken):
        await one.stream()
    [record] = records(path)
    assert record.error == "StreamBroken"
    assert record.stamp is not None
    assert (record.stamp.target, record.stamp.answer_sha256) == (f"a:{MODEL}", sha("Par"))


async def test_a_stream_that_was_left_is_on_record_with_what_had_come(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=(200, {"content-type": "text/event-stream"}, chunks("Par"))))
    if one.asynchronous:
        async with one.client.stream("hi") as answer:
            async for _ in answer.text:
                break
    else:
        with one.client.stream("hi") as answer:
            for _ in answer.text:
                break
    [record] = records(path)
    assert (record.error, record.stop_reason) == (None, "other")
    assert record.stamp is not None
    assert record.stamp.answer_sha256 == sha("Par")


async def test_a_ledger_that_can_not_be_written_costs_nobody_the_reply(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=reply("still here")))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert (await one.chat()).text == "still here"
    other.execute("ROLLBACK")
    other.close()
    if one.asynchronous:
        await one.client.close()
    else:
        one.client.close()
    assert len(records(path)) == 1


def test_without_the_table_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Client(config("a"), transport=MockTransport(Upstream(a=reply()))) as client:
        client.chat("hi")
    assert list(tmp_path.iterdir()) == []


# The config


def test_the_path_is_relative_to_the_configs_folder(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "llmgate.toml").write_text('[ledger]\npath = "calls.db"\n')
    with Client(folder / "llmgate.toml"):
        assert (folder / "calls.db").is_file()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path = 3", "llmgate.toml:2: ledger.path"),
        ("", "llmgate.toml:1: ledger: .*path"),
        ('path = "a.db"\ncontents = true', 'llmgate.toml:3: unknown key "ledger.contents"; did you mean "content"'),
        ('path = "postgresql://host/db"', "llmgate.toml:2: .*a file is wanted"),
        ('path = "nowhere/a.db"', "can not be opened"),
    ],
)
def test_mistakes_in_the_table(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "llmgate.toml").write_text(f"[ledger]\n{table}\n")
    with pytest.raises(ConfigError, match=message):
        Client(tmp_path / "llmgate.toml")


# The stamp


async def test_provenance_is_the_stamp_on_record_in_plain_json(path: Path, gate: Callable[..., Gate]) -> None:
    one = gate(with_ledger(path, config("a")), Upstream(a=reply("Paris.")))
    stamped = llmgate.provenance(await one.chat())
    assert msgspec.convert(json.loads(json.dumps(stamped)), Stamp) == records(path)[0].stamp
    assert stamped["target"] == f"a:{MODEL}"
    assert stamped["instruments"][0].keys() == {"id", "sha256"}


def test_a_reply_that_no_client_gave_has_no_provenance() -> None:
    with pytest.raises(GateError, match="no terms"):
        llmgate.provenance(Reply(Message("assistant", [Text("made up")])))
