"""A real HTTP server on this machine that speaks every dialect: it echoes the last user message, word by word.

By hand: `python -m tests.loopback` prints its address. Its wire comes from the dialects' server halves, which the
vendors' SDKs check in tests/dialects.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from llmgate import dialects
from llmgate.chat import Message, Reply, Text, TextDelta, Usage, events_of

PATHS = {
    "/chat/completions": "openai_chat",
    "/messages": "anthropic_messages",
    ":generateContent": "gemini_generate",
    ":streamGenerateContent": "gemini_generate",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.partition("?")[0]
        dialect = dialects.get(next(d for end, d in PATHS.items() if path.endswith(end)))
        streamed = path.endswith(":streamGenerateContent") or bool(json.loads(body).get("stream"))
        asked = dialect.decode_request(body).messages[-1].text
        reply = Reply(
            Message("assistant", [Text(f"you said: {asked}")]), usage=Usage(input=3, output=4), id="r-1", model="echo"
        )
        if not streamed:
            self._head("application/json", length=len(whole := dialect.encode_reply(reply)))
            self.wfile.write(whole)
            return
        self._head("text/event-stream")
        encoder = dialect.StreamEncoder()
        for event in events_of(reply):
            pieces = [event]
            if isinstance(event, TextDelta):
                pieces = [TextDelta(event.index, word + " ") for word in event.text.split(" ")[:-1]]
                pieces.append(TextDelta(event.index, event.text.split(" ")[-1]))
            for piece in pieces:
                self._chunk(encoder.feed(piece))
        self._chunk(encoder.finish())
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        if length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(length))
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """Runs the server on a free port; gives its URL."""
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    with serving() as url:
        print(url, flush=True)
        threading.Event().wait()
