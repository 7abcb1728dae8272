"""JSON Schemas of the registry's files, for editors (registry/schema/)."""

from __future__ import annotations

from typing import Any

import msgspec

from .schema import License, Model, Provider

KINDS: dict[str, type[msgspec.Struct]] = {"model": Model, "license": License, "provider": Provider}


def texts() -> dict[str, str]:
    """For each kind of file, its schema as JSON text."""
    return {name: _text(kind) for name, kind in KINDS.items()}


def _text(kind: type[msgspec.Struct]) -> str:
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"
