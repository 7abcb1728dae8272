"""The routing machine alone, driven with a fake clock: what it may reach, and when it gives up."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.chat import Attempt
from llmgate.errors import (
    AllTargetsFailed,
    AuthenticationFailed,
    ContentRefused,
    ContextTooLong,
    GateError,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    PolicyDenied,
    RateLimited,
    Timeout,
    Unsupported,
)
from llmgate.routing import Candidate, Health, KeyRing, Result, Terms, Try, Wait, arrange, run
from llmgate.routing.call import backoff

DEFAULT = Terms()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def drive(
    candidates: list[Candidate], outcomes: list[Any], terms: Terms = DEFAULT, takes: float = 0.1
) -> tuple[Result | GateError, list[Try], list[float], Health]:
    """Runs the machine; each try takes so many seconds and meets the next outcome (the last one repeats)."""
    clock = Clock()
    health, ring = Health(clock), KeyRing(clock)
    machine = run(candidates, terms, health, ring, clock, pause=lambda n: 0.5 * n)
    tries: list[Try] = []
    waits: list[float] = []
    try:
        action = next(machine)
        while True:
            if isinstance(action, Wait):
                waits.append(action.seconds)
                clock.now += action.seconds
                action = machine.send(None)
            else:
                tries.append(action)
                clock.now += takes
                action = machine.send(outcomes[min(len(tries) - 1, len(outcomes) - 1)])
    except StopIteration as stop:
        return stop.value, tries, waits, health
    except GateError as error:
        return error, tries, waits, health


def candidate(name: str, **fields: Any) -> Candidate:
    return Candidate(name, name, **fields)


DENIED = Attempt("d", "denied", "prohibited")
SKIPPED = Attempt("s", "skipped", "no key: set K")

FAULTS = [
    Overloaded("x", retry_after=1.0),
    Overloaded("x"),
    RateLimited("x", retry_after=30.0),
    RateLimited("x"),
    AuthenticationFailed("x"),
    InvalidRequest("x"),
    ContextTooLong("x"),
    ContentRefused("x"),
    Timeout("x"),
    Unsupported("x"),
    "an answer",
]

candidates = st.lists(
    st.builds(
        Candidate,
        name=st.sampled_from("abcdef"),
        provider=st.sampled_from(["p", "q"]),
        context=st.sampled_from([None, 4096, 128_000]),
        keys=st.sampled_from([(), ("k1",), ("k1", "k2")]),
        blocked=st.sampled_from([None, None, DENIED, SKIPPED]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda c: c.name,
)


@given(candidates, st.lists(st.sampled_from(FAULTS), min_size=1, max_size=30), st.integers(0, 4))
def test_no_faults_whatever_lead_to_a_blocked_target_or_on_for_ever(
    given_candidates: list[Candidate], outcomes: list[Any], retries: int
) -> None:
    terms = Terms(retries=retries, timeout=60.0)
    outcome, tries, waits, _ = drive(given_candidates, outcomes, terms)
    assert all(t.candidate.blocked is None for t in tries)
    # Each target is tried once, once more for each retry, and once more for each further key.
    assert len(tries) <= sum(1 + retries + max(0, len(c.keys) - 1) for c in given_candidates)
    assert sum(waits) <= terms.timeout
    attempts = outcome.attempts
    assert len([a for a in attempts if a.outcome in ("failed", "answered")]) == len(tries)
    if isinstance(outcome, Result):
        assert attempts[-1].outcome == "answered"
        assert outcome.value == "an answer"
    elif not tries:
        assert isinstance(outcome, PolicyDenied | ModelUnavailable)
    denied = [c for c in given_candidates if c.blocked is DENIED]
    assert [a for a in attempts if a.outcome == "denied"] == [DENIED] * len(denied)


@given(st.lists(st.sampled_from([f for f in FAULTS if f != "an answer"]), min_size=1, max_size=10))
def test_nothing_but_an_answer_is_a_result(outcomes: list[Any]) -> None:
    outcome, *_ = drive([candidate("a"), candidate("b")], outcomes)
    assert isinstance(outcome, GateError)


def test_all_denied_is_policy_denied_and_a_missing_key_is_not() -> None:
    denied, *_ = drive([candidate("d", blocked=DENIED)], [None])
    assert isinstance(denied, PolicyDenied)
    mixed, *_ = drive([candidate("d", blocked=DENIED), candidate("s", blocked=SKIPPED)], [None])
    assert isinstance(mixed, ModelUnavailable)
    assert "no key: set K" in str(mixed)


def test_a_refused_key_is_dead_and_the_next_is_tried_without_a_pause() -> None:
    outcome, tries, waits, _ = drive(
        [candidate("a", keys=("k1", "k2"))], [AuthenticationFailed("x"), "an answer"], Terms(retries=0)
    )
    assert isinstance(outcome, Result)
    assert [t.key for t in tries] == ["k1", "k2"]
    assert waits == []


def test_waits_grow_and_retry_after_wins_if_it_is_longer() -> None:
    faults = [Overloaded("x"), Overloaded("x", retry_after=7.0), Overloaded("x"), "an answer"]
    _, _, waits, _ = drive([candidate("a")], faults, Terms(retries=5))
    assert waits == [0.5, 7.0, 1.5]


def test_the_deadline_holds() -> None:
    outcome, tries, _, _ = drive([candidate("a")], [Overloaded("x")], Terms(retries=20, timeout=3.0), takes=1.0)
    assert isinstance(outcome, GateError)
    assert all(t.timeout <= 3.0 for t in tries)
    assert len(tries) <= 3


def test_each_attempt_gets_no_more_than_what_is_left() -> None:
    _, tries, _, _ = drive([candidate("a")], [Timeout("x")], Terms(retries=3, timeout=10, attempt_timeout=4), takes=4)
    assert [t.timeout for t in tries] == [4, 4, pytest.approx(0.5)]


def test_after_an_overflow_only_longer_contexts_are_asked() -> None:
    short, shorter, unknown, long = (
        candidate(n, context=c) for n, c in (("a", 8000), ("b", 4000), ("c", None), ("d", 128_000))
    )
    outcome, tries, _, _ = drive([short, shorter, unknown, long], [ContextTooLong("x"), ContextTooLong("x"), "ok"])
    assert [t.candidate.name for t in tries] == ["a", "c", "d"]
    assert isinstance(outcome, Result)


def test_cooldown_is_the_longest_that_was_said() -> None:
    clock = Clock()
    health = Health(clock)
    health.failed("a", 60)
    health.failed("a", 5)
    assert health.cooling("a") == 60
    clock.now += 61
    assert health.cooling("a") == 0
    assert health.latency("a") is None


def test_health_is_bounded() -> None:
    health = Health(Clock(), limit=10)
    for n in range(100):
        health.failed(str(n), 60)
        health.answered(f"x{n}", 1.0)
    assert len(health._until) <= 10
    assert len(health._latency) <= 10


def test_mistakes_of_the_caller_do_not_cool_a_target() -> None:
    for fault in (InvalidRequest("x"), Unsupported("x"), ContextTooLong("x"), ContentRefused("x")):
        assert drive([candidate("a")], [fault])[3].cooling("a") == 0
    assert drive([candidate("a")], [Overloaded("x")], Terms(retries=0))[3].cooling("a") > 0


def test_cheapest_puts_unknown_prices_last() -> None:
    prices = {"a": None, "b": (Decimal(2), Decimal(8)), "c": (Decimal(1), Decimal(20)), "d": (Decimal(0), Decimal(0))}
    found = [candidate(n, price=p) for n, p in prices.items()]
    assert [c.name for c in arrange(found, "cheapest", Health(), (1000, 10))] == ["d", "c", "b", "a"]
    assert [c.name for c in arrange(found, "cheapest", Health(), (10, 1000))] == ["d", "b", "c", "a"]


def test_fastest_measures_first_and_then_prefers() -> None:
    health = Health(Clock())
    found = [candidate(n) for n in "abc"]
    health.answered("a", 2.0)
    health.answered("b", 1.0)
    assert [c.name for c in arrange(found, "fastest", health)] == ["c", "b", "a"]


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=5).filter(sum), st.integers())
def test_weighted_draws_every_target_once(weights: list[float], seed: int) -> None:
    found = [candidate(str(n), weight=w) for n, w in enumerate(weights)]
    drawn = arrange(found, "weighted", Health(), rng=random.Random(seed))
    assert sorted(c.name for c in drawn) == sorted(c.name for c in found)
    first_zero = next((n for n, c in enumerate(drawn) if c.weight == 0), len(drawn))
    assert all(c.weight == 0 for c in drawn[first_zero:])


def test_weighted_is_about_in_proportion() -> None:
    rng = random.Random(7)
    found = [candidate("a", weight=3.0), candidate("b", weight=1.0)]
    firsts = [arrange(found, "weighted", Health(), rng=rng)[0].name for _ in range(2000)]
    assert 0.70 < firsts.count("a") / 2000 < 0.80


def test_backoff_grows_and_is_bounded() -> None:
    waits = [backoff(n) for n in range(1, 10)]
    assert all(0.4 <= w <= 8.0 for w in waits)
    assert waits[-1] == 8.0
    assert waits[0] < 1.0


def test_all_targets_failed_keeps_each_error() -> None:
    outcome, *_ = drive([candidate("a"), candidate("b")], [Unsupported("no tools"), InvalidRequest("no")])
    assert isinstance(outcome, AllTargetsFailed)
    assert [type(e) for e in outcome.exceptions] == [Unsupported, InvalidRequest]
