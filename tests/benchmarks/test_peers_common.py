"""Impressions as the peers read them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.peers import common
from models.data.arrow_files import pq


def _lists(values, kind):
    return pa.array(values, pa.large_list(kind))


def _write(path, **columns):
    table = {
        "item_id": _lists([[3], [4], [5]], pa.int64()),
        "recent": _lists([[3, 0], [4, 5], [0, 0]], pa.int64()),
        "label": _lists([[0], [1], [0]], pa.int64()),
        "day": _lists([[7], [8], [9]], pa.int64()),
        **columns,
    }
    pq.write_table(pa.table(table), path)
    return [str(path)]


def test_whole_numbers_are_table_rows_and_others_are_values(tmp_path):
    price = _lists([[0.5], [1.5], [-2.0]], pa.float32())
    vector = _lists([[1, 2], [3, 4], [5, 6]], pa.float32())
    rows = common.read(_write(tmp_path / "x.parquet", price=price, vector=vector))
    assert {name: v.tolist() for name, v in rows.ids.items()} == {
        "item_id": [3, 4, 5],
        "recent": [[3, 0], [4, 5], [0, 0]],
    }
    assert {name: v.tolist() for name, v in rows.numbers.items()} == {
        "price": [0.5, 1.5, -2.0],
        "vector": [[1, 2], [3, 4], [5, 6]],
    }
    assert rows.labels.tolist() == [0, 1, 0]
    assert {v.dtype for v in rows.numbers.values()} == {np.dtype("float32")}


def test_columns_of_one_value_need_no_lists(tmp_path):
    files = _write(
        tmp_path / "x.parquet",
        item_id=pa.array([3, 4, 5]),
        day=pa.array([7, 8, 9]),
        label=pa.array([0, 1, 0]),
    )
    assert common.read(files).ids["item_id"].tolist() == [3, 4, 5]


def test_days_are_those_asked_for_of_every_file(tmp_path):
    files = _write(tmp_path / "x.parquet") + _write(tmp_path / "y.parquet")
    rows = common.read(files, 8, 9)
    assert rows.ids["item_id"].tolist() == [4, 5, 4, 5]
    assert rows.labels.tolist() == [1, 0, 1, 0]


def test_lists_of_several_lengths_are_refused(tmp_path):
    recent = _lists([[3], [4, 5], []], pa.int64())
    with pytest.raises(ValueError, match="recent has lists of 0 to 2 values"):
        common.read(_write(tmp_path / "x.parquet", recent=recent))


def test_taken_rows_keep_their_values_together(tmp_path):
    price = _lists([[0.5], [1.5], [-2.0]], pa.float32())
    rows = common.read(_write(tmp_path / "x.parquet", price=price)).take(
        np.array([2, 0])
    )
    assert len(rows) == 2
    assert rows.inputs["recent"].tolist() == [[0, 0], [3, 0]]
    assert rows.inputs["price"].tolist() == [-2.0, 0.5]


def test_auc_counts_ties_one_half():
    labels = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    scores = np.array([0.1, 0.1, 0.4, 0.4, 0.9, 0.2, 0.9, 0.3])
    assert common.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
