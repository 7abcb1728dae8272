"""What companies need of a connection: a private authority, client certificates, proxies, HTTP/2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmgate.errors import ConfigError, ConnectionFailed

from .conftest import Certificates, Make
from .conftest import request as ask
from .servers import PATIENCE, Proxy, Server


def told(body: bytes) -> dict[str, Any]:
    return json.loads(body)  # type: ignore[no-any-return]


def test_a_private_authority(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.plain) as server:
        caller = make(ca=certificates.ca)
        assert told(caller.send(ask(server.url())).body)["protocol"] == "http/1.1"
        stream = caller.open(ask(server.url("/stream")))
        assert stream.rest().count(b"data:") == 2
        stream.close()


def test_an_authority_that_is_not_trusted(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.plain) as server:
        caller = make()
        for call in (caller.send, caller.open):
            with pytest.raises(ConnectionFailed) as caught:
                call(ask(server.url()))
            assert caught.value.__cause__ is not None
            assert "certificate" in str(caught.value).lower() or "issuer" in str(caught.value).lower()
        assert server.seen == []


def test_a_certificate_for_another_name(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.plain) as server, pytest.raises(ConnectionFailed):
        make(ca=certificates.ca).send(ask(server.url(host="127.0.0.2")))


def test_a_client_certificate(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.mutual) as server:
        caller = make(ca=certificates.ca, client_cert=certificates.client)
        assert told(caller.send(ask(server.url())).body)["peer"] == "client@llmgate.test"


def test_a_client_certificate_that_is_wanting(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.mutual) as server:
        with pytest.raises(ConnectionFailed):
            make(ca=certificates.ca).send(ask(server.url()))
        assert server.seen == []


@pytest.mark.parametrize("key", ["ca", "client_cert"])
def test_a_file_that_is_not_there(make: Make, tmp_path: Path, key: str) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigError, match=key):
        make(**{key: missing}).send(ask("https://localhost:1/"))


@pytest.mark.parametrize("key", ["ca", "client_cert"])
@pytest.mark.parametrize("holds", ["no certificate at all", "a certificate without its key"])
def test_a_file_that_holds_no_certificate(
    make: Make, certificates: Certificates, tmp_path: Path, holds: str, key: str
) -> None:
    wrong = tmp_path / "wrong.pem"
    if "without" in holds:
        if key == "ca":
            pytest.skip("an authority's certificate comes without a key")
        holds = Path(certificates.ca).read_text()
    wrong.write_text(holds)
    with pytest.raises(ConfigError, match=key):
        make(**{key: str(wrong)}).send(ask("https://localhost:1/"))


# Proxies ----------------------------------------------------------------------------------------


def test_plain_requests_go_through_a_proxy(make: Make) -> None:
    with Server() as server, Proxy() as proxy:
        answer = make(proxy=proxy.url()).send(ask(server.url("/v1"), x_extra="1"))
        assert told(answer.body)["target"] == "/v1"
        assert told(answer.body)["headers"]["x-extra"] == "1"
        assert [(seen.method, seen.target) for seen in proxy.seen] == [("POST", server.url("/v1"))]


def test_secure_requests_tunnel_through_a_proxy(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.plain) as server, Proxy() as proxy:
        caller = make(proxy=proxy.url(), ca=certificates.ca)
        answer = caller.send(ask(server.url("/v1"), authorization="Bearer k"))
        assert told(answer.body)["target"] == "/v1"
        assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", f"localhost:{server.port}")]
        assert "authorization" not in proxy.seen[0].headers


@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy_with_a_password(make: Make, certificates: Certificates, secure: bool) -> None:
    tls = certificates.plain if secure else None
    with Server(tls=tls) as server, Proxy(password="us%er:p@ss") as proxy:
        caller = make(proxy=f"http://us%25er:p%40ss@localhost:{proxy.port}", ca=certificates.ca)
        assert caller.send(ask(server.url())).status == 200
        assert server.seen[0].headers.get("proxy-authorization") is None


def test_a_proxy_that_refuses_the_password(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.plain) as server, Proxy(password="user:right") as proxy:
        caller = make(proxy=f"http://user:wrong-secret@localhost:{proxy.port}", ca=certificates.ca)
        with pytest.raises(ConnectionFailed) as caught:
            caller.send(ask(server.url()))
        assert "wrong-secret" not in str(caught.value)
        assert server.seen == []


def test_the_proxy_of_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server, Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("http_proxy", proxy.url())
        assert make().send(ask(server.url())).status == 200
        assert len(proxy.seen) == 1
        monkeypatch.setenv("NO_PROXY", "localhost")
        monkeypatch.setenv("no_proxy", "localhost")
        assert make().send(ask(server.url())).status == 200
        assert len(proxy.seen) == 1


# HTTP/2 -----------------------------------------------------------------------------------------


@pytest.fixture
def make_2(make: Make) -> Make:
    """The transports that speak HTTP/2."""
    if make.name == "aiohttp":
        pytest.skip("aiohttp speaks HTTP/1.1 only")
    return make


def test_http_2_where_the_server_offers_it(make_2: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.both) as server:
        caller = make_2(ca=certificates.ca)
        for n in range(3):
            seen = told(caller.send(ask(server.url(f"/v{n}"), b"x" * 10_000)).body)
            assert (seen["protocol"], seen["target"], len(seen["body"])) == ("h2", f"/v{n}", 10_000)
        assert server.connections == 1


def test_http_2_only_where_it_is_wanted(make: Make, certificates: Certificates) -> None:
    with Server(tls=certificates.both) as server:
        caller = make(ca=certificates.ca, http2=False)
        assert told(caller.send(ask(server.url())).body)["protocol"] == "http/1.1"


def test_http_2_unasked(make_2: Make) -> None:
    with Server(h2c=True) as server:
        assert told(make_2(http2="prior-knowledge").send(ask(server.url())).body)["protocol"] == "h2"


def test_a_stream_of_http_2_left_early_is_reset(
    make_2: Make, certificates: Certificates, request: pytest.FixtureRequest
) -> None:
    if make_2.name == "httpx2":
        reason = "httpx2 sends no RST_STREAM: over HTTP/2 the server learns nothing of a stream left early"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    with Server(tls=certificates.both) as server:
        stream = make_2(ca=certificates.ca).open(ask(server.url("/drip")))
        assert told(stream.read())["protocol"] == "h2"
        stream.close()
        assert server.hung_up.wait(PATIENCE)
