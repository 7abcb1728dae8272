"""Both transports against real servers: what goes out, what comes back, what fails and how."""

from __future__ import annotations

import json
import re
import socket

import pytest

from llmgate.errors import ConnectionFailed, Timeout

from .conftest import Make, request
from .servers import PATIENCE, Server


def test_a_request_goes_out_and_comes_back_as_it_is(make: Make) -> None:
    with Server() as server:
        answer = make().send(
            request(server.url("/v1/chat?x=1"), "Grüße".encode(), x_extra="1", authorization="Bearer k")
        )
    assert answer.status == 200
    assert answer.headers["x-mixed-case"] == "Yes"
    told = json.loads(answer.body)
    assert (told["method"], told["target"], told["body"]) == ("POST", "/v1/chat?x=1", "Grüße")
    assert told["headers"]["x-extra"] == "1"
    assert told["headers"]["authorization"] == "Bearer k"
    assert told["headers"]["user-agent"] == "llmgate"


@pytest.mark.parametrize("status", [201, 404, 429, 500, 529])
def test_every_status_is_an_answer(make: Make, status: int) -> None:
    with Server() as server:
        caller = make()
        assert caller.send(request(server.url(f"/{status}"))).status == status
        stream = caller.open(request(server.url(f"/{status}")))
        assert stream.status == status
        assert json.loads(stream.rest())["target"] == f"/{status}"
        stream.close()


def test_redirects_are_not_followed(make: Make) -> None:
    with Server() as server:
        answer = make().send(request(server.url("/elsewhere")))
    assert answer.status == 307
    assert [seen.target for seen in server.seen] == ["/elsewhere"]


def test_connections_are_kept(make: Make) -> None:
    with Server() as server:
        caller = make()
        for _ in range(15):
            caller.send(request(server.url()))
            stream = caller.open(request(server.url("/stream")))
            assert stream.rest() == b"data: one\n\ndata: two\n\n"
            stream.close()
        assert len(server.seen) == 30
        assert server.connections < 10  # a pool may get a connection back a moment after its answer ended


def test_a_compressed_answer_is_unpacked(make: Make) -> None:
    with Server() as server:
        caller = make()
        assert json.loads(caller.send(request(server.url("/gzip"))).body)["target"] == "/gzip"
        stream = caller.open(request(server.url("/gzip")))
        assert json.loads(stream.rest())["target"] == "/gzip"
        stream.close()
        assert "gzip" in server.seen[0].headers["accept-encoding"]


def test_no_answer_in_time(make: Make) -> None:
    with Server() as server:
        caller = make()
        with pytest.raises(Timeout) as caught:
            caller.send(request(server.url("/hang"), timeout=0.2))
        assert caught.value.__cause__ is not None
        with pytest.raises(Timeout):
            caller.open(request(server.url("/hang"), timeout=0.2))
        stream = caller.open(request(server.url("/drip"), timeout=0.2))
        assert stream.read() == b": one\n\n"
        with pytest.raises(Timeout):
            stream.read()
        stream.close()


def test_the_timeout_of_a_whole_answer_is_one_for_all_of_it(make: Make) -> None:
    with Server() as server, pytest.raises(Timeout):
        make().send(request(server.url("/trickle"), timeout=0.4))


def test_a_refused_connection(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        caller = make()
        for call in (caller.send, caller.open):
            with pytest.raises(ConnectionFailed) as caught:
                call(request(url))
            assert caught.value.__cause__ is not None
            assert re.search("refused|Connect call failed", str(caught.value))


def test_a_name_that_is_none(make: Make) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        make().send(request("http://no-such-host.invalid/"))
    assert caught.value.__cause__ is not None


def test_a_connection_closed_within_the_body(make: Make) -> None:
    with Server() as server:
        caller = make()
        with pytest.raises(ConnectionFailed) as caught:
            caller.send(request(server.url("/cut")))
        assert caught.value.__cause__ is not None
        stream = caller.open(request(server.url("/cut")))
        with pytest.raises(ConnectionFailed):
            stream.rest()
        stream.close()


def test_a_stream_left_early_closes_its_connection(make: Make) -> None:
    with Server() as server:
        caller = make()
        stream = caller.open(request(server.url("/drip")))
        assert stream.read() == b": one\n\n"
        stream.close()
        assert server.hung_up.wait(PATIENCE)
        assert caller.send(request(server.url())).status == 200


def test_a_stream_closed_before_it_is_read(make: Make) -> None:
    with Server() as server:
        make().open(request(server.url("/drip"))).close()
        assert server.hung_up.wait(PATIENCE)


def test_a_transport_closed_twice(make: Make) -> None:
    with Server() as server:
        caller = make()
        assert caller.send(request(server.url())).status == 200
        caller.run(caller.transport.close())
        caller.run(caller.transport.close())
