"""Shards: long log files are split, short ones joined, the order is kept."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

pytestmark = pytest.mark.slow

FEATURES = FeatureTable(
    features=(Feature(name="user_id", kind="id", vocabulary="user"),),
    vocabularies={"user": IdSpace(capacity=5)},
)
# Positions of bad rows, by file: in its first, a middle and its last chunk.
BAD_ROWS = {"long": [1, 9, 21], "short": [0], "shorter": [2]}
SIZES = {"long": 22, "short": 2, "shorter": 3}


@pytest.mark.parametrize("chunk_rows", [4, 7, 100])
def test_rows_keep_order_and_bad_ones_their_file_and_number(
    tmp_path, monkeypatch, chunk_rows
):
    from components.log_example_gen import conversion

    monkeypatch.setattr(conversion, "CHUNK_ROWS", chunk_rows)
    files = []
    for day, (name, size) in enumerate(SIZES.items()):
        ratings = [None if i in BAD_ROWS[name] else 5 for i in range(size)]
        ids = [f"{name}-{i}" for i in range(size)]
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"uid": ids, "rating": ratings}), path)
        files.append(LogFile(str(path), day))
    log = DomainLog(
        domain="de", folder="logs", columns={"user_id": "uid"}, label="rating >= 4"
    )
    step = conversion.WriteShard(
        str(tmp_path / "out"), str(tmp_path / "bad"), {"de": log}, FEATURES.to_json()
    )
    counts = list(step.process(Shard("de", 0, tuple(files))))

    written = pq.ParquetFile(tmp_path / "out" / "Split-de" / "data-00000.parquet")
    groups = [written.metadata.row_group(i) for i in range(written.num_row_groups)]
    assert max(group.num_rows for group in groups) <= chunk_rows
    assert [row["user_id"] for row in written.read().to_pylist()] == [
        [f"{name}-{i}".encode()]
        for name, size in SIZES.items()
        for i in range(size)
        if i not in BAD_ROWS[name]
    ]
    rejected = [
        json.loads(line)
        for path in sorted((tmp_path / "bad").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    found = [(row["file"], row["row"], row["values"]["uid"]) for row in rejected]
    assert found == [
        (str(tmp_path / f"{name}.parquet"), i, f"{name}-{i}")
        for name, rows in BAD_ROWS.items()
        for i in rows
    ]
    assert [(count["read"], count["quarantined"]) for count in counts] == [
        (SIZES[name], len(rows)) for name, rows in BAD_ROWS.items()
    ]


def test_two_attempts_at_the_same_time_leave_what_one_writes(tmp_path, monkeypatch):
    # An engine starts a shard again on another machine, while the worker of a lost
    # machine goes on.
    from components.log_example_gen import conversion

    monkeypatch.setattr(conversion, "CHUNK_ROWS", 2)
    path = tmp_path / "part-0.parquet"
    ratings = [None, 5, 5, 5, None, 5]
    ids = [f"u{i}" for i in range(len(ratings))]
    pq.write_table(pa.table({"uid": ids, "rating": ratings}), path)
    log = DomainLog(
        domain="de", folder="logs", columns={"user_id": "uid"}, label="rating >= 4"
    )
    shard = Shard("de", 0, (LogFile(str(path), 0),))
    step = conversion.WriteShard(
        str(tmp_path / "out"), str(tmp_path / "bad"), {"de": log}, FEATURES.to_json()
    )
    read = conversion.read_chunks

    def chunks(*arguments):
        for index, chunk in enumerate(read(*arguments)):
            yield chunk
            if index == 1:
                monkeypatch.setattr(conversion, "read_chunks", read)
                list(step.process(shard))  # the other attempt, from first to last row

    monkeypatch.setattr(conversion, "read_chunks", chunks)
    (counts,) = step.process(shard)

    assert (counts["written"], counts["quarantined"]) == (4, 2)
    (written,) = (tmp_path / "out" / "Split-de").iterdir()
    ids = [row["user_id"] for row in pq.read_table(written).to_pylist()]
    assert ids == [[b"u1"], [b"u2"], [b"u3"], [b"u5"]]
    (quarantined,) = (p for p in (tmp_path / "bad").rglob("*") if p.is_file())
    rows = [json.loads(line)["row"] for line in quarantined.read_text().splitlines()]
    assert rows == [0, 4]
