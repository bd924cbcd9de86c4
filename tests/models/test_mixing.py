"""Source rows come at the configured ratio, whatever the domains' sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.batches import ExampleReader
from models.errors import DataError
from models.features import FeatureTable
from models.mixing import SourceStream


@pytest.fixture
def stream(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> Callable[..., SourceStream]:
    """Returns a function that makes a stream of rows, each with a day of its own."""

    def make(num_rows: int, rows_per_step: int) -> SourceStream:
        columns = {**make_rows(num_rows), "label": np.zeros(num_rows, np.int64)}
        columns["day"] = np.arange(num_rows)
        write_shard(columns, "fr/part-0")
        reader = ExampleReader(
            (str(tmp_path / "fr" / "*"),), features, 0, max(num_rows - 1, 0)
        )
        return SourceStream(
            reader, rows_per_step=rows_per_step, shuffle_rows=16, seed=1
        )

    return make


@pytest.mark.parametrize(
    ("num_rows", "rows_per_step", "takes"),
    [(1_000, 3, [1, 2, 1]), (10, 3, [4, 1, 3, 2]), (2, 5, [1, 1])],
)
def test_no_row_is_read_more_often_than_the_ratio_needs(
    stream: Callable[..., SourceStream],
    num_rows: int,
    rows_per_step: int,
    takes: list[int],
) -> None:
    source = stream(num_rows, rows_per_step)
    seen: Counter[int] = Counter()
    for steps in takes:
        batch = source.take(steps)
        assert len(batch.labels) == steps * rows_per_step
        assert all(len(rows) == len(batch.labels) for rows in batch.rows.values())
        seen.update(batch.days.tolist())
    source.close()
    total = rows_per_step * sum(takes)
    assert source.rows_read == total == sum(seen.values())
    assert max(seen.values()) == -(-total // num_rows)
    if total >= num_rows:
        assert min(seen.get(day, 0) for day in range(num_rows)) == total // num_rows


def test_sources_without_rows_are_named(features: FeatureTable, tmp_path: Path) -> None:
    reader = ExampleReader((str(tmp_path / "none" / "*"),), features, 0, 9)
    source = SourceStream(reader, rows_per_step=2, shuffle_rows=8, seed=1)
    with pytest.raises(DataError, match="sources have no rows"):
        source.take(1)


def test_rows_that_were_peeked_at_are_the_next_to_be_taken(
    stream: Callable[..., SourceStream],
) -> None:
    source = stream(10, 2)
    peeked = source.peek(5)
    assert peeked is not None
    assert len(peeked.labels) == 5
    assert source.rows_read == 0
    taken = source.take(3)
    source.close()
    assert taken.days[:5].tolist() == peeked.days.tolist()


def test_no_row_is_peeked_at_twice(stream: Callable[..., SourceStream]) -> None:
    source = stream(10, 2)
    peeked = source.peek(1_000)
    assert peeked is not None
    assert sorted(peeked.days.tolist()) == list(range(10))
    assert sorted(source.take(5).days.tolist()) == list(range(10))
    source.close()


def test_there_is_nothing_to_peek_at_without_rows(
    stream: Callable[..., SourceStream],
) -> None:
    assert stream(0, 2).peek(5) is None
