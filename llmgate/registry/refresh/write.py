"""Findings into the TOML files, for a person to review: comments and order are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable, Table

from ..schema import Price, Reading, Tariff
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
    path.write_text(_tidy(tomlkit.dumps(document)), "utf-8")


def _set(offer: Table, fact: str, value: Any, reading: Reading | None) -> None:
    sources = offer.get("sources") or tomlkit.inline_table()
    if not value:
        offer.pop(fact, None)
        sources.pop(fact, None)
    else:
        _put(offer, fact, _price(value) if fact == "price" else value)
        sources.pop(fact, None)
        if reading and (offer["source"], offer["checked"], offer["grade"]) != (
            reading.url,
            reading.checked,
            reading.grade,
        ):
            sources[fact] = _reading(reading)
    offer.pop("sources", None)
    if sources:
        _put(offer, "sources", sources)


def _put(offer: Table, key: str, value: Any) -> None:
    """Sets a key, and brings the whole into its usual order: plain keys first, tables of their own last."""
    found = {k: offer[k] for k in offer} | {key: value}
    own = (Table, AoT)
    order = [*_ORDER, *(k for k in found if k not in _ORDER)]
    keys = sorted(found, key=lambda k: (isinstance(found[k], own), order.index(k)))
    if list(offer) == keys and not isinstance(value, own):
        offer[key] = value
        return
    for k in list(offer):
        offer.remove(k)
    for k in keys:
        offer.add(k, found[k])


_ORDER = (
    "model wire context output price regions terms available_from retired_on successor quirks "
    "source checked grade sources"
).split()


def _offer(finding: Finding) -> Table:
    offer = tomlkit.table()
    reading = finding.reading
    if reading is None:
        raise ValueError("a new offer needs the reading that it comes from")
    for key, value in {
        "model": finding.model,
        "wire": finding.wire,
        "source": reading.url,
        "checked": reading.checked,
        "grade": reading.grade,
    }.items():
        offer.add(key, value)
    for fact, value in finding.value["facts"].items():
        _set(offer, fact, value, finding.value["readings"][fact])
    return offer


def _reading(reading: Reading) -> InlineTable:
    table = tomlkit.inline_table()
    table.update({"url": reading.url, "checked": reading.checked, "grade": reading.grade})
    return table


def _price(rows: tuple[Price, ...]) -> InlineTable | Table | AoT:
    """One plain price on one line; steps, batch rates and dates as tables of their own."""
    if len(rows) > 1:
        dated = tomlkit.aot()
        for row in rows:
            dated.append(_tariff(row, tomlkit.table()))
        return dated
    row = rows[0]
    plain = not (row.tier or row.batch)
    return _tariff(row, tomlkit.inline_table() if plain else tomlkit.table())


def _tariff(row: Tariff, into: Any) -> Any:
    if isinstance(row, Price) and row.valid_from:
        into.add("valid_from", row.valid_from)
    for name, rate in stated(row).items():
        into.add(name, format(rate, "f"))
    if row.tier:
        steps = tomlkit.array()
        for tier in row.tier:
            step = tomlkit.inline_table()
            step.update({"above": tier.above, **{k: format(v, "f") for k, v in stated(tier).items()}})
            steps.append(step)
        into.add("tier", steps)
    if isinstance(row, Price) and row.batch:
        into.add("batch", _tariff(row.batch, tomlkit.inline_table()))
    return into


def _tidy(text: str) -> str:
    """One empty line before each table, none within."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            if line.startswith("[") and lines and lines[-1]:
                lines.append("")
            lines.append(line.rstrip())
    kept = [x for n, x in enumerate(lines) if x or (n + 1 < len(lines) and lines[n + 1].startswith(("[", "#")))]
    return "\n".join(kept).strip() + "\n"
