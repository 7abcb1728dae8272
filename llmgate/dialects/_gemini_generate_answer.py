"""Gemini's answers and errors, decoded: the whole ones and the streamed ones by the same code."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ..chat import (
    Event,
    Finished,
    Opaque,
    Part,
    PartAdded,
    PartExtra,
    Reasoning,
    ReasoningDelta,
    Reply,
    Started,
    StopReason,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    UsageUpdate,
    assemble,
)
from ..errors import ProviderError
from . import BadWire, WireError
from . import _gemini_generate_wire as wire
from ._gemini_generate_wire import NAME
from ._sse import SSEParser


def decode_reply(body: bytes) -> Reply:
    decoder = StreamDecoder()
    events: list[Event] = []
    decoder.answer(body, events)
    reply = assemble(events)
    if not decoder.finished:
        if not decoder.candidates:
            raise BadWire("an answer with no candidate and no block reason")
        reply.stop_reason, reply.extra = "other", decoder.extra
    return reply


_CLOSED, _TEXT, _THOUGHT = 0, 1, 2
_THOUGHT_EXTRA: dict[str, Any] = {NAME: {"thought": True}}


class StreamDecoder:
    """Server-sent events, each a whole GenerateContentResponse with the next parts.

    Text goes on in the same part until a part of another kind, or one that carries a signature: the vendor
    asks not to merge those with others, so that a signature returns on the very part it came on.
    The end is a finish reason (or a block reason); there is no other terminator.
    """

    __slots__ = (
        "_calls", "_finished", "_index", "_metadata", "_open", "_reason", "_seen", "_sse", "_started",
        "_tail", "_usage", "candidates",
    )  # fmt: skip

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._tail = b""
        self._seen = False
        self._started: Started | None = None
        self._usage: wire.WireUsage | None = None
        self._index = -1
        self._open = _CLOSED
        self._calls = 0
        self._reason: tuple[StopReason, str] | None = None
        self._finished: Finished | None = None
        self._metadata: dict[str, Any] = {}
        self.candidates = 0

    @property
    def finished(self) -> bool:
        return self._reason is not None

    @property
    def extra(self) -> dict[str, Any] | None:
        """What the reply keeps of the answer's metadata."""
        return {NAME: dict(self._metadata)} if self._metadata else None

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        # An error in mid-stream comes as bare JSON, outside of any event; finish() looks for it here.
        self._tail = chunk if len(chunk) > 8192 else (self._tail + chunk)[-8192:]
        for _event, data in self._sse.feed(chunk):
            self._seen = True
            self.answer(data, out)
        return out

    def finish(self) -> None:
        if (error := decode_error(_after_events(self._tail))) is not None:
            raise error
        if not self._seen:
            raise BadWire("the stream has no events")
        if self._sse.pending:
            raise BadWire("the stream ends in the middle of an event")
        if self._reason is None:
            raise BadWire("the stream ends without a finish reason")

    def answer(self, data: bytes, out: list[Event]) -> None:
        """Takes a whole answer, or a chunk of one, and adds its events."""
        answer: wire.WireAnswer[Any]
        try:
            try:
                answer = wire.FAST.decode(data)
            except msgspec.ValidationError:
                answer = wire.SLOW.decode(data)
            self._answer(answer, data, out)
        except msgspec.ValidationError as e:
            raise BadWire(f"not a generateContent answer: {e}") from e
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise BadWire(f"not JSON: {e}") from e

    def _answer(self, answer: wire.WireAnswer[Any], data: bytes, out: list[Event]) -> None:
        if answer.error:
            raise decode_error(data) or BadWire("an error of no known shape")
        if self._started is None:
            known = answer.candidates or answer.prompt_feedback or answer.usage_metadata or answer.response_id
            if not known:
                raise BadWire("not a generateContent answer: no candidates, feedback or usage")
            self._started = Started(answer.response_id, answer.model_version)
            out.append(self._started)
        if answer.candidates:
            for candidate in answer.candidates:
                if not candidate.index:  # others were asked for by candidateCount, which encode_request refuses
                    self.candidates += 1
                    self._candidate(candidate, out)
        if answer.prompt_feedback:
            self._feedback(answer)
        if answer.model_status:
            self._metadata["modelStatus"] = wire.value_of(answer.model_status)
        if answer.usage_metadata is not None and answer.usage_metadata != self._usage:
            self._usage = answer.usage_metadata
            if (usage := self._usage.usage()) is not None:
                out.append(UsageUpdate(usage))
        if self._reason is not None:
            stop, raw = self._reason
            finished = Finished("tool_calls" if stop == "stop" and self._calls else stop, raw, self.extra)
            if finished != self._finished:
                self._finished = finished
                out.append(finished)

    def _feedback(self, answer: wire.WireAnswer[Any]) -> None:
        feedback = wire.value_of(answer.prompt_feedback)
        if not isinstance(feedback, dict):
            return
        self._metadata["promptFeedback"] = feedback
        blocked = feedback.get("blockReason") or feedback.get("blockReasonMessage")
        if blocked and not answer.candidates:
            self._reason = (
                "content_filter",
                str(feedback.get("blockReason") or "BLOCKED_REASON_UNSPECIFIED"),
            )

    def _candidate(self, candidate: wire.WireCandidate[Any], out: list[Event]) -> None:
        if candidate.content is not None and candidate.content.parts:
            for part in candidate.content.parts:
                if type(part) is wire.WirePart:
                    self._part(part, out)
                else:
                    self._rare(part, out)
        if reason := candidate.finish_reason:
            self._reason = (wire.FINISH.get(reason, "other"), reason)
        if candidate.has_metadata():
            for attribute, name in wire.METADATA:
                raw = getattr(candidate, attribute)
                if raw:
                    self._keep(name, wire.value_of(raw))

    def _keep(self, name: str, value: Any) -> None:
        """The last one counts, as it does for the vendor's ratings; citations come in turns."""
        old = self._metadata.get(name)
        if name == "citationMetadata" and isinstance(old, dict) and isinstance(value, dict):
            grown = {
                key: old[key] + [item for item in more if item not in old[key]]
                for key, more in value.items()
                if isinstance(more, list) and isinstance(old.get(key), list)
            }
            value = old | value | grown
        if value is not None and (value != {} or not old):
            self._metadata[name] = value

    def _part(self, part: wire.WirePart, out: list[Event]) -> None:
        if part.function_call is not None:
            call = part.function_call
            extra = {"thoughtSignature": part.thought_signature} if part.thought_signature is not None else {}
            self._call(call.id, call.name or "", wire.arguments(call.args), extra, out)
        elif part.text is not None:
            if part.thought_signature is None:
                self._text(part.text, bool(part.thought), out)
            else:
                extra = {"thoughtSignature": part.thought_signature}
                self._signed(part.text, {"thought": True} | extra if part.thought else extra, out)
        elif part.thought_signature is not None:
            self._added(Opaque(NAME, Raw(msgspec.json.encode(_bare(part)))), out)

    def _rare(self, raw: Raw, out: list[Event]) -> None:
        """A part with a field that WirePart does not have."""
        part = wire.decode_part(raw)
        if part is None:
            return
        extra = {} if isinstance(part, Opaque) else wire.own_extra(part)
        if isinstance(part, Text) and not extra:
            self._text(part.text, False, out)
        elif isinstance(part, Reasoning) and extra.keys() == {"thought"}:
            self._text(part.text, True, out)
        elif isinstance(part, Text | Reasoning):
            self._signed(part.text, extra, out)
        elif isinstance(part, ToolCall):
            self._call(part.id, part.name, part.arguments, extra, out)
        else:
            self._added(part, out)

    def _text(self, text: str, thought: bool, out: list[Event]) -> None:
        if not text:
            return
        kind = _THOUGHT if thought else _TEXT
        if kind != self._open:
            self._open = kind
            self._index += 1
            if thought:
                out.append(PartExtra(self._index, _THOUGHT_EXTRA))
        out.append(ReasoningDelta(self._index, text) if thought else TextDelta(self._index, text))

    def _signed(self, text: str, extra: dict[str, Any], out: list[Event]) -> None:
        self._open = _CLOSED
        self._index += 1
        out.append(PartExtra(self._index, {NAME: extra}))
        thought = extra.get("thought")
        out.append(ReasoningDelta(self._index, text) if thought else TextDelta(self._index, text))

    def _call(self, id: str | None, name: str, args: str, extra: dict[str, Any], out: list[Event]) -> None:
        self._open = _CLOSED
        self._index += 1
        response = self._started.id if self._started is not None else None
        out.append(ToolCallDelta(self._index, args, id or wire.made_up_id(response, self._calls), name))
        self._calls += 1
        if extra:
            out.append(PartExtra(self._index, {NAME: extra}))

    def _added(self, part: Part, out: list[Event]) -> None:
        self._open = _CLOSED
        self._index += 1
        out.append(PartAdded(self._index, part))


