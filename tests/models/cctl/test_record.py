"""Sentences about the sources of a CCTL training."""

from __future__ import annotations

import numpy as np
import pytest

from models.cctl.record import CctlRecord
from models.data.batches import Batch


def _batch(rows: int) -> Batch:
    return Batch(
        rows={"slot": np.arange(rows)},
        labels=np.zeros(rows, np.float32),
        days=np.full(rows, 7),
    )


@pytest.mark.parametrize(
    ("slope", "weights", "words"),
    [
        (0.01, [0.02, 0.01], ". Hardly anything of fr is used: look for"),
        (0.01, [0.9] + [0.0] * 20, ". As a whole it is hardly used, but some of"),
        (0.9, [0.95, 0.95], ". Nearly all of it is used"),
        (0.4, [0.3, 0.3], "values 0.40 ± 0.10"),
    ],
)
def test_a_source_is_named_with_how_much_of_it_is_used(
    slope: float, weights: list[float], words: str
) -> None:
    record = CctlRecord(("fr",))
    number = len(weights)
    record.add_rows(
        _batch(number), np.zeros(number, np.int32), np.array(weights, np.float32)
    )
    record.measured = {"fr": {"values": (slope, 0.1)}}
    (said,) = record.words()
    assert words in said
    assert said.startswith(f"fr: mean weight {np.mean(weights):.2f}")


def test_gains_of_windows_are_averaged_by_precision() -> None:
    record = CctlRecord(("fr",))
    for gain in ((0.01, 0.01), (0.04, 0.02), None):
        record.add_rows(_batch(1), np.zeros(1, np.int32), np.ones(1, np.float32))
        record.add_window(gain, 1.0)
    assert record.mean_gain() == pytest.approx((0.016, 0.01 * 0.8**0.5))
    assert "+0.0160 ± 0.0089 in log loss; 0 of 3" in record.words()[-1]


def test_more_than_one_row_of_a_span_can_be_among_the_highest() -> None:
    record = CctlRecord(("fr",))
    weights = np.linspace(0.0, 0.99, 100, dtype=np.float32)
    shuffled = np.random.default_rng(1).permutation(weights)
    record.add_rows(_batch(100), np.zeros(100, np.int32), shuffled)
    found = record.numbers()
    highest = [row["weight"] for row in found["highest"]]
    assert highest == pytest.approx(sorted(weights)[:-11:-1])
    assert [row["weight"] for row in found["lowest"]] == pytest.approx(weights[:10])


def test_the_rows_of_highest_and_lowest_weight_are_kept() -> None:
    record = CctlRecord(("fr", "uk"))
    source = np.array([0, 1, 0], np.int32)
    for step in range(30):
        weights = np.array([step / 100, 0.5, 0.9 - step / 100], np.float32)
        record.add_rows(_batch(3), source, weights)
    found = record.numbers()
    highest = [row["weight"] for row in found["highest"]]
    assert highest == pytest.approx([0.9 - step / 100 for step in range(10)])
    assert [row["weight"] for row in found["lowest"]] == pytest.approx(
        [step / 100 for step in range(10)]
    )
    assert found["rows"] == {"fr": 60, "uk": 30}
    assert found["weights"]["uk"] == pytest.approx(0.5)
    assert found["lowest"][0]["rows"] == {"slot": 0}


def test_a_source_of_which_no_row_was_read_is_named() -> None:
    record = CctlRecord(("fr", "uk"))
    record.add_rows(_batch(2), np.zeros(2, np.int32), np.full(2, 0.5, np.float32))
    said = record.words()
    assert said[0].startswith("fr: mean weight 0.50")
    assert said[1] == "uk: none of its impressions was read"


def test_a_window_without_rows_is_none_and_each_counts_its_own() -> None:
    record = CctlRecord(("fr",))
    record.add_window((0.1, 0.1), 0.0)
    assert record.windows == []
    for weight, gain in ((0.2, None), (0.6, (0.03, 0.01))):
        record.add_rows(
            _batch(2), np.zeros(2, np.int32), np.full(2, weight, np.float32)
        )
        record.steps += 5
        record.add_window(gain, 1.0)
    assert [w["step"] for w in record.windows] == [5, 10]
    assert [w["gain"] for w in record.windows] == [None, 0.03]
    found = [w["weights"]["fr"] for w in record.windows]
    assert found == pytest.approx([0.2, 0.6])
