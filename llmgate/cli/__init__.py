"""The command line. `main` is the entry point of the `llmgate` command.

Importing this package loads neither typer nor rich: they are an extra, and `main` says so where they are missing.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code. arguments: without the program's name; default: the process's."""
    if any(importlib.util.find_spec(name) is None for name in ("typer", "rich")):
        print("llmgate: the command line is not installed: pip install 'llmgate-gateway[cli]'", file=sys.stderr)
        return 2
    from .app import run

    return run(sys.argv[1:] if arguments is None else list(arguments))
