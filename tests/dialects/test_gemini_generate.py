"""Gemini's generateContent against fixtures in the vendor's shapes, and against the vendor's own SDK."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from google import genai
from google.genai import errors as sdk_errors
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from llmgate.chat import (
    Audio,
    ChatRequest,
    Document,
    Finished,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
    PartExtra,
    Quirks,
    Reasoning,
    Refusal,
    Reply,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageUpdate,
    assemble,
    events_of,
)
from llmgate.dialects import BadWire, WireError, get
from llmgate.dialects import gemini_generate as gemini
from llmgate.errors import (
    AllTargetsFailed,
    AuthenticationFailed,
    ConnectionFailed,
    ContextTooLong,
    GateError,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    PolicyDenied,
    ProviderError,
    RateLimited,
    Timeout,
    Unsupported,
)

from . import strategies as our
from .rechunk import cut, cuts, decode, decode_events, encode, every_cut

WIRE = Path(__file__).parent / "wire" / "gemini_generate"
NAME = "gemini_generate"
STREAMS = sorted(p.stem for p in WIRE.glob("*.sse") if not p.stem.startswith("error"))
WHOLE = sorted(p.stem for p in WIRE.glob("*.json") if not p.stem.startswith("error"))
PAIRS = sorted(set(STREAMS) & set(WHOLE))
SIGNATURE = "8PHy8/T19vf4+fr7/P3+/3RoZSBmaXJzdCBvZiB0aGUgZml4dHVyZXM+Pj4/Pw=="
STAND_IN = "skip_thought_signature_validator"


def wire(name: str) -> bytes:
    return (WIRE / name).read_bytes()


def reply(name: str) -> Reply:
    return gemini.decode_reply(wire(f"{name}.json"))


def own(**extra: Any) -> dict[str, Any]:
    return {NAME: extra}


def request_body(request: ChatRequest, **options: Any) -> dict[str, Any]:
    body = json.loads(gemini.encode_request(request, stream=False, **options).body)
    assert isinstance(body, dict)
    return body


def sdk(handler: Callable[[httpx2.Request], httpx2.Response]) -> genai.Client:
    transport = httpx2.MockTransport(handler)
    return genai.Client(
        api_key="k",
        http_options=types.HttpOptions(
            httpx_client=httpx2.Client(transport=transport),
            httpx_async_client=httpx2.AsyncClient(transport=transport),
        ),
    )


def answering(body: bytes, status: int = 200) -> genai.Client:
    kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
    return sdk(lambda _: httpx2.Response(status, content=body, headers={"content-type": kind}))


def user(text: str = "Hi") -> Message:
    return Message("user", [Text(text)])


# What the SDK makes of the same bytes ----------------------------------------------------------------


def sdk_parts(chunks: list[types.GenerateContentResponse]) -> list[tuple[Any, ...]]:
    """The SDK's parts in a form to compare; text goes on in the same one unless it is signed."""
    out: list[tuple[Any, ...]] = []
    for chunk in chunks:
        for candidate in chunk.candidates or []:
            for part in (candidate.content and candidate.content.parts) or []:
                said = ("thought" if part.thought else "text", part.text, part.thought_signature)
                if part.text is not None and said[2] is None and out and out[-1][0] == said[0] and not out[-1][2]:
                    out[-1] = (said[0], out[-1][1] + part.text, None)
                elif part.text or (part.text is not None and part.thought_signature):
                    out.append(said)
                elif part.function_call:
                    call = part.function_call
                    out.append(("call", call.id, call.name, call.args or {}, part.thought_signature))
                elif part.inline_data:
                    out.append(("data", part.inline_data.mime_type, part.inline_data.data, part.thought_signature))
                elif part.executable_code or part.code_execution_result:
                    out.append(("opaque", part.model_dump(exclude_none=True)))
    return out


def our_parts(reply: Reply) -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    for part in reply.message.content:
        extra = (getattr(part, "extra", None) or {}).get(NAME, {})
        signature = base64.b64decode(extra["thoughtSignature"]) if "thoughtSignature" in extra else None
        if isinstance(part, Text | Reasoning):
            out.append(("thought" if isinstance(part, Reasoning) else "text", part.text, signature))
        elif isinstance(part, ToolCall):
            id = None if part.id.startswith("gemini-") else part.id
            out.append(("call", id, part.name, part.args, signature))
        elif isinstance(part, Image):
            out.append(("data", part.media_type, part.data, signature))
        elif isinstance(part, Opaque):
            out.append(("opaque", types.Part.model_validate_json(bytes(part.data)).model_dump(exclude_none=True)))
    return out


def same_as_sdk(reply: Reply, chunks: list[types.GenerateContentResponse]) -> None:
    last = chunks[-1]
    assert our_parts(reply) == sdk_parts(chunks)
    assert (reply.id, reply.model) == (last.response_id, last.model_version)
    metadata = last.usage_metadata
    assert metadata is not None
    assert reply.usage is not None
    assert reply.usage.total == metadata.total_token_count
    assert reply.usage.cached_input == (metadata.cached_content_token_count or 0)
    assert reply.usage.reasoning == (metadata.thoughts_token_count or 0)
    if last.candidates:
        assert last.candidates[0].finish_reason == reply.stop_raw
    else:
        assert last.prompt_feedback is not None
        assert last.prompt_feedback.block_reason == reply.stop_raw


# The SDK itself goes on with an answer that is to be continued, here for ever.
@pytest.mark.parametrize("name", [name for name in WHOLE if name != "continuation"])
def test_a_whole_answer_is_what_the_sdk_makes_of_it(name: str) -> None:
    body = wire(f"{name}.json")
    same_as_sdk(gemini.decode_reply(body), [answering(body).models.generate_content(model="m", contents="hi")])


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_what_the_sdk_makes_of_it(name: str) -> None:
    body = wire(f"{name}.sse")
    chunks = list(answering(body).models.generate_content_stream(model="m", contents="hi"))
    same_as_sdk(decode(gemini, [body]), chunks)


def test_a_stream_is_what_the_async_sdk_makes_of_it() -> None:
    body = wire("calls.sse")

    async def read() -> list[types.GenerateContentResponse]:
        stream = await answering(body).aio.models.generate_content_stream(model="m", contents="hi")
        return [chunk async for chunk in stream]

    same_as_sdk(decode(gemini, [body]), asyncio.run(read()))


