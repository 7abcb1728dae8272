"""A small folder of registry data that is right, for tests to spoil one line of."""

from __future__ import annotations

from pathlib import Path

LICENSE = """\
id = "LicenseRef-test-community"
name = "Test Community License"
kind = "weights"
short = ["test-community"]
licensor = "Test"
url = "https://test.example/license"

[text]
url = "https://test.example/license"
checked = 2026-01-01
grade = "P"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[[rule]]
uses = ["commercial"]
verdict = "permitted"
clause = "1"
summary = "Anything goes."

[[rule]]
uses = ["*"]
verdict = "prohibited"
when = { annual_revenue_usd = { above = 1_000_000 } }
clause = "2"
summary = "Not for the rich."
"""

MODEL = """\
id = "able-1"
name = "Able 1"
developer = "test"
family = "able"
aliases = ["able"]
weights = "open"
lifecycle = "active"
license = ["LicenseRef-test-community"]
input = ["text"]
output = ["text"]
context = 4096
parameters = "undisclosed"
released = "2024-07"

[[source]]
url = "https://test.example/card"
checked = 2026-01-01
grade = "S"
facts = ["license", "input", "output", "context", "released"]
"""

OTHER = (
    MODEL.replace("able-1", "baker-1")
    .replace("Able 1", "Baker 1")
    .replace('["able"]', '["baker"]')
    .replace('family = "able"', 'family = "baker"')
)

PROVIDER = """\
id = "testhost"
name = "Test Host"
kind = "host"
dialect = "openai_chat"
url = "https://api.test.example/v1"

[[offer]]
model = "able-1"
wire = "able-1-fast"
source = "https://test.example/models"
checked = 2026-01-01
grade = "S"
"""

FILES = {
    "licenses/LicenseRef-test-community.toml": LICENSE,
    "models/test/able-1.toml": MODEL,
    "models/test/baker-1.toml": OTHER,
    "providers/testhost.toml": PROVIDER,
}


def write(root: Path, **changed: str) -> Path:
    """The folder below `root`; `license`, `model`, `other` or `provider` replace a file's text."""
    names = dict(zip(("license", "model", "other", "provider"), FILES, strict=True))
    texts = FILES | {names[kind]: text for kind, text in changed.items()}
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def line(text: str, part: str) -> int:
    """The line (from 1) on which `part` first stands."""
    assert part in text
    return text[: text.index(part)].count("\n") + 1
