"""A program that ends without closing its client ends well: the transport's threads do not outlive Python."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .servers import Server

SCRIPTS = {
    "call": """
from llmgate.transport import *
t = create(Settings())
assert t.send(HttpRequest({url!r}, {{}}, b"{{}}", timeout=10)).status == 200
""",
    "stream": """
from llmgate.transport import *
t = create(Settings())
s = t.open(HttpRequest({url!r} + "stream", {{}}, b"{{}}", timeout=10))
assert s.read()
""",
    "async-call": """
import asyncio
from llmgate.transport import *
t = create_async(Settings())
assert asyncio.run(t.send(HttpRequest({url!r}, {{}}, b"{{}}", timeout=10))).status == 200
""",
    "async-stream": """
import asyncio
from llmgate.transport import *
t = create_async(Settings())
async def main():
    global s
    s = await t.open(HttpRequest({url!r} + "drip", {{}}, b"{{}}", timeout=10))
    assert await s.read()
asyncio.run(main())
""",
    "async-cut": """
import asyncio
from llmgate.transport import *
t = create_async(Settings())
async def main():
    calls = [asyncio.create_task(t.send(HttpRequest({url!r} + "hang", {{}}, b"{{}}", timeout=10))) for _ in range(20)]
    await t.send(HttpRequest({url!r}, {{}}, b"{{}}", timeout=10))
asyncio.run(main())
""",
    "thread": """
import threading
from llmgate.transport import *
t = create(Settings())
r = HttpRequest({url!r} + "hang", {{}}, b"{{}}", timeout=10)
threads = [threading.Thread(target=t.send, args=(r,), daemon=True) for _ in range(4)]
[x.start() for x in threads]
assert t.send(HttpRequest({url!r}, {{}}, b"{{}}", timeout=10)).status == 200
""",
}
TIMES = 10


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_program_ends_well(script: str) -> None:
    with Server() as server:
        source = SCRIPTS[script].format(url=server.url())
        for n in range(TIMES):
            done = subprocess.run(
                [sys.executable, "-c", source], check=False, capture_output=True, text=True, timeout=60
            )
            assert (done.returncode, done.stderr) == (0, ""), f"run {n}"
