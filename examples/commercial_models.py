"""Use 2: which models permit commercial use, for a company as ours? It needs no client and no key."""

import llmgate

OURS = {"established": "DE", "annual_revenue_usd": "2M", "monthly_active_users@2024-06": "50k"}

for name in ("llama-3.1-8b-instruct", "stable-diffusion-3.5-large", "mixtral-8x7b-instruct-v0.1", "codestral-22b-v0.1"):
    decision = llmgate.check(name, use=["commercial"], **OURS)
    reason = decision.deciding[0]
    print(f"{name:28} {decision.verdict:12} {reason.license}, {reason.clause}")

# include=[]: the permitted ones only; without it a warning says how many more hang on facts not given.
vision = llmgate.models(
    permits=["commercial"], input=["image"], output=["text"], min_context=100_000, include=[], **OURS
)
print(f"{len(vision)} models read images, take 100k tokens and permit it; with open weights:")
print("  " + ", ".join(m.id for m in vision if m.weights == "open"))
