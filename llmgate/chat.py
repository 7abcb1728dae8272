"""The neutral chat model: what a conversation is, whoever answers it.

Dialects translate it to and from wire formats. Nothing here does I/O or knows a vendor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct, field

Extra = dict[str, Any] | None
"""What only one wire format has, keyed by dialect. It returns unchanged to that dialect; others ignore it."""

Role = Literal["system", "user", "assistant", "tool"]

StopReason = Literal["stop", "length", "tool_calls", "stop_sequence", "content_filter", "refusal", "pause", "other"]
"""Why an answer ended. `pause`: the provider stopped mid-turn and expects to be called again."""


# Parts ------------------------------------------------------------------------------------------


class Text(Struct, tag="text", omit_defaults=True):
    """Words."""

    text: str
    extra: Extra = None


class Image(Struct, tag="image", omit_defaults=True):
    """An image by its bytes (`data` with `media_type`) or by `url`."""

    data: bytes | None = None
    url: str | None = None
    media_type: str | None = None
    detail: Literal["auto", "low", "high"] | None = None
    extra: Extra = None


class Audio(Struct, tag="audio", omit_defaults=True):
    """Sound by its bytes, e.g. `audio/wav`, `audio/mpeg`."""

    data: bytes | None = None
    url: str | None = None
    media_type: str | None = None
    extra: Extra = None


class Document(Struct, tag="document", omit_defaults=True):
    """A document, mostly a PDF, by its bytes or by `url`."""

    data: bytes | None = None
    url: str | None = None
    media_type: str | None = None
    name: str | None = None
    extra: Extra = None


class Reasoning(Struct, tag="reasoning", omit_defaults=True):
    """What the model thought, as far as it is shown. Signatures travel in `extra`."""

    text: str
    extra: Extra = None


class Refusal(Struct, tag="refusal", omit_defaults=True):
    """The model's own words for declining."""

    text: str
    extra: Extra = None


class ToolCall(Struct, tag="tool_call", omit_defaults=True):
    """The model asks for a tool. `arguments` is the JSON text as it came, which a cut answer may leave incomplete."""

    id: str
    name: str
    arguments: str = "{}"
    extra: Extra = None

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, parsed. Raises ValueError (msgspec.DecodeError) if they are not whole JSON."""
        return msgspec.json.decode(self.arguments or "{}", type=dict[str, Any])


class ToolResult(Struct, tag="tool_result", omit_defaults=True):
    """What a tool answered. `name` is the tool's, which some dialects need."""

    call_id: str
    content: list[Text | Image | Audio | Document] = field(default_factory=list)
    name: str | None = None
    is_error: bool = False
    extra: Extra = None


class Opaque(Struct, tag="opaque", omit_defaults=True):
    """A part that only one dialect has (a server-side tool's trace, redacted thinking), kept bit for bit."""

    dialect: str
    data: msgspec.Raw


Part = Text | Image | Audio | Document | Reasoning | Refusal | ToolCall | ToolResult | Opaque


class Message(Struct, omit_defaults=True):
    """One turn. Tool results are messages of the role `tool`, several results in one message or one each."""

    role: Role
    content: list[Part] = field(default_factory=list)
    name: str | None = None
    extra: Extra = None

    @property
    def text(self) -> str:
        """All text of the message."""
        return "".join(p.text for p in self.content if type(p) is Text)

    @property
    def tool_calls(self) -> list[ToolCall]:
        return [p for p in self.content if type(p) is ToolCall]


# Requests ---------------------------------------------------------------------------------------


class Tool(Struct, omit_defaults=True):
    """A function the model may call. `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


class NamedTool(Struct):
    """A tool choice: this tool and no other."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