# Answers ---------------------------------------------------------------------------------------------


def compact(reply: Reply) -> Reply:
    """Without the indentation of opaque parts, which a stream does not have."""
    for part in reply.message.content:
        if isinstance(part, Opaque):
            part.data = msgspec.Raw(msgspec.json.format(bytes(part.data), indent=-1))
    return reply


@pytest.mark.parametrize("name", PAIRS)
def test_streamed_and_whole_answers_are_the_same_reply(name: str) -> None:
    assert decode(gemini, [wire(f"{name}.sse")]) == compact(reply(name))


@pytest.mark.parametrize("name", STREAMS)
def test_the_cut_of_the_bytes_does_not_matter(name: str) -> None:
    data = wire(f"{name}.sse")
    expected = decode_events(gemini, [data])
    for chunks in every_cut(data):
        assert decode_events(gemini, chunks) == expected


@given(st.data())
def test_many_cuts_do_not_matter_either(data: st.DataObject) -> None:
    stream = wire(f"{data.draw(st.sampled_from(STREAMS))}.sse")
    assert decode(gemini, data.draw(cuts(stream))) == decode(gemini, [stream])


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_anywhere_is_not_a_whole_one(name: str) -> None:
    data = wire(f"{name}.sse")
    for at in range(len(data) - 2):  # the last CR LF: without its LF the blank line is still whole
        with pytest.raises(BadWire):
            decode(gemini, cut(data, [at])[:1])


def test_a_call_has_its_id_its_arguments_and_its_signature() -> None:
    assert reply("calls").message.content == [
        Reasoning("**Plan**\n\nTwo cities, two calls.\n", own(thought=True)),
        ToolCall("fc-8041", "get_weather", '{"city":"Paris","days":2}', own(thoughtSignature=SIGNATURE)),
        ToolCall("fc-8042", "get_weather", '{"city":"Oslo","days":2}'),
    ]
    assert reply("calls").stop_reason == "tool_calls"
    assert reply("calls").stop_raw == "STOP"


def test_calls_without_ids_get_ids_that_are_distinct_and_the_same_each_time() -> None:
    first, again = reply("calls_without_ids"), decode(gemini, [wire("calls_without_ids.sse")])
    ids = [call.id for call in first.tool_calls]
    assert len(set(ids)) == 3
    assert ids == [call.id for call in again.tool_calls]
    assert all(len(id) <= 40 for id in ids)
    assert [call.arguments for call in first.tool_calls] == ['{"y":1,"x":2.50}', '{"y":3,"x":4}', "{}"]


def test_a_signature_stays_on_the_part_it_came_on() -> None:
    signed = own(thoughtSignature=SIGNATURE)
    assert reply("text_signed").message.content == [Text("Four."), Text("", signed)]
    assert reply("text_signed_itself").message.content == [Text("Four.", signed)]
    image = reply("image").message.content[1]
    assert isinstance(image, Image)
    assert image.extra == signed
    assert image.media_type == "image/png"


def test_metadata_is_kept_streamed_or_not() -> None:
    for answer in (reply("grounded"), decode(gemini, [wire("grounded.sse")])):
        assert answer.extra is not None
        assert answer.extra[NAME]["groundingMetadata"]["webSearchQueries"] == ["weather in London"]
        assert answer.extra[NAME]["safetyRatings"][0]["probability"] == "NEGLIGIBLE"
    recited = decode(gemini, [wire("recitation.sse")])
    assert recited.extra is not None
    assert [c["uri"][-1] for c in recited.extra[NAME]["citationMetadata"]["citationSources"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        ("text", "stop"),
        ("calls", "tool_calls"),
        ("max_tokens", "length"),
        ("safety", "content_filter"),
        ("recitation", "content_filter"),
        ("blocked", "content_filter"),
        ("malformed_call", "other"),
        ("continuation", "pause"),
    ],
)
def test_how_an_answer_ended(name: str, stop: str) -> None:
    assert reply(name).stop_reason == stop


def test_every_finish_reason_of_the_sdk_ends_an_answer() -> None:
    filtered = {
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR",
        "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION",
    }  # fmt: skip
    plain = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "pause"}
    for reason in types.FinishReason:
        body = json.dumps({"candidates": [{"finishReason": reason.value}]}).encode()
        expected = "content_filter" if reason.value in filtered else plain.get(reason.value, "other")
        assert gemini.decode_reply(body).stop_reason == expected
        assert decode(gemini, [b"data: " + body + b"\n\n"]).stop_raw == reason.value


def test_a_blocked_prompt_is_a_reply_that_says_so() -> None:
    blocked = reply("blocked")
    assert (blocked.text, blocked.stop_raw) == ("", "PROHIBITED_CONTENT")
    assert blocked.extra is not None
    assert blocked.extra[NAME]["promptFeedback"]["safetyRatings"]


def test_usage_is_in_disjoint_buckets() -> None:
    assert reply("cached").usage == Usage(input=770, cached_input=11243, output=15, reasoning=73)
    assert reply("code_execution").usage == Usage(input=21 + 243, output=50, reasoning=95)
    no_usage = b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}'
    assert gemini.decode_reply(no_usage).usage is None
    assert gemini.decode_reply(no_usage[:-1] + b',"usageMetadata":{"trafficType":"ON_DEMAND"}}').usage is None


