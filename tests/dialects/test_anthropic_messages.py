"""The Anthropic Messages dialect against its vendor's SDK, its fixtures and itself."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from anthropic.types import MessageParam, TextBlockParam, ToolUnionParam
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import BaseModel, TypeAdapter

from llmgate import errors
from llmgate.chat import (
    Assembler,
    Audio,
    ChatRequest,
    Document,
    Finished,
    Image,
    Message,
    NamedTool,
    Opaque,
    OutputSchema,
    PartAdded,
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
    events_of,
)
from llmgate.dialects import BadWire, Dialect, WireError, get
from llmgate.dialects import anthropic_messages as am

from . import strategies as some
from .rechunk import cuts, decode, decode_events, encode, every_cut

WIRE = Path(__file__).parent / "wire" / "anthropic_messages"
PAIRS = sorted(path.stem for path in WIRE.glob("*.json"))
# Blocks of the beta API, which the SDK's plain client does not know.
KNOWN_PAIRS = [name for name in PAIRS if name != "beta_blocks"]
STREAMS = sorted(path.stem for path in WIRE.glob("*.sse"))
WHOLE_STREAMS = [name for name in STREAMS if name != "error"]


def wire(name: str) -> bytes:
    return (WIRE / name).read_bytes()


def mine(**fields: Any) -> dict[str, Any]:
    return {"anthropic_messages": fields}


def ask(*content: Any, **fields: Any) -> ChatRequest:
    return ChatRequest([Message("user", list(content) or [Text("Hi")])], model="claude-opus-5", **fields)


def body_of(request: ChatRequest, **how: Any) -> dict[str, Any]:
    return json.loads(am.encode_request(request, **{"stream": False, **how}).body)


def dropped_of(request: ChatRequest, **how: Any) -> tuple[str, ...]:
    return am.encode_request(request, **{"stream": False, **how}).dropped


# The vendor's SDK -------------------------------------------------------------------------------


def sdk(content: bytes, *, status: int = 200, stream: bool = False) -> anthropic.Anthropic:
    """The vendor's client, answered with these bytes."""
    kind = "text/event-stream" if stream else "application/json"

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=content, headers={"content-type": kind, "request-id": "req_1"})

    return anthropic.Anthropic(
        api_key="key", max_retries=0, http_client=httpx2.Client(transport=httpx2.MockTransport(answer))
    )


CALL: dict[str, Any] = {
    "model": "claude-opus-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hi"}],
}


def sdk_message(content: bytes) -> anthropic.types.Message:
    return sdk(content).messages.create(**CALL)


def sdk_streamed(content: bytes) -> anthropic.types.Message:
    with sdk(content, stream=True).messages.stream(**CALL) as stream:
        return stream.get_final_message()


def agrees(message: anthropic.types.Message, reply: Reply) -> None:
    """What the SDK makes of the bytes is what we make of them."""
    assert (message.id, message.model, message.stop_reason) == (reply.id, reply.model, reply.stop_raw)
    assert len(message.content) == len(reply.message.content)
    for block, part in zip(message.content, reply.message.content, strict=True):
        if block.type == "text":
            assert isinstance(part, Text)
            assert part.text == block.text
            theirs = [c.to_dict(exclude_unset=True) for c in block.citations or []]
            assert (part.extra or mine(citations=[])) == mine(citations=theirs)
        elif block.type == "tool_use":
            assert isinstance(part, ToolCall)
            assert (part.id, part.name, part.args) == (block.id, block.name, block.input)
            if block.caller is not None:
                assert part.extra == mine(caller=block.caller.to_dict())
        elif block.type == "thinking":
            assert isinstance(part, Reasoning)
            assert part.text == block.thinking
            assert (part.extra or mine(signature="")) == mine(signature=block.signature)
        else:
            assert isinstance(part, Opaque)
            assert msgspec.json.decode(part.data) == block.to_dict(exclude_unset=True)
    usage, theirs = message.usage, reply.usage
    if theirs is None:
        return
    assert theirs.input == usage.input_tokens
    assert theirs.cached_input == (usage.cache_read_input_tokens or 0)
    assert theirs.cache_write == (usage.cache_creation_input_tokens or 0)
    assert theirs.output + theirs.reasoning == usage.output_tokens
    if usage.output_tokens_details is not None:
        assert theirs.reasoning == usage.output_tokens_details.thinking_tokens


_TURN = TypeAdapter(MessageParam)
_SYSTEM = TypeAdapter(TextBlockParam)
_TOOL = TypeAdapter(ToolUnionParam)
_BODY = {False: TypeAdapter(MessageCreateParamsNonStreaming), True: TypeAdapter(MessageCreateParamsStreaming)}


def listed(value: Any) -> Any:
    """A validated value with its lazy iterables run, so that they are validated too."""
    if isinstance(value, dict):
        return {key: listed(inner) for key, inner in value.items()}
    if isinstance(value, str | bytes | int | float | bool | None):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    return [listed(inner) for inner in value]


def sdk_accepts(body: dict[str, Any]) -> None:
    """The body is of the SDK's own request type, down to its blocks, with nothing that it does not know."""
    sampling = {"temperature", "top_p", "top_k"}  # of API version 2023-06-01; the SDK has dropped them
    kept = {key: value for key, value in body.items() if key not in sampling}
    assert listed(_BODY[bool(body.get("stream"))].validate_python(kept)) == kept
    for turn in body["messages"]:
        assert listed(_TURN.validate_python(turn)) == turn
    for block in body.get("system", []):
        assert listed(_SYSTEM.validate_python(block)) == block
    for tool in body.get("tools", []):
        assert listed(_TOOL.validate_python(tool)) == tool


# Requests ---------------------------------------------------------------------------------------

