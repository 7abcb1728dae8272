"""Real questions, answered from the documents: verdict, clause, obligations, missing facts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import llmgate

QUESTIONS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("questions.toml").read_text("utf-8"))[
    "question"
]


def test_there_are_enough_questions_and_each_has_its_own_name() -> None:
    assert len(QUESTIONS) >= 60
    assert len({q["id"] for q in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("q", QUESTIONS, ids=lambda q: q["id"])
def test_question(q: dict[str, Any]) -> None:
    decision = llmgate.check(q["model"], use=q["use"], **q.get("facts", {}))

    assert decision.verdict == q["verdict"], str(decision)
    cited = [(r.license, r.clause) for r in decision.deciding]
    assert any(license == q["cites"]["license"] and q["cites"]["clause"] in clause for license, clause in cited), cited
    owed = [o.text for o in decision.obligations]
    for words in q.get("owes", []):
        assert any(words in text for text in owed), (words, owed)
    for words in q.get("owes_not", []):
        assert not any(words in text for text in owed), (words, owed)
    if decision.verdict == "conditional":
        assert list(decision.missing_facts) == q["misses"]
    if decision.verdict != "unknown":
        read = [r for r in decision.deciding if r.clause != "contracts"]
        assert all(r.source.startswith("https://") and r.checked and r.grade in ("P", "S") for r in read)
