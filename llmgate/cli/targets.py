"""A config's targets as a call would find them: allowed or not, with a key or not, and why not."""

from __future__ import annotations

import os
from collections.abc import Iterator

from msgspec import Struct

from .._core import Core, short
from ..config import Config, read_reference
from ..registry import Provider
from .output import heading, say, table


class Row(Struct):
    """A target of a route. key: where it was found, None if nowhere, `not needed`. blocked: why it is passed over."""

    route: str
    target: str
    verdict: str
    policy: str
    key: str | None
    callable: bool
    reason: str | None
    decision: str


def rows(core: Core) -> Iterator[Row]:
    """Every target of every route, in the config's order."""
    config = core.config
    names = list(config.routes)
    if config.default is not None and config.default not in names:
        names.append(config.default)
    for name in names:
        rules = config.route(name).rules
        for slot in core.plan(name).slots.values():
            blocked, provider = slot.candidate.blocked, slot.deployment.provider
            allowed = rules.allows(slot.decision.verdict)
            reason = blocked.reason if blocked else None
            if reason is None and not allowed:
                reason = f"policy only reports; enforced it would deny it: {short(slot.decision)}"
            yield Row(
                route=name,
                target=slot.deployment.name,
                verdict=slot.decision.verdict,
                policy="allowed" if allowed else "denied" if rules.mode == "enforce" else "reported",
                key=key_source(config, provider) if provider else None,
                callable=blocked is None,
                reason=reason,
                decision=slot.decision.id,
            )


def key_source(config: Config, provider: Provider) -> str | None:
    """Where the key of a provider was found, never the key: `env:NAME`, `file:/path`, `not needed`. None: nowhere."""
    own = config.providers.get(provider.id)
    references = (*((own.api_key,) if own and own.api_key else ()), *(own.api_keys if own else ()))
    if references:
        return ", ".join(r for r in references if read_reference(r)) or None
    found = next((f"env:{name}" for name in provider.key_env if os.environ.get(name, "").strip()), None)
    return found or ("not needed" if provider.auth == "none" or provider.kind == "embedded" else None)


def show(found: list[Row]) -> None:
    """The targets, route by route, then why some of them can not serve."""
    for route in dict.fromkeys(row.route for row in found):
        heading(f"Route {route}")
        table(
            ["target", "verdict", "policy", "key", "can be called"],
            [
                [r.target, r.verdict, r.policy, r.key or "none", "yes" if r.callable else "no"]
                for r in found
                if r.route == route
            ],
        )
        for r in found:
            if r.route == route and r.reason:
                say(f"{r.target}: {r.reason}", indent=2, hang=2)