SIGNED = st.builds(Reasoning, some.texts(0), some.ids("sig+/").map(lambda signature: mine(signature=signature)))
OPAQUE = some.ids("data").map(
    lambda data: Opaque(am.NAME, msgspec.Raw(b'{"type": "redacted_thinking", "data": "%s"}' % data.encode()))
)
CONVERSATION = some.messages(
    user=("text", "image", "document"),
    assistant={
        "text": some.PARTS["text"],
        "tool_call": some.PARTS["tool_call"],
        "reasoning": SIGNED,
        "own": OPAQUE,
    },
    tool=("text", "image", "document"),
    tool_errors=True,
    results_per_message=2,
)
FIELDS = {
    name: some.FIELDS[name]
    for name in (
        "parallel_tool_calls",
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "stop",
        "reasoning_effort",
        "reasoning_budget",
        "user",
    )
} | {"output": some.output_schemas(name=False, description=False, strict=False)}
REQUESTS = some.chat_requests(CONVERSATION, fields=FIELDS)


def canonical(request: ChatRequest) -> ChatRequest:
    """The one of all requests with this meaning that decode_request gives."""
    messages: list[Message] = []
    for message in sorted(request.messages, key=lambda message: message.role != "system"):
        if messages and messages[-1].role == message.role:
            messages[-1].content.extend(message.content)
        else:
            messages.append(Message(message.role, list(message.content)))
    request = replace(request, messages=messages)
    if request.reasoning_effort == "minimal":
        request.reasoning_effort = "low"
    if request.max_tokens is None:
        request.max_tokens = am.DEFAULT_MAX_TOKENS + (request.reasoning_budget or 0)
    if request.reasoning_effort == "none":
        request.reasoning_budget = None
    if request.parallel_tool_calls or request.tool_choice == "none":
        request.parallel_tool_calls = None
    if request.parallel_tool_calls is False and request.tool_choice is None:
        request.tool_choice = "auto"
    return request


@given(REQUESTS)
@settings(deadline=None)
def test_a_request_survives_the_wire(request: ChatRequest) -> None:
    encoded = am.encode_request(request, stream=False)
    assert encoded.path == "/messages"
    assert encoded.dropped == ()
    assert am.decode_request(encoded.body) == canonical(request)


@given(REQUESTS, st.booleans())
@settings(deadline=None)
def test_the_sdk_accepts_every_request(request: ChatRequest, stream: bool) -> None:
    body = json.loads(am.encode_request(request, stream=stream).body)
    assert body.get("stream", False) is stream
    sdk_accepts(body)
    roles = [turn["role"] for turn in body["messages"]]
    assert all(a != b for a, b in pairwise(roles))
    for turn in body["messages"]:
        results = [block["type"] == "tool_result" for block in turn["content"]]
        assert results == sorted(results, reverse=True)


# As a client of the vendor may send it; every field of it must reach the vendor again.
RICH: list[dict[str, Any]] = [
    {
        "model": "claude-opus-5",
        "max_tokens": 2048,
        "system": [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "A book.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Read.", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                        "title": "A book",
                        "context": "old",
                        "citations": {"enabled": True},
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "Näh"},
                    },
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
                    },
                    {"type": "search_result", "source": "s", "title": "t", "content": []},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "Eo+/="},
                    {"type": "redacted_thinking", "data": "Em=="},
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "look",
                        "input": {"n": 1},
                        "caller": {"type": "direct"},
                    },
                    {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [{"type": "tool_reference", "tool_name": "look"}],
                    },
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "is_error": True,
                        "content": [{"type": "text", "text": "no"}],
                        "cache_control": {"type": "ephemeral"},
                    },
                    {"type": "text", "text": "Go on."},
                ],
            },
            {"role": "system", "content": [{"type": "text", "text": "From now on in French."}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "server_tool_use",
                        "id": "srvtoolu_1",
                        "name": "web_search",
                        "input": {"query": "q"},
                    },
                    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                    {
                        "type": "text",
                        "text": "Oui.",
                        "citations": [
                            {
                                "type": "char_location",
                                "cited_text": "x",
                                "document_index": 0,
                                "document_title": None,
                                "start_char_index": 0,
                                "end_char_index": 1,
                            }
                        ],
                    },
                ],
            },
        ],
        "tools": [
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"name": "look", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u-1"},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {
            "effort": "high",
            "format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}},
        },
        "service_tier": "auto",
        "container": "container_1",
        "cache_control": {"type": "ephemeral"},
        "stop_sequences": ["END"],
    },
    *(
        {**CALL, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], **fields}
        for fields in (
            {"output_config": {"effort": "low"}},
            {"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}},
            {"output_config": {"effort": "xhigh"}, "thinking": {"type": "disabled"}},
            {"output_config": {"effort": "medium"}, "thinking": {"type": "between_tools"}},
            {"thinking": {"type": "adaptive"}},
            {"thinking": {"type": "between_tools"}},
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            {"tool_choice": {"type": "none"}, "tools": [{"type": "bash_20250124", "name": "bash"}]},
            {"temperature": 0.5, "top_p": 0.25, "top_k": 3},
        )
    ),
]


@pytest.mark.parametrize("body", RICH, ids=range(len(RICH)))
def test_a_vendors_request_passes_through_unchanged(body: dict[str, Any]) -> None:
    sdk_accepts(body)
    request = am.decode_request(json.dumps(body).encode())
    assert body_of(request) == body
    assert dropped_of(request) == ()


