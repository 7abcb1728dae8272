"""TOML to typed structs, with errors that say file, line and the nearest valid name.

One road for every TOML file that a person writes: the config and the registry's data.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .errors import ConfigError

T = TypeVar("T")

Path_ = tuple["str | int", ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_SEGMENT = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*\.?""")
_AT = re.compile(r" - at `(?:key in )?\$(.*)`$")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`")


def _split(dotted: str) -> list[str]:
    return [a or b or c for a, b, c in _SEGMENT.findall(dotted)]


def key_lines(text: str) -> dict[Path_, int]:
    """The line (from 1) on which each table header and key of a TOML text stands."""
    lines: dict[Path_, int] = {}
    counts: dict[Path_, int] = {}
    table: Path_ = ()
    in_string: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if in_string:
            if in_string in line:
                in_string = None
            continue
        if (header := _HEADER.match(line)) and not _KEY.match(line):
            table = ()
            names = _split(header[2])
            for depth, name in enumerate(names):
                table += (name,)
                last = depth == len(names) - 1
                if header[1] == "[[" and last:
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    lines.setdefault(table, number)
                    table += (counts[table],)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            here = table
            for name in _split(key[1]):
                here += (name,)
                lines.setdefault(here, number)
            for name in re.findall(r"[{,]\s*\"?([A-Za-z0-9_@.-]+)\"?\s*=", line[key.end() :]):
                lines.setdefault((*here, name), number)
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                in_string = quotes
    return lines


def line_of(lines: dict[Path_, int], path: Path_) -> int:
    """The line of `path`, or of its nearest ancestor that has one."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


class Document:
    """A parsed TOML file that can say where each of its keys stands."""

    def __init__(self, path: Path | str, text: str | None = None) -> None:
        self.path = Path(path)
        try:
            self.text = self.path.read_text("utf-8") if text is None else text
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
        self._lines: dict[Path_, int] | None = None

    def error(self, path: Path_, message: str) -> ConfigError:
        """An error at a key of this document: `file:line: message`."""
        if self._lines is None:
            self._lines = key_lines(self.text)
        return ConfigError(f"{self.path}:{line_of(self._lines, path)}: {message}")

    def convert(self, to: type[T]) -> T:
        """This document as a struct; ConfigError with file and line when it does not fit."""
        try:
            return msgspec.convert(self.data, to, strict=False)
        except msgspec.ValidationError as error:
            raise self._explain(str(error), to) from None

    def _explain(self, message: str, to: type[Any]) -> ConfigError:
        at = _AT.search(message)
        what = message[: at.start()] if at else message
        path = self._resolve(at[1], to) if at else ()
        if unknown := _UNKNOWN.search(what):
            name = unknown[1]
            path = (*path, name)
            hint = nearest(name, _fields_at(to, path[:-1]))
            return self.error(path, f'unknown key "{_dotted(path)}"{hint}')
        return self.error(path, f"{_dotted(path) or 'the file'}: {what[0].lower()}{what[1:]}")

    def _resolve(self, steps: str, to: type[Any]) -> Path_:
        """msgspec's `$.a[0][...]` as a path. Which key `[...]` means it does not say: the one that fails alone."""
        path: Path_ = ()
        value: Any = self.data
        for name, index in _STEP.findall(steps):
            step: str | int | None = name or (int(index) if index else self._failing(path, value, to))
            if step is None:
                break
            path += (step,)
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
        return path

    def _failing(self, path: Path_, table: Any, to: type[Any]) -> str | None:
        """The key of the table at `path` with which alone the document still does not fit."""
        for key in table if isinstance(table, dict) else ():
            try:
                msgspec.convert(_replaced(self.data, path, {key: table[key]}), to, strict=False)
            except msgspec.ValidationError:
                return str(key)
        return None


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
    info = msgspec.inspect.type_info(kind)
    for step in path:
        info = _into(info, step)
        if info is None:
            return []
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return [f.encode_name for o in options if isinstance(o, msgspec.inspect.StructType) for f in o.fields]


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
