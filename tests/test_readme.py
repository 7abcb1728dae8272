"""The README's program runs, and prints what the README says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readmes_program_prints_the_readmes_output(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", readme, re.DOTALL)
    assert found
    program, promised = found.groups()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True, timeout=120
    )
    printed = " ".join(done.stdout.split())
    at = 0
    for piece in re.split(r"\[\.\.\.\]", promised):
        words = " ".join(piece.split())
        at = printed.find(words, at)
        assert at >= 0, f"{words!r} is not in {printed!r}"


def test_every_link_into_the_repository_leads_somewhere() -> None:
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "registry/README.md",
        *(ROOT / "docs").glob("*.md"),
    ):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
