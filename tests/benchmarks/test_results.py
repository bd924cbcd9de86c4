"""Results page, made from stored numbers, and configurations of its data sets."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from benchmarks import results
from benchmarks.results import DATA_SETS
from benchmarks.results import configuration
from benchmarks.results_page import page
from benchmarks.results_page import write_page
from models.strategies.registry import create
from models.strategies.registry import kinds
from pipeline.comparing.picture import picture
from pipeline.comparing.record import to_csv
from pipeline.comparing.record import to_json
from pipeline.config.load import load_config
from pipeline.terminal.plain_text import Console
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import differences


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set.name)
def test_every_data_set_can_have_every_kind(data_set, monkeypatch, tmp_path):
    monkeypatch.setattr(results, "RUNS", tmp_path)
    config = load_config(configuration(data_set))
    assert config.name == data_set.name
    assert config.target not in config.sources
    # CTNet is what it is only over days.
    one_day = [
        name for name in kinds() if create(name, {}).needs(3).learns_on_first_day
    ]
    assert results.possible(config, Console(quiet=True)) == one_day
    schema = config.schema_path.read_text()
    for domain in config.domains:
        assert f'default_environment: "{domain}"' in schema
        assert f'value: "{domain}"' in schema


def test_data_sets_share_logs_and_not_what_a_run_writes(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "RUNS", tmp_path)
    configs = {d.name: load_config(configuration(d)) for d in DATA_SETS}
    assert len({config.root for config in configs.values()}) == len(DATA_SETS)
    assert configs["xmarket_mx"].logs == configs["xmarket"].logs
    assert configs["amazon_beauty"].logs == configs["amazon"].logs


def _losing():
    worse = differences((-0.05, -0.08, -0.02))
    return dataclasses.replace(ECDCTR, name="star", differences=worse)


def test_the_page_counts_wins_and_says_when():
    text = page(
        {
            "feeds_ads": comparison(
                models=(dataclasses.replace(ECDCTR, wins=True), _losing(), TARGET_ONLY)
            ),
            "amazon": comparison(models=(_losing(), TARGET_ONLY), seeds=(17, 18)),
        },
        ["feeds_ads", "amazon", "xmarket"],
    )
    lines = text.splitlines()
    assert "| data set | seeds | rows | ecdctr | star | best reference |" in lines
    logistic = "-0.0200 (logistic)"
    assert f"| feeds_ads | 2 | 7,105 | +0.0000 (wins) | +0.0000 | {logistic} |" in lines
    assert f"| amazon | 2 | 7,105 |  | +0.0000 | {logistic} |" in lines
    assert "At least ten seeds".lower() in text
    assert "called too narrow was made before" in text
    assert "* Not run: xmarket." in lines
    assert "![Difference to target_only](results/amazon.svg)" in lines
    assert text.count("\n## ") == 4


def test_auc_comes_before_gauc():
    text = page({"feeds_ads": comparison()}, ["feeds_ads"])
    assert text.index("AUC minus the baseline's") < text.index("GAUC minus the base")


def test_page_tables_and_pictures_are_made_from_the_records(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "amazon.json"
    path.write_text(to_json(comparison()))
    written = write_page(tmp_path, ["feeds_ads", "amazon"]).read_text()
    assert "* Not run: feeds_ads." in written
    assert "| amazon | 2 |" in written
    assert path.with_suffix(".svg").read_text() == picture(comparison())
    assert path.with_suffix(".csv").read_text() == to_csv(comparison())


def test_the_shipped_page_is_what_its_records_say(tmp_path):
    docs = results.ROOT / "docs"
    shutil.copytree(docs / "results", tmp_path / "results")
    names = [data_set.name for data_set in DATA_SETS]
    written = write_page(tmp_path, names)
    assert written.read_text() == (docs / "results.md").read_text()
    for path in sorted((tmp_path / "results").iterdir()):
        assert path.read_text() == (docs / "results" / path.name).read_text()
