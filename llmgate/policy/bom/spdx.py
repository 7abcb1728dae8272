"""A bill of materials as SPDX 3.0.1 JSON-LD with its AI profile, through `spdx-python-model`.

SPDX 3.0 has no service: a closed model at its host is an AI package under the host's terms that can not be downloaded;
an open model's host is a package under its terms that depends on the AI package.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spdx_python_model import v3_0_1 as spdx

from ...registry import License, Model
from ..judged import Judged
from . import said
from .inventory import Inventory, Part, Service

_PLACEHOLDER = "urn:uuid:00000000-0000-0000-0000-000000000000"
_NO_ASSERTION = "NOASSERTION"
_NO_LICENSE_ASSERTION = spdx.expandedlicensing_IndividualLicensingInfo.NoAssertionLicense
_ABBREVIATED = "expandedlicensing_NoAssertionLicense"
"""What the library writes for it. Not every copy of the standard's JSON-LD context resolves it; all take the IRI."""
_UNDATED = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_Type, _Purpose, _Profile = spdx.RelationshipType, spdx.software_SoftwarePurpose, spdx.ProfileIdentifierType
_RELATIONS = {"trained-on-outputs": _Type.other}
"""How lineage is told where a model does not descend from the other's weights or answers as a whole."""


def document(inventory: Inventory, name: str, version: str, timestamp: dt.datetime | None) -> dict[str, Any]:
    """The document. Its namespace stands for its content, the time aside.

    SPDX wants a time of creation: without a timestamp it is the day on which the newest fact was checked.
    """
    checked = dt.datetime.combine(inventory.checked, dt.time(), dt.UTC) if inventory.checked else _UNDATED
    writer = _Writer(checked, version)
    writer.write(inventory, name)
    drafted = json.dumps(writer.serialized(), ensure_ascii=False)
    drafted = drafted.replace(f'"{_ABBREVIATED}"', f'"{_NO_LICENSE_ASSERTION}"')
    named = drafted.replace(_PLACEHOLDER, said.content_id(json.loads(drafted)).urn)
    written: dict[str, Any] = json.loads(named)
    if timestamp is not None:
        for element in written["@graph"]:
            if element["type"] == "CreationInfo":
                element["created"] = said.moment(timestamp)
    return written


