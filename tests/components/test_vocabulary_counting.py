"""Counts of a shard's ids: independent of batches, and complete."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.vocabulary import count_files
from components.vocabulary.buckets import bucket_of
from components.vocabulary.logic import COUNTS_SCHEMA
from models.days import DayRange
from models.errors import DataError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.progress import PROGRESS

pytestmark = pytest.mark.slow

USERS = [b"a", b"b", b"a", b"c", b"a", b"b", b"a"]
DAYS = [1, 1, 1, 1, 2, 2, 2]


def added_up(items):
    """Returns impressions by key, id and day, and the number of counts."""
    found, number = Counter(), 0
    for key, counts in items:
        for row in counts.to_pylist():
            found[key[:2], row["id"], row["day"]] += row["impressions"]
            number += 1
    return found, number


@pytest.mark.parametrize(
    ("batch_rows", "merge_rows", "buckets"),
    [(1, 0, 1), (2, 3, 2), (100, 100, 1), (100, 100, 3)],
)
def test_counts_do_not_depend_on_batches(
    tmp_path, monkeypatch, batch_rows, merge_rows, buckets
):
    from components.vocabulary import counting

    monkeypatch.setattr(counting, "_BATCH_ROWS", batch_rows)
    monkeypatch.setattr(counting, "_MERGE_ROWS", merge_rows)
    columns = {
        "day": pa.array([[day] for day in DAYS], pa.large_list(pa.int64())),
        "user_id": pa.array([[u] for u in USERS], pa.large_list(pa.large_binary())),
    }
    path = tmp_path / "Split-ads" / "data.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table(columns), path)
    counted = list(counting.CountIds({"user": ["user_id"]}, buckets).process(str(path)))
    expected = Counter(
        (("user", "ads"), user, day) for user, day in zip(USERS, DAYS, strict=True)
    )
    found, number = added_up(counted)
    assert found == expected
    assert number == len(expected) or merge_rows < len(USERS)
    for (_, _, bucket), counts in counted:
        of_id = bucket_of(counts.column("id").combine_chunks(), buckets)
        assert set(of_id.tolist()) <= {bucket}


@pytest.mark.parametrize("parts", [1, 5, 40])
def test_merged_counts_are_those_of_all_parts(parts):
    from components.vocabulary import counting

    merge = counting.MergeCounts()
    counts = pa.table([[b"a"], [1], [1]], schema=COUNTS_SCHEMA)
    halves = [merge.create_accumulator(), merge.create_accumulator()]
    for part in range(parts):
        halves[part % 2] = merge.add_input(halves[part % 2], counts)
    merged = merge.extract_output(merge.merge_accumulators(halves))
    assert merged.to_pylist() == [{"id": b"a", "day": 1, "impressions": parts}]


IDS = pa.array([[b"x"], [], None, [b"y", b"z"]], pa.large_list(pa.large_binary()))


@pytest.mark.parametrize("buckets", [1, 4])
def test_ids_that_the_runner_loses_are_found(tmp_path, buckets):
    from components.vocabulary import counting

    days = pa.array([[1], [1], [1], [2]], pa.large_list(pa.int64()))
    (tmp_path / "Split-ads").mkdir()
    paths = [str(tmp_path / "Split-ads" / f"{shard}.parquet") for shard in range(2)]
    for path in paths:
        pq.write_table(pa.table({"day": days, "item_id": IDS}), path, row_group_size=3)
    columns = {"item": ["item_id"]}
    logged = counting.logged_ids(paths, columns)["item"]
    assert logged == 6
    for index, path in enumerate(paths):
        folder = tmp_path / f"{index}"
        for (space, _, bucket), table in counting.CountIds(columns, buckets).process(
            path
        ):
            # A domain for each shard, as nothing adds them up here.
            count_files.write_counts(
                ((space, f"ads{index}", bucket), table), str(folder)
            )
            count_files.write_counts(
                ((space, f"ads{index}", bucket), table), str(tmp_path)
            )
    counting.check_counts(
        "item", count_files.counted_impressions(tmp_path, "item"), logged
    )
    with pytest.raises(DataError, match="3 ids were counted and 6 are in"):
        counting.check_counts(
            "item", count_files.counted_impressions(tmp_path / "0", "item"), logged
        )


FEATURES = FeatureTable(
    features=(
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item", counts=True),
        Feature(name="tags", kind="ids", vocabulary="tag", counts=True),
    ),
    vocabularies={
        "item": IdSpace(capacity=4, min_count=2),
        "tag": IdSpace(capacity=9, encoding="hash"),
    },
)


@pytest.mark.parametrize("buckets", [1, 3])
def test_ids_in_lists_grow_the_vocabulary_and_are_not_shown(
    tmp_path, caplog, monkeypatch, buckets
):
    from components.vocabulary import counting
    from components.vocabulary import executor

    monkeypatch.setattr(PROGRESS, "propagate", True)
    texts = pa.large_list(pa.large_binary())
    logs = {
        "ads": {
            "day": [[1], [1], [2]],
            "item_id": [[b"a"], [b"a"], [b"c"]],
            "recent": [[b"x"], [b"x", b"c"], [b"y", b"y", b"z"]],
            "tags": [[b"t"], [], [b"t"]],
        },
        "feeds": {
            "day": [[1], [2], [2]],
            "item_id": [[b"x"], [b"w"], [b"w"]],
            "recent": [[], [b"z"], []],
            "tags": [[], [], [b"s"]],
        },
    }
    shards = []
    for domain, columns in logs.items():
        path = tmp_path / "raw" / f"Split-{domain}" / "data.parquet"
        path.parent.mkdir(parents=True)
        days = {"day": pa.array(columns.pop("day"), pa.large_list(pa.int64()))}
        ids = {name: pa.array(lists, texts) for name, lists in columns.items()}
        pq.write_table(pa.table(days | ids), path)
        shards.append(str(path))
    folder = tmp_path / "vocabulary"
    folder.mkdir()
    columns = counting.columns_of(FEATURES)
    assert columns == {
        "item": ["item_id"],
        "item:lists": ["recent"],
        "tag": ["tags"],
    }
    for shard in shards:
        for item in counting.CountIds(columns, buckets).process(shard):
            count_files.write_counts(item, str(folder))
    block = executor._Block(folder, None, {}, DayRange(1, 2), "ads", {}, buckets)
    logged = counting.logged_ids(shards, columns)
    summary = executor._write_spaces(block, FEATURES, logged)
    refused, unknown = (r.message for r in caplog.records if r.levelname == "WARNING")
    assert refused == (
        "item: 2 new ids were refused, because its table is full; raise "
        "`vocabularies.item.capacity`, now 4"
    )
    assert unknown.startswith("item: none of the 2 ids of ads is known from feeds")
    item = summary["item"]
    # Day 1: a twice, x three times. Day 2: c (once as an item, once in a list), w, y
    # and z; the table has room for two of these four.
    assert (folder / "item.txt").read_bytes() == b"a\nx\nc\nw\n"
    assert (item["ids"], item["refused"], item["pending"]) == (4, 2, 0)
    assert item["grown"] == [["1970-01-02", 2], ["1970-01-03", 4]]
    # On both days ads shows one item; feeds has shown neither. `x` is in lists alone.
    assert item["shared"]["ids"] == [1, 1]
    assert item["shared"]["known"] == {"feeds": [0, 0]}
    assert summary["tag"]["ids"] == 2
    sightings = pq.read_table(folder / "item.sightings.parquet").to_pydict()
    assert sightings["ads"] == [1, None, 2, None]
    assert sightings["feeds"] == [None, 1, None, 2]
