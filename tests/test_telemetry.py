"""Spans of real calls, as an exporter gets them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import StatusCode

from llmgate import Client, Overloaded
from llmgate.telemetry import OpenTelemetry, log_call
from llmgate.transport.mock import MockTransport

from .client.gates import MODEL, Upstream, config, error, reply, stream


@pytest.fixture
def spans() -> tuple[OpenTelemetry, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OpenTelemetry(provider.get_tracer("test")), exporter


def test_a_call_is_a_span_with_its_attempts(spans: Any) -> None:
    hook, exporter = spans
    Client(
        config("a", "b"), transport=MockTransport(Upstream(a=error(503), b=reply("secret words"))), hooks=[hook]
    ).chat("hi")
    [span] = exporter.get_finished_spans()
    assert span.name == "chat r"
    assert span.attributes["gen_ai.usage.input_tokens"] == 10
    assert span.attributes["gen_ai.usage.output_tokens"] == 4
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert span.attributes["llmgate.target"] == f"b:{MODEL}"
    assert [e.attributes["llmgate.outcome"] for e in span.events] == ["failed", "answered"]
    assert span.end_time > span.start_time
    assert "secret words" not in span.to_json()


def test_a_stream_tells_its_time_to_the_first_chunk(spans: Any) -> None:
    hook, exporter = spans
    list(Client(config("a"), transport=MockTransport(Upstream(a=stream("x"))), hooks=[hook]).stream("hi"))
    [span] = exporter.get_finished_spans()
    assert span.attributes["gen_ai.response.time_to_first_chunk"] >= 0


def test_a_failure_is_an_error_span(spans: Any) -> None:
    hook, exporter = spans
    with pytest.raises(Overloaded):
        Client(config("a"), transport=MockTransport(Upstream(a=error(500))), hooks=[hook]).chat("hi")
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "Overloaded"


def test_the_names_are_the_conventions_own(spans: Any) -> None:
    hook, exporter = spans
    Client(config("a"), transport=MockTransport(Upstream(a=reply())), hooks=[hook]).chat("hi")
    [span] = exporter.get_finished_spans()
    known = {v for k, v in vars(gen_ai_attributes).items() if k.startswith("GEN_AI")}
    assert {a for a in span.attributes if a.startswith("gen_ai.")} <= known


def test_the_log_hook_writes_one_line_a_call_and_no_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "llmgate")
    client = Client(
        config("a"), transport=MockTransport(Upstream(a=[reply("secret words"), error(500)])), hooks=[log_call]
    )
    client.chat("my question")
    with pytest.raises(Overloaded):
        client.chat("my question")
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 2
    assert f"a:{MODEL}, 14 tokens, 1 attempts" in lines[0]
    assert "Overloaded" in lines[1]
    assert not any("secret words" in line or "my question" in line for line in lines)