class _Writer:
    """Collects the elements of one document; each is made once and has an id that its name gives."""

    def __init__(self, created: dt.datetime, version: str) -> None:
        self._elements: dict[str, Any] = {}
        self._complete = True
        self._creation = spdx.CreationInfo()
        self._creation.specVersion = "3.0.1"
        self._creation.created = created
        agent = self._new(spdx.SoftwareAgent, "agent", "llmgate", name=f"llmgate {version}")
        tool = self._new(spdx.Tool, "tool", "llmgate", name=f"llmgate {version}")
        self._creation.createdBy.append(agent)
        self._creation.createdUsing.append(tool)

    def serialized(self) -> dict[str, Any]:
        """The document as JSON-LD, its elements in the order of their ids."""
        objects = spdx.SHACLObjectSet()
        for element in self._elements.values():
            objects.add(element)
        written: dict[str, Any] = spdx.JSONLDSerializer().serialize_data(objects, force_at_graph=True)
        written["@graph"].sort(key=lambda x: (x["type"] != "CreationInfo", x.get("spdxId", "")))
        return written

    def write(self, inventory: Inventory, name: str) -> None:
        application = self._new(spdx.software_Package, "application", name, name=name)
        application.software_primaryPurpose = _Purpose.application
        used: list[Any] = []
        for part in inventory.parts:
            package = self._part(part)
            if part.run:
                used.append(package)
        for service in inventory.services:
            package = self._service(service)
            if service.used:
                used.append(package)
        self._relate(application, _Type.dependsOn, used)
        self._document(application, name)

    def _document(self, application: Any, name: str) -> None:
        profiles = [_Profile.core, _Profile.software, _Profile.simpleLicensing, _Profile.expandedLicensing]
        if self._complete:
            # The profile wants a supplier and a release date of each AI package: claimed only where all have them.
            profiles.append(_Profile.ai)
        bom = self._new(spdx.Bom, "bom", "models", name=f"Models of {name}")
        bom.rootElement.append(application)
        held = [x for x in self._elements.values() if x is not bom]
        bom.element.extend(held)
        whole = self._new(spdx.SpdxDocument, "document", "models", name=f"Models of {name}")
        whole.rootElement.append(bom)
        whole.element.extend([*held, bom])
        for collection in (bom, whole):
            collection.profileConformance.extend(profiles)

    # Elements

    def _new(self, kind: Any, group: str, key: str, **values: Any) -> Any:
        """The element of that group and key, made on first use with these values."""
        id_ = f"{_PLACEHOLDER}#{group}-{said.slug(key)}"
        if id_ not in self._elements:
            made = kind()
            made.set_id(id_)
            made.creationInfo = self._creation
            _fill(made, **values)
            self._elements[id_] = made
        return self._elements[id_]

    def _known(self, group: str, key: str) -> Any:
        return self._elements.get(f"{_PLACEHOLDER}#{group}-{said.slug(key)}")

    def _relate(self, subject: Any, kind: str, to: Sequence[Any], comment: str | None = None) -> None:
        """A relationship; none where it would lead nowhere."""
        if not to:
            return
        key = "-".join(x.get_id() if not isinstance(x, str) else x for x in (subject, kind, *to))
        made = self._new(
            spdx.Relationship, "relationship", said.content_id(key).hex, relationshipType=kind, comment=comment
        )
        made.from_ = subject
        made.to.extend(to)

    def _organization(self, name: str) -> Any:
        return self._new(spdx.Organization, "organization", name, name=name)

    # Models

    def _part(self, part: Part) -> Any:
        """The AI package of a model, with its licences and all that it was made from."""
        package = self._known("model", part.id)
        if package is None:
            package = self._ai_package("model", part.id, part.model, part.supplier, said.weights_url(part.model))
            _fill(package, software_packageUrl=said.purl(part.model))
            whole = (*part.declared, *(x for x, _ in part.further))
            why = "; ".join(f"{x.id}: {reason}" for x, reason in part.further) or None
            self._relate(package, _Type.hasDeclaredLicense, [self._expression(part.declared)])
            self._relate(package, _Type.hasConcludedLicense, [self._expression(whole)], why)
            for base in part.bases:
                relation = _RELATIONS.get(base.relation, _Type.descendantOf)
                self._relate(package, relation, [self._part(base.part)], f"{base.relation} of {base.part.id}")
        self._decisions(package, part.judged)
        return package

    def _service(self, service: Service) -> Any:
        """A model at a host: an AI package if it is closed, else a package that depends on that of the model."""
        comment = f"A hosted service: {service.name}. The host's own name for the model is {service.wire}."
        if service.part is None:
            package = self._ai_package("service", service.target, service.model, service.supplier, None)
        else:
            package = self._new(spdx.software_Package, "service", service.target, name=service.target)
            package.software_primaryPurpose = _Purpose.other
            package.suppliedBy = self._organization(service.provider.name)
            self._relate(package, _Type.dependsOn, [self._known("model", service.part)])
        package.comment = f"{package.comment} {comment}" if package.comment else comment
        _fill(package, software_homePage=service.provider.docs)
        if url := service.url:
            self._refer(package, url, spdx.ExternalRefType.other, "where the service is reached")
        self._relate(package, _Type.availableFrom, [self._organization(service.provider.name)])
        terms = self._expression(service.terms)
        self._relate(package, _Type.hasDeclaredLicense, [terms])
        self._relate(package, _Type.hasConcludedLicense, [terms], "the terms of the service")
        self._decisions(package, service.judged)
        return package

    def _ai_package(self, group: str, key: str, model: Model | None, supplier: str, download: str | None) -> Any:
        package = self._new(spdx.ai_AIPackage, group, key, name=key)
        package.software_primaryPurpose = _Purpose.model
        package.software_packageVersion = _NO_ASSERTION
        package.software_downloadLocation = download or _NO_ASSERTION
        _fill(package, suppliedBy=self._organization(supplier) if supplier else None)
        released = self._released(model, package)
        self._complete = self._complete and released and bool(supplier)
        if model is None:
            return package
        package.summary = model.name
        package.ai_typeOfModel.extend(x for x in [said.architecture(model)] if x)
        package.ai_domain.extend(model.tasks)
        _fill(package, ai_informationAboutTraining=said.training(model))
        package.ai_informationAboutApplication = f"Takes {', '.join(model.input)}; gives {', '.join(model.output)}."
        package.ai_hyperparameter.extend(_entries(said.facts(model)))
        package.ai_metric.extend(
            _entries((f"{name} ({setting})", score) for name, setting, score in said.scores(model))
        )
        for x in model.source:
            comment = f"source of {', '.join(x.facts)}; checked {x.checked}, grade {x.grade}"
            self._refer(package, x.url, spdx.ExternalRefType.documentation, comment)
        return package

    @staticmethod
    def _released(model: Model | None, package: Any) -> bool:
        """Sets the release date, as exact as it is known; whether one is known."""
        if model is None or model.released is None:
            return False
        year, month, day = [*map(int, model.released.split("-")), 1, 1][:3]
        package.releaseTime = dt.datetime(year, month, day, tzinfo=dt.UTC)
        if len(model.released) < len("2024-07-23"):
            package.comment = f"Released {model.released}; the day is not known."
        return True

    @staticmethod
    def _refer(package: Any, url: str, kind: str, comment: str) -> None:
        made = spdx.ExternalRef()
        made.externalRefType = kind
        made.locator.append(url)
        made.comment = comment
        package.externalRef.append(made)

    def _decisions(self, package: Any, judged: Iterable[Judged]) -> None:
        """An annotation for each decision, with its verdicts, and the texts to be shown as attribution."""
        texts = list(package.software_attributionText)
        for j in judged:
            note = self._new(spdx.Annotation, "decision", f"{package.name} {j.decision.id}")
            note.annotationType = spdx.AnnotationType.other
            note.contentType = "application/json"
            note.subject = package
            stated = [["decision", j.decision.id], *said.verdicts(j)]
            note.statement = json.dumps(stated, ensure_ascii=False)
            shown = [o.text for o in j.decision.obligations if o.kind in ("display", "attribution", "notice")]
            texts += [] if j.standing == "denied" else shown
        package.software_attributionText = sorted(set(texts))

    # Licences

    def _expression(self, licences: Sequence[License]) -> Any:
        """All of these together as a licence expression; no assertion where there are none."""
        if not licences:
            return _NO_LICENSE_ASSERTION
        words = " AND ".join(x.id for x in licences)
        made = self._known("license", words)
        if made is None:
            made = self._new(spdx.simplelicensing_LicenseExpression, "license", words)
            made.simplelicensing_licenseExpression = words
            custom = {x.id: self._custom(x).get_id() for x in licences if x.id.startswith("LicenseRef-")}
            made.simplelicensing_customIdToUri.extend(_entries(custom.items()))
        return made

    def _custom(self, licence: License) -> Any:
        """An instrument that SPDX does not list. Its text is not ours to copy: it says where it is, by which hash."""
        made = self._known("custom", licence.id)
        if made is None:
            known = "; ".join(f"{name}: {value}" for name, value in said.evidence(licence))
            made = self._new(spdx.expandedlicensing_CustomLicense, "custom", licence.id, name=licence.name)
            made.simplelicensing_licenseText = f"See {licence.url} ({known})"
            made.expandedlicensing_seeAlso.append(licence.url)
            made.expandedlicensing_isOsiApproved = licence.osi_approved
        return made


def _fill(element: Any, **values: Any) -> None:
    """Sets what is known; the library takes no None."""
    for name, value in values.items():
        if value is not None:
            setattr(element, name, value)


def _entries(pairs_: Iterable[tuple[str, str]]) -> Iterator[Any]:
    for key, value in pairs_:
        entry = spdx.DictionaryEntry()
        entry.key, entry.value = key, value
        yield entry
