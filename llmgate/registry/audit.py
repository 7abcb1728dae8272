"""What is wrong or wanting in registry data that is well formed: stale, ungraded, conflicting, missing, dangling."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import msgspec

from .price import at
from .schema import Data, License, Model, Offer, Parameters, Provider, Rates, Source

Kind = Literal["stale", "conflicting", "differing", "dangling", "ungraded", "missing"]
"""conflicting: both can not be true. differing: both may be, such as a host that stretches a model's context."""
KINDS: tuple[str, ...] = get_args(Kind)
Level = Literal["error", "note"]
LEVELS: dict[Kind, Level] = {
    "stale": "error",
    "conflicting": "error",
    "differing": "note",
    "dangling": "note",
    "ungraded": "note",
    "missing": "note",
}
"""error: what is stated can not be relied on. note: what is not stated, or not well enough."""
_ROUNDING = 1.06
"""1,000,000 tokens and 1,048,576 are the same context in other words."""
_PROVIDER_FACTS = ("url", "key_env", "country")
"""What a provider's file should name a source of."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing to look at. where: the file, as `models/gpt-4o`. what: in words."""

    level: Level
    kind: Kind
    where: str
    what: str


def audit(data: Data, today: dt.date, max_age: int) -> list[Finding]:
    """Everything to look at, errors first. max_age: days for which a reading counts as fresh."""
    oldest = today - dt.timedelta(days=max_age)
    return sorted({Finding(LEVELS[kind], kind, where, what) for kind, where, what in _all(data, today, oldest)})


Found = tuple[Kind, str, str]


def _all(data: Data, today: dt.date, oldest: dt.date) -> Iterator[Found]:
    models = {m.id: m for m in data.models}
    for folder, items in (("models", data.models), ("licenses", data.licenses), ("providers", data.providers)):
        for item in items:
            yield from _stale(f"{folder}/{item.id}", item, today, oldest)
            yield from _graded_low(f"{folder}/{item.id}", item)
    for m in data.models:
        yield from _of_model(f"models/{m.id}", m, models, today)
    yield from _of_licenses(data)
    for p in data.providers:
        yield from _of_provider(f"providers/{p.id}", p, models, today)


# Evidence ---------------------------------------------------------------------------------------


