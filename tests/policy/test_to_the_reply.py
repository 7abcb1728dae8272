"""What a decision says reaches the reply whole, whichever target answers at last; what is denied is never reached."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import Client
from llmgate.errors import AllTargetsFailed
from llmgate.policy import decide
from llmgate.transport import HttpRequest
from llmgate.transport.mock import MockTransport

from .test_client import config

FACTS = {
    "monthly_active_users@2024-06": 1000,
    "monthly_active_users@2023-06": 1000,
    "monthly_active_users": 1000,
    "annual_revenue_usd": 1000,
}
ALLOWED = ("ours:llama-3.1-8b-instruct", "ours:gemma-3-27b-it", "ours:qwen2.5-72b-instruct", "ours:llama-2-7b-chat-hf")
DENIED = ("ours:codestral-22b-v0.1", "ours:what-nobody-knows", "ours:c4ai-command-r-plus-08-2024")
ENFORCED: dict[str, Any] = {"use": ["commercial", "host"], **FACTS}


class Upstream:
    """Answers 500 to the first `failures` requests, then answers; in a stream where a stream is asked for."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked: list[str] = []

    def __call__(self, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        body = json.loads(bytes(request.body or b""))
        self.asked.append(body["model"])
        if len(self.asked) <= self.failures:
            return 500, {"content-type": "application/json"}, b'{"error": {"message": "no"}}'
        part = {"role": "assistant", "content": "hello"}
        if body.get("stream"):
            events = [
                {"id": "1", "choices": [{"index": 0, "delta": part, "finish_reason": None}]},
                {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ]
            lines = "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n"
            return 200, {"content-type": "text/event-stream"}, lines.encode()
        choice = {"index": 0, "message": part, "finish_reason": "stop"}
        answer = {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}
        return 200, {"content-type": "application/json"}, json.dumps(answer).encode()


@given(
    targets=st.permutations([*ALLOWED, *DENIED]),
    failures=st.integers(0, len(ALLOWED)),
    stream=st.booleans(),
    strategy=st.sampled_from(["order", "weighted", "cheapest", "fastest"]),
)
def test_through_any_fallback(targets: list[str], failures: int, stream: bool, strategy: str) -> None:
    made = config(*targets, policy=ENFORCED)
    made["routes"]["r"] |= {"strategy": strategy, "retries": 0}
    upstream = Upstream(failures)
    gate = Client(made, transport=MockTransport(upstream))
    wires = {d.wire: d.name for d in gate.config.route("r").targets}
    if failures >= len(ALLOWED):
        with pytest.raises(AllTargetsFailed) as caught:
            gate.chat("hi")
        assert {a.target for a in caught.value.attempts if a.outcome == "denied"} == {*DENIED}
    else:
        if stream:
            with gate.stream("hi") as opened:
                assert "".join(opened.text) == "hello"
            reply = opened.reply
        else:
            reply = gate.chat("hi")
        wanted = decide(gate.config.registry, reply.target or "", ENFORCED["use"], FACTS)
        assert reply.terms == wanted
        assert reply.terms.permitted
        assert reply.terms.obligations
        assert reply.attempts[-1].decision == wanted.id
    assert {wires[asked] for asked in upstream.asked} <= {*ALLOWED}