@given(
    prompt=st.integers(0, 10**6), cached=st.integers(0, 10**6), thoughts=st.integers(0, 10**6),
    output=st.integers(0, 10**6), tools=st.integers(0, 10**6),
)  # fmt: skip
def test_usage_sums_to_the_vendors_total(prompt: int, cached: int, thoughts: int, output: int, tools: int) -> None:
    cached = min(cached, prompt)
    body = {
        "candidates": [{"finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": prompt, "cachedContentTokenCount": cached, "candidatesTokenCount": output,
            "thoughtsTokenCount": thoughts, "toolUsePromptTokenCount": tools,
        },
    }  # fmt: skip
    usage = gemini.decode_reply(json.dumps(body).encode()).usage
    assert usage == Usage(prompt - cached + tools, cached, 0, output, thoughts)
    assert usage.total == prompt + output + thoughts + tools


@pytest.mark.parametrize("part", [
    {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {"q": 1}}, "thoughtSignature": "c2ln"},
    {"toolResponse": {"id": "t", "response": {"big": 12345678901234567890}}},
    {"executableCode": {"language": "PYTHON", "code": "1"}},
    {"thoughtSignature": "c2ln"},
    {"thought": True, "inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    {"whatComesNext": {"deep": [1, {"a": None}]}},
])  # fmt: skip
def test_parts_that_only_gemini_has_come_back_bit_for_bit(part: dict[str, Any]) -> None:
    raw = json.dumps(part, indent=1)
    parts = '[{"text":"a"},' + raw + ',{"text":"b"}]'
    body = b'{"candidates":[{"content":{"parts":%s},"finishReason":"STOP"}]}' % parts.encode()
    answer = gemini.decode_reply(body)
    assert [type(p) for p in answer.message.content] == [Text, Opaque, Text]
    sent = gemini.encode_request(ChatRequest([user(), answer.message]), stream=False)
    if part != {"thoughtSignature": "c2ln"}:
        assert raw.encode() in sent.body
    assert json.loads(sent.body)["contents"][1]["parts"][1] == part
    assert sent.dropped == ()


@pytest.mark.parametrize("name", [n for n in WHOLE if n not in ("blocked", "safety", "malformed_call")])
def test_an_answer_goes_back_into_the_history_as_it_came(name: str) -> None:
    parts = [p for p in json.loads(wire(f"{name}.json"))["candidates"][0]["content"]["parts"] if p]
    for part in parts:
        if "functionCall" in part:
            part["functionCall"].setdefault("args", {})
    for model in ("gemini-2.5-flash", "gemini-3-pro-preview"):
        if name == "calls_without_ids" and model == "gemini-3-pro-preview":
            continue  # unsigned: see the test of stand-ins
        body = request_body(ChatRequest([user(), reply(name).message], model))
        assert body["contents"][1] == {"role": "model", "parts": parts}


def test_the_field_of_a_part_that_this_code_does_not_know_is_kept() -> None:
    part = {"text": "a", "speechMetadata": {"speaker": "x"}, "thoughtSignature": "c2ln"}
    body = json.dumps({"candidates": [{"content": {"parts": [part, {"text": "b"}]}, "finishReason": "STOP"}]})
    answer = gemini.decode_reply(body.encode())
    assert answer.message.content[1] == Text("b")
    assert request_body(ChatRequest([user(), answer.message]))["contents"][1]["parts"][0] == part


@pytest.mark.parametrize("body", [
    b"", b" ", b"<!doctype html><html>502 Bad Gateway</html>", b"[]", b"{}", b'"text"', b"null",
    b'{"candidates":',
    b'{"candidates":{}}', b'{"this":[{"is":{"not":["valid"]}}],"response":{}}', b'{"usageMetadata":{}}',
    b'{"candidates":[]}', b'{"candidates":[{"content":{"parts":[{"text":5}]}}]}', b"\xff\xfe",
    b'{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"*"}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}',
])  # fmt: skip
def test_what_is_no_answer_is_bad_wire(body: bytes) -> None:
    with pytest.raises(BadWire):
        gemini.decode_reply(body)
    with pytest.raises(BadWire):
        decode(gemini, [body])
    with pytest.raises(BadWire):
        decode(gemini, [b"data: " + body + b"\r\n\r\n"])


@given(st.data())
def test_damaged_bytes_are_bad_wire_or_are_read(data: st.DataObject) -> None:
    kinds: list[tuple[Callable[[bytes], Any], list[str]]] = [
        (gemini.decode_reply, [f"{name}.json" for name in WHOLE]),
        (lambda body: decode(gemini, [body]), [f"{name}.sse" for name in STREAMS]),
    ]
    read, files = data.draw(st.sampled_from(kinds))
    body = wire(data.draw(st.sampled_from(files)))
    if read is gemini.decode_reply and data.draw(st.booleans()):
        read, body = gemini.decode_request, gemini.encode_request(RICH, stream=False).body
    at = data.draw(st.integers(0, len(body)))
    damage = data.draw(st.sampled_from([b"", b"\xff", b"{", b'"', b"null", b"\r\n", b"7", b"[1]", b'{"x":[]}']))
    told = None
    try:
        told = read(body[:at] + damage + body[at + data.draw(st.integers(0, 30)) :])
    except (BadWire, WireError, Unsupported) as e:
        told = e
    assert isinstance(told, Reply | ChatRequest | BadWire | WireError | Unsupported)


def test_an_answer_without_a_finish_reason_is_whole_only_if_it_is_no_stream() -> None:
    body = b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"responseId":"r"}'
    assert gemini.decode_reply(body).stop_reason == "other"
    with pytest.raises(BadWire):
        decode(gemini, [b"data: " + body + b"\n\n"])


def test_events_of_a_stream() -> None:
    assert decode_events(gemini, [wire("text_signed.sse")]) == [
        Started("k2Xr-_fixtureOfOurOwn1", "gemini-3-pro-preview"),
        TextDelta(0, "Fo"),
        UsageUpdate(Usage(7, output=1, reasoning=31)),
        TextDelta(0, "ur."),
        UsageUpdate(Usage(7, output=2, reasoning=31)),
        PartExtra(1, own(thoughtSignature=SIGNATURE)),
        TextDelta(1, ""),
        Finished("stop", "STOP"),
    ]


# Errors ----------------------------------------------------------------------------------------------


def test_errors_are_told_by_their_structured_codes() -> None:
    key = gemini.decode_error(wire("error_api_key.json"))
    assert key is not None
    assert (key.kind, key.code, key.status) == (AuthenticationFailed, "API_KEY_INVALID", 400)
    quota = gemini.decode_error(wire("error_quota.json"))
    assert quota is not None
    assert (quota.kind, quota.code, quota.retry_after) == (RateLimited, "RESOURCE_EXHAUSTED", 37.25)
    full = gemini.decode_error(wire("error_overloaded.json"))
    assert full is not None
    assert (full.kind, full.status, full.retry_after) == (Overloaded, 503, None)
    listed = gemini.decode_error(b"[" + wire("error_overloaded.json") + b"]")
    assert listed is not None
    assert listed.code == "UNAVAILABLE"


