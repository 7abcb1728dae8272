"""`llmgate.toml`: which targets may serve a route, with which keys, under which policy."""

from __future__ import annotations

import functools
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from ._toml import Document, nearest
from .chat import Quirks
from .errors import ConfigError, ModelUnavailable
from .policy import Facts, OwnRule, Rules, uses
from .registry import Deployment, Provider, Registry, load
from .registry.vocabulary import DATED, FACTS, is_fact

Strategy = Literal["order", "weighted", "cheapest", "fastest"]
EMBEDDED = "local:smollm2-135m-instruct"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_LONGEST = 30 * 24 * 3600.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_REFERENCE = re.compile(r"^(env|file):(.+)$")
_RULES = ("use", "unknown", "conditional", "mode")


class ProviderTable(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`[providers.ID]`. A provider that the registry does not have needs `dialect` and `url`."""

    api_key: str | None = None
    """`env:NAME` or `file:/path`. Default: the environment variables that the registry names for the provider."""
    api_keys: tuple[str, ...] = ()
    """Several keys rotate."""
    url: str | None = None
    """With its version segment, as `https://host/v1`; may be `env:NAME`."""
    dialect: Literal["openai_chat", "anthropic_messages", "gemini_generate"] | None = None
    auth: Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "none"] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request; values may be `env:NAME` or `file:/path`."""
    tier: Literal["paid", "unpaid"] | None = None
    """The tier of your account: the fact `provider_tier`, for this provider."""
    terms: tuple[str, ...] | None = None
    """Instruments that govern instead of the provider's usual terms."""
    self_hosted: bool = False
    """The server is your own: no terms of a host govern, only the licenses of the models it runs."""
    quirks: Quirks | None = None
    proxy: str | None = None
    ca: str | None = None
    client_cert: str | None = None
    http2: bool | Literal["prior-knowledge"] = True
    connect_timeout: str = "10s"
    transport: Literal["auto", "pyreqwest", "httpx2"] = "auto"


class ModelTable(Struct, forbid_unknown_fields=True):
    """`[models."provider:name"]`: what you declare of a model that the registry does not know."""

    license: tuple[str, ...]


class LedgerTable(Struct, forbid_unknown_fields=True):
    """`[ledger]`. Without this table nothing is recorded."""

    path: Annotated[str, Meta(min_length=1)]
    """A SQLite file, made if it is not there; relative to the config's folder."""
    content: bool = False
    """Whether prompts and answers are kept too."""


class RouteTable(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`[routes.NAME]`."""

    targets: Annotated[tuple[str, ...], Meta(min_length=1)]
    strategy: Strategy = "order"
    weights: tuple[float, ...] = ()
    """For `weighted`: one for each target."""
    retries: Annotated[int, Meta(ge=0, le=20)] = 2
    timeout: str = "10m"
    """For the whole call; for a stream, until its first token and then for each wait."""
    attempt_timeout: str | None = None
    cooldown: str = "30s"
    """How long a target that failed is passed over."""
    policy: dict[str, Any] = field(default_factory=dict)
    """Overrides of `[policy]`."""


class _File(Struct, forbid_unknown_fields=True):
    default: str | None = None
    registry: tuple[str, ...] = ()
    policy: dict[str, Any] | None = None
    providers: dict[str, ProviderTable] = field(default_factory=dict)
    models: dict[str, ModelTable] = field(default_factory=dict)
    routes: dict[str, RouteTable] = field(default_factory=dict)
    ledger: LedgerTable | None = None


class Route(Struct, frozen=True):
    """A route, resolved: targets with what they stand for, in the config's order. Times in seconds."""

    name: str
    targets: tuple[Deployment, ...]
    rules: Rules
    strategy: Strategy = "order"
    weights: tuple[float, ...] = ()
    retries: int = 2
    timeout: float = 600.0
    attempt_timeout: float | None = None
    cooldown: float = 30.0


class Config:
    """A checked config. `registry` is the one it is judged by: ours, with the config's own providers."""

    def __init__(self, file: _File, document: Document, registry: Registry) -> None:
        self.path = document.path
        self.given = True
        """False for the built-in config, which answers with the embedded model."""
        self.policy_given = file.policy is not None
        self.providers = file.providers
        self._document = document
        registry = self._layered(registry, file.registry)
        self.registry = registry.extended(self._provider_entries(file, registry))
        self._models = file.models
        self.ledger = file.ledger and self._ledger(file.ledger)
        for name, table in file.models.items():
            with self._at("models", name, "license"):
                for licence in table.license:
                    self.registry.license(licence)
        self.rules = self._rules(
            file.policy or {}, ("policy",), Rules(mode="enforce" if self.policy_given else "report")
        )
        self.routes = {name: self._route(name, table) for name, table in file.routes.items()}
        self.default = self._default(file)

    # Loading

    @classmethod
    def load(cls, source: Config | Path | str | Mapping[str, Any] | None = None) -> Config:
        """The config from `source`, else $LLMGATE_CONFIG, else ./llmgate.toml, else the user's, else the built-in one.

        source: a path, or the same tables as a mapping. Raises ConfigError, with file, line and what is right.
        """
        if isinstance(source, Config):
            return source
        if isinstance(source, Mapping):
            return cls._from(_Mapping(source))
        path = Path(source) if source is not None else find()
        if path is None:
            built_in = cls._from(_Mapping({"default": "embedded", "routes": {"embedded": {"targets": [EMBEDDED]}}}))
            built_in.given = False
            return built_in
        return cls._from(Document(path))

    @classmethod
    def _from(cls, document: Document) -> Config:
        _no_literal_keys(document)
        return cls(document.convert(_File), document, load())

    @contextmanager
    def _at(self, *path: str | int) -> Iterator[None]:
        """A ConfigError or ModelUnavailable within is told with this key's file and line."""
        try:
            yield
        except (ConfigError, ModelUnavailable) as error:
            raise self.error(path, str(error)) from None

    def error(self, path: tuple[str | int, ...], message: str) -> ConfigError:
        """A ConfigError at a key of this config."""
        return self._document.error(path, message)

    def _layered(self, registry: Registry, folders: tuple[str, ...]) -> Registry:
        """The registry with folders of one's own laid over it, each over those before."""
        if not folders:
            return registry
        from .registry.read import read_folder

        data = registry.data
        for n, folder in enumerate(folders):
            path = self.path.parent / Path(folder).expanduser()
            if not path.is_dir():
                raise self.error(("registry", n), f"registry: there is no folder {path}")
            data = read_folder(path, data)
        return Registry(data)

    def _provider_entries(self, file: _File, registry: Registry) -> Iterator[Provider]:
        known = {p.id: p for p in registry.providers}
        for name, table in file.providers.items():
            at = ("providers", name)
            changes: dict[str, Any] = {}
            self._seconds((*at, "connect_timeout"), table.connect_timeout)
            if table.terms is not None:
                with self._at(*at, "terms"):
                    changes["terms"] = tuple(registry.license(t).id for t in table.terms)
            if table.url is not None:
                changes["url"] = read_reference(table.url)
            for key in ("dialect", "auth", "quirks"):
                if getattr(table, key) is not None:
                    changes[key] = getattr(table, key)
            if name in known:
                if table.self_hosted:
                    raise self.error((*at, "self_hosted"), f"{known[name].name} is not your own server")
                if changes:
                    yield msgspec.structs.replace(known[name], **changes)
                continue
            if not (table.url and table.dialect):
                hint = nearest(name, known)
                raise self.error(
                    at, f'the registry has no provider "{name}"{hint}; one of your own needs dialect and url'
                )
            if not re.fullmatch(r"[a-z0-9][a-z0-9.+_-]*", name):
                raise self.error(at, f'"{name}" is no provider id: lower-case letters, digits, - and _ are')
            changes.setdefault("auth", "bearer" if table.api_key or table.api_keys else "none")
            yield Provider(id=name, name=name, kind="self-hosted" if table.self_hosted else "host", **changes)

    def _rules(self, table: Mapping[str, Any], at: tuple[str | int, ...], base: Rules) -> Rules:
        values: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for key, value in table.items():
            if key == "use":
                with self._at(*at, key):
                    values["use"] = uses(value)
                    if not values["use"]:
                        raise ConfigError('use is empty: name at least one, such as "commercial"')
            elif key in _RULES:
                choices = ("enforce", "report") if key == "mode" else ("deny", "allow")
                if value not in choices:
                    raise self.error((*at, key), f'{key}: "{choices[0]}" or "{choices[1]}" is wanted')
                values[key] = value
            elif key == "rules":
                values["own"] = (*base.own, *self._own_rules(value, (*at, key)))
            elif is_fact(key) and not key.startswith("model."):
                with self._at(*at, key):
                    facts |= Facts({key: value})
            else:
                hint = nearest(key, [*_RULES, "rules", *FACTS])
                if key.partition("@")[0] in DATED:
                    hint = "; a month is written monthly_active_users@2024-06"
                raise self.error((*at, key), f'unknown key "{".".join(map(str, at))}.{key}"{hint}')
        if facts:
            values["facts"] = base.facts.merged(Facts(facts))
        return msgspec.structs.replace(base, **values)

    def _own_rules(self, tables: Any, at: tuple[str | int, ...]) -> Iterator[OwnRule]:
        from .policy.own import checked

        if not isinstance(tables, list | tuple):
            raise self.error(at, f"rules are an array of tables: write [[{'.'.join(map(str, at))}]]")
        for n in range(len(tables)):
            here = (*at, n)
            rule = self._document.convert(OwnRule, here)
            route = ".".join(map(str, at[:-2]))
            name = rule.name or f"{route} rule {n + 1}".strip()
            rule = msgspec.structs.replace(rule, name=name, source=rule.source or self._document.where(here))
            yield checked(rule, self.registry, functools.partial(self._error_below, here))

    def _error_below(self, at: tuple[str | int, ...], path: tuple[str, ...], message: str) -> ConfigError:
        return self.error((*at, *path), message)

    def _route(self, name: str, table: RouteTable) -> Route:
        at = ("routes", name)
        with self._at(*at, "targets"):
            targets = tuple(self.deployment(t) for t in table.targets)
        if table.weights and len(table.weights) != len(targets):
            raise self.error((*at, "weights"), f"{len(table.weights)} weights for {len(targets)} targets")
        if any(not 0 <= w < math.inf for w in table.weights) or (table.weights and not sum(table.weights)):
            raise self.error((*at, "weights"), "weights are zero or more, and not all zero")
        if len({t.name for t in targets}) != len(targets):
            raise self.error((*at, "targets"), "a target stands there twice")
        base = self.rules
        if table.policy and not self.policy_given:
            # A route with a policy of its own enforces it, as a config with one does.
            base = msgspec.structs.replace(base, mode="enforce")
        return Route(
            name=name,
            targets=targets,
            rules=self._rules(table.policy, (*at, "policy"), base),
            strategy=table.strategy,
            weights=table.weights,
            retries=table.retries,
            timeout=self._seconds((*at, "timeout"), table.timeout),
            attempt_timeout=self._seconds((*at, "attempt_timeout"), table.attempt_timeout)
            if table.attempt_timeout
            else None,
            cooldown=self._seconds((*at, "cooldown"), table.cooldown),
        )

    def _ledger(self, table: LedgerTable) -> LedgerTable:
        if "://" in table.path:
            raise self.error(("ledger", "path"), "ledger.path: a file is wanted; a database by URL is not yet possible")
        path = (self.path.parent / Path(table.path).expanduser()).absolute()
        return msgspec.structs.replace(table, path=str(path))

    def _seconds(self, at: tuple[str, ...], text: str) -> float:
        with self._at(*at):
            return seconds(text)

    def _default(self, file: _File) -> str | None:
        if file.default is None:
            return next(iter(self.routes)) if len(self.routes) == 1 else None
        if file.default not in self.routes:
            if ":" in file.default or file.default in self.registry.names():
                with self._at("default"):
                    self.deployment(file.default)
                return file.default
            raise self.error(("default",), f'there is no route "{file.default}"{nearest(file.default, self.routes)}')
        return file.default

    # Lookups

    def deployment(self, target: str) -> Deployment:
        """What a target stands for when it is called, with the licence that this config declares for it."""
        if target in self._models or target.startswith("local:"):
            found = self.registry.resolve(target)
        else:
            found = self.registry.resolve_call(target, self.providers)
        declared = self._models.get(target) or self._models.get(found.name)
        if declared and found.model is None:
            ids = tuple(self.registry.license(x).id for x in declared.license)
            return msgspec.structs.replace(found, license=ids)
        return found

    def route(self, name: str | None = None) -> Route:
        """The route of that name, or one made for a target that is named instead; None: the default route."""
        wanted = name or self.default
        if wanted is None:
            raise ConfigError('no model was named and the config has no "default" route')
        if wanted in self.routes:
            return self.routes[wanted]
        if ":" not in wanted and wanted not in self.registry.names():
            known = [*self.routes, *self.registry.names()]
            raise ConfigError(f'there is no route or model "{wanted}"{nearest(wanted, known)}')
        return Route(name=wanted, targets=(self.deployment(wanted),), rules=self.rules)

    def keys(self, provider: Provider) -> tuple[str, ...]:
        """The provider's keys, read now from where the config or the environment has them; () if there are none."""
        table = self.providers.get(provider.id)
        references = (*((table.api_key,) if table and table.api_key else ()), *(table.api_keys if table else ()))
        if references:
            return tuple(k for k in map(read_reference, references) if k)
        return tuple(k for k in (os.environ.get(e, "").strip() for e in provider.key_env) if k)[:1]

    def headers(self, provider: Provider) -> dict[str, str]:
        """The further headers of a provider, with references read."""
        table = self.providers.get(provider.id)
        own = {k: read_reference(v) or "" for k, v in table.headers.items()} if table else {}
        return {**provider.headers, **own}

    def key_hint(self, provider: Provider) -> str:
        """Where a key of this provider is looked for."""
        table = self.providers.get(provider.id)
        if table and (table.api_key or table.api_keys):
            return " or ".join(table.api_keys or (str(table.api_key),))
        return " or ".join(provider.key_env) or f"[providers.{provider.id}] api_key"


class _Mapping(Document):
    """A config given as a mapping: errors name keys, for there are no lines."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.path = Path("config")
        self.data = dict(data)

    def where(self, path: tuple[str | int, ...]) -> str:
        return f"config {'.'.join(map(str, path))}".strip()


def _no_literal_keys(document: Document) -> None:
    """Refuses API keys written into the config. The message never shows the key."""
    providers = document.data.get("providers")
    for name, table in providers.items() if isinstance(providers, dict) else ():
        if not isinstance(table, dict):
            continue
        given = [("api_key", table.get("api_key"))]
        if isinstance(table.get("api_keys"), list):
            given += [("api_keys", k) for k in table["api_keys"]]
        for key, value in given:
            if value is not None and not (isinstance(value, str) and _REFERENCE.match(value)):
                raise document.error(
                    ("providers", name, key),
                    f'providers.{name}.{key}: a literal key is refused; write "env:NAME" or "file:/path" '
                    "(the key is not shown here; if it was committed, revoke it)",
                )


def read_reference(value: str) -> str | None:
    """What `env:NAME` or `file:/path` stands for; another value as it is. None where it is not there."""
    found = _REFERENCE.match(value)
    if not found:
        return value
    if found[1] == "env":
        return os.environ.get(found[2], "").strip() or None
    try:
        return Path(found[2]).expanduser().read_text("utf-8").strip() or None
    except OSError:
        return None


def seconds(text: str) -> float:
    """`500ms`, `60s`, `10m` or `1h` in seconds. ConfigError for another form."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not float(found[1]):
        raise ConfigError(f'"{text}" is no duration: write 500ms, 60s, 10m or 1h')
    value = float(found[1]) * _UNITS[found[2]]
    if value > _LONGEST:
        raise ConfigError(f'"{text}" is longer than the longest that may be waited, 30 days')
    return value


def user_config() -> Path:
    """Where a user's own config lies."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData/Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "llmgate" / "llmgate.toml"


def find() -> Path | None:
    """The config file in force, None if there is none. A $LLMGATE_CONFIG that is not there is an error."""
    if named := os.environ.get("LLMGATE_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"LLMGATE_CONFIG names {path}, which is not there")
        return path
    return next((p for p in (Path("llmgate.toml"), user_config()) if p.is_file()), None)
