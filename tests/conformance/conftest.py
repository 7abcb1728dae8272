"""Every test of this folder runs once for every provider, road and client that takes `gate`."""

from __future__ import annotations

import pytest

from llmgate.routing import call

from .roads import KEY, KEY_ENV, Gate, Road, roads


@pytest.fixture(params=roads(), ids=str)
def gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gate:
    road: Road = request.param
    monkeypatch.setenv(KEY_ENV, KEY)
    monkeypatch.setattr(call, "backoff", lambda _retry: 0.0)  # retries need not be waited for
    return Gate(road)
