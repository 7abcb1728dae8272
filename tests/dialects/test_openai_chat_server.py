"""Chat Completions, the server's half: requests in, replies, streams and errors out, read by OpenAI's SDK."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llmgate import errors
from llmgate.chat import (
    Audio,
    ChatRequest,
    Document,
    Event,
    Finished,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
    PartAdded,
    PartExtra,
    Reasoning,
    ReasoningDelta,
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
from llmgate.dialects import BadWire, openai_chat

from . import rechunk
from . import strategies as s

OWN = {"openai_chat": {"field": "reasoning_content"}}
ORDER = ("reasoning", "text", "refusal", "tool_call")


@st.composite
def expressible(draw: st.DrawFn) -> Reply:
    """Replies as Chat Completions can say them."""
    kinds = {kind: s.PARTS[kind] for kind in ORDER}
    kinds["reasoning"] = s.texts().map(lambda text: Reasoning(text, OWN))
    reasons = {reason: reason for reason in ("stop", "length", "tool_calls", "content_filter")}
    reply: Reply = draw(s.replies(kinds, stop_reasons=reasons, order=ORDER, single=ORDER[:3]))
    if reply.stop_reason == "stop" and reply.tool_calls:
        reply.stop_reason = "tool_calls"
        reply.stop_raw = "tool_calls"
    elif reply.stop_reason == "stop" and any(isinstance(part, Refusal) for part in reply.message.content):
        reply.stop_reason = "refusal"
    return reply


def sdk(status: int, content: bytes, kind: str = "application/json") -> openai.OpenAI:
    answer = httpx2.MockTransport(
        lambda request: httpx2.Response(status, content=content, headers={"content-type": kind})
    )
    return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer), max_retries=0)


# Replies ----------------------------------------------------------------------------------------


@given(expressible())
def test_a_reply_comes_back(reply: Reply) -> None:
    assert openai_chat.decode_reply(openai_chat.encode_reply(reply)) == reply


@given(expressible())
def test_the_sdk_reads_our_reply(reply: Reply) -> None:
    content = openai_chat.encode_reply(reply)
    ChatCompletion.model_validate_json(content, strict=True)
    theirs = sdk(200, content).chat.completions.create(model="m", messages=[])
    message = theirs.choices[0].message
    assert (message.content or "") == reply.text
    assert message.model_dump().get("reasoning_content", "") == reply.reasoning
    calls = [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or () if c.type == "function"]
    assert calls == [(c.id, c.name, c.arguments) for c in reply.tool_calls]
    assert theirs.choices[0].finish_reason == reply.stop_raw
    assert (theirs.usage and theirs.usage.total_tokens) == (reply.usage and reply.usage.total)


@given(s.event_streams(expressible()), st.data())
def test_a_stream_comes_back(stream: tuple[Reply, list[Event]], data: st.DataObject) -> None:
    reply, events = stream
    sent = rechunk.encode(openai_chat, events)
    assert rechunk.decode(openai_chat, data.draw(rechunk.cuts(sent))) == reply


@given(s.event_streams(expressible(), interleave=True))
def test_the_sdk_reads_our_stream(stream: tuple[Reply, list[Event]]) -> None:
    reply, events = stream
    sent = rechunk.encode(openai_chat, events)
    for _name, chunk in [event for event in _events(sent) if event[1] != b"[DONE]"]:
        ChatCompletionChunk.model_validate_json(chunk, strict=True)
    client = sdk(200, sent, "text/event-stream")
    with client.chat.completions.stream(model="m", messages=[]) as theirs:
        for _event in theirs:
            pass
        completion = theirs.get_final_completion() if reply.stop_reason in ("stop", "tool_calls", "refusal") else None
    if completion is None:
        return
    message = completion.choices[0].message
    assert (message.content or "") == reply.text
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ()] == [
        (c.id, c.name, c.arguments) for c in reply.tool_calls
    ]
    assert completion.id == reply.id
    assert (completion.usage and completion.usage.total_tokens) == (reply.usage and reply.usage.total)


def _events(stream: bytes) -> list[tuple[str, bytes]]:
    from llmgate.dialects._sse import SSEParser

    return SSEParser().feed(stream)


@pytest.mark.parametrize(
    ("reason", "content", "told"),
    [
        ("stop_sequence", [Text("x")], "stop"),
        ("pause", [Text("x")], "stop"),
        ("other", [], "stop"),
        ("refusal", [Refusal("no")], "stop"),
        ("refusal", [], "content_filter"),
        ("content_filter", [], "content_filter"),
        ("length", [ToolCall("i", "f")], "length"),
    ],
)
def test_reasons_of_other_dialects(reason: Any, content: list[Any], told: str) -> None:
    reply = Reply(Message("assistant", content), stop_reason=reason, stop_raw="END_TURN", id="i")
    choice = json.loads(openai_chat.encode_reply(reply))["choices"][0]
    assert choice["finish_reason"] == told
    assert b'"finish_reason":"%s"' % told.encode() in rechunk.encode(openai_chat, events_of(reply))


def test_sound_images_notes_and_a_missing_id() -> None:
    notes = {"openai_chat": {"annotations": [{"type": "url_citation"}], "logprobs": {"content": []}}}
    reply = Reply(
        Message(
            "assistant",
            [
                Text("Hi", notes),
                Image(b"\0", media_type="image/png", extra={"openai_chat": {"field": "images"}}),
                Audio(b"\1", extra={"openai_chat": {"id": "a", "transcript": "t", "expires_at": 1}}),
            ],
        )
    )
    whole = openai_chat.decode_reply(openai_chat.encode_reply(reply))
    streamed = rechunk.decode(openai_chat, [rechunk.encode(openai_chat, events_of(reply))])
    del notes["openai_chat"]["logprobs"]  # empty says nothing
    for told in (whole, streamed):
        assert told.message == reply.message
        assert told.id
        assert told.id.startswith("chatcmpl-")


def test_usage_only_for_those_who_asked() -> None:
    events: list[Event] = [Started("i", "m"), UsageUpdate(Usage(5)), Finished("stop")]
    for asked in (True, False):
        encoder = openai_chat.StreamEncoder(include_usage=asked)
        sent = b"".join(encoder.feed(event) for event in events) + encoder.finish()
        assert (b'"usage"' in sent) == asked
        assert sent.endswith(b"data: [DONE]\n\n")


def test_the_first_chunk_names_the_role() -> None:
    encoder = openai_chat.StreamEncoder()
    (first,) = _events(encoder.feed(Started("i", "m")))
    chunk = json.loads(first[1])
    assert (chunk["id"], chunk["model"]) == ("i", "m")
    assert chunk["choices"][0]["delta"] == {"role": "assistant", "content": ""}


def test_whole_parts_in_a_stream() -> None:
    parts = [Reasoning("r", OWN), Text("t"), Refusal("no"), ToolCall("i", "f", '{"a":1}')]
    events: list[Event] = [Started("i", "m")]
    events += [PartAdded(at, part) for at, part in enumerate(parts)]
    events.append(Finished("tool_calls", "tool_calls"))
    assert rechunk.decode(openai_chat, [rechunk.encode(openai_chat, events)]) == assemble(events)


def test_calls_are_counted_from_zero_whatever_their_index() -> None:
    events: list[Event] = [Started("i", "m"), ToolCallDelta(4000, "", "a", "f"), ToolCallDelta(4001, "{}", "b", "g")]
    sent = rechunk.encode(openai_chat, [*events, ToolCallDelta(4000, "{}"), Finished("tool_calls")])
    indices = [
        call["index"]
        for _name, data in _events(sent)[:-1]
        for call in json.loads(data)["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert indices == [0, 1, 0]


# What other dialects put on a part, to the client and back --------------------------------------

SIGNED = {"anthropic_messages": {"signature": "c2ln"}}
THOUGHT = {"gemini_generate": {"thought_signature": "AQ=="}}
REDACTED = Opaque("anthropic_messages", msgspec.Raw(b'{"type":"redacted_thinking","data":"x"}'))


@pytest.mark.parametrize("streamed", [False, True])
def test_signatures_survive_a_client_that_keeps_the_message(streamed: bool) -> None:
    content = [Reasoning("a", SIGNED), REDACTED, Reasoning("b"), Text("t"), ToolCall("i", "f", "{}", THOUGHT)]
    reply = Reply(Message("assistant", list(content)), stop_reason="tool_calls", id="i", model="m")
    message: dict[str, Any]
    if streamed:
        with sdk(200, rechunk.encode(openai_chat, events_of(reply)), "text/event-stream").chat.completions.stream(
            model="m", messages=[]
        ) as stream:
            message = stream.get_final_completion().choices[0].message.model_dump(exclude_none=True)
    else:
        answer = sdk(200, openai_chat.encode_reply(reply)).chat.completions.create(model="m", messages=[])
        message = answer.choices[0].message.model_dump(exclude_none=True)
    assert message["reasoning_content"] == "ab"
    for noise in ("parsed", "refusal"):
        message.pop(noise, None)
    body = json.dumps({"model": "m", "messages": [message]}).encode()
    assert openai_chat.decode_request(body).messages == [Message("assistant", list(content))]


def test_signatures_survive_another_gateway_of_ours() -> None:
    """decode_reply keeps our marks, encode_request sends them back, decode_request restores the parts."""
    content = [Reasoning("a", SIGNED), Text("t"), ToolCall("i", "f", "{}", THOUGHT)]
    for sent in (
        openai_chat.decode_reply(openai_chat.encode_reply(Reply(Message("assistant", list(content))))),
        rechunk.decode(
            openai_chat, [rechunk.encode(openai_chat, events_of(Reply(Message("assistant", list(content)))))]
        ),
    ):
        body = openai_chat.encode_request(ChatRequest([sent.message], model="m"), stream=False).body
        assert openai_chat.decode_request(body).messages[0].content == content


def test_late_signatures_in_a_stream() -> None:
    events: list[Event] = [
        Started("i", "m"),
        ReasoningDelta(0, "a"),
        PartExtra(0, SIGNED),
        ReasoningDelta(1, "b"),
        PartExtra(1, {"anthropic_messages": {"signature": "2"}}),
        TextDelta(2, "t"),
        Finished("stop", "stop"),
    ]
    reply = rechunk.decode(openai_chat, [rechunk.encode(openai_chat, events)])
    body = openai_chat.encode_request(ChatRequest([reply.message], model="m"), stream=False).body
    assert openai_chat.decode_request(body).messages[0].content == assemble(events).message.content


# Requests ---------------------------------------------------------------------------------------


def decode(**fields: Any) -> ChatRequest:
    fields.setdefault("messages", [{"role": "user", "content": "hi"}])
    return openai_chat.decode_request(json.dumps(fields).encode())


def test_what_clients_send() -> None:
    request = decode(
        model="claude",
        stream=True,
        stream_options={"include_usage": True},
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "u"}]},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r"}]},
            {"role": "assistant", "content": None, "refusal": "no"},
        ],
        tools=[{"type": "function", "function": {"name": "f"}}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        max_completion_tokens=5,
        temperature=0,
        top_p=None,
        stop="END",
        n=1,
        top_k=3,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        logit_bias={"1": 2},
        service_tier="flex",
    )
    assert request == ChatRequest(
        model="claude",
        messages=[
            Message("system", [Text("Be brief.")]),
            Message("user", [Text("a"), Image(url="u")]),
            Message("assistant", [ToolCall("c", "f", "{}")]),
            Message("tool", [ToolResult("c", [Text("r")], name="f")]),
            Message("assistant", [Refusal("no")]),
        ],
        tools=[Tool("f")],
        tool_choice=NamedTool("f"),
        max_tokens=5,
        temperature=0,
        stop=["END"],
        top_k=3,
        output=OutputSchema({"type": "object"}, name="x", strict=False),
        options={"logit_bias": {"1": 2}, "service_tier": "flex"},
    )


def test_what_is_only_ours_returns_to_the_wire() -> None:
    """Fields and parts that the neutral model has no word for come out again as they went in."""
    messages = [
        {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "v"}}], "x_field": [1]},
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
        {"role": "assistant", "content": "b", "reasoning": "r", "prefix": True},
        {"role": "assistant", "content": None, "audio": {"id": "audio_1"}},
    ]
    request = decode(model="m", messages=messages, response_format={"type": "json_object"}, reasoning_effort="max")
    sent = json.loads(openai_chat.encode_request(request, stream=False).body)
    assert sent == {
        "model": "m",
        "messages": messages,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "max",
    }


def test_files_and_sound() -> None:
    (message,) = decode(
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAE="}},
                    {"type": "input_audio", "input_audio": {"data": "AAE=", "format": "mp3"}},
                    {"type": "input_audio", "input_audio": {"data": "AAE=", "format": "wav"}},
                ],
            }
        ]
    ).messages
    assert message.content == [
        Document(b"\0\1", media_type="application/pdf", name="a.pdf"),
        Audio(b"\0\1", media_type="audio/mpeg"),
        Audio(b"\0\1", media_type="audio/wav"),
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": [5]}, r"messages\[0\]"),
        ({"messages": [{"role": "robot"}]}, r"messages\[0\]\.role"),
        ({"messages": [{"role": "user", "content": 5}]}, r"messages\[0\]\.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, r"content\[0\]\.text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, r"image_url\.url"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "file_data"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "input_audio", "input_audio": {"data": "!", "format": "wav"}}],
                    }
                ]
            },
            "base64",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, r"tool_calls\[0\]\.function"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "custom", "custom": {}}]}]}, "tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": 5}]}, "tool_calls"),
        ({"messages": [{"role": "assistant", "refusal": 5}]}, "refusal"),
        ({"messages": [{"role": "assistant", "images": 5}]}, "images"),
        ({"messages": [{"role": "user", "name": 5}]}, "name"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": [5]}, "stop"),
        ({"tools": [{"type": "function"}]}, r"tools\[0\]\.function"),
        ({"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]}, "description"),
        ({"metadata": {"a": 5}}, "metadata"),
        ({"response_format": {"type": "json_schema"}}, "json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": 5}}}, "name"),
    ],
)
def test_bad_requests_say_where(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BadWire, match=says):
        decode(**fields)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"messages":' + b"[" * 100_000, b"", b"[]", b"{", b"<html>", b"\xff", b"null"]
)
def test_bodies_that_are_no_requests(body: bytes) -> None:
    with pytest.raises(BadWire):
        openai_chat.decode_request(body)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"n": 2}, "n:"),
        ({"functions": []}, "functions"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "custom"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": "u"}]}]},
            "text",
        ),
    ],
)
def test_requests_that_cannot_be_translated(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.Unsupported, match=says):
        decode(**fields)


_json = s.json_values()


@given(st.dictionaries(st.sampled_from(["messages", "tools", "stop", "tool_choice", "response_format", "n"]), _json))
def test_nonsense_is_refused_in_our_own_words(fields: dict[str, Any]) -> None:
    with contextlib.suppress(BadWire, errors.Unsupported):
        assert isinstance(openai_chat.decode_request(json.dumps(fields).encode()), ChatRequest)


_message_fields = ["role", "content", "name", "tool_calls", "refusal", "images", "audio", "reasoning_details"]


@given(st.dictionaries(st.sampled_from(_message_fields), _json), st.sampled_from(["user", "assistant", "tool"]))
def test_nonsense_messages_are_refused_in_our_own_words(message: dict[str, Any], role: str) -> None:
    with contextlib.suppress(BadWire, errors.Unsupported):
        assert isinstance(decode(messages=[{**message, "role": role}]), ChatRequest)


# Errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.PolicyDenied("denied"), 403, openai.PermissionDeniedError),
        (errors.ModelUnavailable("gone"), 404, openai.NotFoundError),
        (errors.Unsupported("image"), 400, openai.BadRequestError),
        (errors.ConfigError("route"), 400, openai.BadRequestError),
        (errors.AuthenticationFailed("key"), 401, openai.AuthenticationError),
        (errors.RateLimited("slow"), 429, openai.RateLimitError),
        (errors.InvalidRequest("bad"), 400, openai.BadRequestError),
        (errors.ContextTooLong("long"), 400, openai.BadRequestError),
        (errors.ContentRefused("no"), 400, openai.BadRequestError),
        (errors.Overloaded("busy"), 503, openai.InternalServerError),
        (errors.Timeout("late"), 504, openai.InternalServerError),
        (errors.ConnectionFailed("down"), 502, openai.InternalServerError),
        (errors.StreamBroken("cut"), 502, openai.InternalServerError),
        (errors.GateError("?"), 500, openai.InternalServerError),
        (errors.AllTargetsFailed("all", [errors.Overloaded("a"), errors.RateLimited("b")]), 429, openai.RateLimitError),
    ],
)
def test_errors_reach_the_sdk(error: errors.GateError, status: int, kind: type[openai.APIStatusError]) -> None:
    told, body = openai_chat.encode_error(error)
    assert told == status
    with pytest.raises(kind) as raised:
        sdk(told, body).chat.completions.create(model="m", messages=[])
    assert raised.value.status_code == status
    assert str(error) in raised.value.message
    again = openai_chat.decode_error(body)
    assert again is not None
    assert again.message == str(error)


@pytest.mark.parametrize("kind", [errors.ContextTooLong, errors.ContentRefused, errors.RateLimited, errors.Overloaded])
def test_the_kind_of_an_error_survives(kind: type[errors.ProviderError]) -> None:
    told = openai_chat.decode_error(openai_chat.encode_error(kind("x"))[1])
    assert told is not None
    assert told.kind is kind


def test_an_error_in_the_middle_of_a_stream() -> None:
    encoder = openai_chat.StreamEncoder()
    sent = encoder.feed(Started("i", "m")) + encoder.feed(TextDelta(0, "x"))
    sent += encoder.error(errors.Overloaded("busy"))
    stream = sdk(200, sent, "text/event-stream").chat.completions.create(model="m", messages=[], stream=True)
    with pytest.raises(openai.APIError, match="busy"):
        list(stream)