def _readings(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every struct within that says when something was read, and its path."""
    if isinstance(value, msgspec.Struct):
        if isinstance(getattr(value, "checked", None), dt.date):
            yield path, value
        for name in value.__struct_fields__:
            yield from _readings(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, tuple):
        for n, item in enumerate(value):
            yield from _readings(item, f"{path}[{n}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _readings(item, f"{path}.{key}")


def _stale(where: str, item: Any, today: dt.date, oldest: dt.date) -> Iterator[Found]:
    """Readings too old, unless a later one carries the same facts, or they are of an offer that is past."""
    fresh = {fact for s in getattr(item, "source", ()) if s.checked >= oldest for fact in s.facts}
    past = [f"offer[{n}]" for n, o in enumerate(getattr(item, "offer", ())) if o.retired_on and o.retired_on <= today]
    old = [
        (reading.checked, path)
        for path, reading in _readings(item)
        if reading.checked < oldest
        and not (isinstance(reading, Source) and fresh.issuperset(reading.facts))
        and path.partition(".")[0] not in past
    ]
    if old:
        yield "stale", where, f"read {min(old)[0]} or later, and not since {oldest}: {_few(path for _, path in old)}"


def _graded_low(where: str, item: Any) -> Iterator[Found]:
    for path, reading in _readings(item):
        if reading.grade in ("K", "U"):
            facts = getattr(reading, "facts", ())
            yield "ungraded", where, f"only grade {reading.grade}: {', '.join(facts) or path}"


# Models -----------------------------------------------------------------------------------------


def _of_model(where: str, m: Model, models: dict[str, Model], today: dt.date) -> Iterator[Found]:
    wanted = ["released", "parameters", *(("context",) if "text" in m.input and "text" in m.output else ())]
    absent = [name for name in wanted if getattr(m, name) is None]
    if absent:
        yield "missing", where, f"no {', no '.join(absent)}"
    if m.retired_on and m.retired_on <= today and m.lifecycle not in ("retired", "uncallable"):
        yield "conflicting", where, f"retired on {m.retired_on}, but its lifecycle is {m.lifecycle}"
    if m.lifecycle == "retired" and m.weights == "closed" and not m.successor:
        yield "missing", where, "retired without a successor"
    if m.successor == m.id:
        yield "conflicting", where, "is its own successor"
    if m.context and m.max_output and m.max_output > m.context:
        yield "conflicting", where, f"max_output {m.max_output:,} is more than its context of {m.context:,}"
    if isinstance(m.parameters, Parameters) and (m.parameters.active or 0) > m.parameters.total:
        yield "conflicting", where, "more active parameters than there are"
    if m.released and m.retired_on and m.released > m.retired_on.isoformat():
        yield "conflicting", where, f"retired on {m.retired_on}, before its release in {m.released}"
    cutoff = m.knowledge_cutoff
    if cutoff and m.released and cutoff != "undisclosed" and cutoff[: len(m.released)] > m.released[: len(cutoff)]:
        yield "conflicting", where, f"its knowledge ends in {cutoff}, after its release in {m.released}"
    for line in m.lineage:
        base = models[line.base]
        if base.released and m.released and base.released[: len(m.released)] > m.released[: len(base.released)]:
            yield "conflicting", where, f"made from {base.id}, which was released later ({base.released})"
    scores = defaultdict(set)
    for b in m.benchmark:
        scores[b.name, b.setting, b.variant].add(b.score)
    for (name, setting, _), found in scores.items():
        if len(found) > 1:
            yield "conflicting", where, f"{name} ({setting}) is {' and '.join(f'{s:g}' for s in sorted(found))}"


# Licences ---------------------------------------------------------------------------------------


def _of_licenses(data: Data) -> Iterator[Found]:
    named = {id_ for m in data.models for id_ in m.license}
    named |= {id_ for p in data.providers for id_ in p.terms}
    named |= {id_ for p in data.providers for o in p.offer for id_ in o.terms or ()}
    named |= {id_ for x in data.licenses for id_ in (*x.incorporates, x.supersedes) if id_}
    texts: dict[str, list[str]] = defaultdict(list)
    for x in data.licenses:
        where = f"licenses/{x.id}"
        if x.text is None:
            yield "missing", where, "nobody has read it: every use is unknown"
        elif x.text.sha256:
            texts[x.text.sha256].append(x.id)
        if x.id not in named:
            yield "dangling", where, "no model, provider or other document names it"
        if x.effective_from and x.effective_until and x.effective_from > x.effective_until:
            yield "conflicting", where, f"in force from {x.effective_from} until {x.effective_until}"
        if x.text is not None:
            yield from _of_rules(where, x)
    for ids in texts.values():
        if len(ids) > 1:
            yield "conflicting", f"licenses/{ids[0]}", f"has the very text of {', '.join(ids[1:])}"


def _of_rules(where: str, x: License) -> Iterator[Found]:
    if x.kind != "policy" and not x.rule:
        yield "missing", where, "it was read, but no rule says what it permits"
    verdicts = defaultdict(set)
    for rule in x.rule:
        if rule.when is None:
            for use in rule.uses:
                verdicts[use].add(rule.verdict)
    for use, found in verdicts.items():
        if len(found) > 1:
            yield "conflicting", where, f"{use} is {' and '.join(sorted(found))} without a condition"


# Providers --------------------------------------------------------------------------------------


def _of_provider(where: str, p: Provider, models: dict[str, Model], today: dt.date) -> Iterator[Found]:
    hosts = p.kind not in ("self-hosted", "embedded")
    sourced = {fact for s in p.source for fact in s.facts}
    unsourced = [f for f in _PROVIDER_FACTS if getattr(p, f) and f not in sourced]
    if hosts and unsourced:
        yield "ungraded", where, f"no source is named for {', '.join(unsourced)}"
    if hosts and not p.terms and any(o.terms is None for o in p.offer):
        yield "missing", where, "no terms"
    if hosts and not p.country:
        yield "missing", where, "no country"
    for (model, wire), count in Counter((o.model, o.wire) for o in p.offer).items():
        if count > 1:
            yield "conflicting", where, f"{model} as {wire} stands there {count} times"
    for o in p.offer:
        yield from ((kind, where, f"{o.wire}: {what}") for kind, what in _of_offer(o, models[o.model], p, today))


def _of_offer(o: Offer, m: Model, p: Provider, today: dt.date) -> Iterator[tuple[Kind, str]]:
    live = o.retired_on is None or o.retired_on > today
    if o.context and m.context and o.context > m.context * _ROUNDING:
        yield "differing", f"its context of {o.context:,} is more than {m.id} has ({m.context:,})"
    if o.context and o.output and o.output > o.context:
        yield "conflicting", f"its output of {o.output:,} is more than its context of {o.context:,}"
    if o.available_from and o.retired_on and o.available_from > o.retired_on:
        yield "conflicting", f"available from {o.available_from}, retired on {o.retired_on}"
    if o.retired_on and not (o.successor or m.successor):
        yield "missing", f"retired on {o.retired_on} without a successor"
    own = m.developer in p.developers
    if live and own and m.weights == "closed" and (m.lifecycle == "retired" or (m.retired_on or today) < today):
        yield "conflicting", f"{m.id} is retired, but this offer of its maker is not"
    price = at(o.price, today)
    if price is None:
        if live and p.kind not in ("self-hosted", "embedded"):
            yield "missing", "no price"
        return
    if "text" in m.output and (price.input is None) != (price.output is None):
        yield "missing", f"no price of {'input' if price.input is None else 'output'}"
    for rates in (price, *price.tier):
        yield from (("conflicting", what) for what in _of_rates(rates))


def _of_rates(rates: Rates) -> Iterator[str]:
    if rates.input is not None and rates.cached_input is not None and rates.cached_input > rates.input:
        yield f"cached input costs more ({rates.cached_input}) than other input ({rates.input})"


def _few(names: Iterable[str], most: int = 4) -> str:
    found = list(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")
