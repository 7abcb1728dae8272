"""Which targets failed lately, and how fast the others answer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

Clock = Callable[[], float]


class Health:
    """Cooldowns and latencies by target, on a monotonic clock. Bounded: the least recently used are forgotten."""

    def __init__(self, clock: Clock = time.monotonic, limit: int = 4096) -> None:
        self._clock = clock
        self._limit = limit
        self._until: OrderedDict[str, float] = OrderedDict()
        self._latency: OrderedDict[str, float] = OrderedDict()

    def failed(self, target: str, cooldown: float) -> None:
        """Passes the target over for `cooldown` seconds from now; never less than was said before."""
        until = self._clock() + cooldown
        self._keep(self._until, target, max(until, self._until.get(target, until)))

    def answered(self, target: str, seconds: float) -> None:
        """The target is well; `seconds` to its first token or whole reply move its average."""
        self._until.pop(target, None)
        before = self._latency.get(target, seconds)
        self._keep(self._latency, target, before + 0.3 * (seconds - before))

    def cooling(self, target: str) -> float:
        """Seconds for which the target is still passed over; 0 if it is not."""
        until = self._until.get(target)
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            self._until.pop(target, None)
            return 0.0
        return left

    def latency(self, target: str) -> float | None:
        """The moving average of seconds, None if the target has not answered yet."""
        return self._latency.get(target)

    def _keep(self, table: OrderedDict[str, float], target: str, value: float) -> None:
        table[target] = value
        table.move_to_end(target)
        while len(table) > self._limit:
            table.popitem(last=False)