def test_a_vendors_request_is_understood() -> None:
    request = am.decode_request(json.dumps(RICH[0]).encode())
    assert [message.role for message in request.messages] == [
        *("system", "user", "assistant", "tool", "user", "system", "assistant")
    ]
    assert request.messages[0].content == [
        Text("Be brief."),
        Text("A book.", mine(cache_control={"type": "ephemeral", "ttl": "1h"})),
    ]
    assert request.messages[3].content[1] == ToolResult(
        "toolu_2", [Text("no")], is_error=True, extra=mine(cache_control={"type": "ephemeral"})
    )
    assert request.tools == [Tool("look", parameters={"type": "object"})]
    assert (request.tool_choice, request.parallel_tool_calls) == ("auto", False)
    assert request.reasoning_effort == "high"
    assert request.output == OutputSchema({"type": "object", "properties": {}})
    assert (request.user, request.stop, request.max_tokens) == ("u-1", ["END"], 2048)


def test_strings_stand_for_text_blocks() -> None:
    wired = {
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
    }
    assert am.decode_request(json.dumps(wired).encode()).messages == [
        Message("system", [Text("Be brief.")]),
        Message("user", [Text("Hi")]),
        Message("assistant", [Text("Ho")]),
    ]


def test_turns_merge_and_tool_results_come_first() -> None:
    request = ChatRequest(
        [
            Message("system", [Text("A")]),
            Message("user", [Text("one")]),
            Message("user", [Text("two")]),
            Message("assistant", [ToolCall("c1", "f", '{"x":1}'), ToolCall("c2", "f")]),
            Message("system", [Text("B")]),
            Message("user", [Text("by the way")]),
            Message("tool", [ToolResult("c1", [Text("1")])]),
            Message("tool", [ToolResult("c2")]),
        ]
    )
    body = body_of(request)
    assert [block["text"] for block in body["system"]] == ["A", "B"]
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert [block.get("tool_use_id", "text") for block in body["messages"][2]["content"]] == [
        "c1",
        "c2",
        "text",
    ]
    assert "content" not in body["messages"][2]["content"][1]
    sdk_accepts({**body, "model": "m"})


def test_a_system_message_stays_in_place_if_it_says_so() -> None:
    request = ask()
    request.messages.append(Message("system", [Text("Now in French.")], extra=mine(in_place=True)))
    body = body_of(request)
    assert "system" not in body
    assert body["messages"][1] == {"role": "system", "content": [{"type": "text", "text": "Now in French."}]}
    sdk_accepts(body)


def test_max_tokens_has_a_default_above_the_thinking() -> None:
    assert body_of(ask())["max_tokens"] == 4096
    assert body_of(ask(reasoning_budget=10_000))["max_tokens"] == 14_096
    assert body_of(ask(reasoning_budget=10_000, max_tokens=12_000))["max_tokens"] == 12_000


@pytest.mark.parametrize(
    ("fields", "thinking", "effort"),
    [
        ({}, None, None),
        ({"reasoning_effort": "none"}, {"type": "disabled"}, None),
        ({"reasoning_budget": 0}, {"type": "disabled"}, None),
        ({"reasoning_effort": "minimal"}, {"type": "adaptive"}, "low"),
        ({"reasoning_effort": "xhigh"}, {"type": "adaptive"}, "xhigh"),
        ({"reasoning_budget": 2048}, {"type": "enabled", "budget_tokens": 2048}, None),
        (
            {"reasoning_budget": 2048, "reasoning_effort": "high"},
            {"type": "enabled", "budget_tokens": 2048},
            "high",
        ),
    ],
)
def test_thinking(fields: dict[str, Any], thinking: Any, effort: Any) -> None:
    body = body_of(ask(**fields))
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    sdk_accepts(body)


def test_an_outputs_description_goes_into_the_schema() -> None:
    body = body_of(ask(output=OutputSchema({"type": "object"}, description="A city.")))
    assert body["output_config"] == {
        "format": {"type": "json_schema", "schema": {"type": "object", "description": "A city."}}
    }


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        (NamedTool("f"), False, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
    ],
)
def test_tool_choice(choice: Any, parallel: bool | None, expected: Any) -> None:
    body = body_of(ask(tools=[Tool("f")], tool_choice=choice, parallel_tool_calls=parallel))
    assert body.get("tool_choice") == expected
    sdk_accepts(body)


def test_what_is_harmless_is_left_out_and_named() -> None:
    request = ask(
        Text("Hi"),
        Image(url="https://example.org/a.png", detail="high"),
        seed=1,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        metadata={"team": "a"},
        tool_choice="auto",
        parallel_tool_calls=False,
    )
    request.messages[0].name = "Ann"
    foreign = Opaque("openai_responses", msgspec.Raw(b'{"type":"reasoning"}'))
    request.messages.append(
        Message("assistant", [Reasoning("hm", {"openai_responses": {"id": "rs_1"}}), foreign, Text("Ho")])
    )
    assert set(dropped_of(request)) == {
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "metadata",
        "detail",
        "name",
        "reasoning",
        "opaque",
        "tool_choice",
        "parallel_tool_calls",
    }
    body = body_of(request)
    sdk_accepts(body)
    assert body["messages"][1]["content"] == [{"type": "text", "text": "Ho"}]


def test_extras_of_other_dialects_are_ignored() -> None:
    other = {"gemini_generate": {"thoughtSignature": "x"}}
    request = ChatRequest(
        [Message("user", [Text("Hi", other)]), Message("assistant", [ToolCall("c", "f", "{}", other)])]
    )
    assert dropped_of(request) == ()
    assert body_of(request)["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
    ]


