"""A registry in a few lines, for tests of the engine that hang on no real document."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from llmgate.registry import License, Model, Offer, Provider, Registry
from llmgate.registry.schema import Data, Lineage, Obligation, Rule, Text

DAY = dt.date(2026, 1, 1)
WEB = "https://test.example/"


def rule(uses: str, verdict: str, when: Any = None, otherwise: str | None = None, **more: Any) -> Rule:
    """A rule; `uses` are parted by spaces, `when` is written as in TOML."""
    row = {
        "uses": uses.split(),
        "verdict": verdict,
        "clause": more.pop("clause", "1"),
        "summary": "So it says.",
        **more,
    }
    if when is not None:
        row["when"] = when
    if otherwise is not None:
        row["otherwise"] = otherwise
    return msgspec.convert(row, Rule)


def owed(uses: str, text: str, when: Any = None, kind: str = "display", trigger: str = "product_uses") -> Obligation:
    row = {"uses": uses.split(), "text": text, "kind": kind, "trigger": trigger, "clause": "9"}
    return msgspec.convert(row if when is None else {**row, "when": when}, Obligation)


def license(
    id: str, *rows: Rule | Obligation, kind: str = "weights", read: bool = True, grade: str = "P", **more: Any
) -> License:
    text = Text(WEB + id, DAY, grade, "0" * 64) if read else None  # type: ignore[arg-type]
    return License(
        id=id,
        name=id,
        kind=kind,  # type: ignore[arg-type]
        licensor="Somebody",
        url=WEB + id,
        text=text,
        rule=tuple(r for r in rows if isinstance(r, Rule)),
        obligation=tuple(r for r in rows if isinstance(r, Obligation)),
        **more,
    )


def model(
    id: str, *licenses: str, weights: str = "open", made_from: dict[str, str] | None = None, **more: Any
) -> Model:
    """A model; `made_from` maps bases to relations."""
    facts = {"input": ("text",), "output": ("text",), "developer": "maker", "family": "able", "lifecycle": "active"}
    lineage = tuple(Lineage(base, relation) for base, relation in (made_from or {}).items())  # type: ignore[arg-type]
    return Model(id=id, name=id, weights=weights, license=licenses, lineage=lineage, **(facts | more))  # type: ignore[arg-type]


def provider(
    id: str, kind: str, *terms: str, offers: dict[str, tuple[str, ...] | None] | None = None, **more: Any
) -> Provider:
    """A provider; `offers` maps models to terms of their own, or to None."""
    rows = tuple(
        Offer(model=m, wire=f"{m}-wire", terms=own, source=WEB, checked=DAY, grade="S")
        for m, own in (offers or {}).items()
    )
    return Provider(id=id, name=id, kind=kind, dialect="openai_chat", terms=terms, offer=rows, **more)  # type: ignore[arg-type]


def registry(*things: License | Model | Provider) -> Registry:
    return Registry(
        Data(
            hash="test",
            models=tuple(t for t in things if isinstance(t, Model)),
            licenses=tuple(t for t in things if isinstance(t, License)),
            providers=tuple(t for t in things if isinstance(t, Provider)),
        )
    )


def single(*rows: Rule | Obligation, **more: Any) -> Registry:
    """One open model, `m`, under one licence, `L`."""
    return registry(license("L", *rows, **more), model("m", "L"))
