"""llmgate in a minute: what may be used, who answers, a provider swapped by config, a target refused by policy.

Run it with `make demo`. It needs no key and no network: what answers is a small real model, embedded.
"""

import os
import tomllib
from pathlib import Path

import llmgate
from llmgate import Client, PolicyDenied
from llmgate.providers import local

HERE = Path(__file__).parent
PROMPT = "What is the capital of France? Answer in one sentence."


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if os.isatty(1) else f"\n== {text}")


def ask(client: Client) -> None:
    """Streams one answer and tells its story."""
    with client.stream(PROMPT, temperature=0, max_tokens=60) as stream:
        for text in stream.text:
            print(text, end="", flush=True)
    reply = stream.reply
    print(f"\n  answered by {reply.target}, {reply.usage.total if reply.usage else '?'} tokens")
    for attempt in reply.attempts:
        if attempt.outcome != "answered":
            print(f"  {attempt.outcome}: {attempt.target}: {attempt.reason}")


heading("1. Which models permit commercial use?")
ours = {"output": ["text"], "established": "DE", "annual_revenue_usd": "2M"}
permitted = llmgate.models(permits=["commercial"], include=[], **ours)
conditional = len(llmgate.models(permits=["commercial"], include=["conditional"], **ours)) - len(permitted)
open_weights = [m.id for m in permitted if m.weights == "open"]
print(f"{len(permitted)} models that write text do, for a company in Germany; {len(open_weights)} have open weights:")
print("  " + ", ".join(open_weights[:8]) + ", ...")
print(f"{conditional} more hang on facts not given here; `llmgate models --permits commercial` names them.")

heading("2. One client, a route of four targets")
with Client(HERE / "llmgate.toml") as client:
    ask(client)

heading("3. Another provider, by config alone: the same model behind a real HTTP server, in Anthropic's format")
url, os.environ["DEMO_KEY"] = local.address("smollm2-135m-instruct")
config = tomllib.loads((HERE / "llmgate.toml").read_text())
config["providers"]["demo"] = {
    "dialect": "anthropic_messages",
    "url": url,
    "api_key": "env:DEMO_KEY",
    "self_hosted": True,
}
config["routes"]["chat"]["targets"] = ["demo:smollm2-135m-instruct"]
with Client(config) as client:
    ask(client)

heading("4. A target that policy refuses, with clause and source")
with Client(HERE / "llmgate.toml") as client:
    try:
        client.chat(PROMPT, model="image-text")
    except PolicyDenied as denied:
        print(denied.decisions[0])
