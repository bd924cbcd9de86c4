"""Logs in a store mean what the same logs in a folder mean."""

import gzip
import io
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.log_example_gen import content_hashes
from components.log_example_gen.chunks import read_chunks
from components.log_example_gen.content_hashes import ContentHashes
from components.log_example_gen.log_files import Shard
from components.log_example_gen.log_files import existing_day_folders
from components.log_example_gen.log_files import file_size
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import log_days
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.unread_files import list_unread_files
from components.log_example_gen.unread_files import refuse_unread_days
from components.log_example_gen.wanted import Wanted
from components.storage.places import place
from models.errors import DataError
from models.errors import StoreError
from models.errors import StoreUnreachableError
from tests.object_store import BUCKET

FIRST, LAST = 19723, 19727  # 2024-01-01 to 2024-01-05
ROWS = {"u": ["a", "b", "Ünï"], "n": [1, 2, 3]}


def _parquet():
    file = io.BytesIO()
    pq.write_table(pa.table(ROWS), file)
    return file.getvalue()


def _tfrecord(tmp_path):
    path = str(tmp_path / "rows")
    with tf.io.TFRecordWriter(path) as file:
        for user, number in zip(*ROWS.values(), strict=True):
            features = {
                "u": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[user.encode()])
                ),
                "n": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            file.write(example.SerializeToString())
    return io.FileIO(path).read()


@pytest.fixture
def folders(tmp_path, store):
    """The same log of a domain, in a folder and in the store."""
    csv = "u,n\n" + "".join(f"{u},{n}\n" for u, n in zip(*ROWS.values(), strict=True))
    jsonl = "".join(
        f'{{"u": "{u}", "n": {n}}}\n' for u, n in zip(*ROWS.values(), strict=True)
    )
    files = {
        "date=2024-01-01/part-0.parquet": _parquet(),
        "date=2024-01-01/_SUCCESS": b"",
        "dt=20240102/part-0.csv": csv.encode() + b"one value\n",
        "dt=20240102/part-1.csv.gz": gzip.compress(csv.encode()),
        "dt=20240102/empty.csv": b"",
        "dt=20240102/read me.txt": b"x",
        "date=2024-01-03/hour=1/part.jsonl": jsonl.encode(),
        "date=2024-01-03/hour=02/part.jsonl.gz": gzip.compress(jsonl.encode()),
        "date=2024-01-04/rows.tfrecord": _tfrecord(tmp_path),
        "date=2024-01-05/rows.xlsx": b"x",
        "notes.txt": b"x",
        "old/part.csv": b"x",
        "date=2024-01-01_$folder$": b"",
    }
    local = tmp_path / "logs" / "ads"
    for name, content in files.items():
        path = local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return local, place(store.put_tree(local, "logs/ads"))


def _names(folder, files):
    return [(file.path.removeprefix(f"{folder}/"), file.day) for file in files]


def test_the_same_files_are_read_and_the_same_are_not(folders):
    expected, found = (
        (
            _names(folder, list_log_files(folder, FIRST, LAST)),
            [file_size(file) for file in list_log_files(folder, FIRST, LAST)],
            list(map(str, list_unread_files(folder, FIRST, LAST))),
            sorted(existing_day_folders(folder, FIRST, LAST - 1)),
        )
        for folder in folders
    )
    assert found == expected
    assert len(expected[0]) == 7
    assert len(expected[2]) == 4
    assert _names(folders[1], list_log_files(folders[1], FIRST, FIRST)) == [
        ("date=2024-01-01/part-0.parquet", FIRST)
    ]


def test_the_same_rows_are_read(folders):
    def rows(folder):
        log = DomainLog(domain="ads", folder=str(folder), columns={}, label="n == 1")
        wanted = {"u": Wanted(is_id=True), "n": Wanted()}
        found = []
        for file in list_log_files(folder, FIRST, LAST):
            for chunk in read_chunks(Shard("ads", 0, (file,)), log, wanted, 2):
                table = chunk.table.to_pylist() if chunk.tables else []
                bad = [(row, reason) for _, (row, _, reason) in chunk.unparsed]
                found.append((table, bad, dict(chunk.records)))
        return found

    expected, found = map(rows, folders)
    assert found == expected
    assert sum(len(table) for table, _, _ in expected) == 18
    assert sum(len(bad) for _, bad, _ in expected) == 1


