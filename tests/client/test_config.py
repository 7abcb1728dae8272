"""llmgate.toml: what it means, and one clear line with file and line for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgate import Client, Config, ConfigError
from llmgate.config import find, seconds

GOOD = """
default = "chat"

[policy]
use = ["commercial"]
monthly_active_users = 50_000
"monthly_active_users@2024-06" = "40k"
established = "DE"
mode = "enforce"

[providers.openai]
api_key = "env:OPENAI_API_KEY"

[providers.mine]
dialect = "openai_chat"
url = "http://127.0.0.1:9/v1"
self_hosted = true

[routes.chat]
targets = ["openai:gpt-5.5", "local:smollm2-135m-instruct", "mine:llama-3.1-8b-instruct"]
strategy = "weighted"
weights = [1, 2, 1]
retries = 1
timeout = "90s"

[routes.lax.policy]
unknown = "allow"
established = "US"

[routes.lax]
targets = ["mine:anything"]
"""


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "llmgate.toml"
    path.write_text(text)
    return Config.load(path)


def test_a_good_config(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    chat = config.route()
    assert [t.name for t in chat.targets] == [
        "openai:gpt-5.5",
        "local:smollm2-135m-instruct",
        "mine:llama-3.1-8b-instruct",
    ]
    assert (chat.strategy, chat.retries, chat.timeout) == ("weighted", 1, 90.0)
    assert chat.rules.mode == "enforce"
    assert chat.rules.facts["monthly_active_users@2024-06"] == 40_000
    lax = config.route("lax").rules
    assert (lax.unknown, lax.facts["established"], lax.facts["monthly_active_users"]) == ("allow", "US", 50_000)
    assert chat.rules.facts["established"] == "DE"


def test_a_bare_model_is_a_route_of_its_own(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.route("gpt-5.5").targets[0].name == "openai:gpt-5.5"
    assert config.route("smollm2-135m-instruct").targets[0].name == "local:smollm2-135m-instruct"


MISTAKES = [
    ('[policy]\nuse = ["comercial"]', 2, 'unknown use "comercial"; did you mean "commercial"?'),
    ('[policy]\nestablised = "DE"', 2, 'did you mean "established"?'),
    ('[policy]\nestablished = "Germany"', 2, "two letters"),
    ('[policy]\n"monthly_active_users@24-06" = 3', 2, "monthly_active_users@2024-06"),
    ('[policy]\nunknown = "maybe"', 2, '"deny" or "allow" is wanted'),
    ("[policy]\nuse = []", 2, "use is empty"),
    ('[polcy]\nuse = ["commercial"]', 1, 'unknown key "polcy"; did you mean "policy"?'),
    ('[routes.r]\ntargets = ["opnai:gpt-5.5"]', 2, 'there is no provider "opnai"; did you mean "openai"?'),
    ('[routes.r]\ntargets = ["gpt-5.55"]', 2, 'there is no model "gpt-5.55"; did you mean "gpt-5.5"?'),
    ("[routes.r]\ntargets = []", 2, "length >= 1"),
    ("[routes.r]\nretries = 1", 1, "missing required field `targets`"),
    ('[routes.r]\ntargets = ["openai:gpt-5.5"]\nretrys = 1', 3, 'did you mean "retries"?'),
    ('[routes.r]\ntargets = ["openai:gpt-5.5"]\ntimeout = "soon"', 3, "is no duration"),
    ('[routes.r]\ntargets = ["openai:gpt-5.5"]\nstrategy = "best"', 3, "routes.r.strategy"),
    ('[routes.r]\ntargets = ["openai:gpt-5.5"]\nweights = [1, 2]', 3, "2 weights for 1 targets"),
    ('[routes.r]\ntargets = ["openai:gpt-5.5", "gpt-5.5"]', 2, "stands there twice"),
    ('default = "chta"\n[routes.chat]\ntargets = ["openai:gpt-5.5"]', 1, 'did you mean "chat"?'),
    ('[providers.opnai]\napi_key = "env:X"', 1, 'did you mean "openai"?'),
    ('[providers.openai]\napi_kye = "env:X"', 2, 'did you mean "api_key"?'),
    ('[providers.x]\nurl = "http://x"', 1, "needs dialect and url"),
    ('[providers.openai]\nterms = ["Apache-3.0"]', 2, 'did you mean "Apache-2.0"?'),
    ('[models."local:x.gguf"]\nlicense = ["Apachee"]', 2, 'there is no license "Apachee"'),
    ("[policy\nuse = 3", 1, "not valid TOML"),
]


@pytest.mark.parametrize(("text", "line", "says"), MISTAKES)
def test_a_mistake_is_one_line_with_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'llmgate.toml'}:{line}: "), message
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("key", ['api_key = "sk-live-1234567890"', 'api_keys = ["env:A", "sk-live-1234567890"]'])
def test_a_literal_key_is_refused_and_never_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="a literal key is refused") as caught:
        load(tmp_path, f"[providers.openai]\n{key}\n")
    assert "sk-live" not in str(caught.value)
    assert ":2: " in str(caught.value)


def test_keys_come_from_environment_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "key"
    secret.write_text("from-file\n")
    config = load(tmp_path, f'[providers.openai]\napi_keys = ["env:MINE", "file:{secret}", "env:NOT_THERE"]\n')
    monkeypatch.setenv("MINE", "from-env")
    openai = config.registry.provider("openai")
    assert config.keys(openai) == ("from-env", "from-file")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "usual")
    assert config.keys(config.registry.provider("anthropic")) == ("usual",)


def test_where_a_config_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find() is None
    assert Config.load().route().targets[0].name == "local:smollm2-135m-instruct"
    users = tmp_path / "llmgate" / "llmgate.toml"
    users.parent.mkdir()
    users.write_text("")
    assert find() == users
    (tmp_path / "llmgate.toml").write_text("")
    assert find() == Path("llmgate.toml")
    monkeypatch.setenv("LLMGATE_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(ConfigError, match="not there"):
        find()


def test_a_mapping_is_checked_alike() -> None:
    with pytest.raises(ConfigError, match=r"config routes\.r\.targets: there is no provider"):
        Client({"routes": {"r": {"targets": ["opnai:gpt-5.5"]}}})


@pytest.mark.parametrize(("text", "value"), [("500ms", 0.5), ("60s", 60), ("1.5m", 90), ("2h", 7200)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[routes.r]\ntargets = ["gpt-5.5"]\nstrategy = "fast"', 3, "known: cheapest, fastest, order, weighted"),
        ('[routes.r]\ntargets = ["gpt-5.5"]\ntimeout = "99999999999999999999s"', 3, "longer than the longest"),
        ('[routes.r]\ntargets = ["gpt-5.5"]\nweights = [nan]', 3, "zero or more"),
        ('[providers.openai]\nconnect_timeout = "soon"', 2, "is no duration"),
    ],
)
def test_values_out_of_range(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert f"llmgate.toml:{line}: " in str(caught.value)
    assert says in str(caught.value)


def test_a_byte_order_mark_is_no_mistake_and_bottomless_nesting_is(tmp_path: Path) -> None:
    path = tmp_path / "llmgate.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert Config.load(path).default == "chat"
    with pytest.raises(ConfigError, match="nested too deep"):
        load(tmp_path, "x = " + "[" * 5000 + "]" * 5000)
