"""`llmgate doctor`: what can be called from here, and why the rest can not."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from ..errors import ConfigError
from ..registry import Provider
from . import options
from .output import as_json, heading, say, table

if TYPE_CHECKING:
    from ..config import Config

_PATIENCE = 3.0
"""Seconds that a host has to take a connection."""


def doctor(
    config: options.Config_ = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach anyone.")] = False,
    json: options.Json = False,
) -> int:
    """Which providers are configured and reachable, which targets policy allows, and why not the rest.

    Only connections are tried; nothing is sent and no key is shown. Exit code: 0 if some target can be called,
    1 if none can.

    Example: llmgate doctor --offline
    """
    from .._core import Core
    from . import targets

    core = Core(config)
    found = list(targets.rows(core))
    providers = _providers(core.config, {row.target.partition(":")[0] for row in found})
    reach = _reach_all(core.config, providers, offline)
    listed = [
        {
            "provider": p.id,
            "key": targets.key_source(core.config, p),
            "looked_in": None if p.auth == "none" else core.config.key_hint(p),
            "url": p.url,
            "reach": reach[p.id],
        }
        for p in providers
    ]
    embedded = _embedded()
    if json:
        as_json({"providers": listed, "targets": msgspec.to_builtins(found), "embedded": embedded})
    else:
        heading("Providers")
        table(
            ["provider", "key", "reached"],
            [[p["provider"], p["key"] or f"none (set {p['looked_in']})", p["reach"]] for p in listed],
        )
        targets.show(found)
        heading("Embedded model")
        say(f"{embedded['target']}: {'installed' if embedded['installed'] else embedded['reason']}", indent=2)
    return 0 if any(row.callable and _there(row.target, embedded) for row in found) else 1


def _there(target: str, embedded: dict[str, Any]) -> bool:
    return target != embedded["target"] or bool(embedded["installed"])


def _providers(config: Config, used: Iterable[str]) -> list[Provider]:
    """Those that the config names, that a route uses, or whose key lies in the environment."""
    from .targets import key_source

    wanted = {*used, *config.providers}
    return [p for p in config.registry.providers if p.id in wanted or (key_source(config, p) or "").startswith("env:")]


def _reach_all(config: Config, providers: list[Provider], offline: bool) -> dict[str, str]:
    def one(provider: Provider) -> str:
        if provider.kind == "embedded":
            return "in this process"
        if provider.url is None:
            return "no URL"
        return "not tried" if offline else _reach(config, provider, provider.url)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        return dict(zip([p.id for p in providers], pool.map(one, providers), strict=True))


def _reach(config: Config, provider: Provider, url: str) -> str:
    """Whether the host, or the proxy in front of it, takes a connection: in words, with the milliseconds."""
    import socket
    import ssl
    from urllib.request import getproxies, proxy_bypass

    own = config.providers.get(provider.id)
    target = urlsplit(url)
    proxy = own.proxy if own and own.proxy else None
    if proxy is None and not proxy_bypass(target.hostname or ""):
        proxy = getproxies().get(target.scheme)
    through = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
    secure = through is None and target.scheme == "https"
    began = time.monotonic()
    try:
        end = through or target
        address = (end.hostname or "", end.port or (443 if end.scheme == "https" else 80))
        with socket.create_connection(address, _PATIENCE) as connection:
            if secure:
                context = ssl.create_default_context(cafile=own.ca if own else None)
                with context.wrap_socket(connection, server_hostname=target.hostname):
                    pass
    except ssl.SSLCertVerificationError as error:
        return f"no: its certificate is not trusted ({error.verify_message})"
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"no: {what}{' (the proxy)' if through else ''}"
    milliseconds = (time.monotonic() - began) * 1000
    return f"yes, its proxy: {milliseconds:.0f} ms" if through else f"yes: {milliseconds:.0f} ms"


def _embedded() -> dict[str, Any]:
    """Whether the embedded model and its engine are installed; if not, the command that installs them."""
    from ..config import EMBEDDED
    from ..providers import local

    reason = None
    try:
        local.weights(EMBEDDED.partition(":")[2])
        if importlib.util.find_spec("xllamacpp") is None:
            reason = f"the embedded engine is not installed: {local.INSTALL}"
    except ConfigError as error:
        reason = str(error)
    return {"target": EMBEDDED, "installed": reason is None, "reason": reason}
