"""Server-sent events, incrementally: bytes in any cut, whole events out (WHATWG HTML, section 9.2)."""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class SSEParser:
    """Feed it bytes as they come; it returns the `(event, data)` pairs that became whole.

    Only `event` and `data` matter to chat dialects; `id`, `retry` and comments are passed over.
    """

    __slots__ = ("_cr", "_data", "_event", "_first", "_tail")

    def __init__(self) -> None:
        self._tail: list[bytes] = []  # pieces of an unended line, joined once: long lines stay linear
        self._event = ""
        self._data: list[bytes] = []
        self._first = True
        self._cr = False  # the last byte was \r: a \n that follows belongs to it

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        if self._cr and chunk:
            self._cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        last = lines.pop()
        if lines:
            if self._tail:
                self._tail.append(lines[0])
                lines[0] = b"".join(self._tail)
                self._tail.clear()
            if self._first:
                self._first = False
                lines[0] = lines[0].removeprefix(_BOM)
        if last:
            self._tail.append(last)
        out: list[tuple[str, bytes]] = []
        data = self._data
        for line in lines:
            if not line:
                if data:
                    out.append((self._event, data[0] if len(data) == 1 else b"\n".join(data)))
                    data.clear()
                self._event = ""
            elif line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._event = line[6:].removeprefix(b" ").decode("utf-8", "replace")
            elif line == b"data":  # a field without a colon has an empty value
                data.append(b"")
            elif line == b"event":
                self._event = ""
        return out

    @property
    def pending(self) -> bool:
        """True if the bytes so far end in the middle of an event."""
        return bool(self._data) or bool(b"".join(self._tail).removeprefix(_BOM).strip())

    @property
    def rest(self) -> bytes:
        """The bytes of an event that never ended."""
        return b"\n".join([*self._data, b"".join(self._tail)])


def encode_event(data: bytes, event: str | None = None) -> bytes:
    """One event as bytes. `data` is a single line of JSON."""
    head = b"event: " + event.encode() + b"\n" if event else b""
    return head + b"data: " + data + b"\n\n"
