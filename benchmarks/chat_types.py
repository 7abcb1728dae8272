"""Which kind of class the chat types should be: msgspec Struct, pydantic model, or dataclass.

For each: the import; making and decoding a reply; decoding the JSON of a stream's chunk into typed objects and
making the text event from it. Dataclasses are filled by hand from the standard library's JSON, as code without a
library would. Alone: `python -m benchmarks.chat_types`.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import timeit
from collections.abc import Callable
from typing import Any

import msgspec
import pydantic

from . import wire

ROUNDS = 7
BASE = "msgspec Struct"
_REPLY = wire.REPLY.partition(b"\r\n\r\n")[2]
_CHUNK = wire.STREAM_CHUNKS[7].partition(b"data: ")[2].partition(b"\n")[0]


class StructMessage(msgspec.Struct):
    role: str
    content: str | None = None


class StructChoice(msgspec.Struct):
    index: int = 0
    message: StructMessage | None = None
    finish_reason: str | None = None


class StructUsage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class StructReply(msgspec.Struct):
    id: str
    model: str
    choices: list[StructChoice]
    usage: StructUsage | None = None


class StructDelta(msgspec.Struct):
    content: str | None = None


class StructChunkChoice(msgspec.Struct):
    delta: StructDelta


class StructChunk(msgspec.Struct):
    choices: list[StructChunkChoice]


class StructEvent(msgspec.Struct, gc=False):
    index: int
    text: str


class ModelMessage(pydantic.BaseModel):
    role: str
    content: str | None = None


class ModelChoice(pydantic.BaseModel):
    index: int = 0
    message: ModelMessage | None = None
    finish_reason: str | None = None


class ModelUsage(pydantic.BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ModelReply(pydantic.BaseModel):
    id: str
    model: str
    choices: list[ModelChoice]
    usage: ModelUsage | None = None


class ModelDelta(pydantic.BaseModel):
    content: str | None = None


class ModelChunkChoice(pydantic.BaseModel):
    delta: ModelDelta


class ModelChunk(pydantic.BaseModel):
    choices: list[ModelChunkChoice]


class ModelEvent(pydantic.BaseModel):
    index: int
    text: str


@dataclasses.dataclass(slots=True)
class DataMessage:
    role: str
    content: str | None = None


@dataclasses.dataclass(slots=True)
class DataChoice:
    index: int = 0
    message: DataMessage | None = None
    finish_reason: str | None = None


@dataclasses.dataclass(slots=True)
class DataUsage:
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclasses.dataclass(slots=True)
class DataReply:
    id: str
    model: str
    choices: list[DataChoice]
    usage: DataUsage | None = None


@dataclasses.dataclass(slots=True)
class DataEvent:
    index: int
    text: str


def _data_reply() -> DataReply:
    data = json.loads(_REPLY)
    return DataReply(
        data["id"],
        data["model"],
        [
            DataChoice(
                c["index"],
                DataMessage(c["message"]["role"], c["message"].get("content")),
                c["finish_reason"],
            )
            for c in data["choices"]
        ],
        DataUsage(data["usage"]["prompt_tokens"], data["usage"]["completion_tokens"]),
    )


_struct_reply = msgspec.json.Decoder(StructReply).decode
_struct_chunk = msgspec.json.Decoder(StructChunk).decode

CASES: dict[str, dict[str, Callable[[], Any]]] = {
    "make a reply": {
        "msgspec Struct": lambda: StructReply(
            "x", "m", [StructChoice(0, StructMessage("assistant", "text"), "stop")], StructUsage(5, 7)
        ),
        "pydantic model": lambda: ModelReply(
            id="x",
            model="m",
            choices=[
                ModelChoice(index=0, message=ModelMessage(role="assistant", content="text"), finish_reason="stop")
            ],
            usage=ModelUsage(prompt_tokens=5, completion_tokens=7),
        ),
        "dataclass": lambda: DataReply(
            "x", "m", [DataChoice(0, DataMessage("assistant", "text"), "stop")], DataUsage(5, 7)
        ),
    },
    "decode a reply": {
        "msgspec Struct": lambda: _struct_reply(_REPLY),
        "pydantic model": lambda: ModelReply.model_validate_json(_REPLY),
        "dataclass": _data_reply,
    },
    "make a text event": {
        "msgspec Struct": lambda: StructEvent(0, "text"),
        "pydantic model": lambda: ModelEvent(index=0, text="text"),
        "dataclass": lambda: DataEvent(0, "text"),
    },
    "decode a chunk into an event": {
        "msgspec Struct": lambda: StructEvent(0, _struct_chunk(_CHUNK).choices[0].delta.content or ""),
        "pydantic model": lambda: ModelEvent(
            index=0, text=ModelChunk.model_validate_json(_CHUNK).choices[0].delta.content or ""
        ),
        "dataclass": lambda: DataEvent(0, json.loads(_CHUNK)["choices"][0]["delta"].get("content") or ""),
    },
}


def measure() -> dict[str, Any]:
    """Microseconds for each case and kind: medians over interleaved rounds, and ratios to the Struct."""
    out: dict[str, Any] = {}
    for case, kinds in CASES.items():
        rounds = [{kind: _microseconds(make) for kind, make in kinds.items()} for _ in range(ROUNDS)]
        out[case] = {
            kind: {
                "us": statistics.median(r[kind] for r in rounds),
                "ratio": statistics.median(r[kind] / r[BASE] for r in rounds),
            }
            for kind in kinds
        }
    return out


def _microseconds(make: Callable[[], Any], calls: int = 3000) -> float:
    return timeit.timeit(make, number=calls) / calls * 1e6


if __name__ == "__main__":
    from .report import types_table

    print(types_table(measure()))
