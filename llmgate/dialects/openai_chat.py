"""OpenAI Chat Completions, which most other hosts speak too, each with its own accent.

Source of the wire facts: the types of OpenAI's Python SDK, and for departures the SDKs and documents of
Mistral, Groq, OpenRouter, DeepSeek, xAI, llama.cpp. Of several choices (`n`) only the first is read.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Raw

from ..chat import (
    Audio,
    Event,
    Finished,
    Image,
    Opaque,
    PartAdded,
    PartExtra,
    ReasoningDelta,
    RefusalDelta,
    Reply,
    Started,
    TextDelta,
    ToolCallDelta,
    UsageUpdate,
    assemble,
)
from . import BadWire, WireError
from ._openai_chat_inbound import decode_request
from ._openai_chat_request import encode_request
from ._openai_chat_server import StreamEncoder, encode_error, encode_reply
from ._openai_chat_wire import (
    FAILED_STOPS,
    NAME,
    NOT_JSON,
    Call,
    Choice,
    Completion,
    Delta,
    Function,
    decode_chunk,
    decode_completion,
    error_of,
    from_url,
    stop_reason,
    wire_error,
)
from ._sse import SSEParser

__all__ = [
    "NAME",
    "StreamDecoder",
    "StreamEncoder",
    "decode_error",
    "decode_reply",
    "decode_request",
    "encode_error",
    "encode_reply",
    "encode_request",
]

# The order of parts is that of a whole reply, whatever the order of deltas: indices are places, not counters.
_REASONING = 0
_CONTENT = 1
_REFUSAL = 1_000
_IMAGES = 2_000
_AUDIO = 3_000
_CALLS = 4_000


class _OpenCall:
    """A tool call while its pieces come. It is told once its arguments begin: till then its name may grow."""

    __slots__ = ("arguments", "extra", "id", "index", "label", "name", "sent")

    def __init__(self, index: int, call_id: str, label: int | None) -> None:
        self.index = index
        self.id = call_id
        self.label = label  # the host's index
        self.name = ""
        self.arguments: list[str] = []
        self.extra: dict[str, Any] = {}
        self.sent = False

    def whole(self) -> bool:
        """True if the arguments so far are complete JSON: what follows is another call's."""
        try:
            msgspec.json.decode("".join(self.arguments))
        except NOT_JSON:
            return False
        return True


