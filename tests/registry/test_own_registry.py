"""Registries of one's own: `registry = ["./our-models"]` in the config, layered over ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgate import Config, ConfigError
from llmgate.policy import Policy
from llmgate.registry import load

from .folder import LICENSE, MODEL, OTHER, PROVIDER, line, write

CONFIG = """\
registry = ["./ours"]

[policy]
annual_revenue_usd = 100

[providers.testhost]
api_key = "env:TEST_KEY"

[routes.r]
targets = ["testhost:able-1"]
"""


def config(root: Path, text: str = CONFIG) -> Config:
    path = root / "llmgate.toml"
    path.write_text(text, "utf-8")
    return Config.load(path)


def test_a_folder_beside_the_config_is_part_of_its_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "ours")
    monkeypatch.chdir("/")
    found = config(tmp_path)
    assert found.registry.model("able").id == "able-1"
    assert found.registry.model("gpt-4o").id == "gpt-4o"
    assert len(found.registry.data.models) == len(load().data.models) + 2
    assert found.registry.hash != load().hash
    (target,) = found.route("r").targets
    assert target.wire == "able-1-fast"
    terms = 'terms = ["LicenseRef-test-community"]\n'
    decided = Policy(found.registry, found.rules).decide(target)
    assert (decided.verdict, decided.deciding[0].summary) == ("unknown", "the registry knows no terms of Test Host")
    write(tmp_path / "ours", provider=PROVIDER.replace("\n[[offer]]", f"{terms}\n[[offer]]"))
    again = config(tmp_path)
    decided = Policy(again.registry, again.rules).decide(again.route("r").targets[0])
    assert decided.permitted
    assert decided.reasons[0].license == "LicenseRef-test-community"


def test_what_ours_has_too_is_replaced_only_on_request(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", other=OTHER.replace('"baker-1"', '"gpt-4o"').replace('["baker"]', "[]"))
    (ours / "models/test/baker-1.toml").rename(ours / "models/test/gpt-4o.toml")
    with pytest.raises(ConfigError) as caught:
        config(tmp_path)
    assert str(caught.value).startswith(f"{ours}/models/test/gpt-4o.toml:1: ")
    assert '"gpt-4o" is in the registry already: with override = true yours stands in its place' in str(caught.value)
    text = (ours / "models/test/gpt-4o.toml").read_text("utf-8")
    (ours / "models/test/gpt-4o.toml").write_text("override = true\n" + text, "utf-8")
    found = config(tmp_path)
    assert found.registry.model("gpt-4o").developer == "test"
    assert load().model("gpt-4o").developer == "openai"


def test_there_must_be_something_to_override(tmp_path: Path) -> None:
    write(tmp_path / "ours", model="override = true\n" + MODEL)
    with pytest.raises(ConfigError, match=r'able-1\.toml:1: there is no "able-1" to override'):
        config(tmp_path)


def test_mistakes_have_their_place(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", license=LICENSE.replace("annual_revenue_usd", "anual_revenue_usd"))
    with pytest.raises(ConfigError) as caught:
        config(tmp_path)
    where = line(LICENSE, "when = {")
    assert str(caught.value).startswith(f"{ours}/licenses/LicenseRef-test-community.toml:{where}: ")
    assert 'did you mean "annual_revenue_usd"?' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('default = "x"\nregistry = [\n"./nowhere",\n]\n', r"llmgate\.toml:3: registry: there is no folder .*nowhere"),
        ('registry = "./ours"\n', r"llmgate\.toml:1: registry: expected `array`"),
        ('registry = ["./empty"]\n', r"empty: there is no data file below models/, licenses/, providers/"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, text)


def test_later_folders_lie_over_earlier_ones(tmp_path: Path) -> None:
    write(tmp_path / "ours")
    more = tmp_path / "more/models/test"
    more.mkdir(parents=True)
    name = 'name = "Able 1 of the other house"'
    (more / "able-1.toml").write_text("override = true\n" + MODEL.replace('name = "Able 1"', name), "utf-8")
    found = config(tmp_path, CONFIG.replace('["./ours"]', '["./ours", "./more"]'))
    assert found.registry.model("able-1").name == "Able 1 of the other house"
    assert found.registry.offer("testhost", "able-1") is not None
