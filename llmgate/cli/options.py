"""Options that several commands share, and what they make of the config: who is judged, by which facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from .._toml import nearest
from ..errors import ConfigError
from ..policy import Decision, Facts, OwnRule, Policy, Rules, uses
from ..registry import Deployment, Registry, load
from ..registry.vocabulary import FACTS

Config_ = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="The config. Default: $LLMGATE_CONFIG, ./llmgate.toml, the user's."),
]
NoConfig = Annotated[
    bool, typer.Option("--no-config", help="Leave the config out of it: its facts and rules do not count.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FactList = Annotated[
    list[str] | None,
    typer.Option(
        "--fact",
        metavar="NAME=VALUE",
        help=f"A fact about you; repeatable. Known: {', '.join(FACTS)}. Users and revenue also at a month: "
        "monthly_active_users@2024-06. Numbers take k, M, B; lists take commas.",
    ),
]
Mau = Annotated[str | None, typer.Option("--mau", metavar="N", help="Monthly active users today, affiliates included.")]
Revenue = Annotated[str | None, typer.Option("--revenue", metavar="USD", help="Annual revenue of the whole group.")]
Established = Annotated[
    str | None, typer.Option("--established", metavar="CC", help="Country of the principal place of business.")
]
UsersIn = Annotated[str | None, typer.Option("--users-in", metavar="CC,CC", help="Countries of your users; EU, EEA.")]


def facts_of(
    given: Iterable[str] | None, mau: str | None, revenue: str | None, established: str | None, users_in: str | None
) -> Facts:
    """The facts of a command line. ConfigError for one that is malformed, unknown or given twice."""
    named = {
        "monthly_active_users": mau,
        "annual_revenue_usd": revenue,
        "established": established,
        "users_in": users_in,
    }
    values: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not value:
            raise ConfigError(f"--fact {pair}: write NAME=VALUE{'' if name in FACTS else nearest(name, FACTS)}")
        if name in values:
            raise ConfigError(f"the fact {name} is given twice")
        values[name] = value
    return Facts(values)


class Judge:
    """Answers what policy says, with the config's own registries, providers, facts and rules unless it is left out."""

    def __init__(self, config: str | None = None, no_config: bool = False, facts: Facts | None = None) -> None:
        if config and no_config:
            raise ConfigError("--config and --no-config exclude each other")
        own = Facts()
        self.rules: tuple[OwnRule, ...] = ()
        self.config = None
        if no_config:
            self.registry: Registry = load()
        else:
            from ..config import Config

            self.config = Config.load(config)
            self.registry = self.config.registry
            own = self.config.rules.facts
            self.rules = self.config.rules.own
        self.facts = own.merged(facts or Facts())

    def deployment(self, target: str) -> Deployment:
        """What a target stands for when it is judged. ConfigError for a name that leads nowhere."""
        if self.config is not None and ":" in target:
            return self.config.deployment(target)
        return self.registry.resolve(target)

    def decide(self, target: str, use: Iterable[str]) -> Decision:
        """The decision on a target for these uses and all the facts."""
        deployment = self.deployment(target)
        policy = Policy(self.registry, Rules(use=uses(use), facts=self.facts, own=self.rules))
        return policy.decide(deployment, tier=self._tier(deployment))

    def _tier(self, deployment: Deployment) -> str | None:
        table = self.config and deployment.provider and self.config.providers.get(deployment.provider.id)
        return table.tier if table else None
