"""The comparison with FuxiCTR: equal budgets, days, columns, the gap's sign."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.peer_fuxictr import FUXICTR
from benchmarks.peer_fuxictr import OURS
from benchmarks.peer_fuxictr import Windows
from benchmarks.peer_fuxictr import best_of
from benchmarks.peer_fuxictr import compare
from benchmarks.peer_fuxictr import grid
from benchmarks.peer_fuxictr import tables_of
from benchmarks.peers import common
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable


def test_both_sides_have_the_same_budget():
    ours, theirs = grid(OURS), grid(FUXICTR)
    assert len(ours) == len(theirs) == 8
    for name in ("batch_size", "passes", "seed"):
        assert [t[name] for t in ours] == [t[name] for t in theirs]


def test_nothing_is_tuned_on_scored_days_and_windows_have_one_length():
    windows = Windows.before(100, window_days=7, score_days=5)
    assert windows == Windows((91, 97), (98, 99), (93, 99), (100, 104))


def test_the_best_setting_is_cut_to_its_best_pass():
    trials = [{"rates": [0.1], "passes": 3}, {"rates": [0.2], "passes": 3}]
    best = best_of(trials, [[0.6, 0.7, 0.65], [0.5, 0.6, 0.69]])
    assert best == {"rates": [0.1], "passes": 2}


def test_fewer_passes_are_chosen_among_equals():
    assert best_of([{"passes": 3}], [[0.6, 0.7, 0.7]]) == {"passes": 2}


def test_columns_of_table_rows_name_their_table_and_values_none():
    features = FeatureTable(
        features=(
            Feature(name="item_id", kind="id", vocabulary="item"),
            Feature(name="recent", kind="ids", vocabulary="item", max_length=2),
            Feature(name="age", kind="count", buckets=4),
        ),
        vocabularies={"item": IdSpace(capacity=10, oov_buckets=1)},
    )
    whole, value = pa.large_list(pa.int64()), pa.large_list(pa.float32())
    columns = {"item_id": whole, "recent": whole, "age": whole, "age_value": value}
    schema = pa.schema({**columns, "label": whole, "day": pa.int64()})
    rows = features.num_rows("item")
    assert tables_of(features, schema) == {
        "item_id": {"table": "item", "rows": rows},
        "recent": {"table": "item", "rows": rows},
        "age": {"table": "age", "rows": features.num_rows("age")},
    }


def _scored():
    rng = np.random.default_rng(0)
    ids = {"user_id": rng.integers(2, 50, 400), "item_id": rng.integers(2, 20, 400)}
    labels = (rng.random(400) < 0.3).astype(np.float32)
    good = 0.5 * labels + 0.5 * rng.random(400)
    return common.Rows(ids, {}, labels), good, rng.random(400)


def test_the_gap_is_the_peers_auc_minus_ours():
    rows, good, poor = _scored()
    (theirs, ours), gap = compare(rows, [good, good], [poor, poor])
    assert theirs == pytest.approx(roc_auc_score(rows.labels, good))
    assert ours == pytest.approx(roc_auc_score(rows.labels, poor))
    assert gap.value == pytest.approx(theirs - ours)
    assert 0 < gap.low < gap.value < gap.high


def test_equal_scores_have_no_gap():
    rows, good, _ = _scored()
    assert compare(rows, [good, good], [good, good])[1].value == 0
