"""Both transports, each synchronous and asynchronous, behind one way to call; certificates of an authority of ours."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from llmgate.transport import LIBRARIES, HttpRequest, HttpResponse, Settings, create, create_async

KINDS = [f"{library}-{mode}" for mode, libraries in LIBRARIES.items() for library in libraries]
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def request(url: str, body: bytes = b"{}", timeout: float | None = 10.0, **headers: str) -> HttpRequest:
    """A request; `headers`: names with _ for -."""
    return HttpRequest(url, {k.replace("_", "-"): v for k, v in headers.items()}, body, timeout=timeout)


class Reading:
    """A stream, read in the same way whichever kind it is."""

    def __init__(self, stream: Any, run: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._run = run
        self.status: int = stream.status
        self.headers: Mapping[str, str] = stream.headers

    def read(self) -> bytes:
        return self._run(self._stream.read())  # type: ignore[no-any-return]

    def close(self) -> None:
        self._run(self._stream.close())

    def rest(self) -> bytes:
        return b"".join(iter(self.read, b""))


class Caller:
    """A transport, called in the same way whichever kind it is."""

    def __init__(self, kind: str, settings: Settings) -> None:
        self.is_async = kind.endswith("-async")
        self._runner = asyncio.Runner() if self.is_async else None
        self.transport: Any = (create_async if self.is_async else create)(settings)

    def run(self, outcome: Any) -> Any:
        return self._runner.run(outcome) if self._runner else outcome

    def send(self, to: HttpRequest) -> HttpResponse:
        return self.run(self.transport.send(to))  # type: ignore[no-any-return]

    def open(self, to: HttpRequest) -> Reading:
        return Reading(self.run(self.transport.open(to)), self.run)

    def close(self) -> None:
        self.run(self.transport.close())
        if self._runner:
            self._runner.close()


class Make:
    """Makes callers of one kind, with any settings."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = kind.partition("-")[0]
        self.made: list[Caller] = []

    def __call__(self, **settings: Any) -> Caller:
        self.made.append(Caller(self.kind, Settings(transport=self.name, **settings)))
        return self.made[-1]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """One kind of transport after the other; what was made is closed at the end."""
    made = Make(request.param)
    yield made
    for caller in made.made:
        caller.close()


@dataclass
class Certificates:
    """An authority of ours: its file, a client's certificate, and contexts for servers."""

    ca: str
    client: str
    plain: ssl.SSLContext
    mutual: ssl.SSLContext
    both: ssl.SSLContext
    """Offers HTTP/2."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("client@llmgate.test").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    own = authority.issue_cert("localhost", "127.0.0.1")

    def context(*protocols: str, mutual: bool = False) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.configure_cert(made)
        if mutual:
            authority.configure_trust(made)
            made.verify_mode = ssl.CERT_REQUIRED
        if protocols:
            made.set_alpn_protocols(list(protocols))
        return made

    return Certificates(
        ca=str(folder / "ca.pem"),
        client=str(folder / "client.pem"),
        plain=context(),
        mutual=context(mutual=True),
        both=context("h2", "http/1.1"),
    )
