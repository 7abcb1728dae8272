"""`python -m llmgate.registry refresh`: brings what two public feeds say into the providers' files, for review.

The one part of llmgate that needs the extra `feeds`; nothing else imports it, and it reads installed packages only.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..._toml import nearest
from ...errors import ConfigError
from ..read import read_folder
from . import feeds
from .compare import Finding, Host, compare, hosts

__all__ = ["Finding", "Host", "compare", "hosts", "main", "refresh", "report"]

PENDING = ("change", "new")
HOSTS = Path(__file__).with_name("hosts.toml")


def main(arguments: list[str], root: Path) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m llmgate.registry refresh",
        description="Compares the offers with genai-prices and models.dev, as installed, and tells what differs.",
        epilog="example: python -m llmgate.registry refresh --provider groq --write",
    )
    parser.add_argument("--provider", metavar="P", help="only this provider")
    parser.add_argument("--write", action="store_true", help="bring it into registry/providers/, for review")
    parser.add_argument("--check", action="store_true", help="exit with 1 if anything is to be brought in")
    parser.add_argument(
        "--root", type=Path, default=root, metavar="FOLDER", help="registry data (default: the checkout's)"
    )
    parser.add_argument("--json", action="store_true", help="the findings as a JSON list")
    asked = parser.parse_args(arguments)
    found = refresh(asked.root, feeds.load(), hosts(HOSTS), provider=asked.provider, write=asked.write)
    print(msgspec.json.format(_plain(found), indent=2).decode() if asked.json else report(found))
    pending = [f for f in found if f.kind in PENDING]
    return 1 if asked.check and pending and not asked.write else 0


def refresh(
    root: Path,
    read: list[feeds.Feed],
    table: Mapping[str, Host],
    *,
    provider: str | None = None,
    write: bool = False,
) -> list[Finding]:
    """What the feeds have to say of the registry below `root`; written into its files if asked."""
    data = read_folder(root)
    known = [p.id for p in data.providers]
    if provider not in (None, *known):
        raise ConfigError(f'there is no provider "{provider}"{nearest(str(provider), known)}')
    found = compare(data, read, table, provider)
    if write:
        from .write import write as write_file

        by_file: dict[str, list[Finding]] = defaultdict(list)
        for finding in found:
            if finding.kind in (*PENDING, "renew"):
                by_file[finding.provider].append(finding)
        for name, findings in by_file.items():
            write_file(root / "providers" / f"{name}.toml", findings)
        read_folder(root)
    return found


def _plain(found: list[Finding]) -> bytes:
    return msgspec.json.encode([msgspec.structs.replace(f, value=None) for f in found if f.kind != "renew"])


def report(found: list[Finding]) -> str:
    """The findings for a person: what changes, what is new, who disagrees and who won."""
    titles = {
        "change": "To change",
        "new": "New offers of known models",
        "disagree": "Disagreements that change nothing",
        "model": "Facts of models that the feed has otherwise (never written)",
    }
    lines: list[str] = []
    for kind, title in titles.items():
        rows = [f for f in found if f.kind == kind]
        if rows:
            lines += [f"{title} ({len(rows)})", *map(_line, rows), ""]
    renewed = sum(f.kind == "renew" for f in found)
    lines.append(
        f"{sum(f.kind in PENDING for f in found)} to bring in, {renewed} older readings confirmed by a newer one"
    )
    return "\n".join(lines)


def _line(f: Finding) -> str:
    said = "; ".join(f"{feed}: {text}" for feed, text in f.feeds.items())
    ours = f"ours: {f.ours} ({f.ours_from}); " if f.ours_from else ""
    return f"  {f.provider}:{f.wire} ({f.model}) {f.fact}: {ours}{said} -> {f.won}: {f.why}"
