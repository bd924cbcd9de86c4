"""Models on the same impressions: differences, the reachable gap, the best."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.errors import DataError
from pipeline.comparing.measure import gap_share
from pipeline.comparing.measure import measure
from pipeline.report.scoring import Scored

# Two users with both labels and one with clicks alone: 6 of 8 rows.
USERS = np.array([b"a", b"a", b"a", b"b", b"b", b"b", b"c", b"c"], object)
LABELS = np.array([1, 0, 0, 1, 0, 0, 1, 1])
# GAUC by hand: the click above both others in both users; above one; above none.
BEST = [0.9, 0.1, 0.2, 0.9, 0.1, 0.2, 0.5, 0.5]  # (1 + 1) / 2
HALF = [0.9, 0.1, 0.2, 0.1, 0.2, 0.3, 0.5, 0.5]  # (1 + 0) / 2
QUARTER = [0.2, 0.1, 0.3, 0.1, 0.2, 0.3, 0.5, 0.5]  # (1/2 + 0) / 2


def scored(*columns, users=USERS, labels=LABELS):
    return [Scored(users, labels, np.array(column, np.float32)) for column in columns]


def by_name(measurement):
    return {model.name: model for model in measurement.models}


def test_the_rows_are_counted_once():
    found = measure({"plain": scored(HALF)}, "plain", replicates=3)
    assert (found.rows, found.clicks, found.users) == (8, 4, 3)
    assert found.coverage == pytest.approx(6 / 8)
    assert found.oracle is None


def test_metrics_are_kept_by_seed_and_averaged():
    found = measure({"plain": scored(HALF, QUARTER)}, "plain", replicates=3)
    (plain,) = found.models
    assert [one["gauc"] for one in plain.by_seed] == [0.5, 0.25]
    assert plain.metrics["gauc"] == pytest.approx(0.375)
    # sqrt((0.125^2 + 0.125^2) / (2 - 1))
    assert plain.spread["gauc"] == pytest.approx(math.sqrt(2) * 0.125)
    (once,) = measure({"plain": scored(HALF)}, "plain", replicates=3).models
    assert math.isnan(once.spread["gauc"])


def test_the_share_of_the_gap_is_the_way_from_the_baseline_to_the_oracle():
    models = {"plain": scored(QUARTER), "half": scored(HALF), "best": scored(BEST)}
    found = measure(models, "plain", oracle=BEST, replicates=20)
    names = by_name(found)
    # (0.5 - 0.25) / (1 - 0.25)
    assert names["half"].gap_share.value == pytest.approx(1 / 3)
    assert names["best"].gap_share.value == pytest.approx(1)
    assert (names["best"].gap_share.low, names["best"].gap_share.high) == (1, 1)
    assert names["plain"].gap_share is None
    assert found.oracle["gauc"] == 1
    assert by_name(measure(models, "plain", replicates=3))["half"].gap_share is None


def test_without_a_reachable_gap_there_is_no_share():
    models = {"plain": scored(HALF), "best": scored(BEST)}
    share = by_name(measure(models, "plain", oracle=HALF, replicates=5))["best"]
    assert math.isnan(share.gap_share.value)


def test_draws_without_a_gap_are_left_out_of_the_share():
    def draws(*gaucs):
        return np.array([[0.0, gauc, 0.0] for gauc in gaucs])

    # On the data, and in two draws; in the second the oracle is no better.
    found = gap_share(draws(0.5, 0.5, 0.9), draws(0.4, 0.4, 0.6), draws(0.6, 0.8, 0.6))
    assert found.value == pytest.approx(0.5)
    assert found.low == found.high == pytest.approx(0.25)


def test_other_models_are_compared_with_the_best():
    models = {"plain": scored(QUARTER), "half": scored(HALF), "best": scored(BEST)}
    names = by_name(measure(models, "plain", replicates=50))
    assert names["best"].behind_best is None
    assert names["half"].behind_best.value == pytest.approx(-0.5)
    assert names["plain"].behind_best.value == pytest.approx(-0.75)
    assert names["plain"].behind_best.high < 0


def test_models_of_other_rows_are_refused():
    flipped = scored(HALF, labels=1 - LABELS)
    fewer = scored(HALF[:6], users=USERS[:6], labels=LABELS[:6])
    for other in (flipped, fewer):
        with pytest.raises(DataError, match="'odd' was scored on other rows"):
            measure({"plain": scored(HALF), "odd": other}, "plain", replicates=3)


def test_without_a_click_nothing_is_best():
    silent = scored(HALF, labels=np.zeros(8, np.int64))
    found = measure({"plain": silent, "other": silent}, "plain", replicates=5)
    assert [model.behind_best for model in found.models] == [None, None]
    assert math.isnan(found.models[1].differences["gauc"].value)
