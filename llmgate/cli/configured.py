"""The targets that a config names, each judged under the rules of its route: no key is needed, nobody is called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ..policy import Policy, Rules
from ..policy.judged import Judged, merged, standing
from ..registry import Deployment
from .output import complain

if TYPE_CHECKING:
    from ..config import Config

Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="T",
        show_default=False,
        help="Only this one; repeatable. A route, provider:model, or a model id (open weights: as self-hosted).",
    ),
]


def load(path: str | None) -> Config:
    """The config; a remark on stderr where none was found and the built-in one stands in."""
    from ..config import Config

    config = Config.load(path)
    if not config.given:
        complain("no config was found: this is of the built-in one, which answers with the embedded model")
    return config


def judged(config: Config, targets: Iterable[str] = ()) -> list[Judged]:
    """The config's targets, or only those named, in a stable order. A target that stands in routes is judged under
    their rules, another one under the config's own."""
    policies: dict[Rules, Policy] = {}

    def judge(route: str, deployment: Deployment, rules: Rules) -> Judged:
        policy = policies.setdefault(rules, Policy(config.registry, rules))
        table = config.providers.get(deployment.provider.id) if deployment.provider else None
        decision = policy.decide(deployment, tier=table.tier if table else None)
        return Judged(deployment, decision, standing(rules, decision), (route,) if route else ())

    names = list(config.routes)
    if config.default is not None and config.default not in names:
        names.append(config.default)
    routes = [config.route(name) for name in names]
    everywhere = [judge(r.name, d, r.rules) for r in routes for d in r.targets]
    named = list(targets)
    if not named:
        return merged(everywhere)
    found: list[Judged] = []
    for name in named:
        if name in config.routes:
            found += [j for j in everywhere if name in j.routes]
            continue
        deployment = config.deployment(name) if ":" in name else config.registry.resolve(name)
        standing_in_routes = [j for j in everywhere if j.target == deployment.name]
        found += standing_in_routes or [judge("", deployment, config.rules)]
    return merged(found)
