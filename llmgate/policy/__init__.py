"""May this model be used so? Uses and facts in, Decisions out; and what a config makes of them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from ..registry import Deployment, Model, Registry
from .decide import decide
from .decision import NOT_ADVICE, Decision, Owed, Reason, worst
from .facts import Facts, uses
from .own import OwnRule

_ROOM = 8192

__all__ = [
    "NOT_ADVICE",
    "Decision",
    "Facts",
    "Owed",
    "OwnRule",
    "Policy",
    "Reason",
    "Rules",
    "decide",
    "hanging",
    "select",
    "uses",
    "worst",
]


class Rules(Struct, frozen=True):
    """What a config asks of policy: the uses, the facts, its own rules, and what to do with doubt.

    mode: `enforce` denies, `report` only records what would have been denied.
    """

    use: tuple[str, ...] = ("commercial",)
    facts: Facts = Facts()
    own: tuple[OwnRule, ...] = ()
    unknown: Literal["deny", "allow"] = "deny"
    conditional: Literal["deny", "allow"] = "deny"
    mode: Literal["enforce", "report"] = "report"

    def allows(self, verdict: str) -> bool:
        """Whether a verdict lets a call through, mode aside."""
        if verdict == "permitted":
            return True
        return (verdict == "unknown" and self.unknown == "allow") or (
            verdict == "conditional" and self.conditional == "allow"
        )


class Policy:
    """Rules over a registry, with every decision made once and remembered."""

    def __init__(self, registry: Registry, rules: Rules) -> None:
        self.registry = registry
        self.rules = rules
        self._made: dict[Any, Decision] = {}

    def decide(
        self, deployment: Deployment, use: tuple[str, ...] = (), facts: Facts | None = None, tier: str | None = None
    ) -> Decision:
        """The decision on a deployment under these rules, narrowed by a call's own uses and facts.

        A call may only narrow: its uses are added, and with its facts the verdict is the worse of the one with
        and the one without them. `tier`: of the provider's account, a fact of that provider alone.
        """
        asked = uses({*self.rules.use, *use}) if use else self.rules.use
        own = self.rules.facts
        if tier and "provider_tier" not in own:
            own = own.merged(Facts({"provider_tier": tier}))
        decision = self._remembered(deployment, asked, own)
        if facts:
            narrowed = self._remembered(deployment, asked, own.merged(facts))
            if worst((decision.verdict, narrowed.verdict)) == narrowed.verdict:
                return narrowed
        return decision

    def _remembered(self, deployment: Deployment, asked: tuple[str, ...], facts: Facts) -> Decision:
        key = (deployment.name, deployment.wire, deployment.license, asked, facts, dt.date.today())
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _ROOM:
                self._made = {}
            made = self._made[key] = decide(self.registry, deployment, asked, facts, rules=self.rules.own)
        return made


def hanging(conditional: Collection[Decision]) -> str:
    """How many more there are under conditions, and on which facts they hang, in words."""
    facts = Counter(name for d in conditional for name in d.missing_facts or ("a step that is yours to take",))
    hangs = ", ".join(f"{name} ({count})" for name, count in facts.most_common())
    return f"{'1 more is' if len(conditional) == 1 else f'{len(conditional)} more are'} conditional, on {hangs}"


def select(
    registry: Registry,
    permits: Iterable[str],
    facts: Facts | Mapping[str, Any] | None = None,
    *,
    among: Iterable[Model] | None = None,
    on: str | None = None,
    rules: tuple[OwnRule, ...] = (),
) -> list[tuple[Model, Decision]]:
    """Each model with its Decision for these uses, judged as a bare id, or at the provider `on`."""
    asked = uses(permits)
    given = facts if isinstance(facts, Facts) else Facts(facts)
    models = registry.data.models if among is None else among
    return [(m, decide(registry, f"{on}:{m.id}" if on else m.id, asked, given, rules=rules)) for m in models]
