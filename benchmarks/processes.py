"""Child processes that are asked line by line: one for the upstream, one for each contender."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Self


class Child:
    """A module of this package in a process of its own. It answers each line of JSON with one."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> Any:
        """Its next line. RuntimeError if it ended instead; it has said why on stderr."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with code {self._process.wait()}")
        return json.loads(line)

    def ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def cores() -> tuple[Sequence[str], Sequence[str]]:
    """The cores for the upstream and for the contenders; empty where processes can not be kept on one."""
    if not hasattr(os, "sched_getaffinity"):
        return (), ()
    usable = sorted(os.sched_getaffinity(0))
    return ([str(usable[-1])], [str(usable[0])]) if len(usable) > 1 else ((), ())


def pin(core: Sequence[str]) -> None:
    """Keeps this process on a core, so that contenders do not disturb the upstream."""
    if core:
        os.sched_setaffinity(0, {int(core[0])})


def machine() -> dict[str, Any]:
    """What a reader needs to know of where the figures come from."""
    cpu = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            cpu = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), cpu)
    except OSError:
        pass
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