def _bare(part: wire.WirePart) -> dict[str, Any]:
    """A part that is a signature and nothing else."""
    return ({"thought": part.thought} if part.thought is not None else {}) | {
        "thoughtSignature": part.thought_signature
    }


def _after_events(tail: bytes) -> bytes:
    """What follows the last blank line: a bare error, as it has none within."""
    return tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip().rpartition(b"\n\n")[2]


# Errors -----------------------------------------------------------------------------------------


class _Detail(msgspec.Struct):
    type: str = msgspec.field(default="", name="@type")
    reason: str | None = None
    retry_delay: str | None = msgspec.field(default=None, name="retryDelay")


class _Status(msgspec.Struct):
    """google.rpc.Status, with the name of its code beside the HTTP status."""

    code: int | None = None
    message: str | None = None
    status: str | None = None
    details: list[_Detail] | None = None


class _Error(msgspec.Struct):
    error: _Status


_ERROR = msgspec.json.Decoder(_Error)
_ERRORS = msgspec.json.Decoder(list[_Error])


def decode_error(body: bytes) -> WireError | None:
    """An error body: an object, or (from a stream without alt=sse) an array of one."""
    try:
        error = _ERRORS.decode(body)[0].error if body.lstrip()[:1] == b"[" else _ERROR.decode(body).error
    except (msgspec.DecodeError, IndexError, UnicodeDecodeError):
        return None
    kind: type[ProviderError] | None = wire.KIND_OF_STATUS.get(error.status or "")
    code, retry_after = error.status, None
    for detail in error.details or ():
        if detail.type.endswith("google.rpc.ErrorInfo") and detail.reason:
            code = detail.reason
            kind = wire.KIND_OF_REASON.get(detail.reason, kind)
        elif detail.type.endswith("google.rpc.RetryInfo") and detail.retry_delay:
            retry_after = _seconds(detail.retry_delay)
    return WireError(
        error.message or error.status or "an error without a message",
        code=code,
        kind=kind,
        status=error.code,
        retry_after=retry_after,
    )


def _seconds(duration: str) -> float | None:
    """A google.protobuf.Duration in JSON: "3.5s"."""
    try:
        return max(float(duration.removesuffix("s")), 0.0)
    except ValueError:
        return None
