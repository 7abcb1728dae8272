"""What a registry file may say: models, licences, providers and their offers, as strict structs.

The same structs validate the TOML that people write and load the compiled artefact.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from ..chat import Quirks
from .vocabulary import Grade, Modality, ObligationKind, Trigger, Use, Verdict

Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+_-]*$")]
LicenseId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$")]
Url = Annotated[str, Meta(pattern=r"^https?://\S+$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Filled = Annotated[str, Meta(min_length=1)]
Day = Annotated[str, Meta(pattern=r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$")]
"""A date as exact as it is known: 2024, 2024-07 or 2024-07-23."""
Tokens = Annotated[int, Meta(ge=1)]


class _Data(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    # gc=False: frozen data has no cycles, and thousands of structs that live for ever are not worth a collector's time.
    pass


# Licences ---------------------------------------------------------------------------------------


class Test(_Data, frozen=True, rename={"in_": "in", "is_": "is"}):
    """One test of one fact. A fact that is a list passes `in` if any of its items does, `not_in` if none does."""

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    in_: tuple[str, ...] | None = None
    not_in: tuple[str, ...] | None = None
    is_: bool | str | None = None


Condition = dict[str, Test | bool | str]
"""All of these tests hold. A bare value is short for `is`."""
When = Condition | tuple[Condition, ...]
"""A condition, or several of which any may hold."""


class Rule(_Data, frozen=True):
    """What one clause says of some uses."""

    uses: tuple[Use | Literal["*"], ...]
    verdict: Verdict
    clause: Filled
    summary: Filled
    when: When | None = None
    otherwise: Verdict | None = None
    """The verdict where `when` is false; without it the rule is then silent."""
    remedy: str | None = None
    source: Url | None = None
    checked: dt.date | None = None
    grade: Grade | None = None


class Obligation(_Data, frozen=True):
    """What is owed once a use is made; never a bar to it."""

    kind: ObligationKind
    trigger: Trigger
    text: Filled
    clause: Filled
    uses: tuple[Use | Literal["*"], ...]
    summary: str | None = None
    when: When | None = None
    source: Url | None = None
    checked: dt.date | None = None
    grade: Grade | None = None


class Text(_Data, frozen=True):
    """The evidence that a document was read: where, when, by which hash."""

    url: Url
    checked: dt.date
    grade: Grade
    sha256: Sha256 | None = None
    """Of the text with each run of white space made one space, in UTF-8."""
    copy: str | None = None
    """Where the copy that was read lies, if not at `url`."""


class License(_Data, frozen=True):
    """One version of one legal document (an *instrument*)."""

    id: LicenseId
    name: Filled
    kind: Literal["weights", "policy", "terms"]
    """weights: a licence of weights. policy: of acceptable use, which only restricts. terms: a service's terms."""
    licensor: str
    url: Url
    short: tuple[Id, ...] = ()
    version: str | None = None
    effective_from: dt.date | None = None
    effective_until: dt.date | None = None
    osi_approved: bool = False
    governing_law: str | None = None
    incorporates: tuple[LicenseId, ...] = ()
    supersedes: LicenseId | None = None
    text: Text | None = None
    """None: nobody has read it yet; every use is then `unknown`."""
    rule: tuple[Rule, ...] = ()
    obligation: tuple[Obligation, ...] = ()
    note: str | None = None
    override: bool = False
    """In a registry of your own: this file stands in place of ours of the same id."""


# Models -----------------------------------------------------------------------------------------


class Source(_Data, frozen=True):
    """Where facts come from: `facts` names the fields of the file that this source carries."""

    url: Url
    checked: dt.date
    grade: Grade
    facts: tuple[str, ...]
    note: str | None = None


class Parameters(_Data, frozen=True):
    """Counts of parameters. For a mixture of experts, `active` are those used for one token."""

    total: Annotated[int, Meta(ge=1)]
    active: Annotated[int, Meta(ge=1)] | None = None


class Architecture(_Data, frozen=True):
    kind: Literal[
        "transformer",
        "moe-transformer",
        "encoder-decoder",
        "encoder",
        "hybrid-ssm",
        "moe-hybrid-ssm",
        "latent-diffusion",
        "diffusion-transformer",
        "vq-vae-transformer",
        "gan",
        "undisclosed",
    ]
    detail: str | None = None
    """In words: experts, attention, VAE and U-Net, text encoders."""


class Training(_Data, frozen=True):
    """What is published about how it was trained."""

    data: str | None = None
    tokens: Annotated[int, Meta(ge=1)] | None = None
    compute_flops: float | None = None
    method: tuple[
        Literal["pretrained", "instruct", "rlhf", "dpo", "rl", "distilled", "supervised", "adversarial"], ...
    ] = ()
    note: str | None = None


class Benchmark(_Data, frozen=True, kw_only=True):
    """A score, which means nothing without its setting."""

    name: Filled
    score: float
    setting: Filled
    """As reported: `5-shot`, `CoT@32`, `0-shot CoT`."""
    variant: Literal["base", "instruct", "reasoning"] | None = None
    source: Url
    checked: dt.date
    grade: Grade


class Lineage(_Data, frozen=True):
    """A model that this one was made from. All but `distilled` and `trained-on-outputs` carry the base's licences."""

    base: Id
    relation: Literal["finetune", "merge", "quantized", "adapter", "distilled", "trained-on-outputs"]


