"""Licences and models are data: the code that judges names none of them."""

from __future__ import annotations

import re
from pathlib import Path

import llmgate.policy
from llmgate.registry import load


def test_no_licence_model_or_provider_is_named_in_the_policys_code() -> None:
    registry = load()
    names = {n for m in registry.data.models for n in (m.id, *m.aliases, m.family, m.developer)}
    names |= {n for x in registry.licenses for n in (x.id, x.name, *x.short)}
    names |= {p.id for p in registry.providers}
    names -= {"local", "together"}  # ordinary words
    assert len(names) > 500
    for file in Path(llmgate.policy.__file__).parent.glob("*.py"):
        text = file.read_text("utf-8").lower()
        found = {n for n in names if re.search(rf"(?<![\w.-]){re.escape(n.lower())}(?![\w-])", text)}
        assert not found, (file.name, found)
