"""Cutting a stream's bytes anywhere, and decoding the pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from llmgate.chat import Event, Reply, assemble


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """`data` cut at these offsets (any order, repeats give empty pieces)."""
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def every_cut(data: bytes) -> Iterator[list[bytes]]:
    """Two pieces, cut at every boundary in turn; then one byte at a time."""
    for at in range(len(data) + 1):
        yield cut(data, [at])
    yield [data[i : i + 1] for i in range(len(data))]


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Any cut of `data`."""
    return st.lists(st.integers(0, len(data)), max_size=12).map(lambda at: cut(data, at))


def decode_events(dialect: Any, chunks: Sequence[bytes]) -> list[Event]:
    """The events that a dialect's StreamDecoder makes of these chunks, its end checked."""
    decoder = dialect.StreamDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    decoder.finish()
    return events


def decode(dialect: Any, chunks: Sequence[bytes]) -> Reply:
    """The reply that a dialect makes of a stream in these chunks."""
    return assemble(decode_events(dialect, chunks))


def encode(dialect: Any, events: Iterable[Event]) -> bytes:
    """The whole stream that a dialect's StreamEncoder makes of these events."""
    encoder = dialect.StreamEncoder()
    return b"".join(encoder.feed(event) for event in events) + bytes(encoder.finish())
