"""A bill of materials as CycloneDX 1.7 JSON, through `cyclonedx-python-lib`."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType, Pedigree
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.model.service import Service as CdxService
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot7
from cyclonedx.spdx import is_supported_id
from packageurl import PackageURL

from ...registry import License, Model
from ...registry.schema import Source
from ..decision import worst
from ..judged import Judged
from . import said
from .inventory import Inventory, Part, Service

_DECLARED, _CONCLUDED = LicenseAcknowledgement.DECLARED, LicenseAcknowledgement.CONCLUDED
_LICENSE, _EVIDENCE = ExternalReferenceType.LICENSE, ExternalReferenceType.EVIDENCE


def document(inventory: Inventory, name: str, version: str, timestamp: dt.datetime | None) -> dict[str, Any]:
    """The document. Its serial number stands for its content, the time aside."""
    application = Component(name=name, type=ComponentType.APPLICATION, bom_ref="application")
    tool = Component(name="llmgate", type=ComponentType.APPLICATION, version=version, bom_ref="llmgate")
    parts = {part.id: _component(part) for part in inventory.parts}
    services = [(service, _service(service)) for service in inventory.services]
    bom = Bom(
        metadata=BomMetaData(component=application, tools=ToolRepository(components=[tool])),
        components=parts.values(),
        services=[made for _, made in services],
        serial_number=uuid.UUID(int=0),
    )
    direct = [parts[part.id] for part in inventory.parts if part.run]
    bom.register_dependency(application, [*direct, *(made for service, made in services if service.used)])
    for service, made in services:
        bom.register_dependency(made, [parts[service.part]] if service.part else [])
    written: dict[str, Any] = json.loads(JsonV1Dot7(bom).output_as_string())
    _add_model_cards(written, inventory.parts)
    del written["metadata"]["timestamp"], written["serialNumber"]
    written["serialNumber"] = said.content_id(written).urn
    if timestamp is not None:
        written["metadata"]["timestamp"] = said.moment(timestamp)
    first = ("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata")
    return {key: written[key] for key in (*first, *sorted(written.keys() - set(first)))}


# Components -------------------------------------------------------------------------------------


def _component(part: Part, within: str = "") -> Component:
    """A model as a component, its bases as ancestors. `within`: the reference of the component it is an ancestor of."""
    ref = f"{within}/{part.id}" if within else f"model:{part.id}"
    model, package = part.model, said.purl(part.model)
    bases = [_component(base.part, ref) for base in part.bases]
    how = "; ".join(f"{base.relation} of {base.part.id}" for base in part.bases)
    return Component(
        name=part.id,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=ref,
        description=part.name if part.name != part.id else None,
        supplier=OrganizationalEntity(name=part.supplier) if part.supplier else None,
        publisher=model.developer if model else None,
        scope=ComponentScope.EXCLUDED if part.judged and not part.used else None,
        licenses=[
            *(_license(x, _DECLARED) for x in part.declared),
            *(_license(x, _CONCLUDED, why) for x, why in part.further),
        ],
        purl=PackageURL.from_string(package) if package else None,
        external_references=_references(part),
        properties=[*_facts(model), *_decisions(part.judged)],
        pedigree=Pedigree(ancestors=bases, notes=how) if bases else None,
    )


def _license(license: License, acknowledgement: LicenseAcknowledgement, why: str | None = None) -> DisjunctiveLicense:
    """An instrument by its SPDX id where the list has it, else by its LicenseRef; with the evidence for it."""
    listed = is_supported_id(license.id)
    known = [*(("name", license.name),), *said.evidence(license), *((("why", why),) if why else ())]
    return DisjunctiveLicense(
        id=license.id if listed else None,
        name=None if listed else license.id,
        url=XsUri(license.url),
        acknowledgement=acknowledgement,
        properties=[Property(name=f"llmgate:license:{name}", value=value) for name, value in known],
    )


def _references(part: Part) -> Iterator[ExternalReference]:
    weights = said.weights_url(part.model)
    if weights:
        yield ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(weights))
        yield ExternalReference(type=ExternalReferenceType.MODEL_CARD, url=XsUri(weights))
    yield from _licence_links((*part.declared, *(x for x, _ in part.further)))
    if part.model is not None:
        yield from _sources(part.model.source)


def _licence_links(licences: Iterable[License]) -> Iterator[ExternalReference]:
    for x in licences:
        yield ExternalReference(type=_LICENSE, url=XsUri(x.url), comment=f"{x.name} ({x.id})")


def _sources(sources: Iterable[Source]) -> Iterator[ExternalReference]:
    for x in sources:
        comment = f"of {', '.join(x.facts)}; checked {x.checked}, grade {x.grade}"
        yield ExternalReference(type=_EVIDENCE, url=XsUri(x.url), comment=comment)


def _facts(model: Model | None) -> Iterator[Property]:
    if model is not None:
        yield Property(name="llmgate:weights", value=model.weights)
        yield Property(name="llmgate:lifecycle", value=model.lifecycle)
        yield from (Property(name=f"llmgate:{name}", value=value) for name, value in said.facts(model))


def _decisions(judged: tuple[Judged, ...]) -> Iterator[Property]:
    """The worst verdict and the decisions' ids, then each decision under its id."""
    if judged:
        yield Property(name="llmgate:verdict", value=worst([j.decision.verdict for j in judged]))
    for j in judged:
        yield Property(name="llmgate:decision", value=j.decision.id)
        for name, value in said.verdicts(j):
            yield Property(name=f"llmgate:{j.decision.id}:{name}", value=value)


