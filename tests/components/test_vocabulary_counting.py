"""Counts of a shard's ids: independent of batches, and complete."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import DataError

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
    path = tmp_path / "Split-ads" / "data.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table(columns), path)
    counted = dict(executor.CountIds({"user": ["user_id"]}).process(str(path)))
    found = {
        (row["id"], row["day"]): row["impressions"]
        for row in counted["user", "ads"].to_pylist()
    }
    assert found == Counter(zip(USERS, DAYS, strict=True))
    assert len(counted["user", "ads"]) == len(found)


IDS = pa.array([[b"x"], [], None, [b"y", b"z"]], pa.large_list(pa.large_binary()))


def test_ids_that_the_runner_loses_are_found(tmp_path):
    from components.vocabulary import executor

    days = pa.array([[1], [1], [1], [2]], pa.large_list(pa.int64()))
    (tmp_path / "Split-ads").mkdir()
    paths = [str(tmp_path / "Split-ads" / f"{shard}.parquet") for shard in range(2)]
    for path in paths:
        pq.write_table(pa.table({"day": days, "item_id": IDS}), path, row_group_size=3)
    count = executor.CountIds({"item": ["item_id"]})
    whole = [dict(count.process(path))["item", "ads"] for path in paths]
    logged = executor.logged_values(paths)["item_id"]
    assert logged == 6
    executor.check_counts("item", whole, logged)
    with pytest.raises(DataError, match="3 ids were counted and 6 are in"):
        executor.check_counts("item", whole[:1], logged)
