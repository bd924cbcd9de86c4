"""Learning curves: their worlds, record, sentences and picture."""

from __future__ import annotations

import dataclasses

from benchmarks.curves_section import curves_picture
from benchmarks.curves_section import curves_section
from benchmarks.curves_section import sentence
from benchmarks.learning_curves import record_of
from benchmarks.learning_curves import world
from benchmarks.replicates import Replicate
from benchmarks.replicates import configuration
from components.evaluation.differences import Difference
from pipeline.config.load import load_config
from pipeline.datasets.simulation.settings import plan_domains
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import comparison

AHEAD = Difference(0.02, 0.01, 0.03, 0.001, 0.01)


def test_a_world_has_the_rows_that_were_asked_for(tmp_path):
    data_set = world(10_000, 1_000_000)
    config = load_config(configuration(Replicate(data_set, 3, 0), tmp_path))
    feeds, ads = plan_domains(config.simulate, config.sources, config.target)
    window = config.levels.target.window_days
    assert (ads.rows_per_day * window, feeds.rows_per_day * window) == (
        10_000,
        1_000_000,
    )
    assert config.references.rows == 1_010_000
    days = config.anchor_day.toordinal() - config.first_day.toordinal()
    assert days == window
    assert config.simulate.num_days == window + config.evaluation_days


def _record():
    strong = dataclasses.replace(ECDCTR, over_reference=AHEAD)
    return record_of(
        {
            10_000: comparison(),
            100_000: comparison(models=(strong, TARGET_ONLY)),
        },
        1_000_000,
    )


def test_sentences_follow_from_the_numbers():
    record = _record()
    small, large = (sentence(point) for point in record["points"])
    assert small.startswith("10,000 target rows: the best strategy is ")
    assert "no strategy is told apart above the best reference" in small
    assert "told apart above the best reference: ecdctr." in large
    text = curves_section(record)
    assert "beside 1,000,000 rows of feeds" in text
    assert "| model | 10,000 target rows | 100,000 target rows |" in text
    assert "| ecdctr | 0.7000" in text


def test_curves_have_a_line_between_sizes_for_each_model():
    record = _record()
    drawn = curves_picture(record)
    both = set(record["points"][0]["models"]) & set(record["points"][1]["models"])
    assert drawn.count('class="curve m') == len(both)
    assert drawn.count("<circle") == sum(
        len(point["models"]) for point in record["points"]
    ) + len(set().union(*(point["models"] for point in record["points"])))


def test_curves_that_were_not_run_are_named():
    assert "not run: `make learning-curves`" in curves_section(None)