# Model cards ------------------------------------------------------------------------------------


def _add_model_cards(written: dict[str, Any], parts: Iterable[Part]) -> None:
    """Adds to each component its model card, which the library's own model of the format does not have."""
    by_ref = {component["bom-ref"]: component for component in written.get("components", ())}
    for part in parts:
        if card := _model_card(part):
            by_ref[f"model:{part.id}"]["modelCard"] = card


def _model_card(part: Part) -> dict[str, Any]:
    model = part.model
    uses = [
        f"{use}: {verdict}, as {j.target} (decision {j.decision.id})"
        for j in part.judged
        for use, verdict in j.decision.uses.items()
    ]
    card: dict[str, Any] = {}
    if model is not None:
        parameters = {
            "task": ", ".join(model.tasks) or None,
            "architectureFamily": said.architecture(model),
            "modelArchitecture": model.architecture.detail if model.architecture else None,
            "inputs": [{"format": x} for x in model.input],
            "outputs": [{"format": x} for x in model.output],
        }
        card["modelParameters"] = {name: value for name, value in parameters.items() if value}
        if metrics := [{"type": name, "value": score, "slice": setting} for name, setting, score in said.scores(model)]:
            card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    if uses:
        card["considerations"] = {"useCases": uses}
    if model is not None and (trained := said.training(model)):
        card["properties"] = [{"name": "llmgate:training", "value": trained}]
    return card


# Services ---------------------------------------------------------------------------------------


def _service(service: Service) -> CdxService:
    provider, url = service.provider, service.url
    offer = service.judged[0].deployment.offer
    references = [*_licence_links(service.terms), *_sources(provider.source)]
    if provider.docs:
        references.append(ExternalReference(type=ExternalReferenceType.DOCUMENTATION, url=XsUri(provider.docs)))
    if offer is not None:
        comment = f"of the offer; checked {offer.checked}, grade {offer.grade}"
        references.append(ExternalReference(type=_EVIDENCE, url=XsUri(offer.source), comment=comment))
    properties = [Property(name="llmgate:wire", value=service.wire)]
    if service.model is not None:
        properties.append(Property(name="llmgate:model", value=service.model.id))
        properties.append(Property(name="llmgate:developer", value=service.model.developer))
        if service.part is None:
            properties += _facts(service.model)
    return CdxService(
        name=service.target,
        bom_ref=f"service:{service.target}",
        provider=OrganizationalEntity(name=provider.name),
        description=service.name,
        endpoints=[XsUri(url)] if url else [],
        authenticated=provider.auth != "none",
        x_trust_boundary=True,
        licenses=[_license(x, _DECLARED) for x in service.terms],
        external_references=references,
        properties=[*properties, *_decisions(service.judged)],
    )