def test_nothing_empty_is_sent() -> None:
    request = ask(Text(""), Text("Hi"))
    request.messages.append(Message("assistant", [Text(""), Reasoning("unsigned")]))
    request.messages.append(Message("user", [Text("Still there?")]))
    assert body_of(request)["messages"] == [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "Still there?"}],
        }
    ]


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (ask(Audio(data=b"RIFF", media_type="audio/wav")), "audio"),
        (ask(Image(data=b"BM", media_type="image/bmp")), "image/bmp"),
        (ask(Image(data=b"??")), "media_type"),
        (ask(Image()), "image"),
        (ask(Document(data=b"PK", media_type="application/msword")), "application/msword"),
        (ask(Document(data=b"\xff", media_type="text/plain")), "UTF-8"),
        (ask(Document(url="https://example.org/a.csv", media_type="text/csv")), "text/csv"),
        (ask(Document()), "document"),
        (ask(ToolResult("c", [Audio(data=b"RIFF", media_type="audio/wav")])), "audio"),
        (ask(tool_choice="required"), "tool_choice"),
        (ask(tool_choice=NamedTool("f")), "tool_choice"),
        (ChatRequest([Message("assistant", [Image(url="https://example.org/a.png")])]), "image"),
        (ChatRequest([Message("system", [Image(url="https://example.org/a.png")])]), "image"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_essential_and_impossible_raises(request_: ChatRequest, named: str) -> None:
    with pytest.raises(errors.Unsupported, match=named):
        am.encode_request(request_, stream=False)


def test_quirks() -> None:
    request = ask(temperature=0.5, top_p=0.5, stop=["x"], output=OutputSchema({"type": "object"}))
    with pytest.raises(errors.Unsupported, match="schema"):
        am.encode_request(request, stream=False, quirks=Quirks(json_schema=False))
    quirks = Quirks(drops=("temperature", "top_k", "stop", "output"))
    assert dropped_of(request, quirks=quirks) == ("temperature", "stop", "output")
    assert not {"temperature", "stop_sequences", "output_config"} & set(body_of(request, quirks=quirks))
    assert request.temperature == 0.5


def test_options_win() -> None:
    request = ask(
        user="u",
        reasoning_effort="high",
        options={
            "output_config": {"effort": "max"},
            "thinking": {"display": "summarized"},
            "metadata": None,
            "max_tokens": 7,
            "service_tier": "auto",
        },
    )
    body = body_of(request)
    assert body["output_config"] == {"effort": "max"}
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert "metadata" not in body
    assert (body["max_tokens"], body["service_tier"]) == (7, "auto")
    sdk_accepts(body)


def test_images_and_documents_by_their_bytes() -> None:
    png = b"\x89PNG\r\n"
    encoded = base64.b64encode(png).decode()
    request = ask(
        Image(data=png),
        Image(url=f"data:image/png;base64,{encoded}"),
        Document(data=b"%PDF-1.7"),
        Document(data="a,b\nä,1".encode(), media_type="text/csv", name="table"),
    )
    content = body_of(request)["messages"][0]["content"]
    assert content[0] == content[1]
    assert content[0]["source"] == {"type": "base64", "media_type": "image/png", "data": encoded}
    assert content[2]["source"]["media_type"] == "application/pdf"
    assert content[3] == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "a,b\nä,1"},
        "title": "table",
    }
    sdk_accepts(body_of(request))


def test_ids_of_other_vendors_are_made_fit_and_still_match() -> None:
    request = ChatRequest(
        [
            Message("assistant", [ToolCall("functions.f:0", "f"), ToolCall("functions_f:0", "f")]),
            Message("tool", [ToolResult("functions.f:0"), ToolResult("functions_f:0")]),
        ]
    )
    calls, results = (turn["content"] for turn in body_of(request)["messages"])
    assert [call["id"] for call in calls] == [result["tool_use_id"] for result in results]
    assert len({call["id"] for call in calls}) == 2
    assert all(call["id"].replace("_", "").isalnum() for call in calls)


def test_arguments_go_as_they_came() -> None:
    exact = '{"price": 1.50, "n": 12345678901234567890}'
    request = ChatRequest([Message("assistant", [ToolCall("c", "f", exact)])])
    assert exact.encode() in am.encode_request(request, stream=False).body
    assert am.decode_request(am.encode_request(request, stream=False).body).messages == request.messages


@pytest.mark.parametrize("arguments", ['{"city": "Ber', "[1]", "not json"])
def test_arguments_that_are_no_object_are_wrapped_and_unwrapped(arguments: str) -> None:
    request = ChatRequest([Message("assistant", [ToolCall("c", "f", arguments)])])
    body = body_of(request)
    assert body["messages"][0]["content"][0]["input"] == {"INVALID_JSON": arguments}
    assert am.decode_request(json.dumps(body).encode()).messages == request.messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"messages": "Hi"}',
        b'{"messages": [{"role": "robot", "content": "Hi"}]}',
        b'{"messages": [{"role": "user", "content": [1]}]}',
        b'{"messages": [{"role": "user", "content": [{"type": 1}]}]}',
        b'{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"a"}}]}]}',
        b'{"messages": [], "max_tokens": "many"}',
        b"<html>Bad Gateway</html>",
    ],
)
def test_a_bad_request_is_bad_wire(body: bytes) -> None:
    with pytest.raises(BadWire):
        am.decode_request(body)


# Replies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_a_reply_is_the_same_streamed_or_whole(name: str) -> None:
    assert decode(am, [wire(f"{name}.sse")]) == am.decode_reply(wire(f"{name}.json"))


@pytest.mark.parametrize("name", KNOWN_PAIRS)
def test_a_whole_reply_agrees_with_the_sdk(name: str) -> None:
    agrees(sdk_message(wire(f"{name}.json")), am.decode_reply(wire(f"{name}.json")))


