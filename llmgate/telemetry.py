"""Hooks that tell of calls: a log line, or an OpenTelemetry span by the GenAI conventions (extra `otel`).

    client = Client(hooks=[telemetry.log_call, telemetry.OpenTelemetry()])

A span covers a call with all its attempts; each attempt is an event. Prompts and answers are never recorded.
Source of the names: OpenTelemetry semantic conventions for generative AI, client spans.
"""

from __future__ import annotations

import logging
from typing import Any

from ._core import Call
from .errors import MissingExtra

_log = logging.getLogger("llmgate")

_PROVIDERS = {"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai", "bedrock": "aws.bedrock"}
"""Provider ids whose name in the conventions is another."""


class OpenTelemetry:
    """A hook that makes a span of each call. Raises MissingExtra where OpenTelemetry is not installed."""

    def __init__(self, tracer: Any = None) -> None:
        try:
            from opentelemetry import trace
        except ModuleNotFoundError as error:
            raise MissingExtra("OpenTelemetry is not installed: pip install 'llmgate-gateway[otel]'") from error
        self._trace = trace
        self._tracer = tracer or trace.get_tracer("llmgate")

    def __call__(self, call: Call) -> None:
        trace = self._trace
        began = int(call.started * 1e9)
        span = self._tracer.start_span(
            f"{call.operation} {call.model}",
            kind=trace.SpanKind.CLIENT,
            start_time=began,
            attributes=attributes(call),
        )
        for attempt in call.attempts:
            details = {"llmgate.target": attempt.target, "llmgate.outcome": attempt.outcome}
            if attempt.status is not None:
                details["http.response.status_code"] = str(attempt.status)
            span.add_event("llmgate.attempt", details)
        if call.error is not None:
            span.set_status(trace.Status(trace.StatusCode.ERROR, type(call.error).__name__))
        span.end(began + int(call.seconds * 1e9))


def attributes(call: Call) -> dict[str, Any]:
    """A call as attributes of its span."""
    out: dict[str, Any] = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.request.model": call.model,
        "llmgate.call.id": call.id,
    }
    if call.first_token is not None:
        out["gen_ai.response.time_to_first_chunk"] = call.first_token
    reply = call.reply
    if reply is not None:
        provider = (reply.target or "").partition(":")[0]
        out["gen_ai.provider.name"] = _PROVIDERS.get(provider, provider)
        out["gen_ai.response.finish_reasons"] = [reply.stop_reason]
        out["llmgate.target"] = reply.target or ""
        out["llmgate.decision"] = reply.terms.id if reply.terms else ""
        for name, value in (("gen_ai.response.model", reply.model), ("gen_ai.response.id", reply.id)):
            if value:
                out[name] = value
        if usage := reply.usage:
            out["gen_ai.usage.input_tokens"] = usage.input + usage.cached_input + usage.cache_write
            out["gen_ai.usage.output_tokens"] = usage.output + usage.reasoning
            out["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input
            out["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write
            out["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning
    if call.error is not None:
        out["error.type"] = type(call.error).__name__
    return out


def log_call(call: Call) -> None:
    """A hook that writes one line about each call to the logger `llmgate`: never its content, never a key."""
    target = call.reply.target if call.reply else type(call.error).__name__
    tokens = f"{call.reply.usage.total} tokens" if call.reply and call.reply.usage else "no usage"
    level = logging.WARNING if call.error else logging.INFO
    _log.log(
        level,
        "%s %s -> %s, %s, %d attempts, %.3f s",
        call.operation,
        call.model,
        target,
        tokens,
        len(call.attempts),
        call.seconds,
        extra={"llmgate": {"id": call.id, "target": target, "seconds": call.seconds}},
    )
