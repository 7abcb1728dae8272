"""`llmgate compare`: models side by side."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..policy import Decision
from ..registry import Model, Registry
from ..registry.vocabulary import USES
from . import options
from .models import license_words, model_json, parameter_words
from .output import as_json, quantity, table


def compare(
    model: Annotated[
        list[str], typer.Argument(metavar="MODEL...", show_default=False, help="Ids, aliases, or provider:model.")
    ],
    fact: options.FactList = None,
    mau: options.Mau = None,
    revenue: options.Revenue = None,
    established: options.Established = None,
    users_in: options.UsersIn = None,
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> None:
    """Models side by side: their facts, and the verdict on each use.

    Example: llmgate compare llama-3.1-8b-instruct mistral-7b-instruct-v0.3 gpt-4o
    """
    judge = options.Judge(config, no_config, options.facts_of(fact, mau, revenue, established, users_in))
    compared: list[tuple[Model, Decision]] = []
    for name in model:
        found = judge.deployment(name).model
        if found is None:
            raise ConfigError(f"the registry does not know {name}: there is nothing to compare")
        compared.append((found, judge.decide(name, USES)))
    if json:
        as_json(
            [
                {**model_json(m), "target": d.target, "verdicts": d.uses, "missing_facts": d.missing_facts}
                for m, d in compared
            ]
        )
        return
    facts = [_facts(judge.registry, m) for m, _ in compared]
    rows = [[name, *(f[name] for f in facts)] for name in facts[0]]
    rows += [[use, *(d.uses[use] for _, d in compared)] for use in USES]
    table(["", *(d.target for _, d in compared)], rows)


def _facts(registry: Registry, m: Model) -> dict[str, Any]:
    training = m.training
    return {
        "name": m.name,
        "developer": m.developer,
        "weights": m.weights,
        "license": license_words(registry, m),
        "lifecycle": m.lifecycle + (f" {m.retired_on}" if m.retired_on else ""),
        "released": m.released,
        "input": " ".join(m.input),
        "output": " ".join(m.output),
        "context": quantity(m.context),
        "max output": quantity(m.max_output),
        "parameters": parameter_words(m),
        "architecture": m.architecture.kind if m.architecture else None,
        "tokenizer": m.tokenizer,
        "knowledge cutoff": m.knowledge_cutoff,
        "training tokens": quantity(training.tokens) if training else None,
        "training method": " ".join(training.method) if training else None,
        "mmlu": "; ".join(f"{b.score:g} ({b.setting})" for b in m.benchmark if b.name == "mmlu"),
        "offered by": " ".join(p.id for p in registry.hosts(m)),
    }
