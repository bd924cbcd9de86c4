"""Replicates: stored as made, and paired between models."""

import numpy as np
import pytest

from components.evaluation.metrics import RESAMPLED
from components.evaluation.replicates import MeasuredModel
from components.evaluation.replicates import read_replicates
from components.evaluation.replicates import write_replicates

DRAWS = np.arange(5 * len(RESAMPLED), dtype=float).reshape(5, len(RESAMPLED))


def test_replicates_are_read_as_they_were_written(tmp_path):
    assert read_replicates(tmp_path) == {}
    write_replicates(tmp_path, {"ecdctr": DRAWS, "gbdt + sources": DRAWS + 1})
    found = read_replicates(tmp_path)
    assert list(found) == ["ecdctr", "gbdt + sources"]
    assert list(found["ecdctr"]) == list(RESAMPLED)
    for column, name in enumerate(RESAMPLED):
        assert found["ecdctr"][name].tolist() == DRAWS[:, column].tolist()


@pytest.mark.parametrize("name", ["file", "metrics", "models", "draws", "a.npy", "0"])
def test_a_strategy_may_have_any_name(tmp_path, name):
    write_replicates(tmp_path, {name: DRAWS, "a": DRAWS + 1})
    found = read_replicates(tmp_path)
    assert list(found) == [name, "a"]
    assert found[name]["auc"].tolist() == (found["a"]["auc"] - 1).tolist()


def test_models_may_have_draws_of_different_numbers(tmp_path):
    write_replicates(tmp_path, {"ecdctr": DRAWS, "linear": DRAWS[:2]})
    found = read_replicates(tmp_path)
    assert [len(found[name]["auc"]) for name in ("ecdctr", "linear")] == [5, 2]


def model(value, draws):
    return MeasuredModel({"auc": value}, {"auc": np.array(draws, float)})


def test_what_two_models_have_in_common_cancels():
    luck = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    one, other = model(0.7, 0.7 + luck), model(0.6, 0.6 + luck)
    assert one.interval("auc", 0.5).low == pytest.approx(0.6)
    difference = one.minus(other, "auc", 0.5)
    assert difference.value == pytest.approx(0.1)
    assert (difference.low, difference.high) == pytest.approx((0.1, 0.1))


def test_draws_without_the_metric_are_left_out():
    one = model(0.7, [0.7, np.nan, 0.9])
    difference = one.minus(model(0.5, [0.5, 0.5, np.nan]), "auc", 0.95)
    assert (difference.low, difference.high) == pytest.approx((0.2, 0.2))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(MeasuredModel({"auc": 0.6}), id="no replicates"),
        pytest.param(
            MeasuredModel({"auc": None}, {"auc": np.zeros(2)}), id="undefined"
        ),
        pytest.param(model(0.6, [0.6, 0.6, 0.6]), id="other draws"),
        pytest.param(model(0.6, [np.nan, np.nan]), id="no draw defined"),
    ],
)
def test_without_a_pair_there_is_no_interval(other):
    assert model(0.7, [0.7, 0.8]).minus(other, "auc", 0.95) is None
