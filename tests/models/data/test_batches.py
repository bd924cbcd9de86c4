"""Laws of the reader: every impression of the window once, none outside, well mixed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.batches import ExampleReader
from models.data.shuffling import split_sizes
from models.errors import DataError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

NUM_ROWS = 5_000
# The row number is the id, so that every row can be told from every other.
FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="recent", kind="ids", vocabulary="user", max_length=3),
    ),
    vocabularies={"user": IdSpace(capacity=NUM_ROWS)},
)

WriteShard = Callable[..., Path]


def _columns(start: int, stop: int) -> dict[str, Any]:
    rows = np.arange(start, stop)
    return {
        "user_id": rows,
        "recent": np.stack([rows, np.zeros_like(rows), rows], axis=1),
        "label": rows % 2,
        "day": rows // 100,  # 50 days, in the order of time
    }


@pytest.fixture
def pattern(write_shard: WriteShard, tmp_path: Path) -> str:
    for part, start in enumerate(range(0, NUM_ROWS, 1_000)):
        write_shard(_columns(start, start + 1_000), f"de/part-{part}", group_rows=300)
    (tmp_path / "de" / "_SUCCESS").write_text("")
    return str(tmp_path / "de" / "*")


def _read(reader: ExampleReader, **changes: Any) -> list[Any]:
    settings = {"batch_size": 64, "shuffle_rows": 100_000, "seed": 1, **changes}
    return list(reader.batches(**settings))


def _users(batches: list[Any]) -> Any:
    return np.concatenate([batch.rows["user_id"] for batch in batches])


@pytest.mark.parametrize("shuffle_rows", [100, 1_000, 100_000])
@pytest.mark.parametrize("batch_size", [7, 64, 4_096])
def test_every_row_of_the_window_once_and_none_outside(
    pattern: str, shuffle_rows: int, batch_size: int
) -> None:
    reader = ExampleReader([pattern], FEATURES, 3, 41)
    batches = _read(reader, shuffle_rows=shuffle_rows, batch_size=batch_size)
    assert sorted(_users(batches)) == list(range(300, 4_200))
    for batch in batches:
        user = batch.rows["user_id"]
        np.testing.assert_array_equal(batch.labels, user % 2)
        np.testing.assert_array_equal(batch.days, user // 100)
        np.testing.assert_array_equal(
            batch.rows["recent"], np.stack([user, 0 * user, user], axis=1)
        )
    assert batches[0].labels.dtype == np.float32
    if batch_size < 3_900:
        sizes = [len(batch.labels) for batch in batches]
        assert set(sizes[:-1]) == {batch_size}
        assert batch_size / 2 <= sizes[-1] < 1.5 * batch_size


def test_order_is_mixed_when_the_window_fits_the_buffer(pattern: str) -> None:
    users = _users(_read(ExampleReader([pattern], FEATURES, 0, 49)))
    assert abs(np.corrcoef(users, np.arange(NUM_ROWS))[0, 1]) < 0.05


def test_order_is_mixed_across_files_when_it_does_not(pattern: str) -> None:
    reader = ExampleReader([pattern], FEATURES, 0, 49)
    users = _users(_read(reader, shuffle_rows=500))
    assert abs(np.corrcoef(users, np.arange(NUM_ROWS))[0, 1]) < 0.3
    # Every tenth of the epoch holds rows of most of the time span.
    for part in np.split(users, 10):
        assert np.ptp(part) > 0.6 * NUM_ROWS


def test_a_seed_gives_the_same_order_and_an_epoch_another(pattern: str) -> None:
    reader = ExampleReader([pattern], FEATURES, 0, 49)
    first, again = _users(_read(reader)), _users(_read(reader))
    np.testing.assert_array_equal(first, again)
    assert (first != _users(_read(reader, epoch=1))).any()
    assert (first != _users(_read(reader, seed=2))).any()


def test_row_groups_outside_the_window_are_not_opened(pattern: str) -> None:
    assert len(ExampleReader([pattern], FEATURES, 0, 2)._groups) == 1
    assert not ExampleReader([pattern], FEATURES, 50, 60)._groups
    assert not _read(ExampleReader([pattern], FEATURES, 50, 60))


def test_summary_counts_rows_clicks_and_impressions(pattern: str) -> None:
    window = ExampleReader([pattern], FEATURES, 1, 2).summarise()
    assert (window.num_rows, window.num_clicks) == (200, 100)
    expected = np.zeros(FEATURES.num_rows("user"))
    expected[100:300] = 1
    np.testing.assert_array_equal(window.impressions["user"], expected)


def test_prefetching_gives_the_same_batches(pattern: str) -> None:
    reader = ExampleReader([pattern], FEATURES, 0, 9)
    settings: dict[str, Any] = {"batch_size": 64, "shuffle_rows": 500, "seed": 3}
    for batch, ready in zip(
        reader.batches(**settings), reader.prefetched(**settings), strict=True
    ):
        np.testing.assert_array_equal(batch.rows["recent"], ready.rows["recent"])
        np.testing.assert_array_equal(batch.labels, ready.labels)
        np.testing.assert_array_equal(batch.days, ready.days)


@pytest.mark.parametrize(
    ("num_rows", "sizes"),
    [
        pytest.param(0, [], id="empty"),
        pytest.param(1, [1], id="one-row"),
        pytest.param(8, [4, 4], id="even"),
        pytest.param(9, [4, 5], id="short-rest-joins"),
        pytest.param(10, [4, 4, 2], id="half-a-batch-stays"),
    ],
)
def test_split_sizes(num_rows: int, sizes: list[int]) -> None:
    assert split_sizes(num_rows, 4) == sizes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"recent": None}, "lacks the column.* recent", id="column"),
        pytest.param({"user_id": [9_999]}, "row 9999; expected 0 to", id="row"),
        pytest.param({"user_id": [-1]}, "row -1; expected 0 to", id="negative"),
        pytest.param({"recent": [[1, 2]]}, "exactly 3 value", id="length"),
    ],
)
def test_bad_shards_are_refused(
    write_shard: WriteShard, change: dict[str, Any], message: str
) -> None:
    columns = {**_columns(0, 1), **change}
    path = write_shard({k: v for k, v in columns.items() if v is not None})
    with pytest.raises(DataError, match=message):
        _read(ExampleReader([str(path)], FEATURES, 0, 9))


@pytest.mark.parametrize("shuffle_rows", [500, 100_000])
def test_spans_hold_the_rows_of_batches_in_the_same_order(
    pattern: str, shuffle_rows: int
) -> None:
    reader = ExampleReader([pattern], FEATURES, 0, 48)
    batches = _read(reader, shuffle_rows=shuffle_rows)
    spans = _read(reader, shuffle_rows=shuffle_rows, span=5)
    np.testing.assert_array_equal(_users(spans), _users(batches))
    # A span is cut as one would cut it alone, the remainder of the window included.
    cut = [size for span in spans for size in split_sizes(len(span.labels), 64)]
    assert cut == [len(batch.labels) for batch in batches]
    assert max(len(span.labels) for span in spans) < 6 * 64


def test_batches_look_like_samples_of_what_the_buffer_can_reach(pattern: str) -> None:
    reader = ExampleReader([pattern], FEATURES, 0, 49)
    users = _users(_read(reader))
    # As many neighbours of the file are neighbours in the epoch as by chance: about 2.
    assert (np.abs(np.diff(users)) == 1).sum() < 15
    # Mean of each batch as far from the middle as that of 64 independent rows.
    means = users[: 78 * 64].reshape(78, 64).mean(axis=1)
    expected = NUM_ROWS / 12**0.5 / 64**0.5
    assert 0.7 * expected < means.std() < 1.3 * expected


def test_between_reads_days_inside_the_window_only(pattern: str) -> None:
    reader = ExampleReader([pattern], FEATURES, 3, 41)
    assert sorted(_users(_read(reader.between(40, 99)))) == list(range(4_000, 4_200))
    assert reader.between(40, 99).summarise().rows_by_day == {40: 100, 41: 100}


def test_masked_features_are_missing_together_on_a_share_of_impressions(
    pattern: str,
) -> None:
    reader = ExampleReader(
        [pattern], FEATURES, 10, 29, masked=("user_id", "recent"), masked_share=0.3
    )
    read = _read(reader.between(10, 19))
    users = _users(read)
    lists = np.concatenate([batch.rows["recent"] for batch in read])
    missing = users == 1
    assert len(users) == 1_000
    assert 0.25 < missing.mean() < 0.35
    # A missing list is empty: padding alone.
    assert (lists[missing] == 0).all()
    np.testing.assert_array_equal(lists[~missing][:, 0], users[~missing])
    # Each pass draws other impressions, and the counts are of what is logged.
    again = _users(_read(reader.between(10, 19), epoch=1))
    assert set(users[~missing]) != set(again[again != 1])
    counts = reader.between(10, 19).summarise().impressions["user"]
    assert counts[1_000:2_000].tolist() == [1] * 1_000


def test_days_are_read_beside_the_features_where_a_network_asks_for_them(
    pattern: str,
) -> None:
    reader = ExampleReader([pattern], FEATURES.with_days(), 10, 19)
    for batch in _read(reader):
        np.testing.assert_array_equal(batch.rows["day"], batch.days)
        np.testing.assert_array_equal(batch.rows["day"], batch.rows["user_id"] // 100)
    assert "day" not in _read(ExampleReader([pattern], FEATURES, 10, 19))[0].rows
    assert "reads_days" not in FEATURES.with_days().to_json()