class _Reader:
    """Deltas in, events out. A whole reply is read as a single delta, so both ways agree."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.finished = False
        self._started = False
        self._refused = False
        self._field: str | None = None  # where reasoning came, so that it goes back there
        self._details: list[dict[str, Any]] = []
        self._content = _CONTENT - 1
        self._content_kind = ""
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._images = 0
        self._audio: dict[str, Any] = {}
        self._sound: list[bytes] = []
        self._logprobs: dict[str, list[Any]] = {}

    def read(self, data: Completion, out: list[Event]) -> None:
        if data.error:
            raise wire_error(data.error)
        choices = data.choices
        if not self._started and (choices or data.id or data.model):
            self._started = True
            self.id = data.id or None
            out.append(Started(self.id, data.model or None))
        usage = data.usage
        if choices:
            choice = choices[0]
            if choice.index:  # n > 1: the first choice may not be the first of this chunk
                choice = next((c for c in choices if not c.index), None) or Choice()
            delta = choice.delta or choice.message
            if delta is not None:
                self._delta(delta, out)
            if isinstance(choice.logprobs, dict):
                self._keep_logprobs(choice.logprobs)
            if choice.error:
                raise wire_error(choice.error)
            if choice.finish_reason:
                self.end(choice.finish_reason, out)
            usage = usage or choice.usage
        if data.x_groq is not None:
            if data.x_groq.error:
                raise wire_error(data.x_groq.error)
            usage = usage or data.x_groq.usage
        if usage is not None and (neutral := usage.neutral()):
            out.append(UsageUpdate(neutral))

    def _delta(self, delta: Delta, out: list[Event]) -> None:
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._reasoning(delta, out)
        content = delta.content
        if content:
            if type(content) is str:
                if self._content_kind != "text":
                    self._next("text")
                out.append(TextDelta(self._content, content))
            else:
                for raw in content:
                    self._chunk(raw, out)  # type: ignore[arg-type]
        if delta.refusal:
            self._refused = True
            out.append(RefusalDelta(_REFUSAL, delta.refusal))
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._call(call, out)
        if delta.function_call is not None:  # before `tool_calls` there was one function
            self._call(Call(index=0, function=delta.function_call), out)
        if delta.annotations:
            out.append(PartExtra(self._text_index(), {NAME: {"annotations": delta.annotations}}))
        if delta.images:
            for image in delta.images:
                self._image(image, out)
        if delta.audio:
            self._hear(delta.audio)

    def _next(self, kind: str) -> None:
        """The next part of the content begins."""
        self._content += 1
        self._content_kind = kind

    def _text_index(self) -> int:
        return max(self._content, _CONTENT)

    def _reasoning(self, delta: Delta, out: list[Event]) -> None:
        # Hosts that changed the field's name send both for a while: it is the same text.
        field, text = "reasoning_content", delta.reasoning_content
        if not text or type(text) is not str:
            field, text = "reasoning", delta.reasoning
        details = delta.reasoning_details
        if not text or type(text) is not str:
            field = "reasoning_details"
            text = "".join(str(d.get("text") or d.get("summary") or "") for d in details or ())
        if text or (details and self._field is None):
            out.append(ReasoningDelta(_REASONING, text))
        if self._field is None:
            self._field = field
            out.append(PartExtra(_REASONING, {NAME: {"field": field}}))
        for detail in details or ():
            _add_detail(self._details, detail)

    def _chunk(self, raw: Raw, out: list[Event]) -> None:
        """Mistral's content chunks."""
        try:
            chunk = decode_chunk(raw)
        except NOT_JSON as error:
            raise BadWire(f"a content chunk that is none: {error}") from None
        if chunk.type == "text" and chunk.text is not None:
            if self._content_kind != "text":
                self._next("text")
            out.append(TextDelta(self._content, chunk.text))
        elif chunk.type == "thinking" and chunk.thinking is not None:
            thoughts = chunk.thinking
            if not isinstance(thoughts, str):
                thoughts = "".join(str(t.get("text") or "") for t in thoughts)
            if self._content_kind != "thinking":
                self._next("thinking")
                out.append(ReasoningDelta(self._content, thoughts))
                out.append(PartExtra(self._content, {NAME: {"field": "content"}}))
            else:
                out.append(ReasoningDelta(self._content, thoughts))
            if chunk.signature:
                out.append(PartExtra(self._content, {NAME: {"signature": chunk.signature}}))
        elif chunk.type == "refusal" and chunk.refusal is not None:
            self._refused = True
            out.append(RefusalDelta(_REFUSAL, chunk.refusal))
        else:
            self._next("opaque")
            out.append(PartAdded(self._content, Opaque(NAME, Raw(bytes(raw)))))

    def _call(self, piece: Call, out: list[Event]) -> None:
        function = piece.function
        if function is None:
            function = Function(piece.custom.name, piece.custom.input) if piece.custom else Function()
        arguments = function.arguments
        if arguments is None:
            arguments = ""
        elif type(arguments) is not str:
            arguments = msgspec.json.encode(arguments).decode()
        name = function.name or ""
        call_id = piece.id if piece.id and piece.id != "null" else ""  # "null": Mistral's default
        call = self._find(piece.index, call_id, name)
        if call is None:
            if not (call_id or name or arguments):
                return
            number = len(self._calls)
            # Without an id its result could not be told apart: one is made, the same in every cut.
            made = f"call_{f'{self.id}_' if self.id else ''}{number}"
            call = _OpenCall(_CALLS + number, call_id or made, piece.index)
            self._calls.append(call)
        if piece.index is not None:
            self._by_index[piece.index] = call
        if piece.type == "custom":
            call.extra["type"] = "custom"
        if piece.extra_content:
            call.extra["extra_content"] = piece.extra_content
        if call.sent:
            if arguments:
                out.append(ToolCallDelta(call.index, arguments))
                call.arguments.append(arguments)
            self._tell_extra(call, out)
            return
        if name != call.name:  # some hosts repeat it, some send it in pieces
            call.name += name
        if arguments:
            call.arguments.append(arguments)
            if call.name:
                self._tell(call, out)

    def _tell(self, call: _OpenCall, out: list[Event]) -> None:
        call.sent = True
        out.append(ToolCallDelta(call.index, "".join(call.arguments), call.id, call.name))
        self._tell_extra(call, out)

    def _tell_extra(self, call: _OpenCall, out: list[Event]) -> None:
        if call.extra:
            out.append(PartExtra(call.index, {NAME: call.extra}))
            call.extra = {}

    def _find(self, label: int | None, call_id: str, name: str) -> _OpenCall | None:
        """The open call that a piece continues; None if it begins another.

        OpenAI counts `index`. Gemini's compatible endpoint leaves it out, Ollama sends 0 for each call: there
        a new id begins a new call, and without ids a name that comes after whole arguments.
        """
        last = self._calls[-1] if self._calls else None
        call = last if label is None else self._by_index.get(label)
        if call is None:
            return None
        if call_id and call.id != call_id:
            return next((c for c in self._calls if c.id == call_id and c.label == label), None)
        if name and not call_id and call.arguments and (name != call.name or call.whole()):
            return None
        return call

    def _image(self, image: dict[str, Any], out: list[Event]) -> None:
        """OpenRouter's images in an answer."""
        url = image.get("image_url")
        url = url.get("url") if isinstance(url, dict) else url
        if not isinstance(url, str):
            raise BadWire("an image without image_url")
        self._images += 1
        part = Image(extra={NAME: {"field": "images"}})
        part.data, part.media_type, part.url = from_url(url)
        out.append(PartAdded(_IMAGES + self._images, part))

    def _hear(self, audio: dict[str, Any]) -> None:
        """OpenAI's spoken answer: pieces of sound, each its own base64, and of its transcript."""
        for key, value in audio.items():
            if key == "data" and isinstance(value, str):
                try:
                    self._sound.append(base64.b64decode(value, validate=True))
                except binascii.Error:
                    raise BadWire("audio that is not base64") from None
            elif key == "transcript" and isinstance(value, str):
                self._audio[key] = self._audio.get(key, "") + value
            elif value is not None:
                self._audio[key] = value

    def _keep_logprobs(self, logprobs: dict[str, Any]) -> None:
        for key, value in logprobs.items():
            if isinstance(value, list) and value:
                self._logprobs.setdefault(key, []).extend(value)

    def end(self, raw: str | None, out: list[Event]) -> None:
        """The answer ends, for this reason if one was given."""
        if raw in FAILED_STOPS:
            text = f"the provider ended the answer with {raw!r}"
            raise WireError(text, code=raw, kind=FAILED_STOPS[raw])
        self._flush(out)
        if not self.finished:
            self.finished = True
            reason = stop_reason(raw, calls=bool(self._calls), refused=self._refused)
            out.append(Finished(reason, raw))

    def _flush(self, out: list[Event]) -> None:
        """What is told only when it is whole."""
        if self._details:
            out.append(PartExtra(_REASONING, {NAME: {"reasoning_details": self._details}}))
            self._details = []
        for call in self._calls:
            if not call.sent:
                self._tell(call, out)
        if self._logprobs and self._content >= _CONTENT:
            out.append(PartExtra(self._text_index(), {NAME: {"logprobs": self._logprobs}}))
            self._logprobs = {}
        if self._audio or self._sound:
            part = Audio(b"".join(self._sound), extra={NAME: self._audio})
            out.append(PartAdded(_AUDIO, part))
            self._audio, self._sound = {}, []


