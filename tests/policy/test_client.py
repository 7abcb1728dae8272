"""Policy where calls are made: what is denied is not sent, what is reported is, and a route has its own say."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from llmgate import AsyncClient, Client
from llmgate.errors import ConfigError, PolicyDenied
from llmgate.transport import HttpRequest
from llmgate.transport.mock import AsyncMockTransport, MockTransport

PERMITTED = "ours:mixtral-8x7b-instruct-v0.1"
PROHIBITED = "ours:codestral-22b-v0.1"
CONDITIONAL = "ours:qwen2.5-72b-instruct"
UNKNOWN = "ours:what-nobody-knows"


def answer(_: HttpRequest) -> tuple[int, dict[str, str], bytes]:
    message = {"role": "assistant", "content": "hello"}
    body = {
        "id": "1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()


def config(*targets: str, policy: dict[str, Any] | None = None, route: dict[str, Any] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "default": "r",
        "providers": {"ours": {"dialect": "openai_chat", "url": "http://ours.test/v1", "self_hosted": True}},
        "routes": {"r": {"targets": list(targets), **({"policy": route} if route else {})}},
    }
    return made if policy is None else {**made, "policy": policy}


def client(*targets: str, **tables: Any) -> tuple[Client, MockTransport]:
    transport = MockTransport(answer)
    return Client(config(*targets, **tables), transport=transport), transport


ENFORCED: dict[str, Any] = {"use": ["commercial"]}


def test_what_is_permitted_is_called_and_carries_its_terms() -> None:
    gate, transport = client(PERMITTED, policy=ENFORCED)
    reply = gate.chat("hi")
    assert reply.terms.permitted
    assert reply.terms.target == reply.target == PERMITTED
    assert reply.attempts[-1].decision == reply.terms.id
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("target", "verdict"), [(PROHIBITED, "prohibited"), (CONDITIONAL, "conditional"), (UNKNOWN, "unknown")]
)
def test_what_is_not_permitted_is_never_sent(target: str, verdict: str) -> None:
    gate, transport = client(target, policy=ENFORCED)
    with pytest.raises(PolicyDenied) as caught:
        gate.chat("hi")
    assert [d.verdict for d in caught.value.decisions] == [verdict]
    assert [(a.target, a.outcome) for a in caught.value.attempts] == [(target, "denied")]
    assert caught.value.decisions[0].deciding[0].summary in str(caught.value)
    assert transport.requests == []


async def test_nor_by_the_async_client_nor_in_a_stream() -> None:
    transport = AsyncMockTransport(answer)
    async with AsyncClient(config(PROHIBITED, policy=ENFORCED), transport=transport) as gate:
        with pytest.raises(PolicyDenied):
            await gate.chat("hi")
        with pytest.raises(PolicyDenied):
            async with gate.stream("hi") as stream:
                _ = [event async for event in stream]
    assert transport.requests == []


def test_a_denied_target_is_passed_over_and_the_story_says_why() -> None:
    gate, transport = client(PROHIBITED, CONDITIONAL, PERMITTED, policy=ENFORCED)
    reply = gate.chat("hi")
    assert reply.target == PERMITTED
    assert [a.outcome for a in reply.attempts] == ["denied", "denied", "answered"]
    assert "3.2" in (reply.attempts[0].reason or "")
    assert "monthly_active_users" in (reply.attempts[1].reason or "")
    assert len(transport.requests) == 1


def test_if_all_are_denied_each_decision_is_told() -> None:
    gate, _ = client(PROHIBITED, UNKNOWN, policy=ENFORCED)
    with pytest.raises(PolicyDenied) as caught:
        gate.chat("hi")
    assert {d.target: d.verdict for d in caught.value.decisions} == {PROHIBITED: "prohibited", UNKNOWN: "unknown"}
    assert PROHIBITED in str(caught.value)
    assert UNKNOWN in str(caught.value)


@pytest.mark.parametrize(("target", "doubt"), [(UNKNOWN, "unknown"), (CONDITIONAL, "conditional")])
def test_doubt_can_be_allowed_each_kind_by_itself(target: str, doubt: str) -> None:
    gate, _ = client(target, policy={**ENFORCED, doubt: "allow"})
    assert gate.chat("hi").terms.verdict == doubt
    other = "conditional" if doubt == "unknown" else "unknown"
    with pytest.raises(PolicyDenied):
        client(target, policy={**ENFORCED, other: "allow"})[0].chat("hi")
    with pytest.raises(PolicyDenied):
        client(PROHIBITED, policy={**ENFORCED, "unknown": "allow", "conditional": "allow"})[0].chat("hi")


def test_report_mode_calls_and_says_what_it_would_have_denied() -> None:
    gate, transport = client(PROHIBITED, policy={**ENFORCED, "mode": "report"})
    reply = gate.chat("hi")
    assert reply.terms.verdict == "prohibited"
    assert (reply.attempts[-1].reason or "").startswith("policy would deny it: prohibited: ")
    assert len(transport.requests) == 1


def test_without_a_policy_table_it_reports_and_says_once_how_to_enforce() -> None:
    gate, _ = client(PROHIBITED)
    with pytest.warns(UserWarning, match=r"no \[policy\] table") as told:
        gate.chat("hi")
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gate.chat("again", temperature=0).terms.verdict == "prohibited"


def test_a_route_overrides_the_policy_for_itself() -> None:
    gate, _ = client(PROHIBITED, policy=ENFORCED, route={"use": ["research"]})
    reply = gate.chat("hi")
    assert reply.terms.uses == {"research": "permitted"}
    gate, _ = client(UNKNOWN, policy=ENFORCED, route={"unknown": "allow"})
    assert gate.chat("hi").terms.verdict == "unknown"
    gate, _ = client(CONDITIONAL, policy=ENFORCED, route={"monthly_active_users": "1M"})
    assert gate.chat("hi").terms.permitted
    with pytest.raises(PolicyDenied):
        client(PERMITTED, PROHIBITED, policy=ENFORCED, route={"use": ["military"]})[0].chat("hi", model=PROHIBITED)


def test_what_a_route_allows_is_not_told_as_what_policy_would_deny() -> None:
    gate, _ = client(UNKNOWN, policy=ENFORCED, route={"unknown": "allow"})
    assert not any("would deny" in (a.reason or "") for a in gate.chat("hi").attempts)


def test_a_call_narrows_by_its_uses_and_facts() -> None:
    gate, transport = client(CONDITIONAL, policy={**ENFORCED, "monthly_active_users": "1M"})
    assert gate.chat("hi").terms.permitted
    with pytest.raises(PolicyDenied):
        gate.chat("hi", facts={"monthly_active_users": "200M"})
    assert gate.chat("hi", use=["research"]).terms.uses == {"commercial": "permitted", "research": "permitted"}
    assert len(transport.requests) == 2
    gate, _ = client(PROHIBITED, policy={"use": ["research"]})
    assert gate.chat("hi").terms.permitted
    with pytest.raises(PolicyDenied):
        gate.chat("hi", use=["commercial"])


def test_a_call_does_not_widen() -> None:
    gate, _ = client(CONDITIONAL, policy={**ENFORCED, "monthly_active_users": "200M"})
    with pytest.raises(PolicyDenied):
        gate.chat("hi", facts={"monthly_active_users": "1"})
    with pytest.raises(PolicyDenied):
        client(PROHIBITED, policy=ENFORCED)[0].chat("hi", use=["research"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use": ["comercial"]}, 'unknown use "comercial"; did you mean "commercial"?'),
        ({"facts": {"estabished": "DE"}}, 'unknown fact "estabished"; did you mean "established"?'),
    ],
)
def test_a_mistake_in_a_call_is_one_clear_line(options: dict[str, Any], said: str) -> None:
    gate, transport = client(PERMITTED, policy=ENFORCED)
    with pytest.raises(ConfigError) as caught:
        gate.chat("hi", **options)
    assert str(caught.value) == said
    assert transport.requests == []


def test_a_licence_that_the_config_declares_is_enforced() -> None:
    made = config(UNKNOWN, policy=ENFORCED)
    for license, denied in (("MIT", False), ("CC-BY-NC-4.0", True)):
        gate = Client({**made, "models": {UNKNOWN: {"license": [license]}}}, transport=MockTransport(answer))
        if denied:
            with pytest.raises(PolicyDenied, match=r"CC-BY-NC-4\.0"):
                gate.chat("hi")
        else:
            assert [r.license for r in gate.chat("hi").terms.reasons] == ["MIT"]
