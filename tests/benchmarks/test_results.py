"""The results' page is made from numbers, and every data set has a configuration."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import results
from benchmarks.results import DATA_SETS
from benchmarks.results import configuration
from benchmarks.results_page import page
from benchmarks.results_page import write_page
from pipeline.comparing.record import to_json
from pipeline.config_file import load_config
from pipeline.strategies import KINDS
from pipeline.terminal import Console
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
    one_day = [name for name, kind in KINDS.items() if not kind.ctnet]
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


def test_the_page_says_wins_and_losses_alike():
    text = page(
        {
            "feeds_ads": comparison(models=(ECDCTR, _losing(), TARGET_ONLY)),
            "amazon": comparison(models=(_losing(), TARGET_ONLY), seeds=(17, 18)),
        },
        ["feeds_ads", "amazon", "xmarket"],
    )
    lines = text.splitlines()
    assert "| data set | seeds | rows | ecdctr | star |" in lines
    assert "| feeds_ads | 2 | 7,105 | +0.0500 *wins* | -0.0500 *loses* |" in lines
    assert "| amazon | 2 | 7,105 |  | -0.0500 *loses* |" in lines
    assert (
        "* `star`, 2 data sets: by GAUC 0 won, 2 lost, the rest not told apart; by AUC "
        "0 won, 0 lost, the rest not told apart."
    ) in lines
    assert "* Not run: xmarket." in lines
    assert "![Difference to target_only](results/amazon.svg)" in lines
    assert text.count("\n## ") == 3


def test_the_page_is_made_from_the_records_that_are_there(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "amazon.json"
    path.write_text(to_json(comparison()))
    written = write_page(tmp_path, ["feeds_ads", "amazon"]).read_text()
    assert "* Not run: feeds_ads." in written
    assert "| amazon | 2 |" in written