@pytest.mark.parametrize("name", [name for name in KNOWN_PAIRS if name != "no_usage"])
def test_a_streamed_reply_agrees_with_the_sdk(name: str) -> None:
    agrees(sdk_streamed(wire(f"{name}.sse")), decode(am, [wire(f"{name}.sse")]))


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_the_cut_of_a_streams_bytes_never_matters(name: str) -> None:
    data = wire(f"{name}.sse")
    whole = decode_events(am, [data])
    for pieces in every_cut(data):
        assert decode_events(am, pieces) == whole
    assert decode_events(am, [data.replace(b"\n", b"\r\n")]) == whole


@pytest.mark.parametrize("name", WHOLE_STREAMS)
@given(st.data())
def test_any_cuts_of_a_streams_bytes_never_matter(name: str, data: st.DataObject) -> None:
    whole = wire(f"{name}.sse")
    assert decode(am, data.draw(cuts(whole))) == decode(am, [whole])


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_a_stream_cut_short_never_looks_whole(name: str) -> None:
    data = wire(f"{name}.sse")
    for end in range(len(data)):
        decoder = am.StreamDecoder()
        events = decoder.feed(data[:end])
        assert not any(isinstance(event, Finished) for event in events)
        with pytest.raises(BadWire, match="message_stop"):
            decoder.finish()


def test_parallel_tool_calls() -> None:
    reply = decode(am, [wire("tools.sse")])
    assert reply.stop_reason == "tool_calls"
    assert reply.message.content == [
        Text("Both cities."),
        ToolCall("toolu_01Berlin", "get_weather", '{"city":"Berlin","days":1.50}', mine(caller={"type": "direct"})),
        ToolCall("toolu_01Now", "now", "{}"),
        ToolCall("toolu_01Paris", "get_weather", '{"city":"Paris"}'),
    ]
    assert reply.usage == Usage(input=472, cached_input=2048, cache_write=128, output=89)
    assert reply.extra == mine(
        usage={
            "cache_creation": {"ephemeral_5m_input_tokens": 28, "ephemeral_1h_input_tokens": 100},
            "service_tier": "standard",
        }
    )


def test_thinking_comes_back_bit_for_bit() -> None:
    sent = json.loads(wire("thinking.json"))["content"]
    for reply in (decode(am, [wire("thinking.sse")]), am.decode_reply(wire("thinking.json"))):
        assert reply.reasoning == "1071 = 2·462 + 147; so 21."
        assert reply.usage == Usage(input=40, output=30, reasoning=90)
        body = body_of(ChatRequest([reply.message]))
        assert body["messages"] == [{"role": "assistant", "content": sent}]
        assert dropped_of(ChatRequest([reply.message])) == ()


@pytest.mark.parametrize("name", PAIRS)
def test_every_block_of_a_reply_goes_back_as_it_came(name: str) -> None:
    sent = [
        block
        for block in json.loads(wire(f"{name}.json"))["content"]
        if block != {"type": "text", "text": ""}  # which the API refuses
    ]
    for reply in (decode(am, [wire(f"{name}.sse")]), am.decode_reply(wire(f"{name}.json"))):
        request = ChatRequest([reply.message, Message("user", [Text("Go on.")])])
        turns = body_of(request)["messages"]
        assert [turn["content"] for turn in turns[:-1]] == ([sent] if sent else [])


def test_a_refusal_and_what_a_stop_says() -> None:
    refused = decode(am, [wire("refusal.sse")])
    assert (refused.stop_reason, refused.stop_raw) == ("refusal", "refusal")
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    assert refused.extra == mine(stop_details=details)
    stopped = decode(am, [wire("text.sse")])
    assert (stopped.stop_reason, stopped.extra) == ("stop_sequence", mine(stop_sequence="END"))


def test_a_cut_tool_call_is_kept_as_far_as_it_came() -> None:
    reply = decode(am, [wire("cut_tool_call.sse")])
    assert (reply.stop_reason, reply.usage) == ("length", Usage(input=450, output=124))
    (call,) = reply.tool_calls
    assert call.arguments == '{"name":"taxes.txt","lines":["a'
    with pytest.raises(ValueError, match="truncated"):
        _ = call.args


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("a_future_reason", "other"),
        (None, "other"),
    ],
)
def test_stop_reasons(raw: str | None, reason: str) -> None:
    reply = am.decode_reply(json.dumps({"content": [], "stop_reason": raw}).encode())
    assert (reply.stop_reason, reply.stop_raw) == (reason, raw)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({"input_tokens": 1, "output_tokens": 2}, Usage(input=1, output=2)),
        (
            {"input_tokens": 1, "cache_read_input_tokens": None, "cache_creation_input_tokens": None},
            Usage(input=1),
        ),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}},
            Usage(cache_write=7),
        ),
        ({"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}}, Usage(reasoning=5)),
        ({"output_tokens": -1}, Usage()),
    ],
)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert am.decode_reply(json.dumps({"content": [], "usage": usage}).encode()).usage == expected


@given(st.fixed_dictionaries({}, optional={name: st.none() | st.integers(0, 10**6) for name in (
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "thinking"
)}))  # fmt: skip
def test_the_buckets_sum_to_what_is_billed(counts: dict[str, int | None]) -> None:
    thinking = counts.pop("thinking", None)
    stated: dict[str, Any] = dict(counts)
    if thinking is not None:
        stated["output_tokens_details"] = {"thinking_tokens": thinking}
    reply = am.decode_reply(json.dumps({"content": [], "usage": stated}).encode())
    billed = sum(value or 0 for value in counts.values())
    assert (reply.usage.total if reply.usage else 0) == billed
    assert reply.usage is None or min(msgspec.structs.astuple(reply.usage)) >= 0


def stream_of(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def test_usage_in_a_stream_is_cumulative() -> None:
    data = stream_of(
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 10}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 15, "input_tokens": None, "cache_read_input_tokens": 4},
        },
        {"type": "message_stop"},
    )
    assert decode(am, [data]).usage == Usage(input=9, cached_input=4, output=15)


