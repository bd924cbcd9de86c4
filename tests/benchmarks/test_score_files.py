"""Stored scores: two bytes each, and as good as the probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from benchmarks.score_files import decoded
from benchmarks.score_files import encoded
from benchmarks.score_files import read_scores
from benchmarks.score_files import write_scores


def test_probabilities_come_back_to_four_digits(tmp_path):
    given = np.array([1e-6, 0.001, 0.1, 0.5, 0.9, 0.999999], np.float32)
    path = tmp_path / "scores.parquet"
    write_scores(pa.table({"model:a": encoded(given)}), path)
    table = read_scores(path)
    assert table.schema.field("model:a").type == pa.int16()
    np.testing.assert_allclose(decoded(table["model:a"]), given, atol=7e-5)


def test_certain_scores_are_cut_off_and_stay_in_order():
    found = decoded(pa.chunked_array([encoded(np.array([0.0, 0.5, 1.0]))]))
    assert 0 < found[0] < 1e-6
    assert found[1] == 0.5
    assert 1 - 1e-6 < found[2] <= 1
