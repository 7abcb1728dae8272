"""What is known of models, licences and providers. Facts only: what they permit is `llmgate.policy`'s to say."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from .._toml import nearest
from ..errors import ConfigError, ModelUnavailable
from .schema import Data, License, Lifecycle, Model, Offer, Parameters, Provider, Weights
from .sorting import SORTS
from .vocabulary import Modality

__all__ = ["Deployment", "License", "Model", "Offer", "Provider", "Registry", "load"]

ARTEFACT = Path(__file__).with_name("data.json")
T = TypeVar("T")

_ROOM = 8192
_CLOSED_ORDER = {"first-party": 0, "host": 1, "aggregator": 2, "self-hosted": 3, "embedded": 4}


class Deployment(msgspec.Struct, frozen=True):
    """A model at a host: what is judged, and what is called.

    provider None: open weights, self-hosted wherever. model None: the registry does not know it.
    """

    name: str
    wire: str
    provider: Provider | None = None
    model: Model | None = None
    offer: Offer | None = None
    license: tuple[str, ...] | None = None
    """Licences that the user declares for a model that the registry does not know."""

    @property
    def context(self) -> int | None:
        """The longest prompt and answer together, in tokens, where known."""
        return (self.offer and self.offer.context) or (self.model and self.model.context) or None


class Registry:
    """The loaded registry. Lookups take ids, aliases and short names."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.hash = data.hash
        self._models = {name: m for m in data.models for name in (m.id, *m.aliases)}
        self._licenses = {name: x for x in data.licenses for name in (*x.short, x.id)}
        self._providers = {p.id: p for p in data.providers}
        self._offers: dict[tuple[str, str], Offer] = {}
        for p in data.providers:
            for offer in p.offer:
                self._offers.setdefault((p.id, offer.wire), offer)
                self._offers.setdefault((p.id, offer.model), offer)
        self._first_party: dict[str, list[Provider]] = {}
        for p in data.providers:
            for developer in p.developers if p.kind == "first-party" else ():
                self._first_party.setdefault(developer, []).append(p)
        self._remembered: dict[Any, Any] = {}

    # Lookups

    def model(self, name: str) -> Model:
        """The model of that id or alias. ConfigError with the nearest name if there is none."""
        found = self._models.get(name) or self._models.get(name.lower())
        if found is None:
            raise ConfigError(f'there is no model "{name}"{nearest(name.lower(), self._models)}')
        return found

    def license(self, name: str) -> License:
        """The instrument of that id or short name. ConfigError with the nearest name if there is none."""
        found = self._licenses.get(name)
        if found is None:
            low = {n.lower(): x for n, x in self._licenses.items()}
            found = low.get(name.lower())
        if found is None:
            raise ConfigError(f'there is no license "{name}"{nearest(name, self._licenses)}')
        return found

    def provider(self, name: str) -> Provider:
        found = self._providers.get(name)
        if found is None:
            raise ConfigError(f'there is no provider "{name}"{nearest(name, self._providers)}')
        return found

    @property
    def providers(self) -> Sequence[Provider]:
        return self.data.providers

    @property
    def licenses(self) -> Sequence[License]:
        return self.data.licenses

    def offer(self, provider: str, model_or_wire: str) -> Offer | None:
        """The offer of a model (by its id or by the host's own name for it) at a provider."""
        return self._offers.get((provider, model_or_wire))

    def hosts(self, model: Model) -> list[Provider]:
        """The providers that offer a model, first-party ones first."""
        found = [p for p in self.data.providers if (p.id, model.id) in self._offers]
        return sorted(found, key=lambda p: (model.developer not in p.developers, _CLOSED_ORDER[p.kind], p.id))

    def first_party(self, model: Model) -> Provider | None:
        """The developer's own service for a model, whether or not it still offers it."""
        own = self._first_party.get(model.developer, ())
        return min(own, key=lambda p: ((p.id, model.id) not in self._offers, p.id), default=None)

    # Targets

    def resolve(self, target: str) -> Deployment:
        """What `provider:model`, or a bare model id, stands for when it is judged.

        A bare open-weight id means the weights, self-hosted; a bare closed one its first-party service. A model
        that the registry does not know can be named as `provider:wire-name`. ConfigError for a name that leads
        nowhere.
        """
        head, colon, rest = target.partition(":")
        if not colon:
            model = self.model(target)
            if model.weights == "open":
                return Deployment(model.id, model.huggingface or model.id, None, model)
            provider = self.first_party(model) if model.weights == "closed" else None
            if provider is None:
                return Deployment(model.id, model.id, None, model)
            return self._deployment(provider, model.id)
        if not rest:
            raise ConfigError(f'"{target}" names no model: write provider:model')
        return self._deployment(self.provider(head), rest)

    def resolve_call(self, target: str, configured: Iterable[str] = ()) -> Deployment:
        """What a target stands for when it is called: a bare id means its first-party provider, else the first
        of the `configured` providers that offers it."""
        if ":" in target:
            return self.resolve(target)
        model = self.model(target)
        own = self.first_party(model)
        hosts = self.hosts(model)
        if own is not None and own in hosts:
            return self._deployment(own, model.id)
        configured = set(configured)
        for provider in hosts:
            if provider.id in configured or provider.kind == "embedded":
                return self._deployment(provider, model.id)
        self.check_callable(Deployment(model.id, model.id, None, model))
        offered = ", ".join(f"{p.id}:{model.id}" for p in hosts) or "no provider of the registry"
        raise ModelUnavailable(f"{model.id}: no configured provider offers it; offered by {offered}")

    def _deployment(self, provider: Provider, rest: str) -> Deployment:
        offer = self._offers.get((provider.id, rest))
        model = self._models.get(offer.model) if offer else self._models.get(rest) or self._models.get(rest.lower())
        if model is not None and offer is None:
            offer = self._offers.get((provider.id, model.id))
        if offer is not None:
            wire = offer.wire
        elif model is not None and provider.kind == "self-hosted":
            wire = model.huggingface or model.id
        else:
            wire = rest
        name = f"{provider.id}:{model.id if model else rest}"
        return Deployment(name, wire, provider, model, offer)

    def check_callable(self, deployment: Deployment) -> None:
        """ModelUnavailable, with date and successor, if the model cannot be called there any more or ever."""
        model, offer, provider = deployment.model, deployment.offer, deployment.provider
        today = dt.date.today()
        if offer is not None and offer.retired_on is not None and offer.retired_on <= today:
            raise ModelUnavailable(f"{deployment.name} was retired on {offer.retired_on}{_successor(offer.successor)}")
        if model is None:
            return
        if model.lifecycle == "uncallable":
            raise ModelUnavailable(
                f"{model.id} can not be called: no service offers it and its weights are not to be had; "
                "it is in the registry for its facts"
            )
        own = provider is None or model.developer in provider.developers
        if model.weights != "open" and own and is_retired(model, today):
            on = f" on {model.retired_on}" if model.retired_on else ""
            raise ModelUnavailable(f"{model.id} was retired{on}{_successor(model.successor)}")

    def retires_on(self, deployment: Deployment) -> dt.date | None:
        """The day after which the model can not be called there, where one is announced."""
        offer, model, provider = deployment.offer, deployment.model, deployment.provider
        if offer is not None and offer.retired_on is not None:
            return offer.retired_on
        if model is not None and provider is not None and model.developer in provider.developers:
            return model.retired_on
        return None

    # Filters

    def models(
        self,
        *,
        input: Iterable[str] = (),
        output: Iterable[str] = (),
        developer: str | None = None,
        family: str | None = None,
        weights: str | None = None,
        min_context: int | None = None,
        max_params: int | None = None,
        on: str | None = None,
        lifecycle: Iterable[str] = (),
        sort: str = "id",
    ) -> list[Model]:
        """Models by their facts. What is not known does not pass a numeric filter.

        input, output: modalities that it must all take or give. min_context: tokens. max_params: total parameters.
        on: the id of a provider that offers it. sort: id, released, context, parameters or mmlu; all but id list the
        greatest first, and the unknown last. ConfigError for a name that there is not.
        """
        takes, gives, states = set(input), set(output), set(lifecycle)
        host = self.provider(on) if on else None
        for what, named, known in (
            ("modality", takes | gives, set(get_args(Modality))),
            ("lifecycle", states, set(get_args(Lifecycle))),
            ("kind of weights", {weights}, set(get_args(Weights))),
            ("developer", {developer}, {m.developer for m in self.data.models}),
            ("family", {family}, {m.family for m in self.data.models}),
            ("order", {sort}, set(SORTS)),
        ):
            for name in named - known - {None}:
                raise ConfigError(f'there is no {what} "{name}"{nearest(str(name), known)}')

        def fits(m: Model) -> bool:
            return (
                takes.issubset(m.input)
                and gives.issubset(m.output)
                and developer in (None, m.developer)
                and family in (None, m.family)
                and weights in (None, m.weights)
                and (not states or m.lifecycle in states)
                and (min_context is None or (m.context or 0) >= min_context)
                and (max_params is None or (isinstance(m.parameters, Parameters) and m.parameters.total <= max_params))
                and (host is None or (host.id, m.id) in self._offers)
            )

        return sorted(filter(fits, self.data.models), key=SORTS[sort])

    def remember(self, key: Any, make: Callable[[], T]) -> T:
        """What follows from this registry and the key alone: made once, and kept as long as there is room."""
        found: T | None = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _ROOM:
                self._remembered = {}
            found = self._remembered[key] = make()
        return found

    def names(self) -> list[str]:
        """Every model id and alias."""
        return list(self._models)

    def extended(self, providers: Iterable[Provider]) -> Registry:
        """This registry with further providers, or others in place of its own of the same id."""
        more = {p.id: p for p in providers}
        if not more:
            return self
        kept = [more.pop(p.id, p) for p in self.data.providers]
        extra = msgspec.json.encode([*kept, *more.values()])
        digest = hashlib.sha256(self.hash.encode() + extra).hexdigest()
        return Registry(msgspec.structs.replace(self.data, hash=digest, providers=(*kept, *more.values())))


def is_retired(model: Model, today: dt.date) -> bool:
    """Whether its developer has retired a model by that day."""
    return model.lifecycle == "retired" or (model.retired_on is not None and model.retired_on <= today)


def _successor(model: str | None) -> str:
    return f"; its successor is {model}" if model else ""


@functools.cache
def load() -> Registry:
    """The registry that is part of this installation."""
    try:
        raw = ARTEFACT.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{ARTEFACT} is missing: build it with `python -m llmgate.registry compile` in a source checkout"
        ) from None
    return Registry(msgspec.json.decode(raw, type=Data))
