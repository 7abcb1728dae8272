"""TOML to typed structs, with errors that say file, line and the nearest valid name.

One road for every TOML file that a person writes: the config and the registry's data.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .errors import ConfigError

T = TypeVar("T")

Path_ = tuple["str | int", ...]

_TOKEN = re.compile(
    r""" "{3}(?:\\.|[^\\])*?"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\])*" | '[^']*'   # strings
       | \#[^\n]* | [][{}=,.\n] | [^]\s"'\#[{}=,.]+ """,
    re.DOTALL | re.VERBOSE,
)
_AT = re.compile(r" - at `(?:key in )?\$(.*)`$")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`")


def key_lines(text: str) -> dict[Path_, int]:
    """The line (from 1) on which each table, key and array item of a valid TOML text stands."""
    return _Walk(text).lines


class _Walk:
    """A walk through the tokens of a TOML text that a parser has already found valid."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path_, int] = {}
        self._tokens: list[tuple[str, int]] = []
        self._next = 0
        line = 1
        for found in _TOKEN.finditer(text):
            if not found[0].startswith("#"):
                self._tokens.append((found[0], line))
            line += found[0].count("\n")
        table: Path_ = ()
        counts: dict[Path_, int] = {}
        while (token := self._skip("\n")) is not None:
            if token == "[":
                table = self._header(counts)
            else:
                self._pair(table)

    def _peek(self) -> str | None:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else None

    def _take(self) -> tuple[str, int]:
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip(self, *tokens: str) -> str | None:
        while self._peek() in tokens:
            self._take()
        return self._peek()

    def _key(self) -> list[tuple[str, int]]:
        names = []
        while True:
            token, line = self._take()
            names.append((tomllib.loads(f"k = {token}")["k"] if token[0] in "\"'" else token, line))
            if self._peek() != ".":
                return names
            self._take()

    def _header(self, counts: dict[Path_, int]) -> Path_:
        self._take()
        is_array = self._peek() == "["
        self._skip("[")
        table: Path_ = ()
        names = self._key()
        for depth, (name, line) in enumerate(names, 1):
            table += (name,)
            self.lines.setdefault(table, line)
            if is_array and depth == len(names):
                counts[table] = counts.get(table, -1) + 1
            if table in counts:
                table += (counts[table],)
                self.lines.setdefault(table, line)
        self._skip("]")
        return table

    def _pair(self, table: Path_) -> None:
        for name, line in self._key():
            table += (name,)
            self.lines.setdefault(table, line)
        self._take()  # the equals sign
        self._value(table)

    def _value(self, path: Path_) -> None:
        token, _ = self._take()
        if token == "{":
            while self._skip("\n", ",") != "}":
                self._pair(path)
            self._take()
        elif token == "[":
            item = 0
            while self._skip("\n", ",") != "]":
                self.lines[*path, item] = self._tokens[self._next][1]
                self._value((*path, item))
                item += 1
            self._take()
        else:
            while self._peek() not in (",", "]", "}", "\n", None):  # a float or a time is several tokens
                self._take()


def line_of(lines: dict[Path_, int], path: Path_) -> int:
    """The line of `path`, or of its nearest ancestor that has one."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing where no known name is near."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


class Document:
    """A parsed TOML file that can say where each of its keys stands."""

    def __init__(self, path: Path | str, text: str | None = None) -> None:
        self.path = Path(path)
        try:
            self.text = self.path.read_text("utf-8-sig") if text is None else text
        except OSError as error:
            raise ConfigError(f"{path}: cannot read it: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: not UTF-8 text") from error
        try:
            self.data: dict[str, Any] = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"^(.*?) \(at line (\d+), column (\d+)\)$", str(error))
            where, what = (f":{found[2]}", found[1]) if found else ("", str(error))
            raise ConfigError(f"{path}{where}: not valid TOML: {what}") from None
        except RecursionError:
            raise ConfigError(f"{path}: not valid TOML: nested too deep") from None
        self._lines: dict[Path_, int] | None = None

    def where(self, path: Path_) -> str:
        """Where a key of this document stands: `file:line`."""
        if self._lines is None:
            self._lines = key_lines(self.text)
        return f"{self.path}:{line_of(self._lines, path)}"

    def error(self, path: Path_, message: str) -> ConfigError:
        """An error at a key of this document: `file:line: message`."""
        return ConfigError(f"{self.where(path)}: {message}")

    def convert(self, to: type[T], at: Path_ = ()) -> T:
        """This document, or its part at a path, as a struct; ConfigError with file and line when it does not fit."""
        part = _part(self.data, at)
        try:
            return msgspec.convert(part, to, strict=False)
        except msgspec.ValidationError as error:
            raise self._explain(str(error), to, part, at) from None

    def _explain(self, message: str, to: type[Any], part: Any, base: Path_) -> ConfigError:
        at = _AT.search(message)
        what = message[: at.start()] if at else message
        path = _resolve(at[1], part, to) if at else ()
        if unknown := _UNKNOWN.search(what):
            name = unknown[1]
            hint = nearest(name, _fields_at(to, path))
            path = (*base, *path, name)
            return self.error(path, f'unknown key "{_dotted(path)}"{hint}')
        if what.startswith("Invalid enum value") and (choices := _choices_at(to, path)):
            what = f"{what}; known: {', '.join(choices)}"
        path = (*base, *path)
        return self.error(path, f"{_dotted(path) or 'the file'}: {what[0].lower()}{what[1:]}")


def _resolve(steps: str, part: Any, to: type[Any]) -> Path_:
    """msgspec's `$.a[0][...]` as a path. Which key `[...]` means it does not say: the one that fails alone."""
    path: Path_ = ()
    value: Any = part
    for name, index in _STEP.findall(steps):
        step: str | int | None = name or (int(index) if index else _failing(path, part, value, to))
        if step is None:
            break
        path += (step,)
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    return path


def _failing(path: Path_, part: Any, table: Any, to: type[Any]) -> str | None:
    """The key of the table at `path` with which alone the whole part still does not fit."""
    for key in table if isinstance(table, dict) else ():
        try:
            msgspec.convert(_replaced(part, path, {key: table[key]}), to, strict=False)
        except msgspec.ValidationError:
            return str(key)
    return None


def _part(data: Any, path: Path_) -> Any:
    for step in path:
        data = data[step]
    return data


def _replaced(data: Any, path: Path_, value: Any) -> Any:
    """A copy of nested data with another value at a path."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copy


def _dotted(path: Path_) -> str:
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f"{'.' if out else ''}{step}"
    return out


def _fields_at(kind: Any, path: Path_) -> list[str]:
    """The field names that a struct allows at a path into it."""
    found = [o for o in _types_at(kind, path) if isinstance(o, msgspec.inspect.StructType)]
    return [f.encode_name for o in found for f in o.fields]


def _choices_at(kind: Any, path: Path_) -> list[str]:
    """The values that a struct allows at a path into it, where it names them."""
    found = [o for o in _types_at(kind, path) if isinstance(o, msgspec.inspect.LiteralType)]
    return [str(value) for o in found for value in o.values]


def _types_at(kind: Any, path: Path_) -> tuple[Any, ...]:
    info: Any = msgspec.inspect.type_info(kind)
    for step in path:
        info = _into(info, step)
        if info is None:
            return ()
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _into(info: Any, step: str | int) -> Any:
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for option in options:
        if isinstance(option, msgspec.inspect.StructType) and isinstance(step, str):
            for field in option.fields:
                if field.encode_name == step:
                    return field.type
        if isinstance(option, msgspec.inspect.DictType):
            return option.value_type
        if isinstance(step, int) and isinstance(option, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            return option.item_type
    return None
