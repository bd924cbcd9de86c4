"""EmbeddingSnapshot: writing, reading with pyarrow, joining by raw id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data import snapshots
from models.data.id_lists import describe_ids
from models.data.id_lists import is_prefix
from models.data.id_lists import read_ids
from models.errors import DataError
from models.features.id_space import IdSpace
from tests.vocabularies import write_ids

SPACE = IdSpace(capacity=5, oov_buckets=2)  # ids from row 4


def _write(
    folder: Path,
    ids: list[str],
    impressions: list[int],
    width: int = 2,
    earlier: list[int] | None = None,
    period_day: int = 17,
) -> Any:
    folder.mkdir()
    vectors = np.arange(len(ids) * width, dtype=np.float32).reshape(-1, width)
    rows = snapshots.write_space(
        folder,
        "user",
        pa.array(ids, pa.large_string()),
        np.array(impressions, np.int64),
        [(0, vectors[:1]), (1, vectors[1:])],
        width,
        earlier=None if earlier is None else np.array(earlier, np.int64),
    )
    snapshots.write_summary(
        folder,
        period_day=period_day,
        width=width,
        vocabularies={"user": {"hash": "abc"}},
        rows={"user": rows},
    )
    return folder


def test_only_shown_ids_are_written(tmp_path: Path) -> None:
    folder = _write(tmp_path / "s", ["a", "b", "c"], [3, 0, 1])
    table = pq.read_table(folder / "user.parquet")
    assert table.schema.names == ["id", "impressions", "embedding"]
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 2)
    assert table.to_pydict() == {
        "id": ["a", "c"],
        "impressions": [3, 1],
        "embedding": [[0, 1], [4, 5]],
    }
    summary = json.loads((folder / "snapshot.json").read_text())
    assert summary["period_day"] == 17
    assert summary["width"] == 2
    assert summary["rows"] == {"user": 2}
    assert len(summary["vocabulary_hash"]) == 16


def test_align_joins_by_raw_id(tmp_path: Path) -> None:
    newest = _write(tmp_path / "new", ["b", "a"], [1, 1])
    oldest = _write(tmp_path / "old", ["gone", "b"], [1, 1])
    ids = pa.array(["a", "b", "c"], pa.large_string())
    tables = snapshots.align([newest, oldest], ids, "user", SPACE)
    assert tables.vectors.shape == (9, 2, 2)
    expected = {(4, 0): [2, 3], (5, 0): [0, 1], (5, 1): [2, 3]}
    for row in range(9):
        for period in range(2):
            present = (row, period) in expected
            assert tables.present[row, period] == present
            vector = expected.get((row, period), [0, 0])
            np.testing.assert_array_equal(tables.vectors[row, period], vector)


def test_ids_of_continued_periods_are_written_without_impressions(
    tmp_path: Path,
) -> None:
    folder = _write(tmp_path / "s", ["a", "b", "c"], [3, 0, 0], earlier=[1, 2, 0])
    assert pq.read_table(folder / "user.parquet").to_pydict() == {
        "id": ["a", "b"],
        "impressions": [3, 0],
        "embedding": [[0, 1], [2, 3]],
    }
    summary = json.loads((folder / "snapshot.json").read_text())
    assert summary["rows"] == {"user": 2}


def test_a_returning_id_has_its_last_vector_in_the_newest_period(
    tmp_path: Path,
) -> None:
    names = ["a", "b", "c", "d"]
    newest = _write(
        tmp_path / "new", names, [5, 0, 0, 0], earlier=[1, 4, 9, 0], period_day=37
    )
    oldest = _write(
        tmp_path / "old", names, [0, 4, 0, 0], earlier=[1, 0, 9, 0], period_day=27
    )
    ids = pa.array(names, pa.large_string())
    tables = snapshots.align([newest, oldest], ids, "user", SPACE)
    # `b` has impressions in the older period alone, and is read from it alone; `c` has
    # none in either, and `d` never had any.
    assert tables.present[4:8].tolist() == [
        [True, False],
        [False, True],
        [True, False],
        [False, False],
    ]
    assert tables.vectors[6].tolist() == [[4, 5], [0, 0]]
    assert tables.days == (37, 27)


def test_align_refuses_other_widths(tmp_path: Path) -> None:
    folders = [
        _write(tmp_path / "a", ["a"], [1]),
        _write(tmp_path / "b", ["a"], [1], width=3),
    ]
    with pytest.raises(DataError, match="one width"):
        snapshots.align(folders, pa.array(["a"]), "user", SPACE)


def test_align_refuses_a_folder_without_the_space(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", ["a"], [1])
    with pytest.raises(DataError, match=r"has no item\.parquet"):
        snapshots.align([folder], pa.array(["a"]), "item", SPACE)
    with pytest.raises(DataError, match="no embedding snapshot"):
        snapshots.align([tmp_path], pa.array(["a"]), "user", SPACE)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\n\nbb\n", ["a", "", "bb"], id="empty-id"),
        pytest.param("é\n中\n".encode(), ["é", "中"], id="utf-8"),
        pytest.param(b"\xff\nx\n", ["\\xff", "x"], id="no-utf-8"),
        pytest.param(b"a\r\n", ["a\r"], id="carriage-return"),
    ],
)
def test_read_ids(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    write_ids(tmp_path, user=content)
    assert read_ids(tmp_path, "user").to_pylist() == expected


def test_a_list_that_only_grew_is_a_prefix(tmp_path: Path) -> None:
    write_ids(tmp_path, user=b"a\nb\n")
    known = describe_ids(tmp_path, "user")
    assert known["ids"] == 2
    grown = {b"a\nb\n": True, b"a\nb\nc\n": True, b"a\n": False, b"b\na\n": False}
    for content, expected in grown.items():
        write_ids(tmp_path, user=content)
        assert is_prefix(known, tmp_path, "user") is expected


def test_missing_ids_are_named(tmp_path: Path) -> None:
    write_ids(tmp_path, user=b"a\n")
    with pytest.raises(DataError, match=r"no ids of 'item' .* expected item\.txt"):
        read_ids(tmp_path, "item")
