"""Counting a shard's ids: the same counts however it is cut into batches."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

USERS = [b"a", b"b", b"a", b"c", b"a", b"b", b"a"]
DAYS = [1, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(("batch_rows", "merge_rows"), [(1, 0), (2, 3), (100, 100)])
def test_counts_do_not_depend_on_batches(tmp_path, monkeypatch, batch_rows, merge_rows):
    from components.vocabulary import executor

    monkeypatch.setattr(executor, "_BATCH_ROWS", batch_rows)
    monkeypatch.setattr(executor, "_MERGE_ROWS", merge_rows)
    columns = {
        "day": pa.array([[day] for day in DAYS], pa.large_list(pa.int64())),
        "user_id": pa.array([[u] for u in USERS], pa.large_list(pa.large_binary())),
    }
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table(columns), path)
    counted = dict(executor.CountIds({"user": ["user_id"]}).process(str(path)))
    found = {
        (row["id"], row["day"]): row["impressions"]
        for row in counted["user"].to_pylist()
    }
    assert found == Counter(zip(USERS, DAYS, strict=True))
    assert len(counted["user"]) == len(found)