def test_a_tools_whole_input_at_the_start_of_its_block_counts() -> None:
    tool = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    events: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": tool},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ]
    assert decode(am, [stream_of(*events)]).tool_calls == [ToolCall("t", "f", '{"a": 1}')]
    delta = {"type": "input_json_delta", "partial_json": '{"b":2}'}
    events.insert(1, {"type": "content_block_delta", "index": 0, "delta": delta})
    assert decode(am, [stream_of(*events)]).tool_calls == [ToolCall("t", "f", '{"b":2}')]


def test_a_server_tools_cut_input_is_kept_too() -> None:
    tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"que'}
    data = stream_of(
        {"type": "content_block_start", "index": 0, "content_block": tool},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}},
        {"type": "message_stop"},
    )
    (part,) = decode(am, [data]).message.content
    assert isinstance(part, Opaque)
    assert msgspec.json.decode(part.data) == {**tool, "input": {"INVALID_JSON": '{"que'}}


def test_no_citations_are_no_extra() -> None:
    block = {"type": "text", "text": "Hi", "citations": []}
    data = stream_of(
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    )
    assert decode(am, [data]).message.content == [Text("Hi")]
    for citations in ([], None):
        body = json.dumps({"content": [{**block, "citations": citations}]}).encode()
        assert am.decode_reply(body).message.content == [Text("Hi")]


def test_names_of_events_are_not_needed_and_a_foreign_terminator_is_no_harm() -> None:
    data = b"".join(line + b"\n" for line in wire("tools.sse").split(b"\n") if not line.startswith(b"event:"))
    assert decode(am, [data + b"data: [DONE]\n\n"]) == am.decode_reply(wire("tools.json"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"<html>502 Bad Gateway</html>",
        b'{"content": "Hi"}',
        b'{"content": [{"type": "text", "text": 1}]}',
        b'{"content": [{"type": "text", "text": "caf\xe9"}]}',
        wire("tools.json")[:-20],
    ],
)
def test_a_bad_reply_is_bad_wire(body: bytes) -> None:
    with pytest.raises(BadWire):
        am.decode_reply(body)


@pytest.mark.parametrize("body", [b"", b"<html>\n<body>502</body>\n</html>\n", b'{"content":[]}\n', b"\n\n"])
def test_what_is_no_stream_is_bad_wire(body: bytes) -> None:
    decoder = am.StreamDecoder()
    assert decoder.feed(body) == []
    with pytest.raises(BadWire):
        decoder.finish()


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"type":"content_block_start","index":0}', b"x", b'"\xff"'])
def test_a_bad_event_is_bad_wire_and_what_came_before_counts(data: bytes) -> None:
    bad = b"data: " + data + b"\n\n"
    with pytest.raises(BadWire):
        am.StreamDecoder().feed(bad)
    good = stream_of({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Half"}})
    decoder = am.StreamDecoder()
    assert decoder.feed(good + bad) == [TextDelta(0, "Half")]
    with pytest.raises(BadWire):
        decoder.finish()


# Errors -----------------------------------------------------------------------------------------


def feed_all(pieces: list[bytes], assembler: Assembler) -> None:
    decoder = am.StreamDecoder()
    for piece in pieces:
        for event in decoder.feed(piece):
            assembler.feed(event)
    decoder.finish()


def test_an_error_in_a_stream() -> None:
    data = wire("error.sse")
    for pieces in every_cut(data):
        assembler = Assembler()
        with pytest.raises(WireError) as caught:
            feed_all(pieces, assembler)
        assert assembler.reply().text == "Half"
        error = caught.value
        assert (error.message, error.code, error.kind) == (
            "Overloaded",
            "overloaded_error",
            errors.Overloaded,
        )
        assert error.status == 529
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        sdk_streamed(data)


def test_an_error_where_a_reply_was_expected() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(WireError, match="Overloaded"):
        am.decode_reply(body)
    decoder = am.StreamDecoder()
    assert decoder.feed(body) == []
    with pytest.raises(WireError, match="Overloaded"):
        decoder.finish()


@pytest.mark.parametrize(
    ("kind", "expected", "status"),
    [
        ("invalid_request_error", errors.InvalidRequest, None),
        ("authentication_error", errors.AuthenticationFailed, 401),
        ("billing_error", errors.AuthenticationFailed, 402),
        ("permission_error", errors.AuthenticationFailed, 403),
        ("not_found_error", errors.InvalidRequest, 404),
        ("conflict_error", errors.InvalidRequest, 409),
        ("request_too_large", errors.InvalidRequest, 413),
        ("rate_limit_error", errors.RateLimited, 429),
        ("api_error", errors.Overloaded, 500),
        ("timeout_error", errors.Timeout, 504),
        ("overloaded_error", errors.Overloaded, 529),
        ("a_future_error", None, None),
    ],
)
def test_error_types(kind: str, expected: Any, status: int | None) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "rate_limit overloaded"}, "request_id": "r"}
    error = am.decode_error(json.dumps(body).encode())
    assert error is not None
    assert (error.code, error.kind, error.status) == (kind, expected, status)
    assert error.message == "rate_limit overloaded"


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("rate_limit_error", "enforced_spend_limit_reached", errors.AuthenticationFailed),
        ("rate_limit_error", "ramp_limit_exceeded", errors.RateLimited),
        ("invalid_request_error", "organization_on_hold", errors.AuthenticationFailed),
        ("invalid_request_error", "image_dimensions_too_large", errors.InvalidRequest),
    ],
)
def test_an_error_code_says_more_than_the_type(kind: str, code: str, expected: Any) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "No", "details": {"error_code": code}}}
    error = am.decode_error(json.dumps(body).encode())
    assert error is not None
    assert (error.code, error.kind) == (code, expected)
    with pytest.raises(anthropic.APIStatusError) as caught:
        sdk(json.dumps(body).encode(), status=400).messages.create(**CALL)
    assert caught.value.error_code == code