Weights = Literal["open", "closed", "unreleased"]
Lifecycle = Literal["active", "preview", "deprecated", "retired", "uncallable"]


class Model(_Data, frozen=True):
    """The facts of one model, host aside."""

    id: Id
    name: Filled
    developer: Id
    family: Id
    weights: Weights
    """open: anyone can get them (perhaps after accepting terms). closed: only behind a service. unreleased: neither."""
    lifecycle: Lifecycle
    """uncallable: no public service or weights ever let one call it; it is here for its facts."""
    input: tuple[Modality, ...]
    output: tuple[Modality, ...]
    aliases: tuple[Id, ...] = ()
    license: tuple[LicenseId, ...] = ()
    """All of them govern. Empty for closed models: the terms of the provider govern."""
    huggingface: str | None = None
    tasks: tuple[str, ...] = ()
    context: Tokens | None = None
    max_output: Tokens | None = None
    parameters: Parameters | Literal["undisclosed"] | None = None
    architecture: Architecture | None = None
    tokenizer: str | None = None
    knowledge_cutoff: Day | Literal["undisclosed"] | None = None
    released: Day | None = None
    retired_on: dt.date | None = None
    successor: Id | None = None
    training: Training | None = None
    benchmark: tuple[Benchmark, ...] = ()
    lineage: tuple[Lineage, ...] = ()
    source: tuple[Source, ...] = ()
    note: str | None = None
    override: bool = False
    """In a registry of your own: this file stands in place of ours of the same id."""


SOURCED = (
    "context",
    "max_output",
    "parameters",
    "architecture",
    "tokenizer",
    "knowledge_cutoff",
    "released",
    "retired_on",
    "license",
    "training",
    "lineage",
    "input",
    "output",
)
"""The fields of a model that some `[[source]]` must name, unless they are absent or `undisclosed`."""


# Providers --------------------------------------------------------------------------------------


Rate = Decimal
"""USD per million tokens, as a decimal string. One that is not known is left out, never zero."""


class Rates(_Data, frozen=True, kw_only=True):
    """What a million tokens of each kind cost. Audio and image tokens cost as others do where no rate is theirs."""

    input: Rate | None = None
    output: Rate | None = None
    cached_input: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    """To keep a prompt for an hour, where `cache_write` keeps it for the usual minutes."""
    input_audio: Rate | None = None
    cached_audio: Rate | None = None
    output_audio: Rate | None = None
    input_image: Rate | None = None
    cached_image: Rate | None = None
    output_image: Rate | None = None


class Tier(Rates, frozen=True, kw_only=True):
    """The rates of a whole request whose prompt is longer than `above` tokens; a rate left out is not known there."""

    above: Tokens


class Tariff(Rates, frozen=True, kw_only=True):
    """Rates, and those of longer prompts, shortest first."""

    tier: tuple[Tier, ...] = ()


class Price(Tariff, frozen=True, kw_only=True):
    """A price and the day it holds from; without `valid_from` since ever. `batch` is complete in itself."""

    valid_from: dt.date | None = None
    batch: Tariff | None = None


class Reading(_Data, frozen=True):
    """Where and when one fact was read."""

    url: Url
    checked: dt.date
    grade: Grade


OfferFact = Literal["price", "context", "output", "available_from", "retired_on"]


class Offer(_Data, frozen=True, kw_only=True):
    """A model at a host."""

    model: Id
    wire: Filled
    """The host's own name for it."""
    context: Tokens | None = None
    output: Tokens | None = None
    price: Price | tuple[Price, ...] | None = None
    """One price, or several by `valid_from`, oldest first."""
    regions: tuple[str, ...] = ()
    terms: tuple[LicenseId, ...] | None = None
    """In place of the provider's terms."""
    available_from: dt.date | None = None
    retired_on: dt.date | None = None
    successor: Id | None = None
    quirks: Quirks | None = None
    """In place of the provider's: how this one model departs."""
    source: Url
    checked: dt.date
    grade: Grade
    sources: dict[OfferFact, Reading] = field(default_factory=dict)
    """Of the facts that were read elsewhere than in `source`."""


Host = Literal["first-party", "host", "aggregator", "self-hosted", "embedded"]


class Provider(_Data, frozen=True):
    """How a host is reached, and under which terms."""

    id: Id
    name: Filled
    kind: Host
    dialect: Literal["openai_chat", "openai_responses", "anthropic_messages", "gemini_generate"]
    url: Url | None = None
    auth: Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "none"] = "bearer"
    key_env: tuple[str, ...] = ()
    """Environment variables that hold the key, first found wins."""
    headers: dict[str, str] = field(default_factory=dict)
    developers: tuple[Id, ...] = ()
    """The developers whose models are first-party here."""
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    terms: tuple[LicenseId, ...] = ()
    docs: Url | None = None
    quirks: Quirks = Quirks()
    offer: tuple[Offer, ...] = ()
    source: tuple[Source, ...] = ()
    note: str | None = None
    override: bool = False
    """In a registry of your own: this file stands in place of ours of the same id."""


class Data(_Data, frozen=True):
    """The whole registry, as compiled."""

    hash: str
    models: tuple[Model, ...]
    licenses: tuple[License, ...]
    providers: tuple[Provider, ...]
