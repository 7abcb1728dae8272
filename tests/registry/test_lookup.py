"""Lookups by id, alias and short name; what a target stands for; what can be called; filters over facts."""

from __future__ import annotations

import datetime as dt

import pytest

from llmgate.errors import ConfigError, ModelUnavailable
from llmgate.registry import Registry, load
from llmgate.registry.schema import Data, License, Model, Offer, Provider

DAY = dt.date(2026, 1, 1)
WEB = "https://test.example"


def model(id: str, **more: object) -> Model:
    facts = {
        "name": id,
        "developer": "maker",
        "family": "able",
        "weights": "closed",
        "lifecycle": "active",
        "input": ("text",),
        "output": ("text",),
    }
    return Model(id=id, **(facts | more))  # type: ignore[arg-type]


def offer(model: str, wire: str, **more: object) -> Offer:
    return Offer(model=model, wire=wire, source=WEB, checked=DAY, grade="S", **more)  # type: ignore[arg-type]


def provider(id: str, kind: str, *offers: Offer, developers: tuple[str, ...] = ()) -> Provider:
    return Provider(id=id, name=id, kind=kind, dialect="openai_chat", offer=offers, developers=developers)  # type: ignore[arg-type]


MODELS = (
    model("closed-1", successor="closed-2"),
    model("closed-2"),
    model("closed-old", lifecycle="retired", retired_on=dt.date(2025, 3, 1), successor="closed-2"),
    model("closed-elsewhere"),
    model("secret", weights="unreleased", lifecycle="uncallable"),
    model("open-1", weights="open", license=("MIT",), huggingface="Maker/Open-1", aliases=("open",), context=1000),
    model("open-old", weights="open", license=("MIT",), lifecycle="retired", retired_on=dt.date(2025, 3, 1)),
)
SMALL = Registry(
    Data(
        hash="0",
        models=MODELS,
        licenses=(License("MIT", "MIT License", "weights", "Whoever", WEB, short=("mit",)),),
        providers=(
            provider("aggregator", "aggregator", offer("open-1", "maker/open-1"), offer("closed-elsewhere", "x")),
            provider(
                "first",
                "first-party",
                offer("closed-1", "closed-1-wire", retired_on=dt.date(2025, 1, 31), successor="closed-2"),
                offer("closed-2", "closed-2-wire", retired_on=dt.date(2999, 1, 1)),
                developers=("maker",),
            ),
            provider("host", "host", offer("open-1", "open-1-turbo", context=500), offer("open-old", "open-old")),
            provider("own", "self-hosted"),
            provider("inside", "embedded"),
        ),
    )
)


# Names


@pytest.mark.parametrize(
    ("name", "id"),
    [("open-1", "open-1"), ("open", "open-1"), ("OPEN", "open-1"), ("Open-1", "open-1")],
)
def test_a_model_by_id_or_alias(name: str, id: str) -> None:
    assert SMALL.model(name).id == id


def test_an_instrument_by_id_or_short_name() -> None:
    registry = load()
    assert registry.license("llama-3.1").id == "LicenseRef-scancode-llama-3.1-license-2024"
    assert registry.license("apache-2.0").id == registry.license("Apache-2.0").id == "Apache-2.0"
    assert registry.license("MNPL").id == "LicenseRef-llmgate-mnpl-0.1"