def test_a_compatible_servers_error() -> None:
    body = b'{"error":{"code":400,"message":"Expected \'messages\'","type":"invalid_request_error"}}'
    error = am.decode_error(body)
    assert error is not None
    assert (error.kind, error.status) == (errors.InvalidRequest, 400)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html/>", b'{"error":"no"}', b'{"error":{"message":"no"}}'])
def test_no_error_of_this_dialect(body: bytes) -> None:
    assert am.decode_error(body) is None


ERRORS = [
    (errors.AuthenticationFailed("No"), anthropic.AuthenticationError, errors.AuthenticationFailed),
    (errors.AuthenticationFailed("No", status=402), anthropic.APIStatusError, errors.AuthenticationFailed),
    (
        errors.AuthenticationFailed("No", status=403),
        anthropic.PermissionDeniedError,
        errors.AuthenticationFailed,
    ),
    (errors.RateLimited("No"), anthropic.RateLimitError, errors.RateLimited),
    (errors.InvalidRequest("No"), anthropic.BadRequestError, errors.InvalidRequest),
    (errors.InvalidRequest("No", status=404), anthropic.NotFoundError, errors.InvalidRequest),
    (errors.InvalidRequest("No", status=422), anthropic.UnprocessableEntityError, errors.InvalidRequest),
    (errors.ContextTooLong("No"), anthropic.BadRequestError, errors.InvalidRequest),
    (errors.ContentRefused("No"), anthropic.BadRequestError, errors.InvalidRequest),
    (errors.Overloaded("No", status=503), anthropic.InternalServerError, errors.Overloaded),
    (errors.Timeout("No"), anthropic.InternalServerError, errors.Timeout),
    (errors.ConnectionFailed("No"), anthropic.InternalServerError, errors.Overloaded),
    (errors.StreamBroken("No"), anthropic.InternalServerError, errors.Overloaded),
    (errors.ProviderError("No"), anthropic.InternalServerError, errors.Overloaded),
    (errors.PolicyDenied("No"), anthropic.PermissionDeniedError, errors.AuthenticationFailed),
    (errors.ModelUnavailable("No"), anthropic.NotFoundError, errors.InvalidRequest),
    (errors.Unsupported("No"), anthropic.BadRequestError, errors.InvalidRequest),
    (errors.ConfigError("No"), anthropic.BadRequestError, errors.InvalidRequest),
    (errors.GateError("No"), anthropic.InternalServerError, errors.Overloaded),
    (
        errors.AllTargetsFailed("No", [errors.Timeout("a"), errors.RateLimited("b")]),
        anthropic.RateLimitError,
        errors.RateLimited,
    ),
]


@pytest.mark.parametrize(("error", "theirs", "ours"), ERRORS, ids=lambda value: getattr(value, "__name__", None))
def test_the_sdk_raises_our_errors(error: errors.GateError, theirs: Any, ours: Any) -> None:
    status, body = am.encode_error(error)
    with pytest.raises(theirs, match="No") as caught:
        sdk(body, status=status).messages.create(**CALL)
    assert caught.value.type == json.loads(body)["error"]["type"]
    decoded = am.decode_error(body)
    assert decoded is not None
    assert decoded.kind is ours
    assert "No" in decoded.message


def test_an_errors_request_id_is_passed_on() -> None:
    _status, body = am.encode_error(errors.RateLimited("No", request_id="req_9"))
    assert json.loads(body)["request_id"] == "req_9"


# The server's half ------------------------------------------------------------------------------

ANSWER_PARTS = {
    "text": some.PARTS["text"],
    "tool_call": some.PARTS["tool_call"],
    "reasoning": SIGNED,
    "own": OPAQUE,
}
RAW_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "stop_sequence": "stop_sequence",
    "pause": "pause_turn",
    "refusal": "refusal",
}
REPLIES = some.replies(ANSWER_PARTS, stop_reasons=RAW_STOPS, usage=True)


@given(REPLIES)
@settings(deadline=None)
def test_a_reply_survives_the_wire(reply: Reply) -> None:
    assert am.decode_reply(am.encode_reply(reply)) == reply
    agrees(sdk_message(am.encode_reply(reply)), reply)


@given(some.event_streams(REPLIES), st.data())
@settings(deadline=None)
def test_a_stream_survives_the_wire(stream: tuple[Reply, list[Any]], data: st.DataObject) -> None:
    reply, events = stream
    encoded = encode(am, events)
    assert decode(am, data.draw(cuts(encoded))) == reply
    agrees(sdk_streamed(encoded), reply)


MIXED = some.replies(("reasoning", "text", "refusal", "tool_call"), usage=True)


@given(some.event_streams(MIXED, interleave=True))
@settings(deadline=None)
def test_mixed_parts_of_other_vendors_stay_apart(stream: tuple[Reply, list[Any]]) -> None:
    reply, events = stream
    encoded = encode(am, events)
    decoded = decode(am, [encoded])
    by_id = {call.id: call for call in decoded.tool_calls}
    assert by_id == {call.id: call for call in reply.tool_calls}
    assert sorted(decoded.reasoning) == sorted(reply.reasoning)
    said = reply.text + "".join(part.text for part in reply.message.content if isinstance(part, Refusal))
    assert sorted(decoded.text) == sorted(said)
    assert decoded.usage == reply.usage
    message = sdk_streamed(encoded)
    assert {block.id: block.input for block in message.content if block.type == "tool_use"} == {
        call.id: call.args for call in reply.tool_calls
    }