def _add_detail(details: list[dict[str, Any]], new: dict[str, Any]) -> None:
    """Adds a piece of OpenRouter's `reasoning_details`: pieces of one index and type are one detail."""
    index = new.get("index")
    if index is not None:
        for detail in details:
            if detail.get("index") == index and detail.get("type") == new.get("type"):
                for key, value in new.items():
                    if key in ("text", "summary") and isinstance(value, str):
                        detail[key] = (detail.get(key) or "") + value
                    elif value is not None:
                        detail[key] = value
                return
    details.append(dict(new))


def decode_reply(body: bytes) -> Reply:
    """The reply in a body. Raises WireError where a body of status 200 states an error (OpenRouter does)."""
    try:
        data = decode_completion(body)
    except NOT_JSON as error:
        raise BadWire(f"not a chat completion: {error}") from None
    if not data.choices:
        if error_told := error_of(body):
            raise error_told
        raise BadWire("not a chat completion: no choices")
    choice = data.choices[0]
    choice.index = 0
    if choice.message is None:
        raise BadWire("not a chat completion: a choice without a message")
    for number, call in enumerate(choice.message.tool_calls or ()):
        call.index = number  # each is whole here, whatever a host writes into `index`
    reader = _Reader()
    events: list[Event] = []
    reader.read(data, events)
    reader.end(choice.finish_reason, events)
    return assemble(events)


def decode_error(body: bytes) -> WireError | None:
    """The error in a body; None where the body is not this dialect's error."""
    return error_of(body)


class StreamDecoder:
    """A stream of chunks: whole after `[DONE]` or, from hosts that close without it, a finish_reason."""

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._reader = _Reader()
        self._done = False

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        for name, data in self._sse.feed(chunk):
            if self._done:
                break
            if data.startswith(b"[DONE]"):
                self._done = True
                self._reader.end(None, out)
                break
            if name == "error":
                raise error_of(data) or WireError(data.decode("utf-8", "replace")[:500])
            if not data:
                continue
            try:
                completion = decode_completion(data)
            except NOT_JSON as error:
                raise BadWire(f"a chunk that is none: {error}") from None
            self._reader.read(completion, out)
        return out

    def finish(self) -> None:
        if self._done:
            return
        rest = self._sse.rest.removeprefix(b"data:").strip()
        if not self._reader.finished:
            raise BadWire("the stream ended before [DONE] and without a finish_reason")
        if rest and rest != b"[DONE]" and not rest.startswith(b":"):
            raise BadWire("the stream ended in the middle of a chunk")
