"""Mixing of source impressions at the configured ratio, for domains of any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.batches import ExampleReader
from models.data.mixing import MixedRows
from models.data.mixing import SourceStream
from models.errors import DataError
from models.features.table import FeatureTable


@pytest.fixture
def stream(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> Callable[..., SourceStream]:
    """Returns a function that makes a stream of rows, each with a day of its own."""

    def make(num_rows: int, batch_rows: int) -> SourceStream:
        columns = {**make_rows(num_rows), "label": np.zeros(num_rows, np.int64)}
        columns["day"] = np.arange(num_rows)
        write_shard(columns, "fr/part-0")
        reader = ExampleReader(
            (str(tmp_path / "fr" / "*"),), features, 0, max(num_rows - 1, 0)
        )
        return SourceStream(reader, batch_rows=batch_rows, shuffle_rows=16, seed=1)

    return make


@pytest.mark.parametrize(
    ("num_rows", "batch_rows", "takes"),
    [(1_000, 3, [3, 0, 6, 4]), (10, 3, [12, 1, 9, 6]), (2, 5, [5, 5])],
)
def test_no_row_is_read_more_often_than_the_ratio_needs(
    stream: Callable[..., SourceStream],
    num_rows: int,
    batch_rows: int,
    takes: list[int],
) -> None:
    source = stream(num_rows, batch_rows)
    seen: Counter[int] = Counter()
    for wanted in takes:
        batch = source.take(wanted)
        assert len(batch.labels) == wanted
        assert all(len(rows) == len(batch.labels) for rows in batch.rows.values())
        seen.update(batch.days.tolist())
    source.close()
    total = sum(takes)
    assert source.rows_taken == total == sum(seen.values())
    assert max(seen.values()) == -(-total // num_rows)
    if total >= num_rows:
        assert min(seen.get(day, 0) for day in range(num_rows)) == total // num_rows


def test_sources_without_rows_are_named(features: FeatureTable, tmp_path: Path) -> None:
    reader = ExampleReader((str(tmp_path / "none" / "*"),), features, 0, 9)
    source = SourceStream(reader, batch_rows=2, shuffle_rows=8, seed=1)
    with pytest.raises(DataError, match="sources have no impressions"):
        source.take(1)


def test_rows_that_were_peeked_at_are_the_next_to_be_taken(
    stream: Callable[..., SourceStream],
) -> None:
    source = stream(10, 2)
    peeked = source.peek(5)
    assert peeked is not None
    assert len(peeked.labels) == 5
    assert source.rows_taken == 0
    taken = source.take(6)
    source.close()
    assert taken.days[:5].tolist() == peeked.days.tolist()


def test_no_row_is_peeked_at_twice(stream: Callable[..., SourceStream]) -> None:
    source = stream(10, 2)
    peeked = source.peek(1_000)
    assert peeked is not None
    assert sorted(peeked.days.tolist()) == list(range(10))
    assert sorted(source.take(10).days.tolist()) == list(range(10))
    source.close()


def test_there_is_nothing_to_peek_at_without_rows(
    stream: Callable[..., SourceStream],
) -> None:
    assert stream(0, 2).peek(5) is None


@pytest.mark.parametrize(
    ("target", "sources", "ratio", "batch", "each"),
    [(6, 4_000, 2.0, 6, 4), (6, 5, 2.0, 6, 4), (8, 40, 0.5, 6, 2), (6, 0, 2.0, 6, 0)],
)
def test_rows_are_mixed_at_the_ratio_whatever_the_domains_sizes(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
    target: int,
    sources: int,
    ratio: float,
    batch: int,
    each: int,
) -> None:
    for name, count in (("de", target), ("fr", sources)):
        columns = {**make_rows(count), "label": np.full(count, int(name == "fr"))}
        write_shard({**columns, "day": np.zeros(count, int)}, f"{name}/part-0")
    de, fr = (
        ExampleReader((str(tmp_path / name / "*"),), features, 0, 0)
        for name in ("de", "fr")
    )
    found = list(
        MixedRows(de, fr, ratio).batches(batch_size=batch, shuffle_rows=8, seed=1)
    )
    own = max(1, round(batch / (1 + ratio)))
    assert [len(part.labels) for part in found] == [own + each] * (target // own)
    assert sum(part.labels.sum() for part in found) == each * (target // own)
