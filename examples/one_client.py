"""Use 1: import one client, ask, get an answer. What answers is the config's business, not the program's."""

from llmgate import Client

with Client() as client:
    reply = client.chat("Why is the sky blue? Answer in one sentence.", temperature=0, max_tokens=60)

print(reply.text)
print(f"-- {reply.target}, under {reply.terms.reasons[0].license}: {reply.terms.verdict}")
