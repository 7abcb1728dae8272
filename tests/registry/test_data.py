"""The registry that ships: whole, well-formed, the same as its sources, and with every name that must be there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from llmgate.errors import ConfigError
from llmgate.registry import Registry, load
from llmgate.registry.read import compile_to, read_folder
from llmgate.registry.schema import SOURCED, Data, Parameters
from llmgate.registry.vocabulary import USES

SOURCE = Path(__file__).parents[2] / "registry"

NAMES = """
gpt-1 gpt-2 gpt-3 gpt-3.5 gpt-4 gpt-4v gpt-4o palm-2 gemini-1.0-ultra gemini-1.0-pro gemini-ultra gemini-pro
llama-1 llama-2 llama-3 llama-3.1 llama-3.2 llama-3.3 llama-4 llama-1-65b
claude-1 claude-2 claude-3-haiku claude-3-sonnet claude-3-opus
mixtral-8x7b mixtral-8x22b grok-1 stable-diffusion-1 stable-diffusion-v1-5 sdxl sd-3.5
dall-e jukebox sora alphacode stylegan
meta-llama-3-8b-instruct mixtral-8x7b-instruct-v0.1 gemma-3-27b-it stable-diffusion-xl-base-1.0
c4ai-command-r-plus-08-2024 deepseek-r1-distill-llama-70b claude-3-opus-20240229 gemini-2.5-pro
""".split()


@pytest.fixture(scope="module")
def data() -> Data:
    """Compiled from the sources, so that a stale artefact hides nothing."""
    return read_folder(SOURCE)


def test_artefact_round_trip(data: Data, tmp_path: Path) -> None:
    artefact = tmp_path / "data.json"
    assert compile_to(SOURCE, artefact) == data
    assert msgspec.json.decode(artefact.read_bytes(), type=Data) == data


def test_the_hash_is_of_what_the_files_say(tmp_path: Path) -> None:
    for kind, name in (("licenses", "MIT"), ("licenses", "Apache-2.0")):
        (tmp_path / kind).mkdir(exist_ok=True)
        (tmp_path / kind / f"{name}.toml").write_text((SOURCE / kind / f"{name}.toml").read_text("utf-8"), "utf-8")
    first = read_folder(tmp_path)
    assert read_folder(tmp_path).hash == first.hash
    file = tmp_path / "licenses/MIT.toml"
    file.write_text(file.read_text("utf-8").replace("MIT License", "The MIT License"), "utf-8")
    assert read_folder(tmp_path).hash != first.hash


def test_a_folder_can_be_layered_over_what_ships(data: Data, tmp_path: Path) -> None:
    (tmp_path / "licenses").mkdir()
    own = (SOURCE / "licenses/MIT.toml").read_text("utf-8").replace('name = "MIT License"', 'name = "Our MIT"')
    (tmp_path / "licenses/MIT.toml").write_text(own, "utf-8")
    with pytest.raises(ConfigError, match=r'MIT\.toml:\d+: "MIT" is in the registry already: .*override = true'):
        read_folder(tmp_path, base=data)
    (tmp_path / "licenses/MIT.toml").write_text("override = true\n" + own, "utf-8")
    layered = Registry(read_folder(tmp_path, base=data))
    assert layered.license("MIT").name == "Our MIT"
    assert layered.license("Apache-2.0").name == "Apache License 2.0"
    assert len(layered.data.models) == len(data.models)
    assert layered.hash != data.hash


def test_the_installed_registry_loads_once() -> None:
    assert load() is load()
    assert load().model("gpt-4o").developer == "openai"


def test_there_is_enough_of_everything(data: Data) -> None:
    assert len(data.models) >= 80
    assert len(data.licenses) >= 30
    assert len(data.providers) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_must_be_known_is(data: Data, name: str) -> None:
    assert name in {n for m in data.models for n in (m.id, *m.aliases)}


def test_one_provider_at_least_for_each_family_that_was_asked_for(data: Data) -> None:
    wanted = "openai anthropic gemini mistral groq together fireworks openrouter deepinfra cerebras xai deepseek ollama"
    assert {*wanted.split(), "vllm", "llamacpp", "local"} <= {p.id for p in data.providers}


def urls(data: Data) -> Iterator[tuple[str, str]]:
    for m in data.models:
        yield from ((m.id, row.url) for row in m.source)
        yield from ((m.id, row.source) for row in m.benchmark)
    for x in data.licenses:
        yield x.id, x.url
        yield from ((x.id, row.source) for row in (*x.rule, *x.obligation) if row.source)
        if x.text:
            yield x.id, x.text.url
            yield from [(x.id, x.text.copy)] if x.text.copy else []
    for p in data.providers:
        yield from ((p.id, offer.source) for offer in p.offer)
        yield from ((p.id, row.url) for row in p.source)


def test_every_source_is_a_public_address(data: Data) -> None:
    found = list(urls(data))
    assert len(found) > 1000
    for owner, url in found:
        parts = urlsplit(url)
        assert parts.scheme in ("http", "https"), (owner, url)
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.hostname or ""), (owner, url)
        assert not re.search(r"\s", url), (owner, url)


def test_no_evidence_is_from_the_future(data: Data) -> None:
    days = [row.checked for m in data.models for row in (*m.source, *m.benchmark)]
    days += [x.text.checked for x in data.licenses if x.text]
    assert max(days) <= dt.date.today() + dt.timedelta(days=1)


def test_undisclosed_is_a_value_of_its_own(data: Data) -> None:
    registry = Registry(data)
    gpt4 = registry.model("gpt-4")
    assert gpt4.parameters == "undisclosed"
    assert "parameters" not in {fact for row in gpt4.source for fact in row.facts}
    assert gpt4 not in registry.models(max_params=10**18)
    known = registry.model("mixtral-8x7b-instruct-v0.1").parameters
    assert isinstance(known, Parameters)
    assert known.active is not None
    assert known.active < known.total


def test_every_stated_fact_has_one_source(data: Data) -> None:
    for m in data.models:
        stated = {f for f in SOURCED if getattr(m, f) not in (None, (), "undisclosed")}
        named = [fact for row in m.source for fact in row.facts]
        assert sorted(named) == sorted(stated), m.id


def test_no_score_without_its_setting(data: Data) -> None:
    scores = [b for m in data.models for b in m.benchmark]
    assert scores
    assert all(b.setting.strip() and 0 <= b.score <= 100 for b in scores if b.name == "mmlu")


def test_rules_say_something_of_themselves(data: Data) -> None:
    for x in data.licenses:
        for row in x.rule:
            assert row.summary.strip().endswith((".", ")", '"')), (x.id, row.summary)
            assert (
                row.remedy is None
                or "prohibited" in (row.verdict, row.otherwise)
                or "conditional"
                in (
                    row.verdict,
                    row.otherwise,
                )
            ), (x.id, row.clause)


def test_a_use_that_is_ruled_on_has_an_answer_whatever_the_facts(data: Data) -> None:
    """A use that only rules with a `when` and no `otherwise` name would fall to unknown once the condition is false."""
    for x in data.licenses:
        for use in USES:
            rules = [r for r in x.rule if use in r.uses]
            if x.kind != "policy" and rules:
                always = any(r.when is None or r.otherwise for r in rules)
                sides = {r.when.get("trained_model_competes") for r in rules if isinstance(r.when, dict)}
                assert always or sides == {True, False}, (x.id, use)


def test_open_weights_can_be_judged_without_a_host(data: Data) -> None:
    registry = Registry(data)
    for m in data.models:
        if m.weights == "open":
            assert all(registry.license(x).kind in ("weights", "policy") for x in m.license), m.id
