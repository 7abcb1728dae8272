"""The two questions that need no client and no key: `check` and `models`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from .errors import ConfigError
from .policy import Decision, Facts, decide, hanging, select
from .registry import Model, load


def check(target: str, use: str | Iterable[str] = ("commercial",), **facts: Any) -> Decision:
    """What the documents say of using a model so.

    target: a model id (open weights are then judged as self-hosted) or `provider:model`. use: one or more uses.
    facts: as keyword arguments, e.g. `established="DE"`; a fact at a month goes through a dict:
    `**{"monthly_active_users@2024-06": "800M"}`. Raises ConfigError for an unknown model, use or fact.
    """
    return decide(load(), target, _names(use), facts)


def models(
    *,
    permits: str | Iterable[str] = (),
    input: Iterable[str] = (),
    output: Iterable[str] = (),
    developer: str | None = None,
    family: str | None = None,
    open_weights: bool | None = None,
    min_context: int | None = None,
    max_params: int | None = None,
    on: str | None = None,
    lifecycle: Iterable[str] = (),
    sort: str = "id",
    include: Iterable[str] | None = None,
    **facts: Any,
) -> list[Model]:
    """The models that pass all filters; with `permits`, only those whose documents permit those uses.

    include: `["conditional"]` adds the conditional ones; `[]` leaves them out without a word. By default they are
    left out with a warning that says how many they are, and on which facts they hang. The other filters are those
    of `Registry.models`. ConfigError for a name or a fact that there is not.
    """
    registry = load()
    known = Facts(facts)
    found = registry.models(
        input=_names(input),
        output=_names(output),
        developer=developer,
        family=family,
        weights=None if open_weights is None else "open" if open_weights else "closed",
        min_context=min_context,
        max_params=max_params,
        on=on,
        lifecycle=_names(lifecycle),
        sort=sort,
    )
    asked = _names(permits)
    wanted = {"permitted", *_names(include or ())}
    if unknown := wanted - {"permitted", "conditional"}:
        raise ConfigError(f'include: "conditional" is wanted, not "{min(unknown)}"')
    if not asked:
        return found
    judged = select(registry, asked, known, among=found, on=on)
    conditional = [d for _, d in judged if d.verdict == "conditional"]
    if include is None and conditional:
        words = f'llmgate: {hanging(conditional)}; include=["conditional"] lists them'
        warnings.warn(words, UserWarning, stacklevel=1)
    return [m for m, decision in judged if decision.verdict in wanted]


def _names(given: str | Iterable[str]) -> list[str]:
    """One name, or several."""
    return [given] if isinstance(given, str) else list(given)
