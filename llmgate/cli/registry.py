"""`llmgate registry check` and `audit`: whether registry data is well formed, and what is wrong or wanting in it."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from ..registry import load
from . import options
from .output import as_json, heading, say

_CHECKOUT = Path(__file__).parents[2] / "registry"


def check(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE|FOLDER]", show_default=False, help="Default: the checkout's registry folder."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Checks registry data: every mistake with file and line.

    A folder of your own (models/, licenses/, providers/) may refer to what the registry has; a single file is
    checked as far as it can be alone.

    Example: llmgate registry check registry/models/meta/llama-3.1-8b-instruct.toml
    """
    from ..registry.read import KINDS, read_file, read_folder

    path = path or _CHECKOUT
    if path != _CHECKOUT and not path.exists():
        raise ConfigError(f"{path}: there is no such file or folder")
    if path.is_file():
        kind = next((KINDS[part] for part in reversed(path.resolve().parts[:-1]) if part in KINDS), None)
        if kind is None:
            raise ConfigError(f"{path}: a data file lies below models/, licenses/ or providers/")
        item, _ = read_file(path, kind)
        counts = {"file": str(path), "id": item.id}
        told = f"{path}: {item.id} is well"
    else:
        if path == _CHECKOUT and not path.is_dir():
            raise ConfigError("this is no source checkout: name the file or folder to check")
        own = path.resolve() == _CHECKOUT.resolve()
        data = read_folder(path, None if own else load().data)
        counts = {
            "folder": str(path),
            "models": len(data.models),
            "licenses": len(data.licenses),
            "providers": len(data.providers),
            "offers": sum(len(p.offer) for p in data.providers),
        }
        told = f"{path}: all well"
        told += (
            f" ({', '.join(f'{v} {k}' for k, v in counts.items() if k != 'folder')}{'' if own else ', ours included'})"
        )
    if json:
        as_json(counts)
    else:
        say(told)


def audit(
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="DAYS", help="For how long a reading counts as fresh: 180d.")
    ] = "180d",
    fail_on: Annotated[
        str,
        typer.Option(
            "--fail-on", metavar="LEVEL", help="any, or error: then notes are only counted, and cost nothing."
        ),
    ] = "any",
    config: options.Config_ = None,
    no_config: options.NoConfig = False,
    json: options.Json = False,
) -> int:
    """Lists what is wrong or wanting in the registry, your own folders included: errors are stale facts and
    contradictions; notes are facts that are missing, ungraded, dangling or differ from source to source.

    Exit code: 0 clean, 1 with findings.

    Example: llmgate registry audit --max-age 365d --fail-on error
    """
    from ..registry.audit import audit as findings

    days = re.fullmatch(r"(\d{1,5})d?", max_age)
    if not days:
        raise ConfigError(f'--max-age "{max_age}": a number of days is wanted, such as 180d')
    if fail_on not in ("any", "error"):
        raise ConfigError(f'--fail-on "{fail_on}": any or error is wanted')
    registry = options.Judge(config, no_config).registry
    found = findings(registry.data, dt.date.today(), int(days[1]))
    if json:
        as_json(found)
    else:
        listed = [f for f in found if fail_on in ("any", f.level)]
        for (level, kind), group in groupby(listed, key=lambda f: (f.level, f.kind)):
            heading(f"{kind} ({level})")
            for finding in group:
                say(f"{finding.where}: {finding.what}", indent=2, hang=2)
        levels = Counter(f.level for f in found)
        say()
        say(f"{levels['error']} errors, {levels['note']} notes" if found else "Clean.")
    return 1 if any(fail_on in ("any", f.level) for f in found) else 0
