"""References on the shipped data: windows, what they may read, and their metrics."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss
from sklearn.metrics import roc_auc_score

from benchmarks.amazon_references import end_of
from benchmarks.amazon_references import months_before
from benchmarks.xmarket_references import COLUMNS
from benchmarks.xmarket_references import Redrawn
from benchmarks.xmarket_references import between
from benchmarks.xmarket_references import quarters
from benchmarks.xmarket_references import rows_of
from models.days import to_date
from models.days import to_day
from models.references.rows import Rows
from pipeline.datasets.impressions import Impressions

DATE = datetime.date


def test_quarters_follow_each_other():
    found = [(str(to_date(first)), str(to_date(end))) for first, end in quarters()]
    assert found[0] == ("2017-01-01", "2017-04-01")
    assert found[-1] == ("2020-07-01", "2020-10-01")
    assert len(found) == 15
    assert all(one[1] == other[0] for one, other in zip(found, found[1:], strict=False))


def test_months_before_a_month_and_its_end():
    found = [str(month) for month in months_before(DATE(2014, 2, 1), 3)]
    assert found == ["2013-11-01", "2013-12-01", "2014-01-01"]
    assert end_of(DATE(2014, 12, 1)) == DATE(2015, 1, 1)
    assert end_of(DATE(2014, 2, 1)) == DATE(2014, 3, 1)


def _market(rows):
    users, items, days, clicked = zip(*rows, strict=True)
    days = np.array([to_day(day) for day in days])
    everything = np.ones(len(rows), np.bool_)
    table = pa.table({"user_id": pa.array(users), "item_id": pa.array(items)})
    clicked = np.array(clicked)
    return Impressions(table, days, clicked, everything, everything, everything)


def test_counts_elsewhere_are_of_other_markets_before_the_quarter():
    own = _market(
        [
            ("ann", "lamp", DATE(2018, 1, 5), 1),
            ("ann", "lamp", DATE(2018, 4, 2), 1),
            ("bob", "lamp", DATE(2018, 6, 30), 0),
        ]
    )
    other = _market(
        [
            ("cid", "lamp", DATE(2018, 3, 31), 1),
            ("cid", "lamp", DATE(2018, 4, 1), 0),
            ("cid", "desk", DATE(2018, 1, 1), 0),
        ]
    )
    rows = rows_of("de", {"de": own, "ca": other})
    elsewhere = rows.numbers(["elsewhere_impressions", "elsewhere_click_rate"])
    np.testing.assert_array_equal(elsewhere[:, 0], [0, 1, 1])
    # Base rate elsewhere at the end of March: 1 of 2.
    np.testing.assert_allclose(elsewhere[1:, 1], (1 + 20 * 0.5) / (1 + 20))
    np.testing.assert_array_equal(rows.numbers(["item_impressions"])[:, 0], [0, 1, 1])
    assert set(COLUMNS.ids) <= set(rows.table.column_names)
    first, end = to_day(DATE(2018, 4, 1)), to_day(DATE(2018, 6, 30))
    assert len(between(rows, first, end)) == 1


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    users = pa.array([b"u%d" % u for u in rng.integers(0, 20, 200)], pa.large_binary())
    rows = Rows(pa.table({"user_id": users, "label": pa.array(labels)}), 200)
    # Rounded, so that there are ties.
    return rows, rng.integers(0, 4, 200), np.round(rng.uniform(0.1, 0.9, 200), 1)


def test_the_first_draw_is_the_rows_as_they_are(scored):
    rows, quarter, scores = scored
    redrawn = Redrawn(rows, quarter, draws=0)
    expected = roc_auc_score(rows.labels, scores)
    assert redrawn.auc(scores) == pytest.approx([expected])
    assert redrawn.log_loss(scores) == pytest.approx([log_loss(rows.labels, scores)])


def test_draws_differ_and_a_model_does_not_differ_from_itself(scored):
    rows, quarter, scores = scored
    redrawn = Redrawn(rows, quarter, draws=20)
    found = redrawn.auc(scores)
    assert len(set(found[1:])) > 10
    assert abs(found[1:].mean() - found[0]) < 0.1
