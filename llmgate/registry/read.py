"""Reads and checks the registry's TOML files: every mistake is an error with file and line."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .._toml import Document, nearest
from ..errors import ConfigError
from . import vocabulary
from .schema import SOURCED, Data, License, Model, Provider, Test, When

T = TypeVar("T", Model, License, Provider)

KINDS: dict[str, type[Any]] = {"models": Model, "licenses": License, "providers": Provider}


def read_file(path: Path, kind: type[T]) -> tuple[T, Document]:
    """One data file, checked as far as it can be alone."""
    document = Document(path)
    item = document.convert(kind)
    if item.id != path.stem:
        raise document.error(("id",), f'id "{item.id}" is not the file\'s name "{path.stem}"')
    if isinstance(item, Model) and path.parent.name != item.developer:
        raise document.error(
            ("developer",), f'developer "{item.developer}" is not the folder\'s name "{path.parent.name}"'
        )
    check: dict[type[Any], Callable[[Any, Document], None]] = {
        Model: _check_model,
        License: _check_license,
        Provider: _check_provider,
    }
    check[kind](item, document)
    return item, document


def read_folder(root: Path, base: Data | None = None) -> Data:
    """All files below `root` (models/, licenses/, providers/), checked together, layered over `base`.

    What `base` has too is replaced only by a file that says `override = true`.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder of registry data")
    found: dict[str, dict[str, tuple[Any, Document]]] = {}
    digest = hashlib.sha256(base.hash.encode() if base else b"")
    for folder, kind in KINDS.items():
        items = found[folder] = {}
        known = {i.id for i in getattr(base, folder, ())}
        for path in sorted((root / folder).glob("**/*.toml")):
            item, document = read_file(path, kind)
            if item.id in items:
                raise document.error(("id",), f'"{item.id}" is already in {items[item.id][1].path}')
            if item.override and item.id not in known:
                raise document.error(("override",), f'there is no "{item.id}" to override')
            if item.id in known and not item.override:
                taken = f'"{item.id}" is in the registry already: with override = true yours stands in its place'
                raise document.error(("id",), taken)
            items[item.id] = (item, document)
            digest.update(document.text.encode())
    if not any(found.values()):
        raise ConfigError(f"{root}: there is no data file below {', '.join(f'{k}/' for k in KINDS)}")
    layered = {
        folder: {**{i.id: i for i in getattr(base, folder, ())}, **{k: v[0] for k, v in items.items()}}
        for folder, items in found.items()
    }
    for problem in _dangling(found, layered):
        raise problem
    return Data(
        hash=digest.hexdigest(),
        models=tuple(layered["models"].values()),
        licenses=tuple(layered["licenses"].values()),
        providers=tuple(layered["providers"].values()),
    )


def compile_to(root: Path, artefact: Path) -> Data:
    """Checks the data below `root` and writes it as the one file that `registry.load` reads."""
    data = read_folder(root)
    artefact.write_bytes(msgspec.json.encode(data))
    return data


def _check_model(model: Model, document: Document) -> None:
    stated = {f for f in SOURCED if getattr(model, f) not in (None, (), "undisclosed")}
    sourced: set[str] = set()
    for n, source in enumerate(model.source):
        for fact in source.facts:
            if fact not in SOURCED:
                raise document.error(
                    ("source", n, "facts"),
                    f'source[{n}] names "{fact}", which is no sourced fact{nearest(fact, SOURCED)}',
                )
            if fact in sourced:
                raise document.error(("source", n, "facts"), f'"{fact}" has two sources')
            sourced.add(fact)
    for fact in sorted(stated - sourced):
        raise document.error((fact,), f'"{fact}" has no source: name it in the facts of a [[source]]')
    for fact in sorted(sourced - stated):
        raise document.error(("source",), f'a [[source]] names "{fact}", which the file does not state')
    if model.weights == "open" and not model.license:
        raise document.error(("weights",), "open weights without a license")
    if model.weights == "closed" and model.license:
        raise document.error(("license",), "closed weights have no license: the provider's terms govern them")
    if model.architecture and model.architecture.kind == "moe-transformer" and model.weights == "open":
        if isinstance(model.parameters, msgspec.Struct) and model.parameters.active is None:
            raise document.error(("parameters",), "a mixture of experts needs parameters.active")


def _check_license(licence: License, document: Document) -> None:
    if licence.text and licence.text.grade == "P" and not licence.text.sha256:
        raise document.error(("text",), "grade P needs the sha256 of the text that was opened")
    if licence.text is None and (licence.rule or licence.obligation):
        raise document.error(("rule",), "rules need a [text]: where they were read")
    rows: list[tuple[str, Any]] = [("rule", r) for r in licence.rule]
    rows += [("obligation", o) for o in licence.obligation]
    counts = {"rule": -1, "obligation": -1}
    for kind, row in rows:
        counts[kind] += 1
        at = (kind, counts[kind])
        grade = row.grade or (licence.text.grade if licence.text else "U")
        if grade == "P" and licence.text and licence.text.grade != "P":
            raise document.error(at, "grade P, but the text was not opened (text.grade)")
        if kind == "rule" and grade in "KU" and {row.verdict, row.otherwise or "unknown"} != {"unknown"}:
            raise document.error(at, f'grade {grade} carries only the verdict "unknown"')
        if kind == "rule" and row.otherwise and row.when is None:
            raise document.error(at, '"otherwise" without "when"')
        if not row.uses:
            raise document.error((*at, "uses"), "uses is empty")
        if row.when is not None and (not row.when or not all(row.when)):
            raise document.error((*at, "when"), "an empty condition")
        for name, test in tests(row.when):
            if not vocabulary.is_fact(name):
                known = [*vocabulary.FACTS, *vocabulary.MODEL_FACTS]
                raise document.error((*at, "when"), f'unknown fact "{name}"{nearest(name, known)}')
            if wrong := misfit(name, test):
                raise document.error((*at, "when"), f'the test of "{name}" {wrong}')


