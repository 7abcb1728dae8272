"""A mistake in the registry's data is one line that says in which file, on which line, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgate.errors import ConfigError
from llmgate.registry.read import read_folder

from .folder import FILES, LICENSE, MODEL, OTHER, PROVIDER, line, write

NAMES = dict(zip(("license", "model", "other", "provider"), FILES, strict=True))
TEXTS = {"license": LICENSE, "model": MODEL, "other": OTHER, "provider": PROVIDER}


def mistake(root: Path, kind: str, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_folder(write(root, **{kind: text}))
    return str(caught.value)


def test_the_folder_as_it_stands_is_right(tmp_path: Path) -> None:
    data = read_folder(write(tmp_path))
    assert [m.id for m in data.models] == ["able-1", "baker-1"]
    assert [x.id for x in data.licenses] == ["LicenseRef-test-community"]
    assert [p.offer[0].wire for p in data.providers] == ["able-1-fast"]


# kind of file, what stands there, what is put in its place, the line's own words, words of the message
CASES = [
    ("model", 'family = "able"', 'famly = "able"', "famly", ['unknown key "famly"', 'did you mean "family"?']),
    ("model", "context = 4096", 'context = "much"', "context =", ["context"]),
    ("model", "context = 4096", "context = 0", "context =", ["context", ">= 1"]),
    ("model", 'released = "2024-07"', 'released = "2024-13"', "released", ["released"]),
    ("model", "checked = 2026-01-01", 'checked = "soon"', "checked", ["source[0].checked"]),
    ("model", 'lifecycle = "active"', 'lifecycle = "alive"', "lifecycle", ["lifecycle", "'alive'"]),
    ("model", 'input = ["text"]', 'input = ["text", "smell"]', "input =", ["input[1]", "'smell'"]),
    ("model", 'url = "https://test.example/card"', 'url = "test.example/card"', "url", ["source[0].url"]),
    (
        "model",
        'license = ["LicenseRef-test-community"]',
        'license = ["LicenseRef-test-comunity"]',
        "license =",
        ['there is no license "LicenseRef-test-comunity"', 'did you mean "LicenseRef-test-community"?'],
    ),
    ("model", 'aliases = ["able"]', 'aliases = ["baker-1"]', "aliases", ['"baker-1"', "belongs to both"]),
    ("model", '"context", "released"]', '"context"]', "released", ['"released" has no source']),
    ("model", '"context", "released"]', '"context", "released", "tokens"]', "facts", ['"tokens", which is no sourced']),
    ("model", '"context", "released"]', '"context", "released", "context"]', "facts", ['"context" has two sources']),
    ("model", "context = 4096\n", "", "[[source]]", ['names "context", which the file does not state']),
    ("model", 'weights = "open"', 'weights = "closed"', "license =", ["closed weights have no license"]),
    ("model", 'id = "able-1"', 'id = "able-2"', "id =", ['id "able-2" is not the file\'s name "able-1"']),
    ("model", 'developer = "test"', 'developer = "tset"', "developer", ['the folder\'s name "test"']),
    (
        "model",
        'released = "2024-07"\n',
        'released = "2024-07"\nsuccessor = "baker"\n',
        "successor",
        ['there is no model "baker"', 'did you mean "baker-1"?'],
    ),
    ("license", 'sha256 = "' + "0" * 64 + '"\n', "", "[text]", ["grade P needs the sha256"]),
    ("license", 'sha256 = "' + "0" * 64 + '"', 'sha256 = "00"', "sha256", ["text.sha256"]),
    ("license", 'grade = "P"', 'grade = "K"', "[[rule]]", ['grade K carries only the verdict "unknown"']),
    ("license", 'grade = "P"', 'grade = "U"', "[[rule]]", ['grade U carries only the verdict "unknown"']),
    ("license", 'clause = "1"\n', 'clause = "1"\notherwise = "unknown"\n', "[[rule]]", ['"otherwise" without "when"']),
    ("license", 'uses = ["commercial"]', 'uses = ["comercial"]', "uses =", ["rule[0].uses[0]"]),
    ("license", 'uses = ["commercial"]', "uses = []", "uses =", ["uses is empty"]),
    ("license", 'verdict = "permitted"', 'verdict = "allowed"', "verdict", ["rule[0].verdict", "'allowed'"]),
    (
        "license",
        "annual_revenue_usd",
        "anual_revenue_usd",
        "when",
        ['unknown fact "anual_revenue_usd"', 'did you mean "annual_revenue_usd"?'],
    ),
    ("license", "annual_revenue_usd", '"annual_revenue_usd@2024-13"', "when", ["unknown fact"]),
    ("license", "{ annual_revenue_usd = { above = 1_000_000 } }", "{}", "when", ["an empty condition"]),
    ("license", "{ annual_revenue_usd = { above = 1_000_000 } }", "[]", "when", ["an empty condition"]),
    ("license", "{ above = 1_000_000 }", "{}", "when", ['the test of "annual_revenue_usd" is empty']),
    ("license", "{ above = 1_000_000 }", "{ over = 1 }", "when", ["over"]),
    ("license", "{ above = 1_000_000 }", '"much"', "when", ["needs min, max, above or below"]),
    ("license", "annual_revenue_usd = { above", "sector = { above", "when", ["is no number"]),
    ("license", "annual_revenue_usd = { above = 1_000_000 }", 'established = { in = ["UK"] }', "when", ['"UK"']),
    (
        "license",
        "annual_revenue_usd = { above = 1_000_000 }",
        'trained_model_competes = "true"',
        "when",
        ["needs true or false"],
    ),
    ("license", "annual_revenue_usd = { above = 1_000_000 }", 'provider_tier = "free"', "when", ['"paid" or "unpaid"']),
    ("license", 'url = "https://test.example/license"\n\n', "url = 3\n\n", "url", ["url"]),
    (
        "license",
        'licensor = "Test"\n',
        'licensor = "Test"\nincorporates = ["LicenseRef-test-aup"]\n',
        "incorporates",
        ['there is no license "LicenseRef-test-aup"'],
    ),
    ("provider", 'kind = "host"', 'kind = "hots"', "kind", ["kind", "'hots'"]),
    ("provider", 'model = "able-1"', 'model = "abel-1"', "model =", ['no model "abel-1"', 'did you mean "able-1"?']),
    ("provider", 'wire = "able-1-fast"\n', "", "[[offer]]", ["offer[0]", "wire"]),
    (
        "provider",
        'wire = "able-1-fast"\n',
        'wire = "able-1-fast"\nprice = { input = "-1" }\n',
        "price =",
        ["a rate is a number of USD"],
    ),
    (
        "provider",
        'wire = "able-1-fast"\n',
        'wire = "able-1-fast"\nprice = { tier = [{ above = 9, input = "2" }, { above = 9 }] }\n',
        "price =",
        ["lowest first, each once"],
    ),
    (
        "provider",
        'wire = "able-1-fast"\n',
        'wire = "able-1-fast"\nprice = [{ valid_from = 2026-02-01, input = "1" }, { input = "2" }]\n',
        "price =",
        ["oldest first"],
    ),
    (
        "provider",
        'wire = "able-1-fast"\n',
        'wire = "able-1-fast"\nsources.price = { url = "https://a.example", checked = 2026-01-01, grade = "S" }\n',
        "sources.price =",
        ['"price", which the offer does not state'],
    ),
    (
        "provider",
        'url = "https://api.test.example/v1"\n',
        'url = "https://api.test.example/v1"\nterms = ["MIT"]\n',
        "terms",
        ['there is no license "MIT"'],
    ),
]


@pytest.mark.parametrize(("kind", "old", "new", "at", "words"), CASES, ids=lambda v: v if isinstance(v, str) else None)
def test_mistake(tmp_path: Path, kind: str, old: str, new: str, at: str, words: list[str]) -> None:
    text = TEXTS[kind].replace(old, new, 1)
    assert text != TEXTS[kind]
    message = mistake(tmp_path, kind, text)
    lines = [n for n, content in enumerate(text.splitlines(), 1) if at in content]
    where, _, said = message.partition(": ")
    file, _, number = where.rpartition(":")
    assert Path(file) == tmp_path / NAMES[kind]
    assert int(number) in lines, message
    assert "\n" not in message
    for word in words:
        assert word in said


def test_the_second_rule_is_told_from_the_first(tmp_path: Path) -> None:
    text = LICENSE.replace('verdict = "prohibited"', 'verdict = "forbidden"')
    message = mistake(tmp_path, "license", text)
    assert message.startswith(f"{tmp_path / NAMES['license']}:{line(text, 'forbidden')}: rule[1].verdict")


def test_toml_syntax(tmp_path: Path) -> None:
    text = MODEL.replace('family = "able"', "family = able")
    message = mistake(tmp_path, "model", text)
    assert message.startswith(f"{tmp_path / NAMES['model']}:{line(text, 'family')}: not valid TOML: ")


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    message = mistake(tmp_path, "model", 'id = "able-1"\n' + MODEL)
    assert message.startswith(f"{tmp_path / NAMES['model']}:2: not valid TOML: ")


def test_not_utf8(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / NAMES["model"]).write_bytes(b'id = "\xff"')
    with pytest.raises(ConfigError, match=r"able-1\.toml: not UTF-8 text"):
        read_folder(tmp_path)


def test_rules_without_a_text(tmp_path: Path) -> None:
    start, end = LICENSE.index("[text]"), LICENSE.index("[[rule]]")
    text = LICENSE[:start] + LICENSE[end:]
    message = mistake(tmp_path, "license", text)
    assert message.startswith(f"{tmp_path / NAMES['license']}:{line(text, '[[rule]]')}: rules need a [text]")


def test_a_short_name_that_two_licences_bear(tmp_path: Path) -> None:
    write(tmp_path)
    twin = LICENSE.replace('id = "LicenseRef-test-community"', 'id = "LicenseRef-test-twin"')
    path = tmp_path / "licenses/LicenseRef-test-twin.toml"
    path.write_text(twin, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_folder(tmp_path)
    where = {f"{p}:{line(twin, 'short')}" for p in (path, tmp_path / NAMES["license"])}
    assert str(caught.value).rpartition(": ")[0] in where
    assert 'the short name "test-community" belongs to' in str(caught.value)


def test_an_id_in_two_folders(tmp_path: Path) -> None:
    write(tmp_path)
    again = tmp_path / "models/twin/able-1.toml"
    again.parent.mkdir()
    again.write_text(MODEL.replace('developer = "test"', 'developer = "twin"'), "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_folder(tmp_path)
    assert str(caught.value) == f'{again}:1: "able-1" is already in {tmp_path / NAMES["model"]}'


def test_a_mixture_of_experts_says_how_many_parameters_are_active(tmp_path: Path) -> None:
    text = MODEL.replace(
        'parameters = "undisclosed"', 'parameters = { total = 8 }\narchitecture.kind = "moe-transformer"'
    )
    text = text.replace('"context", "released"]', '"context", "released", "parameters", "architecture"]')
    message = mistake(tmp_path, "model", text)
    assert (
        message
        == f"{tmp_path / NAMES['model']}:{line(text, 'parameters')}: a mixture of experts needs parameters.active"
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        read_folder(tmp_path / "nowhere")
