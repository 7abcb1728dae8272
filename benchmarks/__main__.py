"""`python -m benchmarks`: import, calls and streams, chat types, the registry. Prints tables and writes them as JSON.

Exit code 1 if a target is missed, or if importing llmgate loads what it should not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import calls, chat_types, imports, registry, report
from .contenders import DISTRIBUTIONS
from .processes import machine

PARTS = ("imports", "calls", "types", "registry")
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--rounds", type=int, default=15, help="of the calls (default %(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = arguments.parts or PARTS

    now = dt.datetime.now(dt.UTC)
    results: dict[str, Any] = {
        "date": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {name: version(name) for name in DISTRIBUTIONS},
    }
    about = results["machine"]
    print(f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}, {results['date']}")
    print(", ".join(f"{name} {number}" for name, number in results["versions"].items()))
    if "imports" in parts:
        results["imports"] = imports.measure()
        print("\n" + report.imports_table(results["imports"]), flush=True)
    if "types" in parts:
        results["types"] = chat_types.measure()
        print("\n" + report.types_table(results["types"]), flush=True)
    if "registry" in parts:
        results["registry"] = registry.measure()
        print(
            "\n" + report.table(["registry and policy", "time", "beside"], registry.rows(results["registry"])),
            flush=True,
        )
    if "calls" in parts:
        results["calls"] = calls.measure(arguments.rounds)
        print("\n" + report.calls_table(results["calls"]))
        print("\n" + report.upstream_table(results["calls"]))

    found = report.verdicts(results)
    if found:
        print("\n" + report.verdicts_table(found))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")
    loaded = any(r["loads"] for r in results.get("imports", {}).values())
    return 1 if loaded or any(value > most for _, value, most in found) else 0


if __name__ == "__main__":
    sys.exit(main())