def _check_provider(provider: Provider, document: Document) -> None:
    for n, offer in enumerate(provider.offer):
        at = ("offer", n, "price")
        rows = offer.price if isinstance(offer.price, tuple) else () if offer.price is None else (offer.price,)
        days = [p.valid_from or dt.date.min for p in rows]
        if days != sorted(set(days)):
            raise document.error(at, "prices are listed by valid_from, oldest first, each day once")
        for tariff in [t for p in rows for t in (p, p.batch) if t is not None]:
            steps = [t.above for t in tariff.tier]
            if steps != sorted(set(steps)):
                raise document.error(at, "the tiers of a price are listed by `above`, lowest first, each once")
            for rates in (tariff, *tariff.tier):
                if any(
                    isinstance(v, Decimal) and not (v.is_finite() and v >= 0) for v in msgspec.structs.astuple(rates)
                ):
                    raise document.error(at, "a rate is a number of USD, zero or more")
        for fact in offer.sources:
            if getattr(offer, fact) is None:
                raise document.error(("offer", n, "sources"), f'sources names "{fact}", which the offer does not state')


def misfit(name: str, test: Test | bool | str) -> str | None:
    """What is wrong with a test for the kind of fact that it asks: such a test would be silently false for ever."""
    kind = vocabulary.FACTS.get(name.partition("@")[0]) or vocabulary.TARGET_FACTS[name]
    if not isinstance(test, Test):
        test = Test(is_=test)
    if test == Test():
        return "is empty"
    bounded = any(bound is not None for bound in (test.min, test.max, test.above, test.below))
    names = [*(test.in_ or ()), *(test.not_in or ())]
    if isinstance(test.is_, str):
        names.append(test.is_)
    if (kind == "number") != bounded or (kind == "number" and (names or test.is_ is not None)):
        return "needs min, max, above or below" if kind == "number" else "has a bound, but it is no number"
    if (kind == "flag") != isinstance(test.is_, bool):
        return "needs true or false" if kind == "flag" else "is true or false, which this fact never is"
    if kind in ("country", "countries"):
        for code in names:
            if code not in vocabulary.COUNTRIES and code not in vocabulary.REGIONS:
                return f'names "{code}", which is no country code'
    if kind == "tier" and not set(names) <= {"paid", "unpaid"}:
        return 'is of "paid" or "unpaid"'
    return None


def tests(when: When | None) -> Iterator[tuple[str, Any]]:
    """Each fact that a condition asks, with its test."""
    for condition in () if when is None else (when if isinstance(when, tuple) else (when,)):
        yield from condition.items()


def _dangling(
    found: dict[str, dict[str, tuple[Any, Document]]], all_: dict[str, dict[str, Any]]
) -> Iterator[ConfigError]:
    """References that lead nowhere, and names that two things bear."""
    models, licenses = all_["models"], all_["licenses"]
    developers = {m.developer for m in models.values()}

    def missing(
        document: Document, at: tuple[str | int, ...], ids: Iterable[str], known: Iterable[str], what: str
    ) -> Iterator[ConfigError]:
        known = set(known)
        for id_ in ids:
            if id_ not in known:
                yield document.error(at, f'there is no {what} "{id_}"{nearest(id_, known)}')

    names: dict[str, str] = {}
    for model in models.values():
        for name in (model.id, *model.aliases):
            if name in names and names[name] != model.id:
                bearers = (names[name], model.id) if name == model.id else (model.id, names[name])  # its alias first
                file = next((found["models"][b] for b in bearers if b in found["models"]), None)
                message = f'the name "{name}" belongs to both "{names[name]}" and "{model.id}"'
                yield file[1].error(("aliases",), message) if file else ConfigError(message)
            names[name] = model.id
    for model, document in found["models"].values():
        yield from missing(document, ("license",), model.license, licenses, "license")
        yield from missing(document, ("lineage",), [x.base for x in model.lineage], models, "model")
        if model.successor:
            yield from missing(document, ("successor",), [model.successor], models, "model")
    for licence, document in found["licenses"].values():
        yield from missing(document, ("incorporates",), licence.incorporates, licenses, "license")
        if licence.supersedes:
            yield from missing(document, ("supersedes",), [licence.supersedes], licenses, "license")
        for short in licence.short:
            owner = next((x.id for x in licenses.values() if x.id != licence.id and short in (x.id, *x.short)), None)
            if owner:
                yield document.error(("short",), f'the short name "{short}" belongs to "{owner}" too')
    for provider, document in found["providers"].values():
        yield from missing(document, ("terms",), provider.terms, licenses, "license")
        yield from missing(document, ("developers",), provider.developers, developers, "developer")
        for n, offer in enumerate(provider.offer):
            yield from missing(document, ("offer", n, "model"), [offer.model], models, "model")
            yield from missing(document, ("offer", n, "terms"), offer.terms or (), licenses, "license")
            if offer.successor:
                yield from missing(document, ("offer", n, "successor"), [offer.successor], models, "model")
