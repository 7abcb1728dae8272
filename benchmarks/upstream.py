"""A loopback upstream in a process of its own: answers fixed bytes as fast as asyncio can.

POST /v1/...        the whole reply, or with `"stream": true` all chunks at once
POST /paced/v1/...  the chunks one at a time, PACE seconds apart, as a model sends them
GET  /cpu           the CPU seconds this process has used: shows whether it was the bottleneck

`python -m benchmarks.upstream [CORE]` prints its port, and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
import time

from . import wire
from .processes import pin

PACE = 0.002


class Upstream(asyncio.Protocol):
    """One connection: whole requests in, fixed bytes out."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head_end = self._buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = self._buffer[:head_end].lower()
            end = head_end + 4 + _content_length(head)
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /cpu"):
            used = b"%.6f" % time.process_time()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(used), used))
        elif b'"stream":true' not in body and b'"stream": true' not in body:
            self._transport.write(wire.REPLY)
        elif head.startswith(b"post /paced"):
            self._transport.write(wire.STREAM_HEAD)
            self._pace(0)
        else:
            self._transport.write(wire.STREAM)

    def _pace(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == len(wire.STREAM_CHUNKS):
            self._transport.write(wire.STREAM_TAIL)
            return
        self._transport.write(wire.STREAM_CHUNKS[number])
        asyncio.get_running_loop().call_later(PACE, self._pace, number + 1)


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    pin(sys.argv[1:])
    asyncio.run(serve())
