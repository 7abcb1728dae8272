"""Machine-learning bills of materials of the configured models, in the formats of two standards."""

from __future__ import annotations

import datetime as dt
import importlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from ...errors import MissingExtra
from ...registry import Registry
from ..judged import Judged
from .inventory import inventory

Format = Literal["cyclonedx", "spdx"]
_LIBRARIES = {"cyclonedx": "cyclonedx-python-lib", "spdx": "spdx-python-model"}


def render(
    kind: Format,
    registry: Registry,
    found: Sequence[Judged],
    *,
    name: str,
    version: str,
    timestamp: dt.datetime | None = None,
) -> str:
    """The bill of materials as JSON: the same for the same decisions and registry.

    name: of the application whose models these are. version: of llmgate, which writes it. timestamp: the document's;
    without one it has none, or, where the format wants one, the day on which its newest fact was checked. Raises
    MissingExtra where the library is missing.
    """
    try:
        writer = importlib.import_module(f"{__name__}.{kind}")
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{_LIBRARIES[kind]} is not installed: pip install 'llmgate-gateway[bom]'") from error
    written: dict[str, Any] = writer.document(inventory(registry, found), name, version, timestamp)
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"
