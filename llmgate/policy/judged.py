"""A configured target with the decision on it: what notices and bills of materials are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from ..registry import Deployment
from . import Rules
from .decision import Decision

Standing = Literal["allowed", "reported", "denied"]


class Judged(Struct, frozen=True):
    """A target of a config, under the rules of its route.

    standing: `allowed` by policy; `denied`: never called; `reported`: policy only reports what it would deny, so
    that the target is called all the same.
    """

    deployment: Deployment
    decision: Decision
    standing: Standing = "allowed"
    routes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return self.deployment.name

    @property
    def model(self) -> str:
        """The registry's id of the model, else the host's own name for it."""
        return self.deployment.model.id if self.deployment.model else self.deployment.wire


def standing(rules: Rules, decision: Decision) -> Standing:
    """What a config's rules make of a decision."""
    if rules.allows(decision.verdict):
        return "allowed"
    return "denied" if rules.mode == "enforce" else "reported"


def merged(found: Iterable[Judged]) -> list[Judged]:
    """The same list with what several routes judge alike once, its routes together; in the order of targets."""
    once: dict[tuple[str, str, str], Judged] = {}
    for j in found:
        key = (j.target, j.decision.id, j.standing)
        routes = (*once[key].routes, *j.routes) if key in once else j.routes
        once[key] = Judged(j.deployment, j.decision, j.standing, tuple(dict.fromkeys(routes)))
    return [once[key] for key in sorted(once)]