@pytest.mark.parametrize(("status", "kind"), [
    ("INVALID_ARGUMENT", InvalidRequest), ("FAILED_PRECONDITION", InvalidRequest),
    ("NOT_FOUND", InvalidRequest), ("OUT_OF_RANGE", InvalidRequest), ("UNIMPLEMENTED", InvalidRequest),
    ("UNAUTHENTICATED", AuthenticationFailed), ("PERMISSION_DENIED", AuthenticationFailed),
    ("RESOURCE_EXHAUSTED", RateLimited), ("UNAVAILABLE", Overloaded), ("INTERNAL", Overloaded),
    ("DEADLINE_EXCEEDED", Timeout), ("WHAT_COMES_NEXT", None),
])  # fmt: skip
def test_the_status_names_of_rpc(status: str, kind: type[ProviderError] | None) -> None:
    # The message names other troubles: it is never read.
    error = {"message": "rate limit API key overloaded", "status": status}
    told = gemini.decode_error(json.dumps({"error": error}).encode())
    assert told is not None
    assert (told.kind, told.code) == (kind, status)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error":"text"}', b'{"candidates":[]}', b"\xff"])
def test_what_is_no_error_is_none(body: bytes) -> None:
    assert gemini.decode_error(body) is None


@pytest.mark.parametrize("name", ["error_after_text", "error_event"])
def test_an_error_in_the_stream_is_raised_wherever_the_bytes_are_cut(name: str) -> None:
    data = wire(f"{name}.sse")
    for chunks in every_cut(data):
        with pytest.raises(WireError) as caught:
            decode(gemini, chunks)
        assert caught.value.kind is Overloaded


def test_an_error_in_place_of_an_answer_is_raised() -> None:
    for read in (gemini.decode_reply, lambda body: decode(gemini, [body])):
        with pytest.raises(WireError) as caught:
            read(wire("error_api_key.json"))
        assert caught.value.kind is AuthenticationFailed


ERRORS: list[tuple[GateError, int, str]] = [
    (AuthenticationFailed("no"), 401, "UNAUTHENTICATED"),
    (RateLimited("slow", retry_after=2.5), 429, "RESOURCE_EXHAUSTED"),
    (InvalidRequest("no such model", status=404), 404, "NOT_FOUND"),
    (ContextTooLong("long"), 400, "INVALID_ARGUMENT"),
    (Overloaded("busy"), 503, "UNAVAILABLE"),
    (ConnectionFailed("gone"), 503, "UNAVAILABLE"),
    (Timeout("late"), 504, "DEADLINE_EXCEEDED"),
    (PolicyDenied("denied"), 403, "PERMISSION_DENIED"),
    (ModelUnavailable("retired"), 404, "NOT_FOUND"),
    (Unsupported("no audio"), 400, "INVALID_ARGUMENT"),
    (AllTargetsFailed("all", [RateLimited("slow"), Overloaded("busy")]), 503, "UNAVAILABLE"),
    (GateError("bug"), 500, "INTERNAL"),
]


@pytest.mark.parametrize(("error", "status", "name"), ERRORS, ids=lambda value: type(value).__name__)
def test_the_sdk_reads_our_errors(error: GateError, status: int, name: str) -> None:
    code, body = gemini.encode_error(error)
    assert code == status
    with pytest.raises(sdk_errors.APIError) as caught:
        answering(body, code).models.generate_content(model="m", contents="hi")
    assert (caught.value.code, caught.value.status, caught.value.message) == (status, name, str(error))


def test_the_sdk_reads_our_error_in_a_stream() -> None:
    encoder = gemini.StreamEncoder()
    body = encoder.feed(Started("r", "m")) + encoder.feed(TextDelta(0, "a")) + encoder.error(Overloaded("busy"))
    stream = answering(body).models.generate_content_stream(model="m", contents="hi")
    assert next(stream).text == "a"
    with pytest.raises(sdk_errors.APIError, match="busy"):
        next(stream)
    with pytest.raises(WireError):
        decode(gemini, [body])


def test_our_errors_come_back() -> None:
    told = gemini.decode_error(gemini.encode_error(RateLimited("slow", retry_after=2.5))[1])
    assert told is not None
    assert (told.kind, told.retry_after, told.message) == (RateLimited, 2.5, "slow")


# Requests --------------------------------------------------------------------------------------------

