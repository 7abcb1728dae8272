"""`llmgate chat`, answered by the embedded model."""

from __future__ import annotations

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from .conftest import COMMAND, Gate

pytest.importorskip("xllamacpp")

LOCAL = "local:smollm2-135m-instruct"
SHORT = ["--max-tokens", "12", "--temperature", "0"]


def test_the_answer_goes_to_stdout_and_who_gave_it_to_stderr(gate: Gate) -> None:
    ran = gate("chat", "What is the capital of France?", *SHORT)
    assert ran.code == 0
    assert ran.out.strip()
    assert ran.out.endswith("\n")
    assert f"llmgate: {LOCAL} answered under Apache-2.0: permitted for commercial\n" in ran.err


def test_json_has_the_documented_keys(gate: Gate) -> None:
    said = gate("chat", "What is the capital of France?", "--json", *SHORT).json
    assert {"text", "target", "usage", "terms", "attempts"} <= said.keys()
    assert said["usage"].keys() == {"input", "cached_input", "cache_write", "output", "reasoning"}
    assert said["target"] == LOCAL
    assert said["terms"]["verdict"] == "permitted"
    assert [(a["target"], a["outcome"]) for a in said["attempts"]] == [(LOCAL, "answered")]
    streamed = gate("chat", "What is the capital of France?", *SHORT)
    assert streamed.out.strip() == said["text"].strip()
    assert gate("chat", "What is the capital of France?", "--no-stream", *SHORT).out == streamed.out


def test_the_prompt_may_come_from_standard_input(gate: Gate) -> None:
    ran = gate("chat", *SHORT, stdin="What is the capital of France?")
    assert ran.code == 0
    assert ran.out == gate("chat", "What is the capital of France?", *SHORT).out
    empty = gate("chat", stdin=" \n")
    assert (empty.code, empty.err) == (2, "llmgate: the prompt is empty\n")


def test_the_system_prompt_is_heard(gate: Gate) -> None:
    bare = gate("chat", "Hello.", "--json", *SHORT).json
    told = gate("chat", "Hello.", "--system", "You speak of nothing but the sea. " * 5, "--json", *SHORT).json
    assert told["usage"]["input"] > bare["usage"]["input"]


def test_who_was_passed_over_is_told_with_the_reason(gate: Gate) -> None:
    gate.config(f'[policy]\n[routes.chat]\ntargets = ["openai:gpt-4o", "groq:llama-3.3-70b-instruct", "{LOCAL}"]\n')
    ran = gate("chat", "Say hello.", *SHORT, GROQ_API_KEY="x")
    assert ran.code == 0
    assert "llmgate: openai:gpt-4o skipped: no key: set OPENAI_API_KEY" in ran.err
    assert "llmgate: groq:llama-3.3-70b-instruct denied: conditional: " in ran.err
    assert f"llmgate: {LOCAL} answered" in ran.err


def test_what_policy_denies_exits_4_or_5_and_a_call_that_can_not_be_made_1(gate: Gate) -> None:
    gate.config("[policy]\n")
    denied = gate("chat", "Hi", "-m", "groq:llama-3.3-70b-instruct", GROQ_API_KEY="x")
    assert (denied.code, denied.out, denied.err.count("\n")) == (4, "", 1)
    unknown = gate("chat", "Hi", "-m", "deepseek:nobody-knows-it", DEEPSEEK_API_KEY="x")
    assert (unknown.code, unknown.err.count("\n")) == (5, 1)
    keyless = gate("chat", "Hi", "-m", "anthropic:claude-sonnet-5")
    assert (keyless.code, keyless.err.count("\n")) == (1, 1)
    assert "ANTHROPIC_API_KEY" in keyless.err


class _Broken(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b"<html><body>Bad gateway</body></html>"
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(502)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def broken_upstream() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_call_that_fails_is_one_line_and_exit_1(gate: Gate, broken_upstream: str) -> None:
    gate.config(
        f'[providers.mine]\nurl = "{broken_upstream}/v1"\ndialect = "openai_chat"\n'
        '[models."mine:a"]\nlicense = ["MIT"]\n[policy]\nunknown = "allow"\n'
        '[routes.a]\ntargets = ["mine:a"]\nretries = 0\n'
    )
    ran = gate("chat", "Hi", "-m", "a", no_proxy="127.0.0.1")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "502" in ran.err
    assert "Bad gateway" in ran.err


def test_ctrl_c_stops_the_answer_and_ends_the_command(gate: Gate) -> None:
    # A shell may start a test run with SIGINT ignored; the command is to see it as at a terminal.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from llmgate.cli import main; sys.exit(main(['chat', 'Count to one thousand.', '--temperature', '0']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=gate.folder
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(3)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        said = process.stderr.read()
    assert (process.returncode, said) == (130, b"")


class Terminal:
    """A command at a terminal of 60 columns: what it shows, what is typed."""

    def __init__(self, gate: Gate, *arguments: str, **environment: str) -> None:
        pty = pytest.importorskip("pty")
        import fcntl
        import struct
        import termios

        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=gate.folder,
            env={**kept, "TERM": "xterm", **environment},
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def type(self, line: str) -> None:
        os.write(self._master, line.encode())

    def until(self, text: str) -> str:
        """What is shown up to a text that must still come; all of the rest for an empty one."""
        begin = len(self.shown)
        while not text or text not in self.shown[begin:]:
            try:
                more = os.read(self._master, 65536)
            except OSError:  # the terminal is closed
                more = b""
            if not more:
                assert not text, f"{text!r} never came: {self.shown[begin:]!r}"
                break
            self.shown += more.decode("utf-8", "replace")
        return self.shown[begin:]

    def code(self) -> int:
        self.until("")
        os.close(self._master)
        return self._process.wait(60)


def test_a_conversation_remembers_and_ends_with_exit(gate: Gate) -> None:
    terminal = Terminal(gate, "chat", "--no-stream", *SHORT)
    terminal.until("> ")
    terminal.type("The password is Rumpelstiltskin.\n")
    terminal.until("answered under Apache-2.0")
    terminal.until("> ")
    terminal.type("Repeat the password.\n")
    assert "llmgate: " not in terminal.until("\n> ").replace("llmgate: the answer was cut", "")
    terminal.type("/new\n")
    terminal.until("> ")
    terminal.type("/exit\n")
    assert terminal.code() == 0


def test_a_conversation_ends_with_ctrl_d(gate: Gate) -> None:
    terminal = Terminal(gate, "chat")
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.code() == 0


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_gets_colour_unless_it_wants_none(gate: Gate, environment: dict[str, str]) -> None:
    terminal = Terminal(gate, "check", "llama-3.2-11b-vision-instruct", "--established", "DE", **environment)
    shown = terminal.until("legal advice")
    assert terminal.code() == 4
    assert ("\x1b[31m" in shown or "\x1b[1;31m" in shown) is not bool(environment)
    assert "https://github.com/meta-llama/llama-models/blob/main/models/llama3_2/USE_POLICY.md" in shown


def test_tables_fit_the_terminal(gate: Gate) -> None:
    terminal = Terminal(gate, "models", "--family", "llama-3.1", NO_COLOR="1")
    assert terminal.code() == 0
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in terminal.shown.splitlines()]
    assert any("llama-3.1-8b-instruct" in line for line in lines)
    assert max(map(len, lines)) <= 60
