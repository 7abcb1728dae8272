"""`llmgate chat`: one question, or a conversation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from ..errors import ConfigError, GateError
from . import options
from .output import as_json, complain

if TYPE_CHECKING:
    from ..chat import Attempt, Message, Reply
    from ..client import Client


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="[PROMPT]", show_default=False, help="Default: standard input, or a conversation."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="A route, provider:model or a model's id."),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="The system prompt.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, metavar="N", help="At most so many tokens of answer.")
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", metavar="T", help="0 and up.", min=0.0)] = None,
    config: options.Config_ = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: text, target, usage, terms, attempts; at the end.")
    ] = False,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Wait for the whole answer.")] = False,
) -> None:
    """Asks a model, and shows the answer as it comes.

    Stderr tells which target answered, under which licence. Without a PROMPT the text on standard input is
    asked; at a terminal a conversation begins, which ends with Ctrl-D or /exit.

    Example: llmgate chat "Why is the sky blue?" --model local:smollm2-135m-instruct --max-tokens 80
    """
    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read()
    prompt, system = _text(prompt), _text(system)
    if prompt is not None and not prompt.strip():
        raise ConfigError("the prompt is empty")
    if prompt is None and json:
        raise ConfigError("--json wants a PROMPT, or text on standard input")

    from ..client import Client

    given = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
    with Client(config) as client:
        talk = Talk(client, {k: v for k, v in given.items() if v is not None}, system, stream=not no_stream)
        if prompt is None:
            _converse(talk)
        elif json:
            as_json(reply_json(talk.wait(prompt)))
        else:
            talk.ask(prompt)


def _text(argument: str | None) -> str | None:
    """An argument without what is no text in it: bytes that the terminal's encoding does not have."""
    return argument and argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Talk:
    """A conversation that remembers what was said."""

    def __init__(self, client: Client, settings: dict[str, Any], system: str | None, *, stream: bool) -> None:
        from ..chat import Message, Text

        self._client = client
        self._settings = settings
        self._stream = stream
        self._start = [Message("system", [Text(system)])] if system else []
        self._told: str | None = None
        self.forget()

    def forget(self) -> None:
        self._messages: list[Message] = list(self._start)

    def wait(self, text: str) -> Reply:
        """Asks, and waits for the whole answer. What fails is not remembered."""
        from ..chat import Message, Text

        messages = [*self._messages, Message("user", [Text(text)])]
        reply = self._client.chat(messages, **self._settings)
        self._messages = [*messages, reply.message]
        return reply

    def ask(self, text: str) -> None:
        """Asks, and shows the answer as it comes, then who gave it."""
        from ..chat import Message, Text

        if not self._stream:
            reply = self.wait(text)
            print(reply.text, flush=True)
        else:
            messages = [*self._messages, Message("user", [Text(text)])]
            with self._client.stream(messages, **self._settings) as stream:
                _print_pieces(stream.text)
                reply = stream.reply
            self._messages = [*messages, reply.message]
        if reply.stop_reason == "length":
            complain("the answer was cut at its greatest length")
        self._tell(reply)

    def _tell(self, reply: Reply) -> None:
        """Who answered and who was passed over, unless it was just the same."""
        lines = [passed_over(a) for a in reply.attempts if a.outcome != "answered"]
        lines.append(answered_by(reply))
        told = "\n".join(lines)
        if told != self._told:
            self._told = told
            for line in lines:
                complain(line)


def _print_pieces(pieces: Iterator[str]) -> None:
    """Text as it comes, ended by a line's end even where the stream breaks."""
    written = ""
    try:
        for piece in pieces:
            written = piece or written
            print(piece, end="", flush=True)
    finally:
        if written and not written.endswith("\n"):
            print(flush=True)


def _converse(talk: Talk) -> None:
    """Asks for turns until Ctrl-D or /exit. A failed turn is told and the conversation goes on."""
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives `input` its line editing

    print("Ctrl-D or /exit ends the conversation, /new begins another.", file=sys.stderr)
    while True:
        try:
            text = input("> ").strip()
        except EOFError:
            print(file=sys.stderr)
            return
        if text == "/exit":
            return
        if text == "/new":
            talk.forget()
        elif text:
            try:
                talk.ask(text)
            except ConfigError:
                raise
            except GateError as error:
                complain(error)
            except KeyboardInterrupt:
                complain("the answer was stopped")


def passed_over(attempt: Attempt) -> str:
    """Such as `openai:gpt-5.5 skipped: no key`."""
    return f"{attempt.target} {attempt.outcome}: {attempt.reason}"


def answered_by(reply: Reply) -> str:
    """Such as `local:x answered under Apache-2.0: permitted for commercial`, and what policy would have denied."""
    terms = reply.terms
    licences = ", ".join(dict.fromkeys(r.license for r in terms.reasons)) or "no known licence"
    verdicts = ", ".join(f"{verdict} for {use}" for use, verdict in terms.uses.items())
    told = f"{reply.target} answered under {licences}: {verdicts}"
    remark = reply.attempts[-1].reason if reply.attempts else None
    return f"{told}; {remark}" if remark else told


def reply_json(reply: Reply) -> dict[str, Any]:
    """The documented JSON of a reply; `usage` is null where the provider did not say."""
    return {
        "text": reply.text,
        "target": reply.target,
        "usage": msgspec.to_builtins(reply.usage),
        "terms": reply.terms.to_json(),
        "attempts": [{name: getattr(a, name) for name in a.__struct_fields__} for a in reply.attempts],
        "stop_reason": reply.stop_reason,
        "cost_usd": None if reply.cost_usd is None else float(reply.cost_usd),
        "dropped": reply.dropped,
    }
