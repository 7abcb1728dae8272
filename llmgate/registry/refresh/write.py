"""Findings into the TOML files, for a person to review: comments and order are kept."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from ..schema import Price, Reading, Tariff, Tier
from .compare import Finding
from .feeds import stated


def write(path: Path, findings: list[Finding]) -> None:
    """Brings what is to change, to be renewed and to be added into one provider's file."""
    document = tomlkit.parse(path.read_text("utf-8"))
    offers = document.setdefault("offer", tomlkit.aot())
    if not isinstance(offers, AoT):
        raise ValueError(f"{path}: offers are written as [[offer]]")
    by_wire = {offer["wire"]: offer for offer in offers}
    for finding in findings:
        if finding.kind in ("change", "renew"):
            _set(by_wire[finding.wire], finding.fact, finding.value, finding.reading)
    for finding in findings:
        if finding.kind == "new":
            offers.append(_offer(finding))
    if any(f.kind == "new" for f in findings):
        offers.body.sort(key=lambda o: (o["model"], o["wire"]))
    text = _tidy(tomlkit.dumps(document))
    if tomllib.loads(text) != document.unwrap():
        raise ValueError(f"{path}: what would be written is not what was meant")
    path.write_text(text, "utf-8")


def _set(offer: Table, fact: str, value: Any, reading: Reading | None) -> None:
    """A fact and where it was read: in `sources`, unless it is where all of the offer was."""
    sources = {k: v for k, v in (offer.get("sources") or {}).items() if k != fact}
    if not value:
        offer.pop(fact, None)
    else:
        _put(offer, fact, _price(value) if fact == "price" else value)
        whole = (offer["source"], offer["checked"], offer["grade"])
        if reading and whole != (reading.url, reading.checked, reading.grade):
            sources[fact] = {"url": reading.url, "checked": reading.checked, "grade": reading.grade}
    offer.pop("sources", None)
    if sources:
        _put(offer, "sources", _table(sources))


_ORDER = (
    "model wire context output price regions terms available_from retired_on successor quirks "
    "source checked grade sources"
).split()


def _put(offer: Table, key: str, value: Any) -> None:
    """Sets a key, and brings the offer into its usual order: plain keys first, tables of their own last."""
    found = {k: offer[k] for k in offer} | {key: value}
    order = [*_ORDER, *(k for k in found if k not in _ORDER)]
    keys = sorted(found, key=lambda k: (isinstance(found[k], (Table, AoT)), order.index(k)))
    if list(offer) == keys and not isinstance(value, (Table, AoT)):
        offer[key] = value
        return
    for k in list(offer):
        offer.remove(k)
    for k in keys:
        offer.add(k, found[k])


def _offer(finding: Finding) -> Table:
    reading = finding.reading
    if reading is None:
        raise ValueError("a new offer needs the reading that it comes from")
    offer = _table(
        {
            "model": finding.model,
            "wire": finding.wire,
            "source": reading.url,
            "checked": reading.checked,
            "grade": reading.grade,
        }
    )
    for fact, value in finding.value["facts"].items():
        _set(offer, fact, value, finding.value["readings"][fact])
    return offer


def _price(rows: tuple[Price, ...]) -> Any:
    """A plain price on one line; steps, batch rates and dates as tables of their own."""
    found = [_plain(row) for row in rows]
    if len(found) > 1:
        dated = tomlkit.aot()
        for row in found:
            dated.append(_table(row))
        return dated
    return _table(found[0]) if {"tier", "batch"} & found[0].keys() else _inline(found[0])


def _plain(row: Tariff | Tier) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(row, Tier):
        found["above"] = row.above
    if isinstance(row, Price) and row.valid_from:
        found["valid_from"] = row.valid_from
    found |= {name: format(rate, "f") for name, rate in stated(row).items()}
    if isinstance(row, Tariff) and row.tier:
        found["tier"] = [_plain(tier) for tier in row.tier]
    if isinstance(row, Price) and row.batch:
        found["batch"] = _plain(row.batch)
    return found


def _table(values: dict[str, Any]) -> Table:
    table = tomlkit.table()
    for key, value in values.items():
        table.add(key, _inline(value))
    return table


def _inline(value: Any) -> Any:
    """A value written as the files have it, with spaces within the braces."""
    return tomlkit.parse(f"x = {_text(value)}\n")["x"]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_text(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(tomlkit.item(value).as_string())


def _tidy(text: str) -> str:
    """One empty line before each table, none within."""
    lines = [line.rstrip() for line in text.splitlines()]
    kept: list[str] = []
    for n, line in enumerate(lines):
        after = next((x for x in lines[n:] if x), "")
        if line.startswith("[") and kept and kept[-1] and not kept[-1].startswith("#"):
            kept.append("")
        if line or (kept and kept[-1] and after.startswith(("[", "#"))):
            kept.append(line)
    return "\n".join(kept).strip() + "\n"
