"""Results as tables of Markdown, and the targets they are held to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

COLUMNS = {
    "one_async": ("wall", "async call"),
    "one_sync": ("wall", "sync call"),
    "concurrent": ("wall", "call, 64 at once"),
    "stream": ("wall", "stream chunk"),
    "paced": ("cpu", "paced chunk, CPU"),
}

# What is measured, where it stands in the results, and the most it may be.
TARGETS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("import llmgate, of import httpx2", ("imports", "llmgate", "wall_ratio"), 0.25),
    ("import llmgate; llmgate.Client, of import httpx2", ("imports", "llmgate.Client", "wall_ratio"), 1.2),
    ("async call, of raw httpx", ("calls", "llmgate", "one_async", "wall_ratio"), 0.5),
    ("stream chunk, of raw httpx", ("calls", "llmgate", "stream", "wall_ratio"), 0.5),
    ("load the registry, of json.loads", ("registry", "load_ratio"), 1.0),
    ("load the registry, ms", ("registry", "load_ms"), 25.0),
    ("one decision, us", ("registry", "first_us"), 50.0),
    ("two uses of every model, first time, ms", ("registry", "select_first_ms"), 20.0),
    ("two uses of every model, again, ms", ("registry", "select_ms"), 20.0),
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for a terminal."""
    cells = [list(head), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rule = f"|{'|'.join('-' * (w + 2) if i == 0 else '-' * (w + 1) + ':' for i, w in enumerate(widths))}|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def imports_table(results: dict[str, Any]) -> str:
    return table(
        ["import, net of the interpreter", "ms", "x httpx2", "CPU ms", "x httpx2", "loads what it should not"],
        [
            [
                name,
                f"{r['wall']:.0f}",
                "" if name == "interpreter" else f"{r['wall_ratio']:.2f}",
                f"{r['cpu']:.0f}",
                "" if name == "interpreter" else f"{r['cpu_ratio']:.2f}",
                "" if name in ("interpreter", "httpx2") else ", ".join(r["loads"]) or "nothing",
            ]
            for name, r in results.items()
        ],
    )


def calls_table(results: dict[str, Any]) -> str:
    return table(
        ["us (x raw httpx)", *(title for _, title in COLUMNS.values())],
        [
            [name, *(f"{r[s][c]:.1f} ({r[s][f'{c}_ratio']:.2f})" for s, (c, _) in COLUMNS.items())]
            for name, r in results.items()
        ],
    )


def upstream_table(results: dict[str, Any]) -> str:
    return table(
        ["upstream busy, at most", *(title for _, title in COLUMNS.values())],
        [[name, *(f"{r[s]['upstream_busy']:.0%}" for s in COLUMNS)] for name, r in results.items()],
    )


def types_table(results: dict[str, Any]) -> str:
    kinds = list(next(iter(results.values())))
    return table(
        ["us (x msgspec Struct)", *kinds],
        [[case, *(f"{r[k]['us']:.2f} ({r[k]['ratio']:.1f})" for k in kinds)] for case, r in results.items()],
    )


def verdicts(results: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Each target whose part was measured: its name, what was found, the most it may be."""
    out = []
    for name, path, most in TARGETS:
        value: Any = results
        for key in path:
            value = value.get(key) if value else None
        if value is not None:
            out.append((name, value, most))
    return out


def verdicts_table(found: list[tuple[str, float, float]]) -> str:
    return table(
        ["target", "found", "at most", "met"],
        [[name, f"{value:.2f}", f"{most:.2f}", "yes" if value <= most else "NO"] for name, value, most in found],
    )