RICH = ChatRequest(
    [
        Message("system", [Text("Be brief.")]),
        Message("system", [Text("Speak French.")]),
        Message("user", [
            Text("What are these?"),
            Image(data=b"\x89PNG\r\n", media_type="image/png"),
            Image(url="https://example.org/cat.jpg", media_type="image/jpeg"),
            Audio(data=b"RIFF", media_type="audio/wav"),
            Document(data=b"%PDF-1.7", media_type="application/pdf"),
            Document(url="https://example.org/v1beta/files/abc", media_type="video/mp4"),
        ]),
        Message("assistant", [
            Reasoning("Hm.", own(thought=True)),
            Text("I look.", own(thoughtSignature="c2lnMA==")),
            ToolCall("fc-1", "look", '{"at":"cat"}', own(thoughtSignature="c2lnMQ==")),
            ToolCall("fc-2", "look", '{"at":"dog"}'),
        ]),
        Message("tool", [
            ToolResult(
                "fc-1",
                [Text('{"id":12345678901234567890}'), Image(data=b"\x89PNG", media_type="image/png")],
                "look",
            ),
            ToolResult("fc-2", [Text("no dog")], "look", is_error=True),
        ]),
    ],
    model="gemini-3-pro-preview",
    tools=[Tool("look", "Looks", {"type": "object", "properties": {"at": {"type": "string"}}}), Tool("now")],
    tool_choice=NamedTool("look"),
    output=OutputSchema({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}),
    temperature=0.5, top_p=0.9, top_k=40, max_tokens=100, stop=["END"], seed=7,
    frequency_penalty=0.25, presence_penalty=-0.25, reasoning_effort="low",
    options={"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
)  # fmt: skip


def test_the_path_names_the_model_and_the_way() -> None:
    request = ChatRequest([user()], "gemini-2.5-pro")
    assert gemini.encode_request(request, stream=False).path == "/models/gemini-2.5-pro:generateContent"
    stream = gemini.encode_request(request, stream=True)
    assert stream.path == "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    odd = gemini.encode_request(ChatRequest([user()], "models/a b/ü:x"), stream=False)
    assert odd.path == "/models/a%20b%2F%C3%BC%3Ax:generateContent"


def sdk_config(body: dict[str, Any]) -> types.GenerateContentConfig:
    """Our body in the SDK's types, which forbid what they do not know."""
    config = types.GenerationConfig.model_validate(body["generationConfig"])
    return types.GenerateContentConfig(
        **config.model_dump(exclude_none=True),
        system_instruction=types.Content.model_validate(body["systemInstruction"]),
        tools=[types.Tool.model_validate(tool) for tool in body["tools"]],
        tool_config=types.ToolConfig.model_validate(body["toolConfig"]),
        safety_settings=TypeAdapter(list[types.SafetySetting]).validate_python(body["safetySettings"]),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def test_the_sdk_sends_the_same_request() -> None:
    encoded = gemini.encode_request(RICH, stream=False)
    body = json.loads(encoded.body)
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, content=wire("text.json"))

    contents = TypeAdapter(list[types.Content]).validate_python(body["contents"])
    sdk(handler).models.generate_content(model=RICH.model, contents=contents, config=sdk_config(body))
    assert encoded.dropped == ()
    assert seen[0].url.path.endswith(encoded.path)

    def plain(value: Any, key: str = "") -> Any:  # it writes some names in snake_case, and base64 for URLs
        if isinstance(value, dict):
            names = {old: re.sub("_([a-z])", lambda m: m[1].upper(), old) for old in value}
            return {names[old]: plain(item, names[old]) for old, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.translate({45: 43, 95: 47}) if key in ("data", "thoughtSignature") else value

    sent = json.loads(seen[0].content)
    sent["systemInstruction"].pop("role", None)
    assert plain(sent) == plain(body)


def test_what_the_sdk_sends_is_our_request() -> None:
    body = gemini.encode_request(RICH, stream=False).body
    expected = msgspec.structs.replace(RICH, model="", messages=joined(RICH.messages))
    assert gemini.decode_request(body) == expected


def joined(messages: list[Message]) -> list[Message]:
    """System messages in one, as Gemini has one system instruction."""
    system = [part for m in messages if m.role == "system" for part in m.content]
    return ([Message("system", system)] if system else []) + [m for m in messages if m.role != "system"]


URLS = st.builds(Image, url=our.ids("https://example.org/").map(lambda u: u + ".png"), media_type=st.just("image/png"))
IMAGES = our.image_parts(url=False) | URLS
DOCUMENTS = our.document_parts(url=False, named=False)
SIGNATURES = st.binary(min_size=1, max_size=9).map(lambda b: base64.b64encode(b).decode())
SIGNED = st.none() | SIGNATURES.map(lambda s: own(thoughtSignature=s))
THOUGHTS = st.builds(Reasoning, our.texts(), SIGNATURES.map(lambda s: own(thought=True, thoughtSignature=s)))
TEXTS = st.builds(Text, our.texts(), SIGNED)
CALLS = st.builds(
    ToolCall,
    our.ids(),
    our.names(),
    our.json_objects().map(lambda o: json.dumps(o, separators=(",", ":"))),
    SIGNED,
)
CONVERSATIONS = our.messages(
    user={"text": TEXTS, "image": IMAGES, "audio": our.audio_parts(), "document": DOCUMENTS},
    assistant={"text": TEXTS, "reasoning": THOUGHTS, "tool_call": CALLS},
    tool={"text": st.builds(Text, our.texts()), "image": IMAGES},
    tool_names=True, tool_errors=True, results_per_message=99,
)  # fmt: skip
PLAIN = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **{name: our.FIELDS[name] for name in PLAIN},
    "output": our.output_schemas(name=False, description=False, strict=False),
    "reasoning_effort": st.sampled_from(["minimal", "low", "medium", "high", "xhigh"]),
    "options": st.sampled_from(
        [{}, {"cachedContent": "c/1"}, {"generationConfig": {"responseModalities": ["TEXT"]}}]
    ),
}  # fmt: skip


@given(
    our.chat_requests(CONVERSATIONS, fields=FIELDS, tool_list=our.tools(strict=False)),
    st.sampled_from(["gemini-3-flash", "gemini-flash-latest", "other"]),
)
def test_requests_come_back(request: ChatRequest, model: str) -> None:
    request.model = model
    encoded = gemini.encode_request(request, stream=True)
    assert encoded.dropped == ()
    body = json.loads(encoded.body)
    TypeAdapter(list[types.Content]).validate_python(body["contents"])
    expected = msgspec.structs.replace(request, model="", messages=joined(request.messages))
    for message in expected.messages:
        for result in message.content:
            if isinstance(result, ToolResult):  # a functionResponse has its text first
                result.content.sort(key=lambda part: not isinstance(part, Text))
    assert gemini.decode_request(encoded.body) == expected


def test_unsigned_calls_get_the_documented_stand_in_where_a_signature_is_required() -> None:
    history = [
        user(),
        Message("assistant", [Text("Ok"), ToolCall("a", "f"), ToolCall("b", "f")]),
        Message("tool", [ToolResult("a", [Text("1")]), ToolResult("b", [Text("2")])]),
    ]
    for model, expected in (("gemini-3-pro", STAND_IN), ("gemini-2.5-pro", None), ("gemma-3-27b-it", None)):
        request = ChatRequest(history, model)
        parts = request_body(request)["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == [None, expected, None]
        decoded = gemini.decode_request(gemini.encode_request(request, stream=False).body)
        assert decoded.messages[1] == history[1]  # a stand-in is no signature


def test_made_up_ids_do_not_go_back_and_results_are_matched_by_name_and_order() -> None:
    answer = reply("calls_without_ids")
    first, second, third = answer.tool_calls
    results = [ToolResult(c.id, [Text(t)]) for c, t in ((third, "noon"), (first, "3"), (second, "7"))]
    history = [user(), answer.message, *(Message("tool", [r]) for r in results)]
    encoded = gemini.encode_request(ChatRequest(history, "gemini-2.5-flash"), stream=False)
    assert b"gemini-" not in encoded.body
    turn = json.loads(encoded.body)["contents"][2]
    assert turn["role"] == "user"  # all in one turn
    assert turn["parts"] == [
        {"functionResponse": {"name": name, "response": {"output": text}}}
        for name, text in (("now", "noon"), ("sum", "3"), ("sum", "7"))
    ]
    decoded = gemini.decode_request(encoded.body)
    calls = decoded.messages[1].tool_calls
    given = [r.call_id for r in decoded.messages[2].content if isinstance(r, ToolResult)]
    assert given == [calls[2].id, calls[0].id, calls[1].id]
    assert len(set(given)) == 3


def test_ids_of_other_vendors_go_along() -> None:
    call = ToolCall("toolu_01", "f", "{}")
    body = request_body(ChatRequest([user(), Message("assistant", [call]), Message("tool", [ToolResult("toolu_01")])]))
    assert body["contents"][1]["parts"][0]["functionCall"]["id"] == "toolu_01"
    assert body["contents"][2]["parts"][0]["functionResponse"] == {
        "id": "toolu_01",
        "name": "f",
        "response": {},
    }


@pytest.mark.parametrize(("model", "fields", "thinking", "dropped"), [
    ("gemini-3-pro", {"reasoning_effort": "high"}, {"thinkingLevel": "HIGH", "includeThoughts": True}, ()),
    ("gemini-3-pro", {"reasoning_effort": "none"}, {"thinkingLevel": "MINIMAL"}, ("reasoning_effort",)),
    ("gemini-2.5-flash", {"reasoning_effort": "none"}, {"thinkingBudget": 0}, ()),
    ("gemini-2.5-flash", {"reasoning_effort": "medium"},
     {"thinkingBudget": 8192, "includeThoughts": True}, ()),
    ("gemini-3-pro", {"reasoning_budget": 500}, {"thinkingBudget": 500, "includeThoughts": True}, ()),
    ("gemini-3-pro", {"reasoning_budget": 500, "reasoning_effort": "low"},
     {"thinkingLevel": "LOW", "includeThoughts": True}, ("reasoning_budget",)),
    ("gemini-2.5-pro", {"reasoning_budget": 500, "reasoning_effort": "low"},
     {"thinkingBudget": 500, "includeThoughts": True}, ("reasoning_effort",)),
])  # fmt: skip
def test_thinking(model: str, fields: dict[str, Any], thinking: dict[str, Any], dropped: tuple[str, ...]) -> None:
    encoded = gemini.encode_request(ChatRequest([user()], model, **fields), stream=False)
    config = json.loads(encoded.body)["generationConfig"]["thinkingConfig"]
    assert (config, encoded.dropped) == (thinking, dropped)
    types.ThinkingConfig.model_validate(config)


def test_what_gemini_does_not_know_is_left_out_and_named() -> None:
    request = ChatRequest(
        [
            Message("user", [Image(url="https://e.org/a.png", detail="low"), Document(b"%PDF", name="n")]),
            Message("assistant", [
                Reasoning("foreign"), Opaque("anthropic_messages", msgspec.Raw(b"{}")), Text("b"),
            ]),
        ],
        tools=[Tool("f", strict=True)],
        parallel_tool_calls=False, user="u", metadata={"a": "b"},
    )  # fmt: skip
    encoded = gemini.encode_request(request, stream=False)
    names = {"detail", "name", "reasoning", "opaque", "strict", "parallel_tool_calls", "user", "metadata"}
    assert set(encoded.dropped) == names
    assert json.loads(encoded.body)["contents"][1] == {"role": "model", "parts": [{"text": "b"}]}


def test_the_extra_of_another_dialect_is_passed_over() -> None:
    foreign = {"anthropic_messages": {"signature": "x"}}
    said = Message("assistant", [Text("b", foreign), ToolCall("i", "f", "{}", foreign), Refusal("no", foreign)])
    encoded = gemini.encode_request(ChatRequest([user(), said]), stream=False)
    assert json.loads(encoded.body)["contents"][1]["parts"] == [
        {"text": "b"}, {"functionCall": {"id": "i", "name": "f", "args": {}}}, {"text": "no"},
    ]  # fmt: skip
    assert encoded.dropped == ()


@pytest.mark.parametrize(("request_", "what"), [
    (ChatRequest([Message("system", [Image(b"\x89PNG")])]), "system"),
    (ChatRequest([Message("user", [Audio(b"??")])]), "media type"),
    (ChatRequest([Message("user", [Image()])]), "neither data nor a URL"),
    (ChatRequest([user(), Message("assistant", [ToolCall("a", "f", '{"cut')])]), "JSON object"),
    (ChatRequest([user(), Message("assistant", [ToolCall("a", "f", "[1]")])]), "JSON object"),
    (ChatRequest([user(), Message("tool", [ToolResult("a", [Text("x")])])]), "tool's name"),
    (ChatRequest([user()], options={"generationConfig": {"candidateCount": 2}}), "candidateCount"),
    (ChatRequest([user()], options={
        "toolConfig": {"functionCallingConfig": {"streamFunctionCallArguments": True}}}), "streamFunction"),
])  # fmt: skip
def test_what_cannot_be_said_is_unsupported(request_: ChatRequest, what: str) -> None:
    with pytest.raises(Unsupported, match=what):
        gemini.encode_request(request_, stream=False)


def test_quirks_are_obeyed() -> None:
    request = ChatRequest([user()], temperature=0.0, seed=None, top_k=5, output=OutputSchema({"type": "object"}))
    with pytest.raises(Unsupported, match="output"):
        gemini.encode_request(request, stream=False, quirks=Quirks(json_schema=False))
    encoded = gemini.encode_request(request, stream=False, quirks=Quirks(drops=("temperature", "seed", "top_k")))
    assert set(encoded.dropped) == {"temperature", "top_k"}
    assert set(json.loads(encoded.body)["generationConfig"]) == {"responseMimeType", "responseJsonSchema"}
    assert request.temperature == 0.0  # the caller's own is as it was


def test_options_win_and_merge() -> None:
    options = {
        "generationConfig": {"temperature": 1.5, "thinkingConfig": {"includeThoughts": False}},
        "labels": {"a": "b"},
    }
    request = ChatRequest([user()], temperature=0.5, seed=3, reasoning_effort="low", options=options)
    body = request_body(request)
    thinking = {"thinkingLevel": "LOW", "includeThoughts": False}
    assert body["generationConfig"] == {"temperature": 1.5, "seed": 3, "thinkingConfig": thinking}
    assert body["labels"] == {"a": "b"}


def test_media_are_told_by_their_first_bytes_or_their_url() -> None:
    def sent(part: Any) -> Any:
        return request_body(ChatRequest([Message("user", [part])]))["contents"][0]["parts"][0]

    assert sent(Image(b"\xff\xd8\xff"))["inlineData"]["mimeType"] == "image/jpeg"
    assert sent(Document(b"%PDF-"))["inlineData"]["mimeType"] == "application/pdf"
    assert sent(Audio(b"RIFF....WAVE"))["inlineData"]["mimeType"] == "audio/wav"
    assert sent(Image(url="data:image/gif;base64,R0lG"))["inlineData"] == {
        "mimeType": "image/gif",
        "data": "R0lG",
    }
    assert sent(Document(url="https://e.org/a.pdf"))["fileData"]["mimeType"] == "application/pdf"
    assert sent(Document(url="https://youtu.be/x"))["fileData"] == {"fileUri": "https://youtu.be/x"}


# What clients send to the server half ------------------------------------------------------------------


def from_sdk(contents: Any, config: types.GenerateContentConfig) -> ChatRequest:
    seen: list[bytes] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return httpx2.Response(200, content=wire("text.json"))

    sdk(handler).models.generate_content(model="m", contents=contents, config=config)
    return gemini.decode_request(seen[0])


def test_a_request_of_the_sdk_with_its_own_schemas() -> None:
    request = from_sdk(
        [
            types.Part.from_bytes(data=b"\xfb\xff\xfe", mime_type="image/png"),
            types.Part.from_uri(file_uri="gs://b/v.mp4", mime_type="video/mp4"),
            "What is it?",
        ],
        types.GenerateContentConfig(
            system_instruction="Be brief.",
            response_mime_type="application/json",
            response_schema=types.Schema(
                type=types.Type.OBJECT,
                properties={"n": types.Schema(type=types.Type.INTEGER, nullable=True)},
                property_ordering=["n"],
            ),
            tools=[types.Tool(function_declarations=[types.FunctionDeclaration(
                name="f",
                description="F",
                parameters=types.Schema(
                    type=types.Type.OBJECT,
                    properties={"a": types.Schema(
                        type=types.Type.ARRAY, items=types.Schema(type=types.Type.STRING), min_items=1)},
                ),
            )])],
            top_k=40,
            thinking_config=types.ThinkingConfig(thinking_budget=0),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        ),
    )  # fmt: skip
    assert request == ChatRequest(
        [
            Message("system", [Text("Be brief.")]),
            Message("user", [
                Image(b"\xfb\xff\xfe", media_type="image/png"),
                Document(url="gs://b/v.mp4", media_type="video/mp4"),
                Text("What is it?"),
            ]),
        ],
        tools=[Tool("f", "F", {
            "type": "object",
            "properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 1}}})],
        output=OutputSchema({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}}),
        top_k=40,
        reasoning_effort="none",
    )  # fmt: skip


def test_what_only_gemini_has_is_kept_in_options_and_goes_back() -> None:
    body = {
        "contents": [{"parts": [{"text": "Hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
        "generationConfig": {
            "temperature": 1, "responseModalities": ["TEXT"], "thinkingConfig": {"thinkingLevel": "LOW"},
        },
        "safetySettings": [],
        "cachedContent": "cachedContents/x",
    }  # fmt: skip
    request = gemini.decode_request(json.dumps(body).encode())
    assert [tool.name for tool in request.tools] == ["f"]
    assert request.tool_choice == "required"
    back = request_body(request)
    assert back["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert back["generationConfig"].pop("thinkingConfig") == {
        "thinkingLevel": "LOW",
        "includeThoughts": False,
    }
    for one in (back, body):
        one.pop("contents")
    del body["generationConfig"]["thinkingConfig"]  # type: ignore[attr-defined]
    assert back == body


def test_snake_case_is_taken_as_protobuf_takes_it() -> None:
    body = {
        "system_instruction": {"parts": [{"text": "S"}]},
        "contents": [
            {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "iVBORw"}}]},
            {"role": "model", "parts": [
                {"function_call": {"name": "f", "args": {"a_b": 1}}, "thought_signature": "c2ln"}]},
            {"role": "function", "parts": [
                {"function_response": {"name": "f", "response": {"x_y": [1]}}}, {"text": "so"}]},
        ],
        "generation_config": {"max_output_tokens": 5},
        "tool_config": {"function_calling_config": {"mode": "NONE"}},
    }  # fmt: skip
    assert gemini.decode_request(json.dumps(body).encode()) == ChatRequest(
        [
            Message("system", [Text("S")]),
            Message("user", [Image(b"\x89PNG", media_type="image/png")]),
            Message("assistant", [ToolCall("gemini-0", "f", '{"a_b":1}', own(thoughtSignature="c2ln"))]),
            Message("tool", [ToolResult("gemini-0", [Text('{"x_y": [1]}')], "f")]),
            Message("user", [Text("so")]),
        ],
        max_tokens=5,
        tool_choice="none",
    )


@pytest.mark.parametrize("body", [
    b"", b"<html>", b"[]", b"{}", b'{"contents":{}}', b'{"contents":[5]}', b'{"contents":[{"parts":[7]}]}',
    b'{"contents":[],"generationConfig":{"topK":"x"}}',
    b'{"contents":[],"tools":[{"functionDeclarations":[{}]}]}',
    b'{"contents":[],"toolConfig":3}',
])  # fmt: skip
def test_what_is_no_request_is_bad_wire(body: bytes) -> None:
    with pytest.raises(BadWire):
        gemini.decode_request(body)


def test_more_than_one_answer_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="candidateCount"):
        gemini.decode_request(b'{"contents":[],"generationConfig":{"candidateCount":2}}')


# Answers of the server half ------------------------------------------------------------------------------

RAW = {
    "stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY",
    "pause": "CONTINUATION", "other": "MALFORMED_FUNCTION_CALL",
}  # fmt: skip
MARKED = st.builds(Reasoning, our.texts(), st.just(own(thought=True)))
REPLIES = our.replies(
    {"reasoning": MARKED, "text": our.PARTS["text"], "tool_call": our.PARTS["tool_call"], "image": IMAGES},
    stop_reasons=RAW,
    buckets=("input", "cached_input", "output", "reasoning"),
)


def as_gemini(reply: Reply) -> Reply:
    """As Gemini can say it: neighbours of plain text are one text, and STOP with calls means them."""
    content: list[Any] = []
    for part in reply.message.content:
        last = content[-1] if content else None
        if isinstance(part, Text | Reasoning) and type(part) is type(last):
            content[-1] = msgspec.structs.replace(last, text=last.text + part.text)
        else:
            content.append(part)
    stop = reply.stop_reason
    if stop in ("stop", "tool_calls"):
        stop = "tool_calls" if reply.tool_calls else "stop"
    return msgspec.structs.replace(reply, message=Message("assistant", content), stop_reason=stop)


@given(REPLIES)
def test_replies_come_back(answer: Reply) -> None:
    body = gemini.encode_reply(answer)
    assert gemini.decode_reply(body) == as_gemini(answer)
    types.GenerateContentResponse.model_validate_json(body)


CALLS_ONLY = our.replies({"tool_call": our.PARTS["tool_call"]}, stop_reasons=RAW, usage=False)


@given(our.event_streams(REPLIES) | our.event_streams(CALLS_ONLY, interleave=True), st.data())
def test_streams_come_back(stream: tuple[Reply, list[Any]], data: st.DataObject) -> None:
    answer, events = stream
    events = [event for event in events if not isinstance(event, PartExtra)]  # they only mark thoughts
    body = encode(gemini, events)
    assert decode(gemini, data.draw(cuts(body))) == as_gemini(answer)


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_decoded_is_encoded_to_the_same(name: str) -> None:
    answer = decode(gemini, [wire(f"{name}.sse")])
    assert decode(gemini, [encode(gemini, decode_events(gemini, [wire(f"{name}.sse")]))]) == answer
    assert decode(gemini, [encode(gemini, events_of(answer))]).message.text == answer.message.text
    assert gemini.decode_reply(gemini.encode_reply(answer)) == answer


@pytest.mark.parametrize("name", STREAMS)
def test_the_sdk_reads_our_streams_and_replies(name: str) -> None:
    events = decode_events(gemini, [wire(f"{name}.sse")])
    answer = assemble(events)
    stream = answering(encode(gemini, events)).models.generate_content_stream(model="m", contents="hi")
    same_as_sdk(answer, list(stream))
    whole = answering(gemini.encode_reply(answer)).models.generate_content(model="m", contents="hi")
    same_as_sdk(answer, [whole])


def test_parallel_calls_in_pieces_come_out_whole_and_in_order() -> None:
    encoder = gemini.StreamEncoder()
    assert encoder.feed(Started("r", "m")) == b""
    pieces = [
        ToolCallDelta(0, "", "a", "f"),
        ToolCallDelta(1, '{"x"', "b", "g"),
        ToolCallDelta(0, '{"y":\n'),
        ToolCallDelta(1, ":1}"),
        ToolCallDelta(0, "2}"),
    ]
    assert all(encoder.feed(piece) == b"" for piece in pieces)
    body = encoder.feed(Finished("tool_calls", "tool_calls")) + encoder.finish()
    chunks = list(answering(body).models.generate_content_stream(model="m", contents="hi"))
    assert sdk_parts(chunks) == [("call", "a", "f", {"y": 2}, None), ("call", "b", "g", {"x": 1}, None)]
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason == "STOP"


def test_a_signature_that_comes_after_its_text_is_not_lost() -> None:
    answer = Reply(Message("assistant", [Text("Four.", own(thoughtSignature="c2ln"))]), id="r", model="m")
    back = decode(gemini, [encode(gemini, events_of(answer))])
    assert back.message.content == [Text("Four."), Text("", own(thoughtSignature="c2ln"))]


@pytest.mark.parametrize(("stop", "raw", "expected"), [
    ("stop", "end_turn", "STOP"), ("stop_sequence", "stop_sequence", "STOP"),
    ("tool_calls", "tool_use", "STOP"), ("length", "length", "MAX_TOKENS"),
    ("content_filter", None, "SAFETY"), ("refusal", None, "PROHIBITED_CONTENT"),
    ("pause", "pause_turn", "OTHER"), ("other", None, "OTHER"), ("content_filter", "SPII", "SPII"),
])  # fmt: skip
def test_how_answers_of_others_end(stop: Any, raw: str | None, expected: str) -> None:
    answer = Reply(Message("assistant", [Text("a"), Refusal("b")]), stop, stop_raw=raw)
    candidate = json.loads(gemini.encode_reply(answer))["candidates"][0]
    assert candidate["finishReason"] == expected
    assert candidate["content"]["parts"] == [{"text": "a"}, {"text": "b"}]
    assert expected in {reason.value for reason in types.FinishReason}


def test_a_call_that_was_cut_is_told() -> None:
    for stop, expected in (("length", "MAX_TOKENS"), ("tool_calls", "MALFORMED_FUNCTION_CALL")):
        said = Message("assistant", [Text("a"), ToolCall("i", "f", '{"x":')])
        answer = Reply(said, stop)  # type: ignore[arg-type]
        for body in (gemini.encode_reply(answer), encode(gemini, events_of(answer)).split(b"data: ")[-1]):
            candidate = json.loads(body)["candidates"][0]
            assert candidate["finishReason"] == expected
            assert "left out" in candidate["finishMessage"]


def test_a_stream_that_did_not_finish_has_no_end() -> None:
    body = encode(gemini, [Started("r", "m"), TextDelta(0, "a")])
    with pytest.raises(BadWire, match="finish reason"):
        decode(gemini, [body])


def test_the_module_is_a_dialect() -> None:
    dialect = get("gemini_generate")
    assert dialect.NAME == NAME
    assert dialect.StreamDecoder is gemini.StreamDecoder
