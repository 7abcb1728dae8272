"""Several keys of one provider: which is next, which is spent."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .health import Clock

DEAD_FOR = 300.0
"""Seconds until a refused key is tried again before others: credit is topped up, permissions change."""


class KeyRing:
    """Rotates keys. A refused key is dead, a limited one rests; both are tried again only when nothing else is left."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._rest_until: dict[tuple[str, str], float] = {}
        self._dead_until: dict[tuple[str, str], float] = {}

    def order(self, provider: str, keys: Sequence[str]) -> list[str]:
        """The keys to try, in turn: the live ones; dead ones only if none is live."""
        now = self._clock()
        live = [k for k in keys if self._dead_until.get((provider, k), 0.0) <= now]
        return sorted(live or keys, key=lambda k: max(self._rest_until.get((provider, k), 0.0), now))

    def refused(self, provider: str, key: str) -> None:
        """401, 402 or 403: the key is dead."""
        self._dead_until[provider, key] = self._clock() + DEAD_FOR

    def limited(self, provider: str, key: str, seconds: float | None) -> None:
        """429: the key rests, for as long as the provider asked."""
        self._rest_until[provider, key] = self._clock() + (seconds or 1.0)

    def worked(self, provider: str, key: str) -> None:
        self._dead_until.pop((provider, key), None)
        self._rest_until.pop((provider, key), None)
