"""What the registry must know of the models it was built for: sizes, architectures, scores, training, lineage."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgate.registry import Model, Registry
from llmgate.registry.read import read_folder
from llmgate.registry.schema import Parameters

SOURCE = Path(__file__).parents[2] / "registry"

NAMES = """
gpt-1 gpt-2 gpt-3 gpt-3.5 gpt-4 gpt-4v gpt-4o palm-2 gemini-1.0-ultra gemini-1.0-pro
llama-1 llama-2 llama-3 llama-3.1 llama-3.2 llama-3.3 llama-4
claude-1 claude-2 claude-3-haiku claude-3-sonnet claude-3-opus mixtral-8x7b mixtral-8x22b grok-1
stable-diffusion-1 stable-diffusion-v1-4 stable-diffusion-v1-5 sdxl sd-3.5
dall-e dall-e-2 dall-e-3 jukebox sora alphacode chinchilla gopher
""".split()

SIZES = {
    "gpt-1": (116_534_784, None),
    "gpt-2": (1.5e9, None),
    "gpt-3": (175e9, None),
    "llama-1": (65e9, None),
    "llama-2": (70e9, None),
    "llama-4": (400e9, 17e9),
    "mixtral-8x7b": (47e9, 13e9),
    "mixtral-8x22b": (141e9, 39e9),
    "grok-1": (314e9, 78.5e9),
    "deepseek-v3": (671e9, 37e9),
    "alphacode": (41.4e9, None),
    "dall-e": (12e9, None),
    "chinchilla": (70e9, None),
    "gopher": (280e9, None),
}

ARCHITECTURES = {
    "gpt-3": "transformer",
    "mixtral-8x7b": "moe-transformer",
    "ai21-jamba-1.5-large": "moe-hybrid-ssm",
    "alphacode": "encoder-decoder",
    "stable-diffusion-1": "latent-diffusion",
    "sdxl": "latent-diffusion",
    "sd-3.5": "diffusion-transformer",
    "sora": "diffusion-transformer",
    "jukebox": "vq-vae-transformer",
    "dall-e": "vq-vae-transformer",
    "stylegan": "gan",
}

MMLU = [
    ("gpt-2", 32.4, None),
    ("gpt-3", 43.9, "few-shot"),
    ("gpt-3.5", 70.0, "5-shot"),
    ("gpt-4", 86.4, "5-shot"),
    ("gpt-4", 87.29, "CoT@32"),
    ("palm-2", 78.4, "5-shot"),
    ("gemini-1.0-ultra", 90.04, "CoT@32"),
    ("gemini-1.0-ultra", 83.7, "5-shot"),
    ("gemini-1.0-pro", 79.13, "CoT@8"),
    ("claude-2", 78.5, "5-shot CoT"),
    ("claude-3-opus", 86.8, "5-shot"),
    ("llama-1", 63.4, "5-shot"),
    ("llama-2", 68.9, "5-shot"),
    ("llama-3", 82.0, "5-shot"),
    ("llama-3.1", 83.6, "5-shot"),
    ("llama-3.1", 86.0, "0-shot CoT"),
    ("llama-4", 85.5, "5-shot"),
    ("mixtral-8x7b", 70.6, "5-shot"),
    ("mixtral-8x22b", 77.81, "5-shot"),
    ("grok-1", 73.0, "5-shot"),
    ("chinchilla", 67.5, "few-shot"),
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(read_folder(SOURCE))


def grade(model: Model, fact: str) -> str | None:
    """The grade of the source that carries this fact of the model."""
    return next((row.grade for row in model.source if fact in row.facts), None)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_models_are_known_with_their_basic_facts(registry: Registry, name: str) -> None:
    model = registry.model(name)
    assert model.parameters is not None
    assert model.released is not None
    assert model.input
    assert model.output
    assert model.tasks
    assert model.license or model.weights != "open"


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_sizes(registry: Registry, name: str, size: tuple[float, float | None]) -> None:
    parameters = registry.model(name).parameters
    assert isinstance(parameters, Parameters)
    assert (parameters.total, parameters.active) == size


@pytest.mark.parametrize("name", ["gpt-3.5", "gpt-4", "gpt-4o", "claude-3-opus", "gemini-1.0-ultra", "palm-2", "sora"])
def test_what_a_vendor_keeps_to_itself_is_undisclosed(registry: Registry, name: str) -> None:
    model = registry.model(name)
    assert model.parameters == "undisclosed"
    assert not model.training or (model.training.tokens, model.training.compute_flops) == (None, None)


@pytest.mark.parametrize(("name", "kind"), ARCHITECTURES.items())
def test_architectures(registry: Registry, name: str, kind: str) -> None:
    architecture = registry.model(name).architecture
    assert architecture is not None
    assert architecture.kind == kind


@pytest.mark.parametrize("name", ["stable-diffusion-v1-4", "stable-diffusion-1", "sdxl"])
def test_latent_diffusion_tells_of_its_vae_and_u_net(registry: Registry, name: str) -> None:
    architecture = registry.model(name).architecture
    assert architecture is not None
    assert architecture.detail is not None
    assert "VAE" in architecture.detail
    assert "U-Net" in architecture.detail


def test_open_mixtures_of_experts_have_active_parameters(registry: Registry) -> None:
    mixtures = [
        m
        for m in registry.data.models
        if m.weights == "open" and m.architecture and m.architecture.kind.startswith("moe-")
    ]
    assert len(mixtures) > 20
    for m in mixtures:
        if m.parameters is not None:
            assert isinstance(m.parameters, Parameters), m.id
            assert m.parameters.active is not None, m.id
            assert m.parameters.active < m.parameters.total, m.id


@pytest.mark.parametrize(("name", "score", "setting"), MMLU)
def test_scores_with_their_settings(registry: Registry, name: str, score: float, setting: str | None) -> None:
    rows = [b for b in registry.model(name).benchmark if b.name == "mmlu" and b.score == score]
    assert len(rows) == 1
    assert setting is None or rows[0].setting.startswith(setting)
    assert rows[0].grade in "PS"


def test_two_scores_of_one_model_differ_in_setting_or_variant(registry: Registry) -> None:
    for m in registry.data.models:
        measured = [(b.name, b.setting, b.variant) for b in m.benchmark]
        assert len(set(measured)) == len(measured), m.id


@pytest.mark.parametrize("name", ["stable-diffusion-v1-4", "stable-diffusion-v1-5"])
def test_stable_diffusion_was_trained_on_laion_5b(registry: Registry, name: str) -> None:
    model = registry.model(name)
    assert model.training is not None
    assert "LAION-5B" in (model.training.data or "")
    assert grade(model, "training") == "P"


def test_tokens_of_llama_3(registry: Registry) -> None:
    llamas = registry.models(family="llama-3")
    assert len(llamas) == 4
    for m in llamas:
        assert m.training is not None
        assert m.training.tokens == 15e12
        assert grade(m, "training") == "P"


@pytest.mark.parametrize(
    ("name", "tokens", "flops"),
    [
        ("chinchilla", 1.4e12, 5.76e23),
        ("gopher", 3e11, 5.76e23),
        ("gpt-3", 3e11, 3.14e23),
        ("llama-3.1-405b", 15e12, 3.8e25),
    ],
)
def test_compute_where_it_was_published(registry: Registry, name: str, tokens: float, flops: float) -> None:
    model = registry.model(name)
    assert model.training is not None
    assert (model.training.tokens, model.training.compute_flops) == (tokens, flops)
    assert grade(model, "training") == "S"


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("gpt-3", {"pretrained"}),
        ("gpt-4", {"pretrained", "rlhf"}),
        ("llama-2", {"pretrained", "instruct", "rlhf"}),
        ("llama-2-70b-base", {"pretrained"}),
        ("mixtral-8x7b", {"pretrained", "instruct", "dpo"}),
        ("deepseek-r1", {"pretrained", "instruct", "rl"}),
        ("stylegan", {"adversarial"}),
    ],
)
def test_how_they_were_trained(registry: Registry, name: str, methods: set[str]) -> None:
    training = registry.model(name).training
    assert training is not None
    assert set(training.method) == methods


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("text", "text"),
        ("text", "image"),
        ("image", "text"),
        ("text", "audio"),
        ("audio", "text"),
        ("text", "video"),
        ("text", "embedding"),
    ],
)
def test_some_model_turns_the_one_into_the_other(registry: Registry, given: str, got: str) -> None:
    assert registry.models(input=[given], output=[got])


def test_code_is_a_task(registry: Registry) -> None:
    coders = {m.id for m in registry.data.models if "code" in m.tasks}
    assert {"alphacode", "codestral-22b-v0.1", "starcoder2-15b"} <= coders


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("deepseek-r1-distill-llama-70b", "llama-3.3-70b-instruct"),
        ("deepseek-r1-distill-llama-8b", "llama-3.1-8b"),
        ("deepseek-r1-distill-qwen-32b", "qwen2.5-32b"),
        ("llama-3.1-nemotron-70b-instruct-hf", "llama-3.1-70b-instruct"),
        ("mixtral-8x7b", "mixtral-8x7b-v0.1"),
    ],
)
def test_tuned_models_name_the_base_whose_licence_they_carry(registry: Registry, name: str, base: str) -> None:
    assert (base, "finetune") in {(x.base, x.relation) for x in registry.model(name).lineage}


def test_lineage_leads_to_an_end(registry: Registry) -> None:
    for m in registry.data.models:
        above = {x.base for x in m.lineage}
        while above:
            assert m.id not in above, m.id
            above = {x.base for b in above for x in registry.model(b).lineage}


def test_weights_that_are_out_do_not_retire(registry: Registry) -> None:
    for m in registry.data.models:
        if m.weights == "open":
            assert (m.lifecycle, m.retired_on) == ("active", None), m.id
        assert (m.weights == "unreleased") == (m.lifecycle == "uncallable"), m.id


def test_what_retired_did_so_by_the_day_of_the_evidence(registry: Registry) -> None:
    for m in registry.data.models:
        if m.retired_on:
            day = max(row.checked for row in m.source)
            assert (m.lifecycle == "retired") == (m.retired_on <= day), m.id


def test_which_licence_governs_was_read_somewhere(registry: Registry) -> None:
    for m in registry.data.models:
        if m.license:
            assert grade(m, "license") in ("P", "S"), m.id
