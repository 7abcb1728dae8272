"""Chat Completions, the client's half: requests out, replies, streams and errors in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistralai.client import models as mistral
from openai.types.chat import completion_create_params as params
from pydantic import TypeAdapter

from llmgate import errors
from llmgate.chat import (
    Audio,
    ChatRequest,
    Document,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
    Quirks,
    Reasoning,
    Refusal,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from llmgate.dialects import BadWire, WireError, openai_chat

from . import rechunk
from . import strategies as s

WIRE = Path(__file__).parent / "wire" / "openai_chat"
NAMES = sorted(path.stem for path in WIRE.glob("*.sse"))
_whole = TypeAdapter(params.CompletionCreateParamsNonStreaming)
_streamed = TypeAdapter(params.CompletionCreateParamsStreaming)


def user(*parts: Any) -> ChatRequest:
    return ChatRequest([Message("user", list(parts) or [Text("hi")])], model="m")


def body(request: ChatRequest, stream: bool = False, **quirks: Any) -> dict[str, Any]:
    encoded = openai_chat.encode_request(request, stream=stream, quirks=Quirks(**quirks))
    assert encoded.path == "/chat/completions"
    return dict(json.loads(encoded.body))


def dropped(request: ChatRequest, **quirks: Any) -> tuple[str, ...]:
    return openai_chat.encode_request(request, stream=False, quirks=Quirks(**quirks)).dropped


def client(content: bytes, kind: str) -> openai.OpenAI:
    """OpenAI's SDK, answered with these bytes."""
    answer = httpx2.MockTransport(lambda request: httpx2.Response(200, content=content, headers={"content-type": kind}))
    return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer), max_retries=0)


# Requests ---------------------------------------------------------------------------------------

CONVERSATION = s.messages(
    user={
        "text": s.PARTS["text"],
        "image": s.image_parts(detail=True),
        "audio": s.audio_parts(),
        "document": s.document_parts(url=False).filter(lambda d: d.name is not None),
    },
    assistant=("text", "refusal", "tool_call"),
    order=("text", "refusal", "tool_call"),
    single=("refusal",),
    named=True,
    system_first=False,
)
FIELDS = set(s.FIELDS) - {"top_k", "reasoning_budget"}


@given(s.chat_requests(CONVERSATION, fields=FIELDS), st.booleans())
def test_requests_are_what_openais_types_say(request_: ChatRequest, stream: bool) -> None:
    encoded = openai_chat.encode_request(request_, stream=stream)
    sent = json.loads(encoded.body)
    (_streamed if stream else _whole).validate_python(sent, strict=True)
    assert encoded.dropped == ()
    assert ("stream" in sent) == stream
    assert sent.get("stream_options") == ({"include_usage": True} if stream else None)


@given(s.chat_requests(CONVERSATION, fields=FIELDS))
def test_nothing_of_a_request_is_lost(request_: ChatRequest) -> None:
    sent = openai_chat.encode_request(request_, stream=False).body
    again = openai_chat.decode_request(sent)
    for message in again.messages:  # a result's tool is known by its call
        for part in message.content:
            if isinstance(part, ToolResult):
                assert part.name
                part.name = None
    assert again == request_


def test_the_wire_in_full() -> None:
    request = ChatRequest(
        model="gpt-5.5",
        messages=[
            Message("system", [Text("Be brief.")]),
            Message("system", [Text("In"), Text("Latin.")]),
            Message("user", [Text("What is it?"), Image(b"\x89P", media_type="image/png", detail="low")], name="Ada"),
            Message("assistant", [Text("Look:"), ToolCall("c1", "look", '{"at":1}'), ToolCall("c2", "look")]),
            Message("tool", [ToolResult("c1", [Text("a cat")], is_error=True), ToolResult("c2")]),
        ],
        tools=[Tool("look", "Looks.", {"type": "object"}, strict=True)],
        tool_choice=NamedTool("look"),
        output=OutputSchema({"type": "object"}, name="answer", description="d"),
        max_tokens=9,
        stop=["END"],
        reasoning_effort="low",
        options={"logit_bias": {"1": 2}, "max_tokens": 8},
    )
    encoded = openai_chat.encode_request(request, stream=False)
    assert json.loads(encoded.body) == {
        "model": "gpt-5.5",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": [{"type": "text", "text": "In"}, {"type": "text", "text": "Latin."}]},
            {
                "role": "user",
                "name": "Ada",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVA=", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": "Look:",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}},
                    {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "parameters": {"type": "object"},
                    "description": "Looks.",
                    "strict": True,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True, "description": "d"},
        },
        "reasoning_effort": "low",
        "max_tokens": 8,
        "stop": ["END"],
        "logit_bias": {"1": 2},
    }
    assert encoded.dropped == ("is_error",)


