"""The line finder behind every `file:line:`, on generated TOML and on the awkward corners of the format."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmgate._toml import key_lines, line_of

Where = tuple[str | int, ...]

BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
QUOTED = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5) | st.sampled_from(
    ["a.b", "[x]", "a = 1", '"', "'", "#", "monthly_active_users@2024-06", ""]
)
WORDS = st.sampled_from(["", "plain", "a = 1", "[table]", "# no comment", '"', "'", "\\", "[[x]]", "x\ny = 2\n[z]\n"])
SCALARS = st.integers(-9, 9) | st.booleans() | st.sampled_from([1.5, -0.25, 1e300]) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BARE | QUOTED, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(BARE | QUOTED, VALUES, max_size=6)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class Writer:
    """Writes a document in one of the many ways that TOML allows, and remembers the line of each key."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[Where, int] = {}

    def flip(self) -> bool:
        return bool(self.draw(st.booleans()))

    def put(self, text: str) -> None:
        self.text += text

    def stands(self, path: Where) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def name(self, key: str) -> str:
        bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
        if bare and self.flip():
            return key
        return f"'{key}'" if "'" not in key and self.flip() else quoted(key)

    def filler(self) -> None:
        self.put(self.draw(st.sampled_from(["", "\n", "# k = 1\n", '  # """\n', "\t# [x]\n\n"])))

    def end(self) -> None:
        self.put(self.draw(st.sampled_from(["\n", "  # comment = 'x\n", "\r\n"])))

    def table(self, content: dict[str, Any], path: Where) -> None:
        """The pairs of a table, then the tables in it that are written with headers of their own."""
        later = []
        for key, value in content.items():
            tables = value if isinstance(value, list) else [value]
            if tables and all(isinstance(t, dict) for t in tables) and self.flip():
                later.append((key, value))
                continue
            self.filler()
            self.pair((*path, key), self.name(key), value)
            self.end()
        for key, value in later:
            for n, item in enumerate(value if isinstance(value, list) else [value]):
                self.filler()
                here: Where = (*path, key)
                self.stands(here)
                if isinstance(value, list):
                    here = (*here, n)
                    self.stands(here)
                header = ".".join(self.name(step) for step in here if isinstance(step, str))
                self.put(f"[[{header}]]" if isinstance(value, list) else f"[ {header} ]")
                self.end()
                self.table(item, here)

    def pair(self, path: Where, written: str, value: Any) -> None:
        self.stands(path)
        if isinstance(value, dict) and len(value) == 1 and self.flip():
            ((key, inner),) = value.items()
            self.pair((*path, key), f"{written} . {self.name(key)}", inner)  # a dotted key
            return
        self.put(f"{written} = ")
        self.value(path, value)

    def value(self, path: Where, value: Any) -> None:
        if isinstance(value, dict):
            self.put("{ ")
            for n, (key, inner) in enumerate(value.items()):
                self.put(", " if n else "")
                self.pair((*path, key), self.name(key), inner)
            self.put(" }")
        elif isinstance(value, list):
            self.put("[")
            for n, inner in enumerate(value):
                self.put("\n  # ] ,\n" if self.flip() else " ")
                self.stands((*path, n))
                self.value((*path, n), inner)
                self.put(",")
            self.put("\n]" if self.flip() else "]")
        elif isinstance(value, str):
            if "'" not in value and self.flip():
                self.put(f"'''\n{value}'''")
            elif self.flip():
                self.put('"""' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""')
            else:
                self.put(quoted(value))
        else:
            self.put(str(value).lower())


@given(DOCUMENTS, st.data())
def test_each_key_is_found_on_the_line_where_it_was_written(document: dict[str, Any], data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.table(document, ())
    assert tomllib.loads(writer.text) == document
    assert key_lines(writer.text) == writer.lines


def test_quotes_at_the_ends_of_long_strings() -> None:
    text = 'a = """"x"""""\nb = \'\'\'\'y\'\'\'\'\'\nc = """\n[no]\n\\"""\nd = 1\n"""\ne = \'\'\nf = ""\n'
    assert tomllib.loads(text).keys() == {"a", "b", "c", "e", "f"}
    assert key_lines(text) == {("a",): 1, ("b",): 2, ("c",): 3, ("e",): 8, ("f",): 9}


def test_times_and_floats_are_no_keys() -> None:
    text = "a = 1979-05-27 07:32:00.5Z\nb = [ 1.5, -2e-3 ]\n3.14 = inf\n"
    assert key_lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 2,
        ("b", 1): 2,
        ("3",): 3,
        ("3", "14"): 3,
    }
    assert tomllib.loads(text)["3"] == {"14": float("inf")}


def test_a_table_within_an_array_of_tables() -> None:
    text = "[[rule]]\nx = 1\n[[rule]]\n[rule.when]\nfact = 2\n[[rule.of]]\n[[rule.of]]\ny = 3\n"
    lines = key_lines(text)
    assert lines["rule", 0, "x"] == 2
    assert lines["rule", 1, "when", "fact"] == 5
    assert lines["rule", 1, "of", 1, "y"] == 8


def test_what_has_no_line_of_its_own_stands_where_its_parent_does() -> None:
    lines = key_lines("\n[a]\nb = 1\n")
    assert line_of(lines, ("a", "missing", 3)) == 2
    assert line_of(lines, ("nowhere",)) == 1