def test_the_same_logs_are_refused(folders, store):
    messages = []
    for folder in folders:
        with pytest.raises(DataError, match="nothing that is read") as caught:
            refuse_unread_days(folder, FIRST, LAST)
        messages.append(str(caught.value).replace(str(folder), "ads"))
    assert messages[0] == messages[1]
    store.put("logs/ads/date=2024-01-01/part-0.csv", "u,n\n")
    store.put("logs/ads/date=2024-01-01/part-0.csv.gz", gzip.compress(b"u,n\n"))
    with pytest.raises(DataError, match=r"part-0\.csv and part-0\.csv\.gz lie side"):
        refuse_twins(list_log_files(folders[1], FIRST, FIRST))
    store.put("logs/ads/dt=2024-01-01/part-0.csv", "u,n\n")
    with pytest.raises(DataError, match="are both folders of 2024-01-01"):
        list_log_files(folders[1], FIRST, FIRST)
    with pytest.raises(DataError, match=r"there is no log folder 's3://clicks/logs/x'"):
        list_log_files(place(f"s3://{BUCKET}/logs/x"), FIRST, LAST)


@pytest.fixture
def settled(monkeypatch):
    monkeypatch.setattr(content_hashes, "_SETTLED_SECONDS_IN_STORE", -60)


def _hash(folder, kept):
    hashes = ContentHashes(kept)
    (found,) = log_days(folder, FIRST, FIRST, hashes).values()
    hashes.save()
    return found


def _put_a_second_later(store, key, body):
    """Puts an object whose time of upload differs from that of all before."""
    time.sleep(1.1)
    store.put(key, body)


@pytest.mark.slow
@pytest.mark.usefixtures("settled")
def test_a_touched_file_is_the_same_log_and_a_changed_one_is_another(store, tmp_path):
    kept = tmp_path / "hashes.json"
    folder, key = place(f"s3://{BUCKET}/logs"), "logs/date=2024-01-01/a.csv"
    store.put(key, "u,n\na,1\n")
    first = _hash(folder, kept)
    _put_a_second_later(store, key, "u,n\na,1\n")
    assert _hash(folder, kept) == first
    _put_a_second_later(store, key, "u,n\na,2\n")
    changed = _hash(folder, kept)
    assert changed != first
    store.put("logs/date=2024-01-01/b.csv", "u,n\n")
    assert _hash(folder, kept) not in {first, changed}


@pytest.mark.usefixtures("settled")
def test_a_file_is_asked_for_once_as_long_as_nobody_touches_it(store, tmp_path):
    kept = tmp_path / "hashes.json"
    folder = place(f"s3://{BUCKET}/logs")
    for i in range(5):
        store.put(f"logs/date=2024-01-01/{i}.csv", f"u,n\na,{i}\n")
    found = set()
    asked = []
    for _ in range(3):
        store.faults.clear()
        found.add(_hash(folder, kept))
        asked.append(sum("csv" in one for one in store.faults.requests))
    assert len(found) == 1
    assert asked == [5, 0, 0]
    # None was read.
    assert not [one for one in store.faults.requests if "GET /clicks/logs/d" in one]


def test_a_file_that_is_just_there_is_asked_for_again(store, tmp_path):
    folder, key = place(f"s3://{BUCKET}/logs"), "logs/date=2024-01-01/a.csv"
    store.put(key, "u,n\na,1\n")
    first = _hash(folder, tmp_path / "hashes.json")
    # Within the same second, and of the same size.
    store.put(key, "u,n\na,2\n")
    assert _hash(folder, tmp_path / "hashes.json") != first


# === Faults: no part of a log passes for the whole ===


def _read(file):
    log = DomainLog(domain="ads", folder="x", columns={}, label="n == 1")
    wanted = {"u": Wanted(is_id=True), "n": Wanted()}
    chunks = read_chunks(Shard("ads", 0, (file,)), log, wanted, 10_000)
    return sum(len(chunk.table) for chunk in chunks if chunk.tables)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(7))
def test_a_file_that_breaks_off_is_an_error_of_the_store(folders, store, at):
    file = list_log_files(folders[1], FIRST, LAST)[at]
    whole = _read(file)
    name = file.path.removeprefix("s3:/")
    store.faults.cut(f"GET {name}", 1)
    assert _read(file) == whole
    store.faults.clear()
    store.faults.cut(f"GET {name}", 10**6)
    if not file_size(file):
        assert _read(file) == 0
        return
    with pytest.raises(StoreUnreachableError, match="run the same command again"):
        _read(file)


def test_a_file_that_is_gone_since_it_was_listed_is_an_error(folders, store):
    for file in list_log_files(folders[1], FIRST, LAST):
        store.client.delete_object(
            Bucket=BUCKET, Key=file.path.removeprefix(f"s3://{BUCKET}/")
        )
        with pytest.raises(StoreError, match="any more"):
            _read(file)


def test_a_damaged_file_is_no_error_of_the_store(store):
    store.put("logs/date=2024-01-01/a.parquet", _parquet()[:-20])
    (file,) = list_log_files(place(f"s3://{BUCKET}/logs"), FIRST, FIRST)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        _read(file)