def test_quirks() -> None:
    request = user()
    request.messages.insert(0, Message("system", [Text("s")]))
    request.max_tokens, request.seed, request.temperature = 5, 1, 0.5
    sent = body(request, max_tokens="max_completion_tokens", system_role="developer")
    assert sent["max_completion_tokens"] == 5
    assert "max_tokens" not in sent
    assert sent["messages"][0]["role"] == "developer"
    assert "stream_options" not in body(request, stream=True, stream_usage=False)
    sent = body(request, drops=("seed", "temperature", "top_p"))
    assert not {"seed", "temperature", "top_p"} & set(sent)
    assert dropped(request, drops=("seed", "temperature", "top_p")) == ("seed", "temperature")


def test_harmless_losses_are_named_once() -> None:
    request = user(Opaque("anthropic_messages", msgspec.Raw(b"{}")), Text("x"))
    request.top_k, request.reasoning_budget = 5, 2048
    request.messages += [
        Message("assistant", [Reasoning("a", {"anthropic_messages": {"signature": "s"}}), Reasoning("b"), Text("y")])
    ]
    assert dropped(request) == ("opaque", "reasoning", "top_k", "reasoning_budget")
    assert body(request)["messages"][1] == {"role": "assistant", "content": "y"}
    assert dropped(request, drops=("top_k",)).count("top_k") == 1


def test_parallel_tool_calls_only_beside_tools() -> None:
    request = user()
    request.parallel_tool_calls = False
    assert "parallel_tool_calls" not in body(request)
    request.tools = [Tool("f")]
    assert body(request)["parallel_tool_calls"] is False


