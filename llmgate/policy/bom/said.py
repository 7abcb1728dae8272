"""What both formats say in the same words: facts, scores, evidence, decisions."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ...registry import License, Model
from ...registry.schema import Parameters
from ..judged import Judged


def content_id(document: Any) -> uuid.UUID:
    """An id that stands for a document's content: the same content, the same id."""
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return uuid.uuid5(uuid.NAMESPACE_OID, canonical)


def purl(model: Model | None) -> str | None:
    """The package URL of open weights on Hugging Face."""
    if model is None or model.huggingface is None or model.weights != "open":
        return None
    return f"pkg:huggingface/{quote(model.huggingface)}"


def weights_url(model: Model | None) -> str | None:
    """Where open weights are to be had."""
    return f"https://huggingface.co/{model.huggingface}" if purl(model) and model else None


def facts(model: Model) -> Iterator[tuple[str, str]]:
    """The figures of a model that are known, by name. What is not published is not listed."""
    if isinstance(model.parameters, Parameters):
        yield "parameters.total", str(model.parameters.total)
        if model.parameters.active is not None:
            yield "parameters.active", str(model.parameters.active)
    for name in ("context", "max_output", "tokenizer", "knowledge_cutoff", "released"):
        value = getattr(model, name)
        if value is not None and value != "undisclosed":
            yield name, str(value)


def architecture(model: Model) -> str | None:
    """The family of its architecture, where it is published."""
    return model.architecture.kind if model.architecture and model.architecture.kind != "undisclosed" else None


def training(model: Model) -> str | None:
    """What is published about its training, in a line."""
    known = model.training
    if known is None:
        return None
    said = [
        known.data,
        f"{known.tokens} tokens" if known.tokens else None,
        f"{known.compute_flops:g} FLOP" if known.compute_flops else None,
        f"methods: {', '.join(known.method)}" if known.method else None,
        known.note,
    ]
    return "; ".join(x.rstrip(".") for x in said if x) or None


def scores(model: Model) -> Iterator[tuple[str, str, str]]:
    """Name, setting and score of each benchmark; a score means nothing without its setting."""
    for b in model.benchmark:
        yield b.name, f"{b.setting}, {b.variant}" if b.variant else b.setting, f"{b.score:g}"


def evidence(license: License) -> Iterator[tuple[str, str]]:
    """How an instrument is known: where its text was read, when, by which hash."""
    if license.text is None:
        yield "read", "no"
        return
    yield "read", license.text.url
    yield "checked", license.text.checked.isoformat()
    yield "grade", license.text.grade
    if license.text.sha256:
        yield "sha256", license.text.sha256


def verdicts(j: Judged) -> Iterator[tuple[str, str]]:
    """A decision as pairs: the target, verdicts, what made them so, what is owed. The facts about you stay out."""
    d = j.decision
    yield "target", j.target
    yield "policy", j.standing
    if j.routes:
        yield "routes", ", ".join(j.routes)
    yield "verdict", d.verdict
    yield from ((f"verdict:{use}", verdict) for use, verdict in d.uses.items())
    if d.verdict != "permitted":
        for r in d.deciding:
            yield "reason", f"{r.summary} [{f'{r.license}, {r.clause}' if r.clause else r.license}]"
    if d.verdict == "conditional":
        yield from (("missing-fact", name) for name in d.missing_facts)
    for o in d.obligations:
        condition = f", if {o.only_if}" if o.only_if else ""
        yield "owed", f"{o.kind}, {o.trigger}{condition}: {o.text} [{o.license}, {o.clause}]"


def moment(timestamp: dt.datetime) -> str:
    """A point in time in UTC, as both formats write it."""
    return timestamp.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def slug(text: str) -> str:
    """A name as part of an id: one that no two names share."""
    return re.sub(r"[^A-Za-z0-9.\-]", lambda found: f"_{ord(found[0]):x}_", text)
