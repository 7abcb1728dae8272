"""One config with every kind of target, and the bill of materials of it in each format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmgate.cli.configured import judged
from llmgate.config import Config
from llmgate.policy.bom import Format, render
from llmgate.policy.judged import Judged

CONFIG = {
    "default": "chat",
    "policy": {"use": ["commercial"], "established": "DE", "monthly_active_users@2024-06": 40_000},
    "providers": {
        "mine": {"dialect": "openai_chat", "url": "http://me:secret@10.0.0.5:8000/v1?key=secret", "self_hosted": True},
        "theirs": {"dialect": "openai_chat", "url": "http://me:secret@10.0.0.6:8000/v1?key=secret"},
    },
    "models": {"mine:ours-7b": {"license": ["Apache-2.0"]}},
    "routes": {
        "chat": {
            "targets": [
                "openai:gpt-5.5",
                "groq:llama-3.1-8b-instruct",
                "mine:deepseek-r1-distill-llama-8b",
                "mine:codestral-22b-v0.1",
                "local:smollm2-135m-instruct",
            ]
        },
        "odd": {"targets": ["mine:ours-7b", "theirs:what-is-this", "groq:llama-3.1-8b-instruct"]},
    },
}
"""Closed and hosted; open and hosted; derived; denied; embedded; declared; unknown."""


@pytest.fixture(scope="session")
def config() -> Config:
    return Config.load(CONFIG)


@pytest.fixture(scope="session")
def found(config: Config) -> list[Judged]:
    return judged(config)


Written = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def written(config: Config, found: list[Judged]) -> Written:
    """The document of a format; further arguments as `render` takes them."""

    def write(kind: Format, judged: list[Judged] | None = None, **more: Any) -> dict[str, Any]:
        text = render(kind, config.registry, found if judged is None else judged, name="shop", version="1", **more)
        return json.loads(text)  # type: ignore[no-any-return]

    return write
