"""`llmgate registry check`: whether registry data is well formed and leads nowhere wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from ..registry import load
from . import options
from .output import as_json, say

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