@pytest.mark.parametrize(
    ("look", "name", "message"),
    [
        ("model", "gpt-4oo", 'there is no model "gpt-4oo"; did you mean "gpt-4o"?'),
        ("license", "lama-3.1", 'there is no license "lama-3.1"; did you mean "llama-3.1"?'),
        ("provider", "grok", 'there is no provider "grok"; did you mean "groq"?'),
        ("model", "zzzzzzzzzzzzzz", 'there is no model "zzzzzzzzzzzzzz"'),
    ],
)
def test_a_wrong_name_is_told_the_nearest_right_one(look: str, name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        getattr(load(), look)(name)
    assert str(caught.value) == message


# What is judged


def test_a_bare_open_model_is_judged_as_self_hosted() -> None:
    found = SMALL.resolve("open")
    assert (found.name, found.wire, found.provider, found.offer) == ("open-1", "Maker/Open-1", None, None)
    assert found.context == 1000


def test_a_bare_closed_model_is_judged_at_its_developers() -> None:
    found = SMALL.resolve("closed-2")
    assert found.provider is not None
    assert (found.name, found.wire, found.provider.id) == ("first:closed-2", "closed-2-wire", "first")
    assert SMALL.resolve("closed-elsewhere").name == "first:closed-elsewhere"


def test_a_model_that_was_never_released_has_no_service() -> None:
    assert SMALL.resolve("secret").provider is None


@pytest.mark.parametrize("rest", ["open-1", "open", "open-1-turbo"])
def test_at_a_host_a_model_goes_by_id_alias_or_the_hosts_own_name(rest: str) -> None:
    found = SMALL.resolve(f"host:{rest}")
    assert found.model is SMALL.model("open-1")
    assert (found.name, found.wire, found.context) == ("host:open-1", "open-1-turbo", 500)


def test_a_wire_name_that_nobody_knows_is_passed_on_as_it_is() -> None:
    found = SMALL.resolve("host:Somebody/New:free")
    assert (found.name, found.wire, found.model, found.offer) == (
        "host:Somebody/New:free",
        "Somebody/New:free",
        None,
        None,
    )


def test_at_ones_own_server_a_model_goes_by_its_hugging_face_name() -> None:
    assert SMALL.resolve("own:open-1").wire == "Maker/Open-1"


@pytest.mark.parametrize(("target", "message"), [("nohost:open-1", "no provider"), ("host:", "names no model")])
def test_a_target_that_leads_nowhere(target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SMALL.resolve(target)


# What is called


def test_a_call_prefers_the_developers_own_service() -> None:
    assert SMALL.resolve_call("closed-2", ["host", "aggregator"]).name == "first:closed-2"


def test_a_call_of_an_open_model_goes_to_a_configured_host() -> None:
    assert SMALL.resolve_call("open-1", ["aggregator"]).name == "aggregator:open-1"
    assert SMALL.resolve_call("open-1", ["aggregator", "host"]).name == "host:open-1"
    assert SMALL.resolve_call("own:open-1").name == "own:open-1"


def test_a_call_that_no_configured_provider_can_serve_says_who_could() -> None:
    with pytest.raises(ModelUnavailable, match="offered by host:open-1, aggregator:open-1"):
        SMALL.resolve_call("open-1")


def test_an_offer_that_has_ended_says_when_and_what_came_after() -> None:
    with pytest.raises(ModelUnavailable, match=r"first:closed-1 was retired on 2025-01-31; its successor is closed-2"):
        SMALL.check_callable(SMALL.resolve("closed-1"))


def test_a_retired_closed_model_says_when_and_what_came_after() -> None:
    with pytest.raises(ModelUnavailable, match=r"closed-old was retired on 2025-03-01; its successor is closed-2"):
        SMALL.check_callable(SMALL.resolve("closed-old"))


def test_what_was_never_callable_says_so() -> None:
    for target in ("secret", "host:secret"):
        with pytest.raises(ModelUnavailable, match="secret can not be called"):
            SMALL.check_callable(SMALL.resolve(target))


def test_weights_that_one_has_outlive_their_developers_service() -> None:
    for target in ("open-old", "host:open-old", "own:open-old", "closed-2", "host:what-nobody-knows"):
        SMALL.check_callable(SMALL.resolve(target))


def test_the_day_of_an_announced_retirement() -> None:
    assert SMALL.retires_on(SMALL.resolve("closed-2")) == dt.date(2999, 1, 1)
    assert SMALL.retires_on(SMALL.resolve("closed-old")) == dt.date(2025, 3, 1)
    assert SMALL.retires_on(SMALL.resolve("open-1")) is None


@pytest.mark.parametrize("name", ["claude-3-opus", "palm-2", "gpt-3", "sora"])
def test_retired_models_of_the_real_registry(name: str) -> None:
    registry = load()
    with pytest.raises(ModelUnavailable, match=r"was retired"):
        registry.check_callable(registry.resolve(name))


@pytest.mark.parametrize("name", ["alphacode", "dall-e-1"])
def test_uncallable_models_of_the_real_registry(name: str) -> None:
    registry = load()
    with pytest.raises(ModelUnavailable, match="can not be called"):
        registry.check_callable(registry.resolve(name))


# Filters


def test_filters_ask_for_all_at_once() -> None:
    registry = load()
    found = registry.models(input=["image"], output=["text"], developer="meta", weights="open", min_context=100_000)
    assert found
    for m in found:
        assert "image" in m.input
        assert m.developer == "meta"
        assert m.context is not None
        assert m.context >= 100_000


def test_filters_by_size_host_family_and_lifecycle() -> None:
    registry = load()
    small = registry.models(max_params=10**9)
    assert "smollm2-135m-instruct" in {m.id for m in small}
    assert all(m.parameters.total <= 10**9 for m in small)  # type: ignore[union-attr]
    assert {m.id for m in SMALL.models(on="host")} == {"open-1", "open-old"}
    assert {m.family for m in registry.models(family="llama-3.1")} == {"llama-3.1"}
    assert {m.id for m in SMALL.models(lifecycle=["uncallable"])} == {"secret"}
    assert len(SMALL.models()) == len(MODELS)


def test_what_is_not_known_passes_no_numeric_filter() -> None:
    assert {m.id for m in SMALL.models(min_context=1)} == {"open-1"}
    assert SMALL.models(max_params=10**15) == []


def test_filter_by_a_host_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match='no provider "hots"; did you mean "host"'):
        SMALL.models(on="hots")


def test_providers_of_ones_own_extend_a_registry_and_its_hash() -> None:
    mine = provider("mine", "host", offer("open-1", "theirs"))
    more = SMALL.extended([mine])
    assert more.resolve("mine:open-1").wire == "theirs"
    assert SMALL.extended([]) is SMALL
    assert more.hash != SMALL.hash
    instead = SMALL.extended([provider("host", "host", offer("open-1", "changed"))])
    assert instead.resolve("host:open-1").wire == "changed"
    assert len(instead.providers) == len(SMALL.providers)
