"""Which transport carries a call: the embedded engine, a client object of the user's own, or a pool of connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from ._flow import Slot
from .transport import Settings, create, create_async

T = TypeVar("T")  # Transport or AsyncTransport


class Transports(Generic[T]):
    """The transports of one client, made on first use. `given` stands in for the network in all of them."""

    def __init__(self, clients: Mapping[str, Any], given: T | None, *, asynchronous: bool) -> None:
        self._clients = clients
        self._given = given
        self._asynchronous = asynchronous
        self._pools: dict[Settings, T] = {}

    def get(self, slot: Slot) -> T:
        provider = slot.deployment.provider
        assert provider is not None
        if provider.kind == "embedded":
            from .providers import local

            embedded: Any = local.AsyncTransport if self._asynchronous else local.SyncTransport
            return cast("T", embedded(slot.deployment.wire))
        if self._given is not None:
            return self._given
        if provider.id in self._clients:
            from .providers import sdk

            handed: Any = sdk.async_transport if self._asynchronous else sdk.sync_transport
            return cast(T, handed(provider.id, self._clients[provider.id]))
        pool = self._pools.get(slot.settings)
        if pool is None:
            made: Any = create_async if self._asynchronous else create
            pool = self._pools.setdefault(slot.settings, cast(T, made(slot.settings)))
        return pool

    def drain(self) -> list[T]:
        """The pools that are open, which the caller is to close; later calls open new ones."""
        return [self._pools.popitem()[1] for _ in range(len(self._pools))]