def blocks_on_the_wire(data: bytes) -> list[str]:
    return [
        f"{event['type'].removeprefix('content_block_')}{event['index']}"
        for line in data.decode().split("\n")
        if line.startswith("data:") and "index" in (event := json.loads(line[5:]))
    ]


def test_blocks_follow_each_other_where_they_can() -> None:
    events = [
        Started("m", "x"),
        TextDelta(0, "Hi"),
        ToolCallDelta(1, "", "a", "f"),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(2, '{"x"', "b", "f"),
        ToolCallDelta(3, "{", "c", "f"),
        ToolCallDelta(3, "}"),
        ToolCallDelta(2, ":1}"),
        Finished("tool_calls"),
    ]
    assert " ".join(blocks_on_the_wire(encode(am, events))) == (
        "start0 delta0 stop0 start1 delta1 stop1 start2 delta2 start3 delta3 delta3 delta2 stop2 stop3"
    )


def test_what_trails_a_whole_call_opens_no_other() -> None:
    events = [
        ToolCallDelta(0, "{}", "a", "f"),
        ToolCallDelta(1, "{}", "b", "g"),
        ToolCallDelta(1, " "),
        ToolCallDelta(0, " "),
        Finished("tool_calls"),
    ]
    assert [(call.id, call.args) for call in decode(am, [encode(am, events)]).tool_calls] == [
        ("a", {}),
        ("b", {}),
    ]


def test_a_stream_without_its_end_does_not_look_whole() -> None:
    data = encode(am, [Started("m", "x"), TextDelta(0, "Half")])
    assert b"message_stop" not in data
    with pytest.raises(WireError, match="before its end"):
        decode(am, [data])


def test_an_error_in_an_encoded_stream() -> None:
    encoder = am.StreamEncoder()
    data = encoder.feed(TextDelta(0, "Half")) + encoder.error(errors.Overloaded("Busy"))
    with pytest.raises(anthropic.APIStatusError, match="Busy"):
        sdk_streamed(data)
    with pytest.raises(WireError, match="Busy"):
        decode(am, [data])


@pytest.mark.parametrize("name", PAIRS)
def test_a_vendors_stream_passes_through(name: str) -> None:
    reply = am.decode_reply(wire(f"{name}.json"))
    again = decode(am, [encode(am, decode_events(am, [wire(f"{name}.sse")]))])
    usage = reply.usage or Usage()  # the wire has no way to say that it is unknown
    assert again == replace(reply, usage=usage)
    assert decode(am, [encode(am, events_of(reply))]) == replace(reply, usage=usage)
    assert am.decode_reply(am.encode_reply(reply)) == replace(reply, usage=usage)


def test_the_start_of_a_stream_states_the_inputs_tokens() -> None:
    data = encode(am, decode_events(am, [wire("tools.sse")]))
    first = json.loads(data.split(b"\n")[1][5:])
    assert first["type"] == "message_start"
    assert first["message"]["usage"]["cache_read_input_tokens"] == 2048
    call = next(line for line in data.split(b"\n") if b"toolu_01Berlin" in line)
    assert json.loads(call[5:])["content_block"]["caller"] == {"type": "direct"}


def test_replies_of_other_vendors() -> None:
    foreign = Opaque("gemini_generate", msgspec.Raw(b"{}"))
    reply = Reply(
        Message(
            "assistant",
            [Reasoning("hm"), foreign, Refusal("I won't."), ToolCall("functions.f:0", "f", '{"a')],
        ),
        stop_reason="content_filter",
        stop_raw="SAFETY",
        usage=Usage(input=1, cached_input=2, cache_write=3, output=4, reasoning=5),
    )
    for message in (sdk_message(am.encode_reply(reply)), sdk_streamed(encode(am, events_of(reply)))):
        assert message.stop_reason == "refusal"
        assert message.id.startswith("msg_")
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
        assert message.content[2].id == "functions.f:0"
        assert (message.usage.input_tokens, message.usage.output_tokens) == (1, 9)
    assert sdk_message(am.encode_reply(reply)).content[2].input == {"INVALID_JSON": '{"a'}
    thought = am.decode_request(json.dumps({"messages": [
        {"role": "assistant", "content": json.loads(am.encode_reply(reply))["content"]}
    ]}).encode())  # fmt: skip
    assert thought.messages[0].content[0] == Reasoning("hm")


def test_an_unknown_stop_is_not_called_a_natural_one() -> None:
    reply = Reply(Message("assistant", [Text("Hi")]), stop_reason="other", stop_raw="MALFORMED")
    assert sdk_message(am.encode_reply(reply)).stop_reason is None
    assert sdk_streamed(encode(am, events_of(reply))).stop_reason is None


def test_a_reply_that_cannot_be_said() -> None:
    image = Image(data=b"\x89PNG", media_type="image/png")
    with pytest.raises(errors.Unsupported, match="image"):
        am.encode_reply(Reply(Message("assistant", [image])))
    with pytest.raises(errors.Unsupported, match="image"):
        am.StreamEncoder().feed(PartAdded(0, image))


def test_an_opaque_part_with_line_ends_fits_into_an_event() -> None:
    part = Opaque(am.NAME, msgspec.Raw(b'{\n  "type": "redacted_thinking",\r\n  "data": "a b"\n}'))
    data = encode(am, [Started("m", "x"), PartAdded(0, part), Finished("stop", "end_turn")])
    (block,) = sdk_streamed(data).content
    assert block.to_dict() == {"type": "redacted_thinking", "data": "a b"}


def test_the_module_is_a_dialect() -> None:
    dialect: Dialect = get("anthropic_messages")
    assert dialect.NAME == "anthropic_messages"
    assert dialect.StreamDecoder is am.StreamDecoder
