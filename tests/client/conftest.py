from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .gates import Gate


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def gate(request: pytest.FixtureRequest) -> Callable[..., Gate]:
    """Makes a Gate of the sync or the async client."""

    def make(config: Any, upstream: Any, **more: Any) -> Gate:
        return Gate(request.param, config, upstream, **more)

    return make
