"""`llmgate config check`: every mistake in the config before anything runs, and what its routes amount to."""

from __future__ import annotations

from typing import Any

import msgspec

from ..policy import own
from . import options
from .output import as_json, say


def check(config: options.Config_ = None, json: options.Json = False) -> None:
    """Checks the config and shows its routes: each target with policy's verdict, and whether a key is there.

    A mistake is one line with file, line and the nearest valid name, and exit code 2. Nothing is called.

    Example: llmgate config check --config llmgate.toml
    """
    from .._core import Core
    from . import targets

    core = Core(config)
    loaded = core.config
    found = list(targets.rows(core))
    rules = loaded.rules
    policy: dict[str, Any] = {
        "use": rules.use,
        "mode": rules.mode,
        "unknown": rules.unknown,
        "conditional": rules.conditional,
        "facts": {k: sorted(v) if isinstance(v, frozenset) else v for k, v in sorted(rules.facts.items())},
        "rules": [r.name for r in rules.own],
    }
    where = str(loaded.path) if loaded.given and loaded.path else None
    if json:
        as_json({"config": where, "default": loaded.default, "policy": policy, "targets": msgspec.to_builtins(found)})
        return
    say(f"{where}: well formed" if where else "No config was found: the built-in one answers with the embedded model.")
    say(f"Default: {loaded.default or 'none: every call names its model'}")
    say(f"Policy: {rules.mode} for {', '.join(rules.use)}; unknown: {rules.unknown}, conditional: {rules.conditional}")
    for name, value in policy["facts"].items():
        shown = ", ".join(value) if isinstance(value, list) else f"{value:,.0f}" if type(value) is float else value
        say(f"{name} = {shown}", indent=2)
    for rule in rules.own:
        say(f"your own rule {rule.name}: {rule.summary or own.words(rule)}", indent=2, hang=2)
    targets.show(found)
