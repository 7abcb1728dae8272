"""`llmgate models`: the models that pass filters over facts, and, if asked, what permits which uses of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any, get_args

import msgspec
import typer

from .._toml import nearest
from ..errors import ConfigError
from ..policy import Decision, hanging, uses
from ..policy.facts import number
from ..registry import Model, Registry
from ..registry.schema import Lifecycle, Parameters
from ..registry.sorting import SORTS, mmlu
from ..registry.vocabulary import Modality
from . import options
from .output import as_json, complain, narrow, quantity, say, table

MODALITIES: tuple[str, ...] = get_args(Modality)
Found = list[tuple[Model, Decision | None]]


def models(
    permits: Annotated[
        list[str] | None,
        typer.Option("--permits", metavar="USE", help="Only models whose documents permit this use; repeatable."),
    ] = None,
    input: Annotated[
        list[str] | None, typer.Option("--input", metavar="MODALITY", help="It takes this: text, image, audio, ...")
    ] = None,
    output: Annotated[list[str] | None, typer.Option("--output", metavar="MODALITY", help="It gives this.")] = None,
    min_context: Annotated[
        str | None, typer.Option("--min-context", metavar="TOKENS", help="With k or M: 100k.")
    ] = None,
    max_params: Annotated[
        str | None, typer.Option("--max-params", metavar="N", help="All parameters, with k, M or B: 8B.")
    ] = None,
    open_weights: Annotated[
        bool | None, typer.Option("--open-weights/--closed", help="Weights that anyone can get, or none.")
    ] = None,
    developer: Annotated[str | None, typer.Option("--developer", metavar="ID", help="Who made it.")] = None,
    family: Annotated[str | None, typer.Option("--family", metavar="ID", help="Such as llama-3.1.")] = None,
    lifecycle: Annotated[
        list[str] | None, typer.Option("--lifecycle", metavar="STATE", help="active, deprecated, ...; repeatable: any.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="PROVIDER", help="Offered by this provider, and judged under its terms too."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="conditional", help="List the conditional ones too."),
    ] = None,
    sort: Annotated[
        str, typer.Option("--sort", metavar="KEY", help="id, released, context, parameters or mmlu.")
    ] = "id",
    grid: Annotated[bool, typer.Option("--grid", help="The input-to-output modality table instead.")] = False,
    fact: options.FactList = None,
    mau: options.Mau = None,
    revenue: options.Revenue = None,
    established: options.Established = None,
    users_in: options.UsersIn = None,
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> None:
    """The models of the registry, by facts and by what may be done with them.

    With --permits only the permitted are listed, judged as `llmgate check` judges a bare id; a last line on
    stderr says how many more are conditional, and on which facts.

    Example: llmgate models --permits commercial --input image --min-context 100k --json
    """
    judge = options.Judge(config, no_config, options.facts_of(fact, mau, revenue, established, users_in))
    _one_of(sort, SORTS, "--sort")
    for kind in include or ():
        _one_of(kind, ("conditional",), "--include")
    found = judge.registry.models(
        input=[_one_of(m, MODALITIES, "--input") for m in input or ()],
        output=[_one_of(m, MODALITIES, "--output") for m in output or ()],
        developer=developer and _one_of(developer, {m.developer for m in judge.registry.data.models}, "--developer"),
        family=family and _one_of(family, {m.family for m in judge.registry.data.models}, "--family"),
        weights=None if open_weights is None else "open" if open_weights else "closed",
        min_context=_count(min_context, "--min-context"),
        max_params=_count(max_params, "--max-params"),
        on=on,
        lifecycle=[_one_of(x, get_args(Lifecycle), "--lifecycle") for x in lifecycle or ()],
        sort=sort,
    )
    listed: Found = [(m, None) for m in found]
    conditional: list[Decision] = []
    if permits:
        asked = uses(permits)
        judged = [(m, judge.decide(f"{on}:{m.id}" if on else m.id, asked)) for m in found]
        shown = ("permitted", "conditional") if include else ("permitted",)
        listed = [(m, d) for m, d in judged if d.verdict in shown]
        conditional = [] if include else [d for _, d in judged if d.verdict == "conditional"]
    if grid:
        _grid([m for m, _ in listed], json)
    elif json:
        as_json([_with_verdict(model_json(m), d) for m, d in listed])
    else:
        _table(judge.registry, listed, sort, bool(include))
    if conditional:
        complain(f"{hanging(conditional)}; --include conditional lists them")


def _one_of(value: str, known: Iterable[str], option: str) -> str:
    known = list(known)
    if value not in known:
        hint = nearest(value, known) or f"; known: {', '.join(sorted(known))}"
        raise ConfigError(f'{option}: there is no "{value}"{hint}')
    return value


def _count(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return int(number(text))
    except (ValueError, OverflowError) as error:
        raise ConfigError(f'{option} "{text}": {error}') from None


def model_json(model: Model) -> dict[str, Any]:
    """Every fact of a model under its own name, absent ones as null."""
    out = {name: msgspec.to_builtins(getattr(model, name)) for name in model.__struct_fields__ if name != "override"}
    if isinstance(model.parameters, Parameters):
        out["parameters"] = {"total": model.parameters.total, "active": model.parameters.active}
    return out


def _with_verdict(model: dict[str, Any], decision: Decision | None) -> dict[str, Any]:
    if decision is not None:
        model |= {
            "target": decision.target,
            "verdict": decision.verdict,
            "uses": decision.uses,
            "missing_facts": decision.missing_facts,
        }
    return model


def license_words(registry: Registry, model: Model) -> str:
    """A model's licences by their short names; `terms` where only a service's terms govern."""
    names = [next(iter(registry.license(x).short), x) for x in model.license]
    return " + ".join(names) or ("terms" if model.weights == "closed" else "none")


def parameter_words(model: Model) -> str:
    """Such as `46.7B (12.9B active)`."""
    if not isinstance(model.parameters, Parameters):
        return model.parameters or ""
    active = f" ({quantity(model.parameters.active)} active)" if model.parameters.active else ""
    return quantity(model.parameters.total) + active


def _table(registry: Registry, listed: Found, sort: str, with_verdict: bool) -> None:
    short = narrow()
    columns = ["model", "in", "out", "context", "params", "license"]
    columns += [] if short else ["developer", "released"]
    columns += ["mmlu"] if sort == "mmlu" else []
    columns += ["verdict", "hangs on"] if with_verdict else []
    rows = []
    for m, decision in listed:
        row = [
            m.id,
            " ".join(m.input),
            " ".join(m.output),
            quantity(m.context),
            parameter_words(m),
            license_words(registry, m),
        ]
        row += [] if short else [m.developer, m.released or ""]
        if sort == "mmlu":
            row += [f"{best.score:g} ({best.setting})" if (best := mmlu(m)) else ""]
        if with_verdict and decision:
            row += [decision.verdict, " ".join(decision.missing_facts)]
        rows.append(row)
    table(columns, rows)
    say(f"{len(listed)} model{'' if len(listed) == 1 else 's'}", style="dim")


def _grid(found: list[Model], json: bool) -> None:
    """Which modalities lead to which: how many models take the one and give the other, and examples."""
    pairs: dict[tuple[str, str], list[Model]] = defaultdict(list)
    for m in found:
        for taken in m.input or ("nothing",):
            for given in m.output:
                pairs[taken, given].append(m)
    rows = [x for x in (*MODALITIES, "nothing") if any(x == i for i, _ in pairs)]
    columns = [x for x in MODALITIES if any(x == o for _, o in pairs)]
    examples = {pair: _examples(pairs[pair]) for pair in pairs}
    order = [(i, o) for i in rows for o in columns if (i, o) in pairs]
    if json:
        as_json([{"input": i, "output": o, "count": len(pairs[i, o]), "examples": examples[i, o]} for i, o in order])
        return
    table(["input \\ output", *columns], [[i, *(len(pairs.get((i, o), ())) or "" for o in columns)] for i in rows])
    say()
    for i, o in order:
        say(f"{i} to {o} ({len(pairs[i, o])}): {', '.join(examples[i, o])}", hang=4)


def _examples(found: list[Model], wanted: int = 3) -> list[str]:
    """The newest models that still serve, of different developers where there are enough."""
    best = sorted(found, key=lambda m: (m.lifecycle != "active", SORTS["released"](m)))
    firsts = list({m.developer: m for m in reversed(best)}.values())
    chosen = sorted(firsts, key=best.index) + [m for m in best if m not in firsts]
    return [m.id for m in chosen[:wanted]]
