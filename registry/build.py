"""The build hook: checks the registry's data and compiles it into the artefact that the wheel carries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileRegistry(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        root = Path(self.root)
        sys.path.insert(0, self.root)
        try:
            from llmgate.registry.read import compile_to

            compile_to(root / "registry", root / "llmgate" / "registry" / "data.json")
        finally:
            sys.path.remove(self.root)
