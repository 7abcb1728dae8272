"""Use 3: swap the provider by config. The program is the same; the two configs differ in one line.

The second one talks to a llama.cpp server over HTTP; here it is the embedded engine's own.
"""

import difflib
import os
from pathlib import Path

from llmgate import Client
from llmgate.providers import local

CONFIGS = [Path(__file__).parent / "swap" / name for name in ("embedded.toml", "server.toml")]

os.environ["LLAMA_URL"], os.environ["LLAMA_KEY"] = local.address("smollm2-135m-instruct")

first, second = (path.read_text().splitlines() for path in CONFIGS)
changed = [line for line in difflib.unified_diff(first, second, lineterm="", n=0) if line[:2] not in ("--", "++", "@@")]
print("\n".join(changed))

for path in CONFIGS:
    with Client(path) as client:
        reply = client.chat("What is the capital of France? Answer in one sentence.", temperature=0, max_tokens=30)
    print(f"{path.name}: {reply.text} -- {reply.target}")
