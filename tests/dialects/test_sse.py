"""The SSE parser against the WHATWG rules, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.dialects._sse import SSEParser, encode_event

from . import rechunk

ENDS = (b"\n", b"\r\n", b"\r")
BOM = b"\xef\xbb\xbf"

_line_chars = st.characters(exclude_categories=("Cs",), exclude_characters="\r\n")
_lines = st.text(_line_chars, max_size=12).map(str.encode)


def parse(chunks: list[bytes]) -> list[tuple[str, bytes]]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


@st.composite
def events(draw: st.DrawFn) -> tuple[list[tuple[str, bytes]], list[bytes]]:
    """What is said, and lines that say it: with comments, ids, with or without the optional space."""
    said: list[tuple[str, bytes]] = []
    lines: list[bytes] = []
    noise = st.sampled_from([b": comment", b":", b"id: 7", b"retry: 100", b"data-like: x", b"unknown"])

    def field(name: bytes, value: bytes) -> None:
        space = value.startswith(b" ") or draw(st.booleans())
        lines.append(name + (b": " if space else b":") + value)

    for _ in range(draw(st.integers(0, 4))):
        lines += draw(st.lists(noise, max_size=2))
        name = draw(st.sampled_from(["", "message_start", "error"]))
        if name:
            field(b"event", name.encode())
        data = draw(st.lists(_lines, min_size=1, max_size=3))
        for value in data:
            field(b"data", value)
        lines.append(b"")
        said.append((name, b"\n".join(data)))
    return said, lines


@given(st.data(), events(), st.sampled_from(ENDS), st.booleans())
def test_says_what_was_said(
    data: st.DataObject, stream: tuple[list[tuple[str, bytes]], list[bytes]], end: bytes, bom: bool
) -> None:
    said, lines = stream
    whole = (BOM if bom else b"") + b"".join(line + end for line in lines)
    assert parse(data.draw(rechunk.cuts(whole))) == said
    assert parse([whole[i : i + 1] for i in range(len(whole))]) == said


@given(st.data(), events())
def test_line_ends_may_be_mixed(data: st.DataObject, stream: tuple[list[tuple[str, bytes]], list[bytes]]) -> None:
    # A lone CR before an empty line that ends in LF would be one CRLF: such a stream says something else.
    said, lines = stream
    whole = b"".join(line + data.draw(st.sampled_from((b"\n", b"\r\n"))) for line in lines)
    assert parse(data.draw(rechunk.cuts(whole))) == said


@given(
    st.data(),
    st.lists(st.sampled_from([b"data: a", b"data", b"\r", b"\n", b"event: e", BOM, b":"]), max_size=12),
)
def test_the_cut_never_matters(data: st.DataObject, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert parse(data.draw(rechunk.cuts(whole))) == parse([whole])


@pytest.mark.parametrize("end", ENDS)
def test_an_event_is_there_with_its_last_byte(end: bytes) -> None:
    # A parser that waits for what follows a \r would hold back the last event until the connection closes.
    assert parse([b"data: x" + end + end]) == [("", b"x")]


@pytest.mark.parametrize("end", ENDS)
def test_every_boundary(end: bytes) -> None:
    stream = end.join(
        [
            BOM + b"event: a",
            b"data: {",
            b"data:}",
            b"",
            b": ping",
            b"",
            b"data",
            b"",
            b"data: \xc3\xa9",
            b"",
            b"",
        ]
    )
    said = [("a", b"{\n}"), ("", b""), ("", "é".encode())]
    for chunks in rechunk.every_cut(stream):
        assert parse(chunks) == said


def test_the_specs_own_examples() -> None:
    # WHATWG HTML 9.2.6: two events, an empty one and a newline; the third lacks its blank line.
    assert parse([b"data\n\ndata\ndata\n\ndata:"]) == [("", b""), ("", b"\n")]
    assert parse([b"data:test\n\ndata: test\n\n"]) == [("", b"test")] * 2
    assert parse([b"data:  two\n\n"]) == [("", b" two")]


def test_an_event_name_lasts_for_one_event() -> None:
    assert parse([b"event: a\ndata: 1\n\ndata: 2\n\nevent: b\n\ndata: 3\n\n"]) == [
        ("a", b"1"),
        ("", b"2"),
        ("", b"3"),
    ]


def test_only_the_first_bom_is_passed_over() -> None:
    assert parse([BOM + b"data: 1\n\n" + BOM + b"data: 2\n\n"]) == [("", b"1")]
    assert parse([BOM[:2], BOM[2:], b"data: 1\n\n"]) == [("", b"1")]


@given(st.data())
def test_pending_tells_a_cut_event(data: st.DataObject) -> None:
    stream = b"data: abc\n\n"
    at = data.draw(st.integers(0, len(stream)))
    parser = SSEParser()
    parser.feed(stream[:at])
    assert parser.pending == (0 < at < len(stream))
    if parser.pending:
        assert parser.rest.removeprefix(b"data: ") in b"data: abc\n"


def test_blank_lines_and_comments_are_not_pending() -> None:
    parser = SSEParser()
    parser.feed(b": OPENROUTER PROCESSING\n\n\r\n  ")
    assert not parser.pending
    assert parser.feed(b"\ndata: 1\n\n") == [("", b"1")]


@given(_lines, st.sampled_from([None, "error", "message_stop"]))
def test_encoded_events_come_back(data: bytes, name: str | None) -> None:
    assert parse([encode_event(data, name)]) == [(name or "", data)]