def test_options_win_and_merge() -> None:
    request = user()
    request.metadata = {"a": "1", "b": "2"}
    request.options = {"metadata": {"b": "3"}, "stream_options": {"include_obfuscation": False}}
    sent = body(request, stream=True)
    assert sent["metadata"] == {"a": "1", "b": "3"}
    assert sent["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert request.metadata == {"a": "1", "b": "2"}


def _tool(part: Any) -> ChatRequest:
    return ChatRequest([Message("tool", [ToolResult("c", [part])])])


@pytest.mark.parametrize(
    ("request_", "quirks", "says"),
    [
        (user(Document(url="https://example.org/a.pdf")), {}, "document by url"),
        (user(Audio(url="https://example.org/a.wav")), {}, "audio by url"),
        (user(Audio(b"x")), {}, "media_type"),
        (user(Image(b"x")), {}, "media_type"),
        (user(Image()), {}, "neither data nor url"),
        (user(ToolCall("i", "f")), {}, "toolcall"),
        (ChatRequest([Message("system", [Image(url="https://example.org/a.png")])]), {}, "image"),
        (ChatRequest([Message("assistant", [Image(url="https://example.org/a.png")])]), {}, "image"),
        (_tool(Image(url="https://example.org/a.png")), {}, "tool's result"),
        (ChatRequest([Message("tool", [Text("x")])]), {}, "tool results only"),
        (ChatRequest([Message("user", [Text("x")])], output=OutputSchema({})), {"json_schema": False}, "output"),
        (ChatRequest([Message("user", [Text("x")])], tools=[Tool("f")]), {"drops": ("tools",)}, "tools"),
        (ChatRequest([Message("user")], tool_choice="required"), {"drops": ("tool_choice",)}, "tool_choice"),
    ],
)
def test_what_cannot_be_said_raises(request_: ChatRequest, quirks: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.Unsupported, match=says):
        openai_chat.encode_request(request_, stream=False, quirks=Quirks(**quirks))


def test_results_in_a_user_message_come_first() -> None:
    request = user(Text("and?"), ToolResult("c", [Text("r")]))
    assert [m["role"] for m in body(request)["messages"]] == ["tool", "user"]
    assert [m["role"] for m in body(user(ToolResult("c")))["messages"]] == ["tool"]


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_goes_back_as_it_came(name: str) -> None:
    """What this dialect put into a reply (reasoning, signatures, references) returns bit for bit."""
    told = json.loads((WIRE / f"{name}.json").read_bytes())["choices"][0]["message"]
    reply = openai_chat.decode_reply((WIRE / f"{name}.json").read_bytes())
    encoded = openai_chat.encode_request(ChatRequest([reply.message], model="m"), stream=False)
    (sent,) = json.loads(encoded.body)["messages"]
    assert encoded.dropped == ()
    for field in ("reasoning", "reasoning_content", "reasoning_details", "refusal"):
        assert sent.get(field) == (told.get(field) or None)
    assert [c["function"] for c in sent.get("tool_calls", ())] == [c["function"] for c in told.get("tool_calls") or ()]
    if isinstance(told["content"], list):
        for chunk in told["content"]:
            chunk.pop("closed", None)
    assert (sent["content"] or None) == (told["content"] or None)
    if told.get("audio"):
        assert sent["audio"] == {"id": told["audio"]["id"]}
    assert openai_chat.decode_request(encoded.body).messages[0].text == reply.text


# Replies and streams ----------------------------------------------------------------------------

OWN = {"field": "reasoning_content"}
EXPECTED: dict[str, tuple[list[Any], str, Usage | None]] = {
    "openai_text": ([Text("Grüße, world\n☀")], "stop", Usage(26, 1920, 60, 108, 192)),
    "openai_tools": (
        [
            ToolCall("call_paris", "get_weather", '{"city":"Paris"}'),
            ToolCall("call_rome", "get_weather", '{"city":"Rome"}'),
        ],
        "tool_calls",
        Usage(82, 0, 0, 41, 0),
    ),
    "openai_refusal": ([Refusal("I'm sorry, I can't assist.")], "refusal", Usage(79, output=9)),
    "openai_audio": (
        [
            Audio(
                b"\0\1\2\3",
                extra={"openai_chat": {"id": "audio_6", "transcript": "Yes!", "expires_at": 1764003600}},
            )
        ],
        "stop",
        Usage(79, output=9),
    ),
    "azure": ([Text("Oh")], "content_filter", Usage(79, output=9)),
    "groq": (
        [
            Reasoning("Look it up.", {"openai_chat": {"field": "reasoning"}}),
            Text("Checking."),
            ToolCall("fc_a1", "search", '{"q":"x"}'),
        ],
        "tool_calls",
        Usage(18, 0, 0, 9, 30),
    ),
    "mistral": (
        [
            Reasoning("Two cities.", {"openai_chat": {"field": "content", "signature": "c2ln"}}),
            Text("See here"),
            Opaque("openai_chat", msgspec.Raw(b'{"type":"reference","reference_ids":[1,2]}')),
            ToolCall("D681PevKs", "get_weather", '{"city": "Paris"}'),
            ToolCall("9iFuNxyZ2", "get_weather", '{"city": "Rome"}'),
        ],
        "tool_calls",
        Usage(20, output=55),
    ),
    "openrouter": (
        [
            Reasoning(
                "Let me see.",
                {
                    "openai_chat": {
                        "field": "reasoning",
                        "reasoning_details": [
                            {
                                "type": "reasoning.text",
                                "text": "Let me see.",
                                "signature": "EqQB==",
                                "format": "anthropic-claude-v1",
                                "index": 0,
                            },
                            {
                                "type": "reasoning.encrypted",
                                "data": "opaque",
                                "format": "anthropic-claude-v1",
                                "index": 1,
                            },
                        ],
                    }
                },
            ),
            Text("Done."),
        ],
        "stop",
        Usage(50, 40, 10, 35, 25),
    ),
    "deepseek": ([Reasoning("Hmm", {"openai_chat": OWN}), Text("42")], "stop", Usage(6, 4, 0, 18, 12)),
    "xai": ([Text("The answer")], "stop", Usage(26, 6, 0, 9, 94)),
    "llamacpp": ([Text("The capital")], "length", Usage(30, output=6)),
    "ollama": (
        [
            ToolCall("call_a1", "get_weather", '{"city":"Paris"}'),
            ToolCall("call_b2", "get_weather", '{"city":"Rome"}'),
        ],
        "tool_calls",
        Usage(90, output=20),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_reply_and_its_stream_say_the_same(name: str) -> None:
    reply = openai_chat.decode_reply((WIRE / f"{name}.json").read_bytes())
    assert rechunk.decode(openai_chat, [(WIRE / f"{name}.sse").read_bytes()]) == reply
    if name in EXPECTED:
        assert (reply.message.content, reply.stop_reason, reply.usage) == EXPECTED[name]


def test_citations_and_logprobs_are_kept() -> None:
    (part,) = openai_chat.decode_reply((WIRE / "openai_notes.json").read_bytes()).message.content
    assert isinstance(part, Text)
    assert part.extra is not None
    notes = part.extra["openai_chat"]
    assert [note["url_citation"]["url"] for note in notes["annotations"]] == ["https://example.org/a"]
    assert [token["token"] for token in notes["logprobs"]["content"]] == ["Hi", "!"]


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_gives_the_same_reply(name: str) -> None:
    stream = (WIRE / f"{name}.sse").read_bytes()
    whole = rechunk.decode_events(openai_chat, [stream])
    for chunks in rechunk.every_cut(stream):
        assert rechunk.decode_events(openai_chat, chunks) == whole


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_stream_is_never_taken_for_whole(name: str) -> None:
    """Cut anywhere before a finish_reason has come, a stream raises; after it, only in the middle of a chunk."""
    stream = (WIRE / f"{name}.sse").read_bytes()
    whole = rechunk.decode(openai_chat, [stream])
    for at in range(len(stream)):
        try:
            reply = rechunk.decode(openai_chat, [stream[:at]])
        except BadWire:
            continue
        reply.usage = whole.usage
        assert reply == whole


@pytest.mark.parametrize("name", NAMES)
def test_openais_sdk_reads_the_same_reply(name: str) -> None:
    content = (WIRE / f"{name}.json").read_bytes()
    theirs = client(content, "application/json").chat.completions.create(model="m", messages=[])
    ours = openai_chat.decode_reply(content)
    choice = theirs.choices[0]
    assert (ours.id, ours.model) == (theirs.id, theirs.model)
    assert ours.stop_raw == choice.finish_reason
    if isinstance(choice.message.content, str):
        assert ours.text == choice.message.content
    assert [(c.id, c.name, c.arguments) for c in ours.tool_calls] == [
        (c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls or () if c.type == "function"
    ]
    if theirs.usage is not None:
        assert ours.usage is not None
        assert ours.usage.total == theirs.usage.total_tokens


@pytest.mark.parametrize("name", NAMES)
def test_openais_sdk_reads_the_same_stream(name: str) -> None:
    content = (WIRE / f"{name}.sse").read_bytes()
    stream = client(content, "text/event-stream").chat.completions.create(model="m", messages=[], stream=True)
    text, reasons, total, arguments = "", [], None, ""
    for chunk in stream:
        for choice in chunk.choices:
            if isinstance(choice.delta.content, str):
                text += choice.delta.content
            for call in choice.delta.tool_calls or ():
                arguments += (call.function and call.function.arguments) or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
        total = chunk.usage.total_tokens if chunk.usage else total
    ours = rechunk.decode(openai_chat, [content])
    assert [ours.stop_raw] == reasons
    if name != "mistral":  # whose content is no string
        assert ours.text == text
    assert len("".join(c.arguments for c in ours.tool_calls)) == len(arguments)
    if total is not None:
        assert ours.usage is not None
        assert ours.usage.total == total


def test_mistrals_sdk_reads_the_same_reply() -> None:
    content = (WIRE / "mistral.json").read_bytes()
    theirs = mistral.ChatCompletionResponse.model_validate_json(content).choices[0]
    ours = openai_chat.decode_reply(content)
    assert theirs.message is not None
    chunks = theirs.message.content
    assert isinstance(chunks, list)
    thoughts = [chunk for chunk in chunks if isinstance(chunk, mistral.ThinkChunk)]
    assert ours.reasoning == "".join(t.text for c in thoughts for t in c.thinking if isinstance(t, mistral.TextChunk))
    assert ours.text == "".join(chunk.text for chunk in chunks if isinstance(chunk, mistral.TextChunk))
    assert [(c.id, c.name, c.arguments) for c in ours.tool_calls] == [
        (c.id, c.function.name, c.function.arguments) for c in theirs.message.tool_calls or ()
    ]


# Tool calls as hosts stream them ----------------------------------------------------------------


def stream_of(*deltas: Any, end: str | None = "tool_calls", done: bool = True) -> bytes:
    chunks = [{"id": "r", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if end:
        chunks.append({"id": "r", "choices": [{"index": 0, "delta": {}, "finish_reason": end}]})
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    return data + (b"data: [DONE]\n\n" if done else b"")


def calls_of(*pieces: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each piece in a delta of its own; and all in one, which must say the same."""
    apart = rechunk.decode(openai_chat, [stream_of(*({"tool_calls": [piece]} for piece in pieces))])
    together = rechunk.decode(openai_chat, [stream_of({"tool_calls": list(pieces)})])
    assert together == apart
    assert apart.stop_reason == "tool_calls"
    return [(call.id, call.name, call.arguments) for call in apart.tool_calls]


def piece(arguments: Any = None, name: str | None = None, **rest: Any) -> dict[str, Any]:
    return {**rest, "function": {"name": name, "arguments": arguments}}


PARIS, ROME = ("a", "f", '{"c":"Paris"}'), ("b", "f", '{"c":"Rome"}')


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [
                piece("", "f", index=0, id="a"),
                piece('{"c":', index=0),
                piece('"Paris"}', index=0),
                piece("", "f", index=1, id="b"),
                piece('{"c":"Rome"}', index=1),
            ],
            id="as OpenAI does",
        ),
        pytest.param(
            [
                piece('{"c":', "f", index=0, id="a"),
                piece('{"c":', "f", index=1, id="b"),
                piece('"Rome"}', index=1),
                piece('"Paris"}', index=0),
            ],
            id="interleaved",
        ),
        pytest.param(
            [piece(PARIS[2], "f", index=0, id="a"), piece(ROME[2], "f", index=0, id="b")], id="all of index 0"
        ),
        pytest.param([piece(PARIS[2], "f", id="a"), piece(ROME[2], "f", id="b")], id="no index"),
        pytest.param(
            [piece('{"c":', "f", id="a"), piece('"Paris"}'), piece("", "f", id="b"), piece(ROME[2])],
            id="no index, in pieces",
        ),
        pytest.param(
            [
                piece('{"c":', "f", index=0, id="a"),
                piece('"Paris"}', "f", index=0, id="a"),
                piece('{"c":"Ro', "f", index=1, id="b"),
                piece('me"}', "f", index=1, id="b"),
            ],
            id="id and name repeated",
        ),
        pytest.param(
            [
                piece('{"c":', "f", index=0, id="a"),
                piece(ROME[2], "f", index=0, id="b"),
                piece('"Paris"}', index=0, id="a"),
            ],
            id="index reused, told apart by id",
        ),
        pytest.param(
            [
                piece(None, "f", index=0, id="a"),
                piece('{"c":"Paris"}', "", index=0, id=""),
                piece(None, "f", index=1, id="b"),
                piece('{"c":"Rome"}', None, index=1, id=None),
            ],
            id="empty id and name",
        ),
        pytest.param([piece({"c": "Paris"}, "f", id="a"), piece({"c": "Rome"}, "f", id="b")], id="objects"),
        pytest.param(
            [
                {"index": 0, "id": "a", "type": "function"},
                piece(None, "f", index=0),
                piece(PARIS[2], index=0),
                piece(ROME[2], "f", index=7, id="b"),
            ],
            id="id before the name, gaps in the index",
        ),
    ],
)
def test_parallel_calls_stay_apart(pieces: list[dict[str, Any]]) -> None:
    assert calls_of(*pieces) == [PARIS, ROME]


def test_calls_without_ids_get_some() -> None:
    told = calls_of(piece(PARIS[2], "f", index=0), piece(ROME[2], "f", index=0), piece("{}", "g"))
    assert told == [("call_r_0", "f", PARIS[2]), ("call_r_1", "f", ROME[2]), ("call_r_2", "g", "{}")]
    nulls = calls_of(piece(PARIS[2], "f", id="null", index=0), piece(ROME[2], "f", id="null", index=1))
    assert [call_id for call_id, _, _ in nulls] == ["call_r_0", "call_r_1"]


def test_a_name_in_pieces_and_a_call_without_arguments() -> None:
    pieces = [piece("", "get_", index=0, id="a"), piece("", "time", index=0), piece("", "now", index=1, id="b")]
    assert calls_of(*pieces) == [("a", "get_time", "{}"), ("b", "now", "{}")]


def test_text_after_a_call_stands_before_it_as_in_a_whole_reply() -> None:
    reply = rechunk.decode(
        openai_chat,
        [stream_of({"tool_calls": [piece("{}", "f", id="a")]}, {"content": "So"}, {"reasoning": "hm"})],
    )
    assert [type(part) for part in reply.message.content] == [Reasoning, Text, ToolCall]


def test_googles_signatures_travel_with_the_call() -> None:
    content = {"google": {"thought_signature": "EjQ="}}
    stream = stream_of({"tool_calls": [piece("{}", "f", id="a", extra_content=content)]})
    (call,) = rechunk.decode(openai_chat, [stream]).tool_calls
    assert body(ChatRequest([Message("assistant", [call])]))["messages"][0]["tool_calls"][0]["extra_content"] == content


@given(st.data())
def test_any_parallel_calls_in_any_order_and_cut(data: st.DataObject) -> None:
    calls = data.draw(st.lists(s.tool_call_parts(), min_size=1, max_size=4, unique_by=lambda call: call.id))
    lanes = []
    for number, call in enumerate(calls):
        at = data.draw(st.integers(0, len(call.arguments)))
        rest = [piece(call.arguments[:at], index=number), piece(call.arguments[at:], index=number)]
        lanes.append([piece("", call.name, index=number, id=call.id), *rest])
    deltas: list[Any] = []
    opened = 0
    while any(lanes):
        number = data.draw(st.sampled_from([i for i, lane in enumerate(lanes) if lane and i <= opened]))
        opened = max(opened, number + 1)
        deltas.append({"tool_calls": [lanes[number].pop(0)]})
    chunks = data.draw(rechunk.cuts(stream_of(*deltas)))
    assert rechunk.decode(openai_chat, chunks).tool_calls == calls


# Other departures -------------------------------------------------------------------------------


def test_reasoning_sent_in_two_fields_is_told_once() -> None:
    reply = rechunk.decode(openai_chat, [stream_of({"reasoning": "a", "reasoning_content": "a"}, end="stop")])
    assert reply.reasoning == "a"


def test_reasoning_only_in_details() -> None:
    details = [{"type": "reasoning.summary", "summary": "So.", "index": 0}]
    reply = rechunk.decode(openai_chat, [stream_of({"reasoning_details": details}, {"content": "x"}, end="stop")])
    assert reply.reasoning == "So."
    sent = body(ChatRequest([reply.message]))["messages"][0]
    assert sent["reasoning_details"] == details
    assert not {"reasoning", "reasoning_content"} & set(sent)


def test_hidden_reasoning_is_kept() -> None:
    details = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    reply = rechunk.decode(openai_chat, [stream_of({"reasoning_details": details}, end="stop")])
    assert body(ChatRequest([reply.message]))["messages"][0]["reasoning_details"] == details


def test_images_in_an_answer() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAE="}}
    reply = rechunk.decode(openai_chat, [stream_of({"content": "Here", "images": [image]}, end="stop")])
    assert reply.message.content == [
        Text("Here"),
        Image(b"\0\1", media_type="image/png", extra={"openai_chat": {"field": "images"}}),
    ]
    assert body(ChatRequest([reply.message]))["messages"][0]["images"] == [image]


def test_only_the_first_choice_is_read() -> None:
    chunks = [
        {"id": "r", "choices": [{"index": at, "delta": {"content": text}, "finish_reason": end}]}
        for at, text, end in [(1, "B", None), (0, "A", None), (1, "b", "length"), (0, "a", "stop")]
    ]
    stream = b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks) + b"data: [DONE]\n\n"
    reply = rechunk.decode(openai_chat, [stream])
    assert (reply.text, reply.stop_reason) == ("Aa", "stop")


def test_no_finish_reason_before_done() -> None:
    reply = rechunk.decode(openai_chat, [stream_of({"content": "x"}, end=None)])
    assert (reply.text, reply.stop_reason, reply.stop_raw) == ("x", "other", None)


def test_done_may_lack_its_blank_line() -> None:
    stream = stream_of({"content": "x"}, end="stop").rstrip(b"\n")
    assert rechunk.decode(openai_chat, [stream]).text == "x"


def test_the_old_function_call() -> None:
    deltas = [{"function_call": {"name": "f", "arguments": '{"a"'}}, {"function_call": {"arguments": ":1}"}}]
    reply = rechunk.decode(openai_chat, [stream_of(*deltas, end="function_call")])
    assert [(c.name, c.args) for c in reply.tool_calls] == [("f", {"a": 1})]
    assert reply.stop_reason == "tool_calls"


def test_a_custom_tools_call_goes_back_as_one() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    reply = openai_chat.decode_reply(json.dumps({"choices": [choice]}).encode())
    assert body(ChatRequest([reply.message]))["messages"][0]["tool_calls"] == [call]


# Usage ------------------------------------------------------------------------------------------

_count = st.none() | st.integers(-5, 10_000)


@given(_count, _count, _count, _count, _count, st.none() | st.integers(0, 40_000))
def test_usage_is_disjoint_and_never_negative(
    prompt: int | None,
    completion: int | None,
    cached: int | None,
    written: int | None,
    reasoning: int | None,
    total: int | None,
) -> None:
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}
    told = openai_chat.decode_reply(json.dumps({"choices": [choice], "usage": usage}).encode()).usage
    if prompt is None and completion is None:
        assert told is None
        return
    assert told is not None
    assert min(told.input, told.cached_input, told.cache_write, told.output, told.reasoning) >= 0
    prompt, completion, reasoning = (max(count or 0, 0) for count in (prompt, completion, reasoning))
    assert told.input + told.cached_input + told.cache_write == prompt
    beside = (total or 0) - prompt - completion  # what the vendor's own total has more than the two
    assert told.total == (total if beside > 0 and beside >= reasoning else prompt + completion)


def test_no_usage_is_not_zero() -> None:
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}
    for usage in (None, {}):
        reply = openai_chat.decode_reply(json.dumps({"choices": [choice], "usage": usage}).encode())
        assert reply.usage is None


# Errors -----------------------------------------------------------------------------------------


def error(**fields: Any) -> bytes:
    return json.dumps({"error": fields}).encode()


@pytest.mark.parametrize(
    ("content", "kind", "code", "status"),
    [
        pytest.param(
            error(message="too long", type="invalid_request_error", param="messages", code="context_length_exceeded"),
            errors.ContextTooLong,
            "context_length_exceeded",
            None,
            id="openai: context",
        ),
        pytest.param(
            error(message="pay", type="insufficient_quota", param=None, code="insufficient_quota"),
            errors.AuthenticationFailed,
            "insufficient_quota",
            None,
            id="openai: out of credit",
        ),
        pytest.param(
            error(message="key", type="invalid_request_error", param=None, code="invalid_api_key"),
            errors.AuthenticationFailed,
            "invalid_api_key",
            None,
            id="openai: key",
        ),
        pytest.param(
            error(message="slow", type="tokens", param=None, code="rate_limit_exceeded"),
            errors.RateLimited,
            "rate_limit_exceeded",
            None,
            id="openai: rate",
        ),
        pytest.param(
            error(message="down", type="server_error", param=None, code=None),
            errors.Overloaded,
            "server_error",
            None,
            id="openai: server",
        ),
        pytest.param(
            error(message="bad", type="invalid_request_error", param="x", code=None),
            None,
            "invalid_request_error",
            None,
            id="openai: only the status tells",
        ),
        pytest.param(
            error(
                message="filtered",
                type=None,
                param="prompt",
                code="content_filter",
                status=400,
                innererror={"code": "ResponsibleAIPolicyViolation"},
            ),
            errors.ContentRefused,
            "content_filter",
            None,
            id="azure: filter",
        ),
        pytest.param(
            b'{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300",'
            b'"raw_status_code":429}',
            errors.RateLimited,
            "rate_limited",
            429,
            id="mistral: rate",
        ),
        pytest.param(
            b'{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]}',
            None,
            None,
            None,
            id="mistral: validation",
        ),
        pytest.param(
            error(code=400, message="n_ctx", type="exceed_context_size_error", n_prompt_tokens=13392, n_ctx=8192),
            errors.ContextTooLong,
            "exceed_context_size_error",
            400,
            id="llama.cpp: context",
        ),
        pytest.param(
            error(code=402, message="credits", metadata={"error_type": "payment_required"}),
            errors.AuthenticationFailed,
            "payment_required",
            402,
            id="openrouter: credit",
        ),
        pytest.param(
            error(code=502, message="Provider returned error", metadata={"raw": "boom", "provider_name": "X"}),
            None,
            None,
            502,
            id="openrouter: upstream",
        ),
        pytest.param(
            b'{"code":"Client specified an invalid argument","error":"Model not found: grok-9"}',
            None,
            "Client specified an invalid argument",
            None,
            id="xai",
        ),
        pytest.param(b'{"error":"model \'x\' not found"}', None, None, None, id="ollama"),
        pytest.param(
            b'[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]', None, None, 400, id="google"
        ),
        pytest.param(
            b'{"object":"error","message":"long","type":"BadRequestError","param":null,"code":400}',
            None,
            "BadRequestError",
            400,
            id="vllm, older",
        ),
    ],
)
def test_errors(content: bytes, kind: Any, code: str | None, status: int | None) -> None:
    told = openai_chat.decode_error(content)
    assert told is not None
    assert (told.kind, told.code, told.status) == (kind, code, status)
    assert told.message


def test_openrouters_upstream_message_is_told() -> None:
    told = openai_chat.decode_error(error(code=502, message="Provider returned error", metadata={"raw": "boom"}))
    assert told is not None
    assert told.message == "Provider returned error: boom"


DEEP = b"[" * 100_000
NOT_OURS = [
    DEEP,
    b"",
    b"<html><body>502 Bad Gateway</body></html>",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"{}",
    b"\xff\xfe",
    b"[1]",
]


@pytest.mark.parametrize("content", NOT_OURS)
def test_other_bodies_are_no_errors_and_no_replies(content: bytes) -> None:
    assert openai_chat.decode_error(content) is None
    with pytest.raises(BadWire):
        openai_chat.decode_reply(content)
    with pytest.raises(BadWire):
        rechunk.decode(openai_chat, [content])


@pytest.mark.parametrize(
    "content",
    [
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":null,"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"content":"x"},"finish_reas',
        b'{"choices":[{"message":{"content":5}}]}',
        b'{"choices":[{"message":{"images":[{}]}}]}',
        b'{"choices":[{"message":{"audio":{"data":"!"}}}]}',
        b'{"choices":[{"message":{"content":[5]}}]}',
    ],
)
def test_broken_replies(content: bytes) -> None:
    with pytest.raises(BadWire):
        openai_chat.decode_reply(content)


@pytest.mark.parametrize(
    "data",
    [
        DEEP,
        b'{"choices":[{"delta":{"reasoning":' + DEEP,
        b"{",
        b"5",
        b'{"choices":[{"delta":{"content":1}}]}',
        b"\xff",
        b"oops",
    ],
)
def test_broken_chunks(data: bytes) -> None:
    with pytest.raises(BadWire):
        openai_chat.StreamDecoder().feed(b"data: " + data + b"\n\n")


@pytest.mark.parametrize(
    ("stream", "status", "kind"),
    [
        (
            b'data: {"id":"gen","choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502}}\n\n',
            502,
            None,
        ),
        (
            b'data: {"choices":[{"delta":{},"finish_reason":"stop","error":{"code":502,"message":"u"}}]}\n\n',
            502,
            None,
        ),
        (b'data: {"error":{"message":"slow","code":"rate_limit_exceeded"}}\n\n', None, errors.RateLimited),
        (b'event: error\ndata: {"error":{"message":"busy","type":"overloaded_error"}}\n\n', None, errors.Overloaded),
        (b"event: error\ndata: gone\n\n", None, None),
        (b'data: {"choices":[],"x_groq":{"id":"r","error":"over capacity"}}\n\n', None, None),
        (b'data: {"choices":[{"delta":{},"finish_reason":"error"}]}\n\n', None, None),
        (
            b'data: {"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n',
            None,
            errors.Overloaded,
        ),
    ],
)
def test_errors_in_a_stream(stream: bytes, status: int | None, kind: Any) -> None:
    first = b'data: {"id":"r","choices":[{"delta":{"content":"x"}}]}\n\n'
    for chunks in ([first + stream], [first, stream], [*rechunk.cut(first + stream, range(len(first + stream)))]):
        with pytest.raises(WireError) as told:
            rechunk.decode(openai_chat, chunks)
        assert (told.value.status, told.value.kind) == (status, kind)


def test_an_error_in_a_reply_of_status_200() -> None:
    for content in (
        error(code=429, message="slow"),
        b'{"choices":[{"message":{"content":""},"finish_reason":"error","error":{"code":429,"message":"slow"}}]}',
        b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"error":{"code":429,"message":"slow"}}',
    ):
        with pytest.raises(WireError, match="slow") as told:
            openai_chat.decode_reply(content)
        assert told.value.status == 429


def test_what_follows_done_is_passed_over() -> None:
    stream = stream_of({"content": "x"}, end="stop") + b"data: nonsense\n\ndata: half"
    assert rechunk.decode(openai_chat, [stream]).text == "x"


def test_bytes_that_are_whole_but_say_nothing() -> None:
    with pytest.raises(BadWire, match="finish_reason"):
        rechunk.decode(openai_chat, [b": OPENROUTER PROCESSING\n\n"])


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=1), st.data())
def test_any_chunks_of_the_fixtures(names: list[str], data: st.DataObject) -> None:
    stream = (WIRE / f"{names[0]}.sse").read_bytes()
    reply: Reply = rechunk.decode(openai_chat, data.draw(rechunk.cuts(stream)))
    assert reply == openai_chat.decode_reply((WIRE / f"{names[0]}.json").read_bytes())