class OutputSchema(Struct, omit_defaults=True):
    """The answer must be JSON of this schema."""

    schema: dict[str, Any]
    name: str = "answer"
    strict: bool = True
    description: str | None = None


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class ChatRequest(Struct, omit_defaults=True):
    """One call, as any model might answer it. Lengths are in tokens."""

    messages: list[Message]
    model: str = ""
    tools: list[Tool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output: OutputSchema | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: list[str] = field(default_factory=list)
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: Effort | None = None
    reasoning_budget: int | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """Top-level fields for the wire body that only this provider has; they win over ours."""


class Quirks(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a provider departs from its dialect; data of the registry, obeyed by the dialect."""

    max_tokens: Literal["max_tokens", "max_completion_tokens"] | None = None
    stream_usage: bool = True
    """False: it does not know `stream_options.include_usage`."""
    system_role: Literal["system", "developer"] = "system"
    json_schema: bool = True
    """False: it has no schema-constrained output."""
    tools: bool = True
    """False: it would pass over tools in silence."""
    drops: tuple[str, ...] = ()
    """Request fields that it refuses; they are left out and reported in `reply.dropped`."""


# Replies ----------------------------------------------------------------------------------------


class Usage(Struct, omit_defaults=False):
    """Tokens in disjoint buckets: what was billed is their sum, each at its own price."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.cached_input + self.cache_write + self.output + self.reasoning


class Attempt(Struct, omit_defaults=True):
    """One step of a call's story: a target that was skipped, failed or answered."""

    target: str
    outcome: Literal["answered", "failed", "skipped", "denied"]
    reason: str | None = None
    status: int | None = None
    seconds: float | None = None
    decision: str | None = None
    """The id of the policy Decision about this target."""


class Reply(Struct, omit_defaults=True):
    """An answer.

    usage: None where the provider did not say. cost_usd: None where a price is not known, never zero for it.
    target: `provider:model` that answered. attempts: the whole story of the call. dropped: what the target could
    not express and was left out. terms: the policy Decision under which it was produced. parsed: the answer as the
    schema's object, where one was asked for.
    """

    message: Message
    stop_reason: StopReason = "stop"
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    stop_raw: str | None = None
    target: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    cost_usd: Decimal | None = None
    terms: Any = None
    parsed: Any = None
    extra: Extra = None

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def tool_calls(self) -> list[ToolCall]:
        return self.message.tool_calls

    @property
    def reasoning(self) -> str:
        return "".join(p.text for p in self.message.content if type(p) is Reasoning)


# Events -----------------------------------------------------------------------------------------


class Started(Struct, tag="started", omit_defaults=True):
    """The first event of a stream."""

    id: str | None = None
    model: str | None = None


class TextDelta(Struct, tag="text", gc=False):
    """More text of the part at `index`. Indices order the parts: they may have gaps, and parts may grow in turns."""

    index: int
    text: str


class ReasoningDelta(Struct, tag="reasoning", gc=False):
    index: int
    text: str


class RefusalDelta(Struct, tag="refusal", gc=False):
    index: int
    text: str


class ToolCallDelta(Struct, tag="tool_call", gc=False):
    """More of the tool call at `index`; the first one of a call carries `id` and `name`."""

    index: int
    arguments: str = ""
    id: str = ""
    name: str = ""


class PartAdded(Struct, tag="part"):
    """A whole part at once: an image, an opaque block."""

    index: int
    part: Part


class PartExtra(Struct, tag="extra"):
    """Adds to the `extra` of the part at `index`: a signature, citations."""

    index: int
    extra: dict[str, Any]


class UsageUpdate(Struct, tag="usage"):
    """The usage so far; the last one counts."""

    usage: Usage


class Finished(Struct, tag="finished", omit_defaults=True):
    """The answer is whole. Usage may still follow. `extra` becomes the reply's."""

    stop_reason: StopReason
    stop_raw: str | None = None
    extra: Extra = None


Event = (
    Started | TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | PartAdded | PartExtra | UsageUpdate | Finished
)

_TEXTUAL: Mapping[type, type[Text | Reasoning | Refusal]] = {
    TextDelta: Text,
    ReasoningDelta: Reasoning,
    RefusalDelta: Refusal,
}


class _Open:
    """A part being assembled. `part` is None while only its extra has come."""

    __slots__ = ("chunks", "extra", "part")

    def __init__(self, part: Any) -> None:
        self.part = part
        self.chunks: list[str] = []
        self.extra: dict[str, Any] = {}

    def whole(self) -> Part:
        """The part so far. It shares nothing with the events: they stay as they were."""
        part, text = self.part, "".join(self.chunks)
        if part is None:
            part = Text("")
        if isinstance(part, Opaque):  # has no room for an extra, and must stay bit for bit
            return part
        extra = part.extra
        if self.extra:
            extra = _merged(extra or {}, self.extra)
        if isinstance(part, ToolCall):
            return ToolCall(part.id, part.name, part.arguments + text or "{}", extra)
        if isinstance(part, Text | Reasoning | Refusal):
            return type(part)(part.text + text, extra)
        return cast(Part, part if extra is part.extra else msgspec.structs.replace(part, extra=extra))


class Assembler:
    """Events in, a Reply out: the same one however the events were cut."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._started = Started()
        self._usage: Usage | None = None
        self._finished: Finished | None = None

    @property
    def finished(self) -> bool:
        return self._finished is not None

    def feed(self, event: Event) -> None:
        if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            opened = self._open.get(event.index)
            if opened is None or opened.part is None:
                opened = self._at(event.index, _TEXTUAL[type(event)](""))
            opened.chunks.append(event.text)
        elif isinstance(event, ToolCallDelta):
            opened = self._open.get(event.index)
            if opened is None or opened.part is None:
                opened = self._at(event.index, ToolCall(event.id, event.name, ""))
            elif isinstance(opened.part, ToolCall) and (event.id or event.name):
                old = opened.part
                opened.part = ToolCall(old.id or event.id, old.name or event.name, old.arguments, old.extra)
            opened.chunks.append(event.arguments)
        elif isinstance(event, PartExtra):
            opened = self._open.get(event.index) or self._at(event.index, None)
            opened.extra = _merged(opened.extra, event.extra)
        elif isinstance(event, PartAdded):
            self._at(event.index, event.part)
        elif isinstance(event, UsageUpdate):
            self._usage = event.usage
        elif isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, Started):
            self._started = event

    def _at(self, index: int, part: Part | None) -> _Open:
        """Opens `part` at `index`; an extra that came before it is kept."""
        opened = _Open(part)
        if index in self._open:
            opened.extra = self._open[index].extra
        self._open[index] = opened
        return opened

    def reply(self) -> Reply:
        """The reply so far: whole if `finished`, else partial with the stop reason `other`."""
        return Reply(
            message=Message("assistant", [opened.whole() for _index, opened in sorted(self._open.items())]),
            stop_reason=self._finished.stop_reason if self._finished else "other",
            stop_raw=self._finished.stop_raw if self._finished else None,
            usage=self._usage,
            id=self._started.id,
            model=self._started.model,
            extra=self._finished.extra if self._finished else None,
        )


def _merged(old: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with `more`, both left as they are: dicts merge, lists grow, the rest is replaced."""
    out = dict(old)
    for key, value in more.items():
        before = out.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            out[key] = _merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            out[key] = before + value
        else:
            out[key] = value
    return out


def assemble(events: Iterable[Event]) -> Reply:
    """The reply that these events make."""
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    return assembler.reply()


def events_of(reply: Reply) -> list[Event]:
    """A reply as the events of a stream: the inverse of `assemble`."""
    events: list[Event] = [Started(reply.id, reply.model)]
    deltas: Sequence[tuple[type, type]] = ((Text, TextDelta), (Reasoning, ReasoningDelta), (Refusal, RefusalDelta))
    for index, part in enumerate(reply.message.content):
        delta = next((d for p, d in deltas if type(part) is p), None)
        if delta is not None:
            events.append(delta(index, part.text))  # type: ignore[union-attr]
        elif isinstance(part, ToolCall):
            events.append(ToolCallDelta(index, part.arguments, part.id, part.name))
        else:
            events.append(PartAdded(index, part))
            continue
        if part.extra:  # type: ignore[union-attr]
            events.append(PartExtra(index, part.extra))  # type: ignore[union-attr]
    if reply.usage is not None:
        events.append(UsageUpdate(reply.usage))
    events.append(Finished(reply.stop_reason, reply.stop_raw, reply.extra))
    return events
