"""May a recorded answer be used so? Judged now, by what governed it then."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmgate import ConfigError, Registry
from llmgate.ledger import Stamp, open_ledger, read_ledger, text_hash
from llmgate.ledger.audit import Answers, dig, recorded, rows
from llmgate.ledger.lineage import OTHER, Group, Item, Lineage
from llmgate.ledger.record import Record, body
from llmgate.policy import decide
from llmgate.policy.decision import Instrument
from llmgate.policy.own import OwnRule

from ..policy.small import license, model, owed, provider, registry, rule

USE = ("train-on-outputs",)
DAY = dt.date(2026, 6, 1)
FREE = license("free", rule("train-on-outputs commercial", "permitted"))
NEVER = license("never", rule("train-on-outputs", "prohibited", remedy="Ask."), rule("commercial", "permitted"))
FAMILY = license(
    "own-family",
    rule("train-on-outputs", "prohibited", {"trained_model_family": {"not_in": ["able"]}}, otherwise="permitted"),
    owed("train-on-outputs", 'Begin its name with "Able".', kind="naming", trigger="publish_model"),
)
RIVALS = rule("train-on-outputs", "prohibited", {"trained_model_competes": True}, otherwise="permitted")


def world(*more: Any) -> Registry:
    return registry(
        FREE,
        NEVER,
        FAMILY,
        model("open", "free"),
        model("shut", "never"),
        model("able", "own-family"),
        provider("own", "self-hosted"),
        *more,
    )


def terms(id: str, *rules: Any, **more: Any) -> Any:
    return license(id, *rules, kind="terms", **more)


def stamp(known: Registry, target: str, day: dt.date = DAY, text: str = "answer", **changes: Any) -> Stamp:
    """As the client would have made it that day."""
    decision = decide(known, target, ["commercial"], {"date": day})
    basis = decision.basis
    made = Stamp(
        target=decision.target,
        date=day,
        registry=known.hash,
        decision=decision.id,
        verdict=decision.verdict,
        uses=decision.uses,
        instruments=tuple(Instrument(i.id, i.sha256) for i in basis.instruments),
        answer_sha256=text_hash(text),
        reply_id="r-1",
        model=basis.model,
        developer=basis.developer,
        hosting=basis.hosting,
        declared=basis.declared,
    )
    return msgspec.structs.replace(made, **changes)


def groups(known: Registry, *stamps: Stamp, use: tuple[str, ...] = USE, **facts: Any) -> list[Group]:
    return Lineage(known, use, facts).groups(Item(s) for s in stamps)


def verdict(known: Registry, one: Stamp, **facts: Any) -> str:
    return groups(known, one, **facts)[0].verdict


def summaries(group: Group) -> str:
    assert group.decision is not None
    return " | ".join(r.summary for r in group.decision.deciding)


def test_answers_come_in_groups_by_target_and_instruments_the_best_first() -> None:
    known = world()
    later = DAY + dt.timedelta(3)
    found = groups(known, stamp(known, "own:shut"), stamp(known, "own:open"), stamp(known, "own:open", later))
    assert [(g.verdict, g.target, g.count, g.first, g.last) for g in found] == [
        ("permitted", "own:open", 2, DAY, later),
        ("prohibited", "own:shut", 1, DAY, DAY),
    ]
    assert [i.id for i in found[1].instruments] == ["never"]
    assert found[1].decision is not None
    assert found[1].decision.deciding[0].remedy == "Ask."


def test_the_use_is_the_askers() -> None:
    known = world()
    assert [g.verdict for g in groups(known, stamp(known, "own:shut"), use=("commercial",))] == ["permitted"]


def test_what_is_to_be_trained_decides() -> None:
    known = world()
    able = stamp(known, "own:able")
    [group] = groups(known, able)
    assert group.verdict == "conditional"
    assert {s.facts["trained_model_family"]: s.verdict for s in group.students} == {
        "able": "permitted",
        OTHER: "prohibited",
    }
    assert verdict(known, able, trained_model_family="able") == "permitted"
    assert verdict(known, able, trained_model_family="beta") == "prohibited"
    [allowed] = groups(known, able, trained_model_family="able")
    assert allowed.decision is not None
    assert [o.text for o in allowed.decision.obligations] == ['Begin its name with "Able".']


def test_kinds_of_students_are_combined() -> None:
    known = registry(license("both", RIVALS, *FAMILY.rule), model("m", "both"), provider("own", "self-hosted"))
    [group] = groups(known, stamp(known, "own:m"))
    said = {(s.facts["trained_model_competes"], s.facts["trained_model_family"]): s.verdict for s in group.students}
    assert len(said) == 4
    assert [k for k, v in said.items() if v == "permitted"] == [("false", "able")]


# Terms bind by the day of the call

OLD = terms("t-old", rule("train-on-outputs", "permitted"), effective_until=dt.date(2026, 6, 30))
NEW = terms("t-new", rule("train-on-outputs", "prohibited"), effective_from=dt.date(2026, 7, 1), supersedes="t-old")
HOST = provider("host", "host", "t-old", "t-new", offers={"open": None})


def test_terms_bind_by_the_day_of_the_call() -> None:
    known = world(OLD, NEW, HOST)
    before, after = stamp(known, "host:open"), stamp(known, "host:open", dt.date(2026, 7, 1))
    assert [i.id for i in before.instruments] == ["free", "t-old"]
    assert [i.id for i in after.instruments] == ["free", "t-new"]
    assert (verdict(known, before), verdict(known, after)) == ("permitted", "prohibited")


def test_new_terms_of_which_the_registry_learned_too_late_count_from_their_day() -> None:
    stale = world(
        msgspec.structs.replace(OLD, effective_until=None), provider("host", "host", "t-old", offers={"open": None})
    )
    made = stamp(stale, "host:open", dt.date(2026, 7, 2))
    assert [i.id for i in made.instruments] == ["free", "t-old"]
    [group] = groups(world(OLD, NEW, HOST), made)
    assert group.verdict == "prohibited"
    assert group.decision is not None
    assert [r.license for r in group.decision.deciding] == ["t-new"]


def test_a_newer_version_of_a_licence_does_not_reach_back() -> None:
    then = world()
    newer = license(
        "never-2", rule("train-on-outputs", "permitted"), supersedes="never", effective_from=dt.date(2026, 8, 1)
    )
    now = registry(NEVER, newer, model("shut", "never-2"), provider("own", "self-hosted"))
    assert verdict(now, stamp(then, "own:shut")) == "prohibited"


def test_a_document_that_came_to_be_known_only_later_counts_too() -> None:
    then = world()
    policy = license("aup", rule("train-on-outputs", "prohibited"), kind="policy")
    now = registry(
        msgspec.structs.replace(FREE, incorporates=("aup",)),
        policy,
        model("open", "free"),
        provider("own", "self-hosted"),
    )
    assert verdict(now, stamp(then, "own:open")) == "prohibited"


def test_a_better_reading_of_the_same_text_counts() -> None:
    then = world()
    now = registry(
        msgspec.structs.replace(NEVER, rule=(rule("train-on-outputs", "conditional"),)), model("shut", "never")
    )
    assert verdict(now, stamp(then, "own:shut")) == "conditional"


# Texts that the registry does not have any more


@pytest.mark.parametrize(
    "now",
    [
        registry(model("open", "free-2"), license("free-2", *FREE.rule), provider("own", "self-hosted")),
        registry(
            model("open", "free"),
            msgspec.structs.replace(FREE, text=msgspec.structs.replace(FREE.text, sha256="1" * 64)),  # type: ignore[type-var]
            provider("own", "self-hosted"),
        ),
    ],
    ids=["its id is gone", "another text has its id"],
)
def test_a_text_that_is_gone_is_unknown_and_said_so(now: Registry) -> None:
    made = stamp(world(), "own:open", instruments=(Instrument("free", "a" * 64),))
    [group] = groups(now, made)
    assert group.verdict == "unknown"
    assert "free governed it on 2026-06-01" in summaries(group)
    assert "is not in the registry now" in summaries(group)


def test_a_text_that_was_given_another_id_is_found_by_its_hash() -> None:
    text = msgspec.structs.replace(FREE.text, sha256="c" * 64)  # type: ignore[type-var]
    renamed = msgspec.structs.replace(FREE, id="free-1.0", text=text)
    now = registry(renamed, model("open", "free-1.0"), provider("own", "self-hosted"))
    assert verdict(now, stamp(world(), "own:open", instruments=(Instrument("free", "c" * 64),))) == "permitted"


def test_an_unread_document_stays_unknown_until_it_is_read() -> None:
    then = world(terms("t", read=False), provider("host", "host", "t", offers={"open": None}))
    made = stamp(then, "host:open")
    assert made.instruments[-1] == Instrument("t", None)
    assert verdict(then, made) == "unknown"
    now = world(terms("t", RIVALS), provider("host", "host", "t", offers={"open": None}))
    assert verdict(now, made, trained_model_competes=False) == "permitted"


# Deployments that are no more


def test_an_own_server_that_only_its_config_knew_is_judged_by_what_was_recorded() -> None:
    made = stamp(world(), "own:open")
    now = registry(FREE, model("open", "free"))
    assert verdict(now, made) == "permitted"


def test_a_host_that_is_gone_is_judged_by_the_terms_it_had() -> None:
    rivals = terms("t", RIVALS)
    made = stamp(world(rivals, provider("host", "host", "t", offers={"open": None})), "host:open")
    now = world(rivals)
    assert verdict(now, made, trained_model_competes=True) == "prohibited"
    assert verdict(now, made, trained_model_competes=False) == "permitted"


def test_a_closed_model_whose_makers_service_is_gone_is_judged_by_its_terms() -> None:
    rivals = terms("t", RIVALS)
    maker = provider("maker", "first-party", "t", offers={"closed": None}, developers=("maker",))
    made = stamp(world(rivals, model("closed", weights="closed"), maker), "maker:closed")
    assert verdict(world(rivals, model("closed", weights="closed")), made, trained_model_competes=False) == "permitted"


def test_a_server_that_is_now_of_another_kind_is_judged_as_it_was() -> None:
    made = stamp(world(), "own:open")
    now = registry(FREE, NEVER, model("open", "free"), provider("own", "host", "never"))
    assert verdict(now, made) == "permitted"


def test_a_declared_licence_counts() -> None:
    known = world()
    deployment = msgspec.structs.replace(known.resolve("own:mine"), license=("never",))
    decision = decide(known, deployment, ["commercial"])
    made = stamp(known, "own:mine", declared=("never",), instruments=decision.basis.instruments)
    assert verdict(known, made) == "prohibited"
    assert verdict(known, stamp(known, "own:mine")) == "unknown"


# Facts


def test_the_day_is_each_answers_own_and_so_is_the_accounts_tier() -> None:
    paid = terms("t", rule("train-on-outputs", "permitted", {"provider_tier": "paid"}, otherwise="prohibited"))
    known = world(paid, provider("host", "host", "t", offers={"open": None}))
    made = stamp(known, "host:open", tier="paid")
    assert verdict(known, made, provider_tier="unpaid", date="2020-01-01") == "permitted"
    assert verdict(known, stamp(known, "host:open"), provider_tier="unpaid") == "prohibited"


def test_a_contract_of_now_replaces_what_governed_then() -> None:
    known = world()
    assert verdict(known, stamp(known, "own:shut"), contracts="never") == "permitted"


def test_own_rules_count() -> None:
    known = world()
    never = OwnRule(when={"model.developer": "maker"}, summary="Not from that maker.")
    [group] = Lineage(known, USE, rules=(never,)).groups([Item(stamp(known, "own:open"))])
    assert group.verdict == "prohibited"
    assert summaries(group) == "Not from that maker."


# A ledger's records


def write(path: Path, *stamps: Stamp) -> None:
    ledger = open_ledger(path)
    for n, one in enumerate(stamps):
        record = Record(
            id=f"call-{n}",
            time=f"{one.date}T00:00:00.000000Z",
            operation="chat",
            stream=False,
            route="r",
            seconds=1.0,
            stamp=one,
        )
        ledger.append([body(record)])
    ledger.close()


def read(path: Path, since: dt.date | None = None) -> list[Item]:
    reader = read_ledger(path)
    try:
        return list(recorded(reader, reader.verify(), since))
    finally:
        reader.close()


def test_records_since_a_day(tmp_path: Path) -> None:
    known, path = world(), tmp_path / "l.db"
    made = [stamp(known, "own:open", DAY + dt.timedelta(n)) for n in range(3)]
    write(path, *made)
    assert [i.stamp for i in read(path)] == made
    assert [i.stamp for i in read(path, DAY + dt.timedelta(1))] == made[1:]


def test_a_record_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    import sqlite3

    known, path = world(), tmp_path / "l.db"
    write(path, stamp(known, "own:shut"), stamp(known, "own:open"))
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER entries_stay")
    db.execute(
        "UPDATE entries SET body = replace(replace(body, 'never', 'free'), 'own:shut', 'own:open') WHERE seq = 2"
    )
    db.commit()
    db.close()
    found = Lineage(known, USE).groups(read(path))
    assert [(g.verdict, g.count) for g in found] == [("permitted", 1), ("unknown", 1)]
    assert found[1].why_unknown == "the ledger's chain does not bear the record out"


# A dataset's rows


def dataset(path: Path, *lines: Any) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
    return path


def stamped(one: Stamp, text: str = "answer", **more: Any) -> dict[str, Any]:
    return {"answer": text, "llmgate": msgspec.to_builtins(one), **more}


def test_rows_without_a_stamp_that_can_be_believed_are_listed_by_their_lines(tmp_path: Path) -> None:
    known = world()
    good = stamp(known, "own:open")
    path = dataset(
        tmp_path / "d.jsonl",
        stamped(good),
        {"answer": "from nowhere"},
        "",
        stamped(good, "put in later"),
        "{ no JSON",
        stamped(good) | {"llmgate": {"target": "own:open"}},
        [1, 2],
        {"answer": "from nowhere too"},
        {"llmgate": msgspec.to_builtins(good)},
    )
    found = Lineage(known, USE).groups(rows(path, text_field="answer"))
    assert [g.verdict for g in found] == ["permitted"] + ["unknown"] * 5
    why = {g.why_unknown: g.rows for g in found[1:]}
    assert found[0].rows == (1,)
    assert why["without a stamp: nobody knows where it comes from"] == (2, 8)
    assert why["tampered with: its text is not the one that was stamped"] == (4,)
    assert why["the row is no JSON object"] == (5, 7)
    assert why["the row has no text at answer"] == (9,)
    assert [r for w, r in why.items() if w and w.startswith("its stamp can not be read")] == [(6,)]


def test_a_row_without_a_stamp_is_found_in_the_ledger_by_its_text(tmp_path: Path) -> None:
    known = world()
    write(
        tmp_path / "l.db",
        stamp(known, "own:shut", text="only here"),
        stamp(known, "own:shut", text="Yes."),
        stamp(known, "own:open", text="Yes."),
    )
    path = dataset(tmp_path / "d.jsonl", {"a": "only here"}, {"a": "Yes."}, {"a": "nowhere"})
    reader = read_ledger(tmp_path / "l.db")
    answers = Answers(reader, reader.verify())
    reader.close()
    found = Lineage(known, USE).groups(rows(path, text_field="a", answers=answers))
    assert {g.rows: (g.verdict, g.target, g.why_unknown) for g in found} == {
        (1,): ("prohibited", "own:shut", None),
        (2,): ("unknown", None, "without a stamp, and several recorded answers have its text"),
        (3,): ("unknown", None, "without a stamp, and no recorded answer has its text"),
    }


def test_a_stamp_that_the_ledger_contradicts_is_not_believed(tmp_path: Path) -> None:
    known = world()
    write(tmp_path / "l.db", stamp(known, "own:shut"))
    path = dataset(tmp_path / "d.jsonl", stamped(stamp(known, "own:open")), stamped(stamp(known, "own:shut")))
    reader = read_ledger(tmp_path / "l.db")
    answers = Answers(reader, reader.verify())
    reader.close()
    found = Lineage(known, USE).groups(rows(path, answers=answers))
    assert [(g.verdict, g.rows) for g in found] == [("unknown", (1,)), ("prohibited", (2,))]
    assert found[0].why_unknown == "tampered with: its stamp is at odds with the ledger"


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read it: No such file"):
        list(rows(tmp_path / "none.jsonl"))
    (tmp_path / "latin.jsonl").write_bytes(b'{"a": "\xe9"}\n')
    with pytest.raises(ConfigError, match="not UTF-8"):
        list(rows(tmp_path / "latin.jsonl"))


def test_paths_into_a_row() -> None:
    row = {"messages": [{"content": "q"}, {"content": "a"}], "a.b": "dotted", "x": {"y": 0}}
    assert [dig(row, p) for p in ("messages.1.content", "a.b", "x.y", "messages.7.content", "x.y.z", "q")] == [
        "a",
        "dotted",
        0,
        None,
        None,
        None,
    ]
