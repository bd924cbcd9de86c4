"""Results page, made from stored numbers, and configurations of its data sets."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from benchmarks import results
from benchmarks.replicates import Replicate
from benchmarks.replicates import configuration
from benchmarks.replicates import possible
from benchmarks.replicates import replicates
from benchmarks.results import DATA_SETS
from benchmarks.results import FULL
from benchmarks.results import SHORT
from benchmarks.results import mean_of
from benchmarks.results_page import PLACEBO
from benchmarks.results_page import limits
from benchmarks.results_page import page
from benchmarks.results_page import write_page
from models.strategies.registry import create
from models.strategies.registry import kinds
from pipeline.comparing.picture import picture
from pipeline.comparing.record import to_csv
from pipeline.comparing.record import to_json
from pipeline.config.entries import entry_config
from pipeline.config.load import load_config
from pipeline.terminal.plain_text import Console
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import differences

FACTS = {
    "replicates": 2,
    "labels": "clicks drawn from known probabilities",
    "target": {"rows": 53_795.0, "clicks": 5_600.0},
    "sources": {
        "feeds": {"rows": 1_000_000.0, "clicks": 190_000.0},
        "partner": {"rows": 500_000.0, "clicks": 10_000.0},
    },
    "evaluation": {"rows": 7_105.0, "clicks": 690.0},
    "users_in_sources": 0.78,
    "items_in_sources": 0.1,
    "new_users": 0.05,
    "new_items": 0.02,
    "moving": {},
}


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set.name)
def test_every_data_set_can_have_every_kind(data_set, tmp_path):
    config = load_config(configuration(Replicate(data_set, 20, 3), tmp_path))
    assert config.name == data_set.name
    assert config.target not in config.sources
    quiet = Console(quiet=True)
    # Without parts it is target_only once more.
    some = [name for name in kinds() if name != "composed"]
    assert possible(config, data_set.lead_days, quiet) == some
    # CTNet is what it is only over days.
    one_day = [name for name in some if create(name, {}).needs(3).learns_on_first_day]
    assert possible(config, 0, quiet) == one_day
    assert len(one_day) < len(some)
    entry = entry_config("composed", {"snapshots": 1, "warm_start": True})
    entries = {**config.strategies, "composed": entry}
    with_parts = config.model_copy(update={"strategies": entries})
    assert possible(with_parts, data_set.lead_days, quiet) == list(kinds())
    schema = config.schema_path.read_text()
    for domain in config.domains:
        assert f'default_environment: "{domain}"' in schema
        assert f'value: "{domain}"' in schema


def test_cold_users_are_new_on_the_first_day_of_their_window(tmp_path):
    (cold,) = (one for one in DATA_SETS if one.name == "amazon_beauty_cold")
    for index, day in enumerate(cold.days):
        config = load_config(configuration(Replicate(cold, 20, index), tmp_path))
        assert config.imports.cold_users.start.isoformat() == day


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set.name)
def test_replicates_differ_in_data_and_training_and_share_no_folder(data_set, tmp_path):
    ones = replicates(data_set, 17, 2)
    first, second = (load_config(configuration(one, tmp_path)) for one in ones)
    assert (first.training.seed, second.training.seed) == (17, 18)
    for key in ("root", "logs"):
        assert getattr(first, key) != getattr(second, key)
    if first.simulate is not None:
        assert (first.simulate.seed, second.simulate.seed) == (17, 18)
        assert first.simulate.truth != second.simulate.truth
        assert not first.simulate.truth.is_relative_to(first.logs)
    else:
        assert [one.day for one in ones] == list(data_set.days[:2])
        assert str(second.anchor_day) == data_set.days[1]
    if data_set.base == "amazon.yaml":
        assert first.imports.negatives.seed == 17
        assert second.imports.negatives.seed == 18


def test_all_windows_are_run_in_full_and_few_in_a_quick_pass():
    by_name = {data_set.name: data_set for data_set in DATA_SETS}
    assert FULL.count(by_name["feeds_ads"]) == 10
    assert FULL.count(by_name["xmarket_de"]) == len(by_name["xmarket_de"].days) == 15
    assert SHORT.count(by_name["xmarket_de"]) == 2
    # A quick pass never touches the page of the full one.
    assert SHORT.page != FULL.page


def test_a_quick_pass_simulates_fewer_impressions_and_takes_real_ones_as_they_are():
    feeds = next(one for one in DATA_SETS if one.name == "feeds_ads")
    real = [one for one in DATA_SETS if not one.name.startswith("feeds_ads")]
    assert SHORT.of(feeds).changes["simulate"]["rows_per_day"] == 10_000
    assert FULL.of(feeds) == feeds
    assert [SHORT.of(data_set) for data_set in real] == real


@pytest.mark.parametrize(
    "data_set",
    [one for one in DATA_SETS if one.name.endswith(PLACEBO)],
    ids=lambda data_set: data_set.name,
)
def test_a_placebo_differs_from_its_data_set_in_the_sources_users_alone(
    data_set, tmp_path
):
    name = data_set.name.removesuffix(PLACEBO)
    (whole,) = (one for one in DATA_SETS if one.name == name)
    found = []
    for one in (whole, data_set):
        path = configuration(Replicate(one, 20, 1), tmp_path / one.name)
        found.append(load_config(path))
    plain, placebo = found
    if plain.simulate is not None:
        assert placebo.simulate.domains["feeds"].permute_users
        assert plain.simulate.domains == {}
    else:
        assert placebo.imports.permute_source_users == 20
        assert plain.imports.permute_source_users is None
        assert plain.imports.negatives == placebo.imports.negatives
    assert plain.training == placebo.training


@pytest.mark.parametrize("name", ["amazon_food_cold", "amazon_beauty_cold"])
def test_cold_users_are_new_on_the_first_day_of_every_window(name, tmp_path):
    (data_set,) = (one for one in DATA_SETS if one.name == name)
    for replicate in replicates(data_set, 17, 2):
        config = load_config(configuration(replicate, tmp_path))
        assert str(config.imports.cold_users.start) == replicate.day
        assert config.imports.cold_users.seed == replicate.seed


def test_means_of_counts_are_taken_number_by_number():
    found = mean_of(
        [
            {"labels": "x", "n": 1, "moving": {"a": 0.3}, "share": None},
            {"labels": "x", "n": 4, "moving": {"b": 0.7}, "share": 0.5},
        ]
    )
    assert found == {
        "labels": "x",
        "n": 2.5,
        "moving": {"a": 0.3, "b": 0.7},
        "share": None,
    }


def _losing():
    worse = differences((-0.05, -0.08, -0.02))
    return dataclasses.replace(ECDCTR, name="star", differences=worse)


def test_the_page_leads_with_what_the_data_can_show():
    text = page({"feeds_ads": comparison()}, ["feeds_ads"], {"feeds_ads": FACTS})
    lines = text.splitlines()
    assert (
        "| feeds_ads | clicks drawn from known probabilities | 53,795 (5,600) | "
        "1,500,000 (200,000) | 2 x 7,105 (690) | 78% | 10% | 5% | 2% | none |"
    ) in lines
    order = [
        "can and cannot show",
        "## Simulated worlds, whose optimum is known",
        "## When a win is counted",
        "![Difference to target_only](results/feeds_ads.svg)",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_the_page_counts_wins_and_says_when():
    text = page(
        {
            "feeds_ads": comparison(),
            "amazon": comparison(
                models=(dataclasses.replace(ECDCTR, wins=True), _losing(), TARGET_ONLY),
            ),
        },
        ["feeds_ads", "amazon", "xmarket"],
        {},
    )
    lines = text.splitlines()
    assert "| data set | replicates | rows | ecdctr | star | best reference |" in lines
    logistic = "-0.0200 (logistic)"
    assert f"| amazon | 2 | 7,105 | +0.0000 (wins) | +0.0000 | {logistic} |" in lines
    assert "Not run yet: xmarket." in lines
    assert "At least ten" in text or "at least ten" in text
    assert "are withdrawn" in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "nothing counted speaks against it"),
        ({"users_in_sources": 0.01}, "1.0% of the rows have a user"),
        ({"labels": "`overall >= 4` of logged rows, no"}, "answers, not impressions"),
        ({"labels": "x; negatives drawn by the importer"}, "calibration are not real"),
        ({"moving": {"user_click_rate": 0.4}}, "user_click_rate moves"),
        ({"evaluation": {"rows": 700, "clicks": 100}}, "200 clicks are too few"),
    ],
)
def test_limits_follow_from_the_counts(changes, told):
    assert told in " ".join(limits({**FACTS, **changes}))


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([{"abc": 10}, {"abc": 8}], ""),
        ([{"abc": 10}, {"abc": 1, "f00": 7}], "`abc` 11, `f00` 7"),
    ],
)
def test_replicates_of_several_states_of_the_code_are_said(codes, said):
    names = ["feeds_ads", "amazon"]
    facts = {
        name: {**FACTS, "code": code} for name, code in zip(names, codes, strict=True)
    }
    text = page({name: comparison() for name in names}, names, facts)
    assert ("Replicates by the hash of the code" in text) == bool(said)
    assert said in text


def test_the_page_says_what_was_tuned_alike():
    names = ["feeds_ads", "amazon"]
    tuning = {"3 trials before 2024-02-23, 2 origins, 1 seeds": ["linear", "logistic"]}
    facts = {"feeds_ads": {**FACTS, "tuning": tuning}, "amazon": FACTS}
    text = page({name: comparison() for name in names}, names, facts)
    line = (
        "* feeds_ads: 3 trials before 2024-02-23, 2 origins, 1 seeds: `linear`, "
        "`logistic`"
    )
    assert line in text.splitlines()
    assert "* amazon: 3 trials" not in text
    assert "Nothing was tuned." not in text
    assert "Nothing was tuned." in page({}, names, {"amazon": FACTS})


def test_a_quick_page_says_what_it_is(tmp_path):
    text = write_page(tmp_path, ["feeds_ads"], SHORT.note).read_text()
    assert "A quick pass, not a result" in text
    assert "Not run yet: feeds_ads." in text
    assert "A quick pass" not in write_page(tmp_path, ["feeds_ads"]).read_text()


def test_page_tables_and_pictures_are_made_from_the_records(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "amazon.json"
    path.write_text(to_json(comparison()))
    path.with_name("amazon.facts.json").write_text(json.dumps(FACTS))
    written = write_page(tmp_path, ["feeds_ads", "amazon"]).read_text()
    assert "Not run yet: feeds_ads." in written
    assert "| amazon | 2 | 7,105 |" in written
    assert "| amazon | clicks drawn" in written
    assert path.with_suffix(".svg").read_text() == picture(comparison())
    assert path.with_suffix(".csv").read_text() == to_csv(comparison())


def test_the_shipped_page_is_what_its_records_say(tmp_path):
    docs = results.ROOT / "docs"
    if (docs / "results").is_dir():
        shutil.copytree(docs / "results", tmp_path / "results")
    names = [data_set.name for data_set in DATA_SETS]
    written = write_page(tmp_path, names)
    assert written.read_text() == (docs / "results.md").read_text()
    files = [one for one in (tmp_path / "results").iterdir() if one.is_file()]
    for path in sorted(files):
        assert path.read_text() == (docs / "results" / path.name).read_text()
