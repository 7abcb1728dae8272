"""What a bill of materials of the configured models lists, whatever its format.

An open model is a part, under the licences of its weights and of the models it was made from. A host's service is a
service, under its terms; it rests on the part whose model it runs. A closed model is its service and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from ...registry import Deployment, License, Model, Provider, Registry
from ..decide import governing
from ..judged import Judged


class Base(Struct, frozen=True):
    """A model that another one was made from, and how; `part` is what it is itself."""

    relation: str
    part: Part


class Part(Struct, frozen=True):
    """A model as a component. declared: the licences of its own weights. further: those that govern besides them, by
    descent or because they are incorporated, with the reason."""

    id: str
    name: str
    model: Model | None
    supplier: str
    declared: tuple[License, ...] = ()
    further: tuple[tuple[License, str], ...] = ()
    bases: tuple[Base, ...] = ()
    judged: tuple[Judged, ...] = ()

    @property
    def used(self) -> bool:
        """Whether a call may reach it, at a host or not."""
        return any(j.standing != "denied" for j in self.judged)

    @property
    def run(self) -> bool:
        """Whether a call may reach it on a server of one's own, or in this process."""
        return any(j.standing != "denied" and not _hosted(j.deployment) for j in self.judged)


class Service(Struct, frozen=True):
    """A model at a host. terms: what governs the service. part: the id of the part it runs, None if it is closed."""

    target: str
    wire: str
    name: str
    provider: Provider
    model: Model | None
    supplier: str
    terms: tuple[License, ...]
    part: str | None
    judged: tuple[Judged, ...]

    @property
    def used(self) -> bool:
        """Whether a call may reach it."""
        return any(j.standing != "denied" for j in self.judged)

    @property
    def url(self) -> str | None:
        """Where it is reached, without what could be a secret; None where that is not one place."""
        url = self.provider.url
        if not url or "{" in url or "://" not in url:
            return None
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Inventory(Struct, frozen=True):
    """What a bill of materials lists. checked: the day on which the newest fact in it was checked."""

    parts: tuple[Part, ...]
    services: tuple[Service, ...]
    checked: dt.date | None


def inventory(registry: Registry, found: Sequence[Judged]) -> Inventory:
    """What the judged targets amount to, in the order of their names."""
    parts: dict[str, list[Judged]] = {}
    services: dict[str, list[Judged]] = {}
    for j in sorted(found, key=lambda j: (j.target, j.decision.id)):
        if _hosted(j.deployment):
            services.setdefault(j.target, []).append(j)
        if not _hosted(j.deployment) or _open(j.deployment):
            parts.setdefault(j.model, []).append(j)
    made = tuple(_part_of(registry, parts[id_]) for id_ in sorted(parts))
    hosted = tuple(_service_of(registry, services[target]) for target in sorted(services))
    return Inventory(made, hosted, max(_checked(made, hosted), default=None))


def _hosted(deployment: Deployment) -> bool:
    provider = deployment.provider
    return provider is not None and provider.kind not in ("self-hosted", "embedded")


def _open(deployment: Deployment) -> bool:
    return deployment.model is not None and deployment.model.weights == "open"


def _part_of(registry: Registry, judged: list[Judged]) -> Part:
    deployment = judged[0].deployment
    if deployment.model is not None:
        made = _part(registry, deployment.model, _day(judged))
        return msgspec.structs.replace(made, judged=tuple(judged))
    declared = tuple(registry.license(x) for x in deployment.license or ())
    return Part(deployment.wire, deployment.wire, None, "", declared, judged=tuple(judged))


def _part(registry: Registry, model: Model, day: dt.date) -> Part:
    own = {registry.license(x).id for x in model.license}
    governs = list(governing(registry, Deployment(model.id, model.id, None, model), day))
    return Part(
        id=model.id,
        name=model.name,
        model=model,
        supplier=_supplier(registry, model),
        declared=tuple(g.license for g in governs if g.license.id in own),
        further=tuple((g.license, g.why) for g in governs if g.license.id not in own),
        bases=tuple(Base(x.relation, _part(registry, registry.model(x.base), day)) for x in model.lineage),
    )


def _service_of(registry: Registry, judged: list[Judged]) -> Service:
    deployment = judged[0].deployment
    model, provider, day = deployment.model, deployment.provider, _day(judged)
    if provider is None:
        raise ValueError(f"{deployment.name} is nobody's service")
    governs = [g.license for g in governing(registry, deployment, day)]
    part = _part(registry, model, day) if model is not None and _open(deployment) else None
    weights = {x.id for x in (*part.declared, *(x for x, _ in part.further))} if part else set()
    return Service(
        target=deployment.name,
        wire=deployment.wire,
        name=f"{model.name if model else deployment.wire} at {provider.name}",
        provider=provider,
        model=model,
        supplier=_supplier(registry, model) if model else "",
        terms=tuple(x for x in governs if x.id not in weights),
        part=part.id if part else None,
        judged=tuple(judged),
    )


def _day(judged: list[Judged]) -> dt.date:
    return judged[0].decision.basis.date


def _supplier(registry: Registry, model: Model) -> str:
    """The name of a model's developer as its own service has it, else the registry's id for it."""
    own = registry.first_party(model)
    return own.name if own else model.developer


def _checked(parts: Iterable[Part], services: Iterable[Service]) -> Iterator[dt.date]:
    for part in parts:
        if part.model is not None:
            yield from _of(part.model)
        yield from (x.text.checked for x in (*part.declared, *(x for x, _ in part.further)) if x.text)
        yield from _checked((base.part for base in part.bases), ())
    for service in services:
        yield from (x.checked for x in service.provider.source)
        yield from (x.text.checked for x in service.terms if x.text)
        if service.model is not None:
            yield from _of(service.model)


def _of(model: Model) -> Iterator[dt.date]:
    yield from (x.checked for x in model.source)
    yield from (x.checked for x in model.benchmark)
