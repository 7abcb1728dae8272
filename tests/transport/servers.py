"""Small real servers on the loopback, each an asyncio server in a thread of its own.

They speak HTTP/1.1 and HTTP/2, in TLS or not, and keep what they saw: connections, requests, hang-ups.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events

PATIENCE = 10.0
"""Seconds to wait for what must come."""

Handler = Callable[["Seen", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class Seen:
    """A request as the server saw it. `connection` counts from one; `peer` is the client certificate's name."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    protocol: str = "http/1.1"
    peer: str | None = None


@dataclass
class Server:
    """A server that runs between `with` and its end. `tls`: its context. `h2c`: plain HTTP/2, unasked."""

    tls: ssl.SSLContext | None = None
    h2c: bool = False
    connections: int = 0
    seen: list[Seen] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set once a client has closed its connection while an answer was under way."""
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set once a request has come."""
    port: int = 0

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def __enter__(self) -> Server:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _start(self) -> asyncio.Server:
        self._loop.set_exception_handler(lambda _loop, _context: None)  # a refused handshake is no news
        return await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.tls)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                await self._serve(self.connections, reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        if self.h2c or (tls is not None and tls.selected_alpn_protocol() == "h2"):
            await self._serve_h2(number, reader, writer)
            return
        while (seen := await read_request(reader, number)) is not None:
            seen.peer = _peer(tls)
            self._note(seen)
            if not await self.answer(seen, reader, writer):
                return

    def _note(self, seen: Seen) -> None:
        self.seen.append(seen)
        self.arrived.set()

    async def answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers by the path; False closes the connection."""
        path = urlsplit(seen.target).path
        if path == "/hang":
            await self._await_hang_up(reader)
            return False
        if path == "/drip":  # begins, and goes on for ever without ever being done
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            writer.write(chunk(b": one\n\n"))
            await self._await_hang_up(reader)
            return False
        if path == "/trickle":  # never pauses for long, never ends
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while not reader.at_eof():
                writer.write(chunk(b"."))
                await writer.drain()
                await asyncio.sleep(0.05)
            return False
        if path == "/cut":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this")
            await writer.drain()
            writer.close()
            return False
        if path == "/stream":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for piece in (b"data: one\n\n", b"data: two\n\n"):
                writer.write(chunk(piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        elif path == "/gzip":
            body = gzip.compress(told(seen))
            writer.write(response(200, body, "content-encoding: gzip"))
        elif path == "/elsewhere":
            writer.write(response(307, b"", "location: /echo"))
        else:
            status = int(path[1:]) if path[1:].isdigit() else 200
            writer.write(response(status, told(seen), "X-Mixed-Case: Yes"))
        await writer.drain()
        return True

    async def _await_hang_up(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read()
        self.hung_up.set()

    async def _serve_h2(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        requests: dict[int, Seen] = {}
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = dict(event.headers)
                    requests[event.stream_id] = Seen(
                        number, headers[":method"], headers[":path"], headers, b"", protocol="h2"
                    )
                elif isinstance(event, h2.events.DataReceived):
                    requests[event.stream_id].body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    self.hung_up.set()
                if isinstance(event, h2.events.StreamEnded):
                    seen = requests[event.stream_id]
                    self._note(seen)
                    connection.send_headers(event.stream_id, [(":status", "200")])
                    endless = seen.target == "/drip"
                    connection.send_data(event.stream_id, told(seen), end_stream=not endless)
            writer.write(connection.data_to_send())
            await writer.drain()


@dataclass
class Proxy(Server):
    """An HTTP proxy: CONNECT for tunnels, absolute-form for the rest. `password`: wanted as user:password."""

    password: str | None = None

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = await read_request(reader, number)
        if seen is None:
            return
        self._note(seen)
        import base64

        wanted = self.password and f"Basic {base64.b64encode(self.password.encode()).decode()}"
        if wanted and seen.headers.get("proxy-authorization") != wanted:
            writer.write(response(407, b"", "proxy-authenticate: Basic", "connection: close"))
            await writer.drain()
            return
        if seen.method == "CONNECT":
            host, _, port = seen.target.rpartition(":")
            upstream_reader, upstream = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            target = urlsplit(seen.target)
            upstream_reader, upstream = await asyncio.open_connection(target.hostname, target.port)
            kept = {k: v for k, v in seen.headers.items() if not k.startswith("proxy-")} | {"connection": "close"}
            head = f"{seen.method} {target.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in kept.items())
            upstream.write(head.encode() + b"\r\n" + seen.body)
        try:
            pipes = [
                asyncio.ensure_future(_pipe(reader, upstream)),
                asyncio.ensure_future(_pipe(upstream_reader, writer)),
            ]
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
        finally:
            upstream.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def read_request(reader: asyncio.StreamReader, number: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _version = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(number, method, target, headers, body)


def told(seen: Seen) -> bytes:
    """What the server saw, as its answer."""
    return json.dumps(
        {
            "connection": seen.connection,
            "method": seen.method,
            "target": seen.target,
            "headers": seen.headers,
            "body": seen.body.decode(),
            "protocol": seen.protocol,
            "peer": seen.peer,
        }
    ).encode()


def response(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _peer(tls: ssl.SSLObject | None) -> str | None:
    certificate = tls.getpeercert() if tls else None
    if not certificate:
        return None
    names: Any = certificate.get("subjectAltName", ())
    return names[0][1] if names else None
