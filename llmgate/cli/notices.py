"""`llmgate notices`: the texts that the configured models oblige one to ship."""

from __future__ import annotations

import sys

import msgspec

from . import configured, options
from .output import as_json


def notices(
    config: options.Config_ = None,
    target: configured.Targets = None,
    json: options.Json = False,
) -> None:
    """What the configured models oblige you to ship: to whom, under which licence, in which words.

    Judged under the config's policy, each route's own included; denied targets stand apart, with the reason. The
    text is the same for the same config and registry: commit it as NOTICE.

    Example: llmgate notices --config llmgate.toml > NOTICE
    """
    from ..policy.notices import notices as written

    loaded = configured.load(config)
    made = written(loaded.registry, configured.judged(loaded, target or ()))
    if json:
        as_json(msgspec.to_builtins(made))
        return
    # As UTF-8 whatever the terminal's encoding: what is to be shipped must not lose a letter.
    sys.stdout.flush()
    sys.stdout.buffer.write(str(made).encode())
    sys.stdout.buffer.flush()
