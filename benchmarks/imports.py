"""What `import llmgate` costs, net of the interpreter, as a ratio to `import httpx2`; and what it must not load."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

STATEMENTS = {
    "interpreter": "pass",
    "httpx2": "import httpx2",
    "llmgate": "import llmgate",
    "llmgate.Client": "import llmgate; llmgate.Client",
    "a client ready": 'import llmgate; llmgate.Client({"providers": {}})',
}
BASE = "httpx2"
ROUNDS = 15

# What a program that only imports llmgate has no use for: transports, vendors' SDKs, servers, terminal libraries.
UNWANTED = (
    "pyreqwest httpx httpx2 aiohttp requests urllib3 http.client ssl "
    "openai anthropic google.genai mistralai botocore azure xllamacpp "
    "fastapi starlette uvicorn granian rich typer click opentelemetry pydantic asyncio"
).split()

_PROBE = """
import json, sys
opened = []
sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
{statement}
print(json.dumps({{"modules": sorted(sys.modules), "sockets": opened}}))
"""


def measure() -> dict[str, Any]:
    """Milliseconds net of the interpreter, medians over interleaved rounds of fresh processes, and ratios to httpx2."""
    _spent("import httpx2, llmgate.client")  # the compiled files are there, and read once
    rounds = [{name: _spent(code) for name, code in STATEMENTS.items()} for _ in range(ROUNDS)]
    out: dict[str, Any] = {}
    for name in STATEMENTS:
        out[name] = {"loads": [] if name in ("interpreter", BASE) else probe(STATEMENTS[name])}
        for kind, clock in enumerate(("wall", "cpu")):
            gross = [r[name][kind] - (r["interpreter"][kind] if name != "interpreter" else 0) for r in rounds]
            ratio = [g / (r[BASE][kind] - r["interpreter"][kind]) for g, r in zip(gross, rounds, strict=True)]
            out[name][clock] = statistics.median(gross) * 1000
            out[name][f"{clock}_ratio"] = statistics.median(ratio)
    return out


def _spent(code: str) -> tuple[float, float]:
    """Seconds of a fresh interpreter that runs this: on the clock, and of CPU."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def probe(statement: str) -> list[str]:
    """What a fresh process has after the statement that it should not: modules, and sockets opened."""
    run = subprocess.run(
        [sys.executable, "-c", _PROBE.format(statement=statement)], check=True, capture_output=True, text=True
    )
    found = json.loads(run.stdout)
    return [m for m in UNWANTED if m in found["modules"]] + sorted(set(found["sockets"]))
