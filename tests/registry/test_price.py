"""What a call costs: exact, by day and by length of the prompt, and not known where a rate is not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.chat import Usage
from llmgate.registry import Registry
from llmgate.registry.price import at, cost, rates
from llmgate.registry.read import read_folder
from llmgate.registry.schema import Price, Tariff, Tier

TODAY = dt.date(2026, 11, 24)
BUCKETS = ("input", "cached_input", "cache_write", "output", "reasoning")
D = Decimal

tokens = st.integers(0, 2_000_000)
usages = st.builds(Usage, **dict.fromkeys(BUCKETS, tokens))
rate = st.decimals(0, 100, places=4)
plain = st.builds(Price, input=rate, output=rate, cached_input=rate, cache_write=rate)


@st.composite
def tiered(draw: st.DrawFn) -> Price:
    """A price whose steps never get cheaper."""
    found, steps = draw(plain), []
    base = {name: getattr(found, name) for name in ("input", "output", "cached_input", "cache_write")}
    for above in sorted(draw(st.sets(st.integers(1, 3_000_000), max_size=3))):
        base = {name: value + draw(rate) for name, value in base.items()}
        steps.append(Tier(above=above, **base))
    return Price(tier=tuple(steps), **{n: getattr(found, n) for n in base})


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(read_folder(Path(__file__).parents[2] / "registry"))


@given(plain, usages, usages)
def test_without_tiers_the_cost_of_two_calls_is_the_sum_of_their_costs(price: Price, a: Usage, b: Usage) -> None:
    both = Usage(**{name: getattr(a, name) + getattr(b, name) for name in BUCKETS})
    parts = [cost(u, price, TODAY) for u in (a, b, both)]
    assert None not in parts
    assert parts[0] + parts[1] == parts[2]


@given(tiered(), usages)
def test_a_call_costs_the_sum_of_its_buckets_at_the_rates_of_its_prompt(price: Price, usage: Usage) -> None:
    rate = rates(price, usage.input + usage.cached_input + usage.cache_write)
    alone = [Usage(**{name: getattr(usage, name)}) for name in BUCKETS]
    flat = Price(input=rate.input, output=rate.output, cached_input=rate.cached_input, cache_write=rate.cache_write)
    assert cost(usage, price, TODAY) == sum(cost(u, flat, TODAY) for u in alone)


@given(tiered(), usages, st.sampled_from(BUCKETS), tokens)
def test_more_tokens_never_cost_less(price: Price, usage: Usage, bucket: str, more: int) -> None:
    longer = Usage(**{n: getattr(usage, n) + (more if n == bucket else 0) for n in BUCKETS})
    assert cost(longer, price, TODAY) >= cost(usage, price, TODAY)


@given(plain, usages, st.sampled_from(("input", "output", "cached_input", "cache_write")))
def test_an_unknown_rate_is_never_zero(price: Price, usage: Usage, name: str) -> None:
    known = {n: getattr(price, n) for n in ("input", "output", "cached_input", "cache_write") if n != name}
    used = usage.output + usage.reasoning if name == "output" else getattr(usage, name)
    found = cost(usage, Price(**known), TODAY)
    assert (found is None) == (used > 0)


def test_nothing_is_known_without_usage_price_or_day() -> None:
    usage, price = Usage(input=1), Price(input=D(1))
    assert cost(None, price, TODAY) is None
    assert cost(usage, None, TODAY) is None
    assert cost(usage, (), TODAY) is None
    assert cost(usage, Price(input=D(1), valid_from=dt.date(2026, 12, 1)), TODAY) is None
    assert cost(usage, price, TODAY, batch=True) is None
    assert cost(Usage(), price, TODAY) == 0


def test_the_price_of_the_day_applies() -> None:
    first, second = Price(input=D(3)), Price(input=D(5), valid_from=dt.date(2026, 3, 1))
    assert at((first, second), dt.date(2026, 2, 28)) is first
    assert at((first, second), dt.date(2026, 3, 1)) is second
    assert cost(Usage(input=1_000_000), (first, second), dt.date(2026, 2, 28)) == 3
    assert cost(Usage(input=1_000_000), (first, second), dt.date(2026, 3, 1)) == 5


def test_a_tier_begins_above_its_bound_and_holds_for_the_whole_request() -> None:
    price = Price(input=D(1), output=D(10), cached_input=D("0.1"), tier=(Tier(above=1000, input=D(2), output=D(15)),))
    assert cost(Usage(input=1000, output=100), price, TODAY) == D("0.002")
    assert cost(Usage(input=1001, output=100), price, TODAY) == D("0.003502")
    assert cost(Usage(input=900, cached_input=101), price, TODAY) is None, "the tier does not tell the cached rate"
    assert cost(Usage(output=5000), price, TODAY) == D("0.05"), "the answer's length does not count"


def test_a_batch_has_prices_and_tiers_of_its_own() -> None:
    batch = Tariff(input=D(1), tier=(Tier(above=1000, input=D(2)),))
    price = Price(input=D(2), tier=(Tier(above=1000, input=D(4)),), batch=batch)
    for tokens_, normal, batched in ((1000, "0.002", "0.001"), (1001, "0.004004", "0.002002")):
        assert cost(Usage(input=tokens_), price, TODAY) == D(normal)
        assert cost(Usage(input=tokens_), price, TODAY, batch=True) == D(batched)


def test_tokens_that_usage_does_not_tell_apart_are_not_priced_as_text() -> None:
    price = Price(input=D(1), output=D(2), input_audio=D(3), input_image=D(1))
    usage = Usage(input=10, output=1)
    assert cost(usage, price, TODAY) == D("0.000012")
    assert cost(usage, price, TODAY, beside=("audio",)) is None
    assert cost(usage, price, TODAY, beside=("image",)) == D("0.000012"), "an image token costs what text does"


@pytest.mark.parametrize(
    ("provider", "model", "bound", "below", "above"),
    [
        ("openai", "gpt-5.5", 272_000, ("5", "30"), ("10", "45")),
        ("gemini", "gemini-2.5-pro", 200_000, ("1.25", "10"), ("2.5", "15")),
    ],
)
def test_the_tiers_that_vendors_publish(
    registry: Registry, provider: str, model: str, bound: int, below: tuple[str, str], above: tuple[str, str]
) -> None:
    offer = registry.offer(provider, model)
    assert offer is not None
    for prompt, (asked, answered) in ((bound, below), (bound + 1, above)):
        assert cost(Usage(input=prompt), offer.price, TODAY) == D(asked) * prompt / 1_000_000
        wanted = (D(asked) * prompt + D(answered) * 7) / 1_000_000
        assert cost(Usage(input=prompt, output=3, reasoning=4), offer.price, TODAY) == wanted
        half = cost(Usage(input=prompt, output=7), offer.price, TODAY, batch=True)
        assert half == wanted / 2, "a batch is at half the price"


def test_an_announced_price_waits_for_its_day(registry: Registry) -> None:
    offer = registry.offer("gemini", "gemini-3.6-flash")
    assert offer is not None
    assert cost(Usage(input=1_000_000), offer.price, dt.date(2026, 12, 31)) == D("0.75")
    assert cost(Usage(input=1_000_000), offer.price, dt.date(2027, 1, 1)) == D("1.5")


def test_keeping_a_prompt_for_an_hour_is_dearer(registry: Registry) -> None:
    offer = registry.offer("anthropic", "claude-sonnet-5")
    assert offer is not None
    price = at(offer.price, TODAY)
    assert price is not None
    assert price.cache_write is not None
    assert price.cache_write_1h is not None
    assert price.cache_write_1h > price.cache_write > price.input
