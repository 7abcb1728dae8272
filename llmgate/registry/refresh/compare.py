"""The registry's offers beside the feeds: what to change, what to add, what they disagree on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..._toml import Document
from ..schema import Data, Model, Offer, Price, Provider, Reading
from .feeds import URLS, Feed, Listing, shown, stated

PREFERRED: dict[str, tuple[str, ...]] = {
    "price": ("genai-prices", "models-dev"),
    "context": ("models-dev", "genai-prices"),
    "output": ("models-dev",),
}
"""Which feed speaks first for a fact: genai-prices is kept for prices and rounds contexts, models.dev has limits."""

RENEW_DAYS = 30
"""A reading that a feed confirms gets the feed's date once it is this much older."""

_FEEDS = {url: name for name, url in URLS.items()}


class Host(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    """How one provider is called in the feeds, and what reviews found of its wire names (hosts.toml)."""

    models_dev: str | None = None
    genai_prices: str | None = None
    strip: str = ""
    """What a wire name begins with here that genai-prices leaves away."""
    names: dict[str, str] = {}
    """Wire names whose model no rule finds."""
    skip: tuple[str, ...] = ()
    """Facts of which the feeds are wrong for this provider."""
    ignore: tuple[str, ...] = ()
    """Wire names that look like a model's but are none of ours."""


class Finding(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One fact of one offer that is to change (`value`), be renewed, or only to be told of."""

    kind: Literal["change", "new", "renew", "disagree", "model"]
    provider: str
    wire: str
    model: str
    fact: str
    ours: str
    ours_from: str
    feeds: dict[str, str]
    """What each feed says."""
    won: str
    why: str
    value: Any = None
    reading: Reading | None = None


def hosts(path: Path) -> dict[str, Host]:
    """hosts.toml. ConfigError with file and line for what does not fit."""
    return Document(path).convert(dict[str, Host])


def compare(data: Data, feeds: list[Feed], table: Mapping[str, Host], only: str | None = None) -> list[Finding]:
    """Everything that the feeds have to say of the registry's offers, or of one provider's."""
    models = {name: m for m in data.models for name in (m.id, *m.aliases)}
    found: list[Finding] = []
    for provider in data.providers:
        host = table.get(provider.id)
        if host is None or only not in (None, provider.id):
            continue
        lists = {f.name: _listings(f, host) for f in feeds}
        days = {f.name: f.day for f in feeds}
        for offer in provider.offer:
            rows = _rows(lists, offer.wire, host)
            found += _offer(provider, host, offer, rows, days)
            if provider.kind == "first-party" and offer.model in models:
                found += _model(provider, models[offer.model], offer.wire, rows.get("models-dev"))
        found += _new(provider, host, lists, days, data.models)
    return found


def _listings(feed: Feed, host: Host) -> dict[str, Listing]:
    name = host.models_dev if feed.name == "models-dev" else host.genai_prices
    return feed.hosts.get(name or "", {})


def _rows(lists: Mapping[str, dict[str, Listing]], wire: str, host: Host) -> dict[str, Listing]:
    """What each feed lists under exactly this wire name."""
    names = {"models-dev": wire.lower(), "genai-prices": wire.lower().removeprefix(host.strip)}
    return {feed: row for feed, rows in lists.items() if (row := rows.get(names[feed])) is not None}


# Offers that are there --------------------------------------------------------------------------


def _offer(
    provider: Provider, host: Host, offer: Offer, rows: Mapping[str, Listing], days: Mapping[str, dt.date]
) -> Iterator[Finding]:
    for fact, order in _facts(host):
        said = {feed: _fact(rows[feed], fact) for feed in order if feed in rows}
        speaker = next((f for f, v in said.items() if v or (fact == "price" and rows[f].left_out)), None)
        if speaker is None:
            continue
        ours: Any = _ours(offer, fact)
        origin = offer.sources.get(fact) or Reading(offer.source, offer.checked, offer.grade)  # type: ignore[call-overload]
        value = said[speaker]
        reading = Reading(URLS[speaker], days[speaker], "S")
        finding = Finding(
            kind="change",
            provider=provider.id,
            wire=offer.wire,
            model=offer.model,
            fact=fact,
            ours=_shown(fact, ours),
            ours_from=f"{_FEEDS.get(origin.url, origin.url)} {origin.checked} {origin.grade}" if ours else "",
            feeds={f: _told(rows[f], fact, v) for f, v in said.items()},
            won=speaker,
            why=f"{speaker} speaks first for {fact}",
            value=value,
            reading=reading,
        )
        if not ours and not value:
            continue
        if not ours:
            finding.why = "it was not known"
        elif same(ours, value):
            if _differs(said, fact):
                yield msgspec.structs.replace(finding, kind="disagree", won="ours", why="ours is as " + finding.why)
            old = (days[speaker] - origin.checked).days
            if not (origin.url in _FEEDS and old > RENEW_DAYS):
                continue
            finding.kind, finding.why = "renew", f"confirmed {old} days later"
        elif keeps := _keeps(fact, origin, ours, value, speaker, days[speaker]):
            finding.kind, finding.won, finding.why = "disagree", "ours", keeps
        elif not value:
            finding.why = f"{speaker} says that no plain price is right"
        elif fact == "price" and _agree(ours, value):
            finding.why = f"{speaker} agrees, and knows more of it"
        yield finding


def _facts(host: Host) -> list[tuple[str, tuple[str, ...]]]:
    return [(fact, order) for fact, order in PREFERRED.items() if fact not in host.skip]


def _fact(row: Listing, fact: str) -> Any:
    return {"price": row.price, "context": row.context, "output": row.output}[fact]


def _ours(offer: Offer, fact: str) -> Any:
    value = getattr(offer, fact)
    return (value,) if isinstance(value, Price) else value


def _shown(fact: str, value: Any) -> str:
    return shown(value or ()) if fact == "price" else str(value or "unknown")


def _told(row: Listing, fact: str, value: Any) -> str:
    if fact == "price" and not value and row.left_out:
        return f"no price: {row.left_out}"
    return _shown(fact, value)


def _keeps(fact: str, origin: Reading, ours: Any, value: Any, speaker: str, day: dt.date) -> str | None:
    """Why our value stays against a feed's other one; None if it does not."""
    if origin.grade == "P":
        return "ours was verified by hand"
    feed = _FEEDS.get(origin.url)
    if feed is None:
        return "ours was entered by hand"
    order = PREFERRED[fact]
    if feed in order and order.index(feed) < order.index(speaker):
        return f"ours is by {feed}, which speaks first for {fact}"
    if origin.checked > day:
        return f"ours is a later reading ({origin.checked}) than the feed's ({day})"
    if fact == "price" and value and _agree(ours, value) and _known(value) < _known(ours):
        return "the feed agrees, and knows less of it"
    return None


def same(one: Any, other: Any) -> bool:
    """Equal, whatever the way a number is written."""
    return bool(one == other)


def _known(price: tuple[Price, ...]) -> set[str]:
    row = price[-1]
    batch = {f"batch.{k}" for k in stated(row.batch)} if row.batch else set()
    return set(stated(row)) | batch | {str(t.above) for t in row.tier} | {str(p.valid_from) for p in price[:-1]}


def _agree(one: tuple[Price, ...], other: tuple[Price, ...]) -> bool:
    """Whether two prices say the same wherever both say something of today."""
    a, b = stated(one[-1]), stated(other[-1])
    if any(a[k] != b[k] for k in a.keys() & b.keys()):
        return False
    steps_a, steps_b = ({t.above: stated(t) for t in p[-1].tier} for p in (one, other))
    shared = steps_a.keys() & steps_b.keys()
    return (not steps_a or not steps_b or steps_a.keys() == steps_b.keys()) and all(
        steps_a[s][k] == steps_b[s][k] for s in shared for k in steps_a[s].keys() & steps_b[s].keys()
    )


def _differs(said: Mapping[str, Any], fact: str) -> bool:
    values = [v for v in said.values() if v]
    return any(not (_agree(values[0], v) if fact == "price" else v == values[0]) for v in values[1:])


# Offers that are not ----------------------------------------------------------------------------


def _new(
    provider: Provider,
    host: Host,
    lists: Mapping[str, dict[str, Listing]],
    days: Mapping[str, dt.date],
    models: tuple[Model, ...],
) -> Iterator[Finding]:
    """A model that the registry knows, at a host that the feeds say has it.

    models.dev lists what can be called, and is not asked where its list was already read at a later day.
    genai-prices keeps the prices of what is gone: where there is such a list, it is believed only for younger models.
    """
    by_name = {m.id: m for m in models} | {m.huggingface.lower(): m for m in models if m.huggingface}
    seen = {o.wire.lower() for o in provider.offer} | {w.lower() for w in host.ignore}
    listed = days["models-dev"] if lists.get("models-dev") else dt.date.min
    read = max((o.checked for o in provider.offer if o.source == URLS["models-dev"]), default=dt.date.min)
    for feed in PREFERRED["context"]:
        for key, listing in lists.get(feed, {}).items():
            wire = host.strip + listing.wire if feed == "genai-prices" else listing.wire
            named = by_name.get(host.names.get(wire, ""))
            model = named or by_name.get(wire.lower()) or by_name.get(wire.lower().rpartition("/")[2])
            if model is None or wire.lower() in seen or listing.deprecated or not _offered(model, provider):
                continue
            if named is None and (":" in wire or not _by_its_name(model)):
                continue
            if feed == "models-dev" and read > listed:
                continue
            if feed == "genai-prices" and (key != listing.wire.lower() or (model.released or "") < str(listed)):
                continue
            seen.add(wire.lower())
            rows = _rows(lists, wire, host)
            facts, readings = {}, {}
            for fact, order in _facts(host):
                speaker = next((f for f in order if f in rows and (_fact(rows[f], fact) or rows[f].left_out)), None)
                if speaker and (value := _fact(rows[speaker], fact)):
                    facts[fact], readings[fact] = value, Reading(URLS[speaker], days[speaker], "S")
            yield Finding(
                kind="new",
                provider=provider.id,
                wire=wire,
                model=model.id,
                fact="offer",
                ours="",
                ours_from="",
                feeds={f: f"context {r.context}, price {_told(r, 'price', r.price)}" for f, r in rows.items()},
                won=feed,
                why="hosts.toml names the model" if named else "its name is the model's",
                value={"facts": facts, "readings": readings},
                reading=Reading(URLS[feed], days[feed], "S"),
            )


def _offered(model: Model, provider: Provider) -> bool:
    """Whether a listing of this model at this host can be an offer of ours."""
    if model.lifecycle == "uncallable" or (model.weights != "open" and model.lifecycle == "retired"):
        return False
    if provider.kind == "first-party":
        return not provider.developers or model.developer in provider.developers
    return "text" in model.input and not {"text", "embedding", "score"}.isdisjoint(model.output)


def _by_its_name(model: Model) -> bool:
    """Whether a host that says the model's name means it: a base model's may well stand for its chat version."""
    return "text" not in model.output or "completion" not in model.tasks


# What the feeds say of models -------------------------------------------------------------------


def _model(provider: Provider, model: Model, wire: str, row: Listing | None) -> Iterator[Finding]:
    """Facts of the model itself, told only: they are changed in the model's file, by hand."""
    if row is None:
        return
    sources = {fact: s for s in model.source for fact in s.facts}
    pairs: list[tuple[str, Any, Any]] = [
        ("released", model.released, row.released),
        ("input", set(model.input), set(row.takes)),
        ("output", set(model.output), set(row.gives)),
    ]
    for fact, ours, theirs in pairs:
        if not ours or not theirs or ours == theirs:
            continue
        if fact == "released" and (ours.startswith(theirs) or theirs.startswith(ours)):  # one is only less exact
            continue
        source = sources.get(fact)
        yield Finding(
            kind="model",
            provider=provider.id,
            wire=wire,
            model=model.id,
            fact=fact,
            ours=ours if isinstance(ours, str) else " ".join(sorted(ours)),
            ours_from=f"{source.url} {source.checked} {source.grade}" if source else "",
            feeds={"models-dev": theirs if isinstance(theirs, str) else " ".join(sorted(theirs))},
            won="ours",
            why="facts of models are changed by hand",
        )
