"""Logs with the columns of a feeds -> ads team, in three formats."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from components.log_example_gen import conversion
from components.log_example_gen import text_lines
from components.log_example_gen.columns import convert
from components.log_example_gen.conversion import WriteShard
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import ColumnSource
from components.log_example_gen.logic import DomainLog
from models.days import to_date
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

DAY = 19145  # 2022-06-02
FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="domain", kind="id", vocabulary="domain"),
        Feature(name="slot", kind="id", vocabulary="slot"),
        Feature(name="hour", kind="id", vocabulary="hour"),
        Feature(name="interests", kind="ids", vocabulary="topic", max_length=3),
        Feature(name="refreshes", kind="count"),
    ),
    vocabularies={
        name: IdSpace(capacity=9)
        for name in ("user", "item", "domain", "slot", "hour", "topic")
    },
)
# Two tables of one company that share users and little else.
ADS = DomainLog.model_validate(
    {
        "domain": "ads",
        "folder": "logs/ads",
        "columns": {
            "user_id": "user_id",
            "item_id": "adv_id",
            "slot": "slot_id",
            "hour": {"column": "pt_d", "hour_of": "%Y%m%d%H%M"},
            "interests": {"column": "u_newsCatInterestsST", "separator": "^"},
            "refreshes": "u_refreshTimes",
        },
        "timestamp": {"column": "pt_d", "format": "%Y%m%d%H%M"},
        "label": "label == 1",
    }
)
FEEDS = DomainLog.model_validate(
    {
        "domain": "feeds",
        "folder": "logs/feeds",
        "columns": {
            "user_id": "u_userId",
            "item_id": "i_docId",
            "slot": None,  # feeds have no ad slots
            "hour": {"column": "e_et", "hour_of": "%Y%m%d%H%M"},
            "interests": {"column": "u_newsCatInterests", "separator": "^"},
            "refreshes": {"constant": "0"},
        },
        "timestamp": {"column": "e_et"},
        "label": "label == 1",
    }
)
ADS_CSV = """id,label,user_id,adv_id,slot_id,pt_d,u_newsCatInterestsST,u_refreshTimes
1,1,u7,a1,16,202206020910,4^12^7^9^1,3
2,0,u8,a2,,202206022359,,
3,0,,a1,16,202206020000,0,1
4,1,u7,a1,16,202206030001,4,1
5,1,u7,a1,16,2022-06-02,4,1
6,,u7,a1,16,202206020910,4,1
7,1,u7,a1,16,202206020910,4,many
8,1,u7
"""
FEEDS_LINES = [
    {
        "u_userId": 7,
        "i_docId": "d1",
        "e_et": 202206020101,
        "u_newsCatInterests": "4^5",
        "label": -1,
    },
    {"u_userId": 8, "i_docId": "dÜ木", "e_et": 202206021300, "label": 1},
]


def run(tmp_path, log, name, content):
    """Writes one shard of one file; returns its rows, counts and quarantine."""
    path = tmp_path / name
    path.write_bytes(content)
    shard = Shard(log.domain, 0, (LogFile(str(path), DAY),))
    writer = WriteShard(
        str(tmp_path / "out"),
        str(tmp_path / "quarantine"),
        {log.domain: log},
        FEATURES.to_json(),
    )
    (counts,) = writer.process(shard)
    written = tmp_path / "out" / f"Split-{log.domain}" / shard.file_name
    folder = tmp_path / "quarantine" / log.domain / str(to_date(DAY))
    quarantined = [
        json.loads(line)
        for file in sorted(folder.glob("*"))
        for line in file.read_text().splitlines()
    ]
    return pq.read_table(written).to_pylist(), counts, quarantined


def test_ads_in_csv(tmp_path):
    rows, counts, quarantined = run(
        tmp_path, ADS, "ads.csv.gz", gzip.compress(ADS_CSV.encode())
    )
    assert rows[0] == {
        "day": [DAY],
        "domain": [b"ads"],
        "hour": [b"9"],
        "interests": [b"4", b"12", b"7"],
        "item_id": [b"a1"],
        "label": [1],
        "refreshes": [3],
        "slot": [b"16"],
        "user_id": [b"u7"],
    }
    assert [row["hour"] for row in rows] == [[b"9"], [b"23"], [b"0"]]
    assert rows[1]["interests"] == rows[1]["refreshes"] == rows[1]["slot"] == []
    assert rows[2]["user_id"] == []
    assert {k: counts[k] for k in ("read", "written", "quarantined", "cut")} == {
        "read": 8,
        "written": 3,
        "quarantined": 5,
        "cut": 1,
    }
    assert {row["row"]: row["reason"] for row in quarantined} == {
        3: "pt_d is of another day than the log's folder",
        4: "pt_d is not a time written like %Y%m%d%H%M",
        5: "label is missing, so there is no label",
        6: "u_refreshTimes is not an integer",
        7: "3 columns, the header has 8",
    }


def test_a_shard_of_many_bad_lines_keeps_none_of_them(tmp_path, monkeypatch):
    """Bad lines are written as they come, in files that a second attempt replaces."""
    monkeypatch.setattr(conversion, "CHUNK_ROWS", 3)
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 40)
    header, good = ADS_CSV.splitlines()[:2]
    lines = [good if i % 5 == 0 else f'{i},"bad' for i in range(100)]
    text = "\n".join([header, *lines]).encode()
    for _ in range(2):
        rows, counts, quarantined = run(tmp_path, ADS, "ads.csv", text)
        assert [row["row"] for row in quarantined] == [i for i in range(100) if i % 5]
        assert (len(rows), counts["read"], counts["quarantined"]) == (20, 100, 80)


def test_feeds_in_json_lines_with_minus_one_as_no_click(tmp_path):
    text = "".join(json.dumps(line) + "\n" for line in FEEDS_LINES)
    rows, counts, quarantined = run(tmp_path, FEEDS, "feeds.jsonl", text.encode())
    assert [row["label"] for row in rows] == [[0], [1]]
    assert [row["user_id"] for row in rows] == [[b"7"], [b"8"]]
    assert rows[1]["item_id"] == ["dÜ木".encode()]
    assert [row["interests"] for row in rows] == [[b"4", b"5"], []]
    assert [row["hour"] for row in rows] == [[b"1"], [b"13"]]
    # Declared: a feature that the domain lacks, and one that is always the same.
    assert [row["slot"] for row in rows] == [[], []]
    assert [row["refreshes"] for row in rows] == [[0], [0]]
    assert quarantined == []
    assert counts["written"] == 2


@pytest.mark.slow
def test_tf_examples_and_parquet_give_the_same_rows(tmp_path):
    import tensorflow as tf

    columns = {
        "user_id": ["u7", "u8"],
        "adv_id": ["a1", "a2"],
        "slot_id": [16, None],
        "pt_d": ["202206020910", "202206022359"],
        "u_newsCatInterestsST": ["4^12", None],
        "u_refreshTimes": [3, None],
        "label": [1, 0],
    }
    parquet = tmp_path / "made.parquet"
    pq.write_table(pa.table(columns), parquet)
    records = tmp_path / "made.tfrecord"
    with tf.io.TFRecordWriter(str(records)) as writer:
        for row in pa.table(columns).to_pylist():
            example = tf.train.Example()
            for name, value in row.items():
                if isinstance(value, int):
                    example.features.feature[name].int64_list.value.append(value)
                elif value is not None:
                    feature = example.features.feature[name]
                    feature.bytes_list.value.append(value.encode())
            writer.write(example.SerializeToString())
    one, _, _ = run(tmp_path, ADS, "a.parquet", parquet.read_bytes())
    other, _, _ = run(tmp_path, ADS, "a.tfrecord", records.read_bytes())
    assert one == other
    assert one[0]["slot"] == [b"16"]


def test_lists_are_cut_after_missing_ids_are_taken_out():
    table = pa.table(
        {
            "user_id": ["u"] * 3,
            "adv_id": ["a"] * 3,
            "slot_id": ["s"] * 3,
            "pt_d": ["202206020910"] * 3,
            "u_newsCatInterestsST": ["1^^2^3", "^^^^", "1^2^3^4"],
            "u_refreshTimes": [1] * 3,
            "label": [1] * 3,
        }
    )
    result = convert(table, ADS, FEATURES, pa.array([DAY] * 3), "f")
    assert result.rows.column("interests").to_pylist() == [
        [b"1", b"2", b"3"],
        [],
        [b"1", b"2", b"3"],
    ]
    assert result.cut_rows.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("%Y%m%d%H%M", "202206020910", "20220602091"),
        ("%Y%m%d%H%M%S", "20220602091059", "202206020910"),
        ("%Y-%m-%d %H:%M", "2022-06-02 09:10", "2022-6-2 9:10"),
        ("%d.%m.%Y %H", "02.06.2022 09", "02/06/2022 09"),
        ("%Y-%m-%dT%H:%M:%SZ", "2022-06-02T09:10:00Z", "2022-06-02 09:10:00"),
        ("%Y-%m-%d %H:%M:%S.%f", "2022-06-02 09:10:00.5", "2022-06-02 09:10:00"),
        ("%Y-%m-%dT%H:%M%z", "2022-06-02T11:10+02:00", "2022-06-02T09:10"),
        ("epoch_seconds", "1654161000", "2022-06-02"),
        ("epoch_milliseconds", "1654161000123", "now"),
        ("YYYYMMDDHHMM", "202206020910", "202206310910"),
        ("YYYY-MM-DDTHH:mm:ssZ", "2022-06-02T09:10:00Z", "2022-06-02 09:10:00"),
    ],
)
def test_times_are_read_strictly(text, good, bad):
    log = ADS.model_copy(
        update={
            "timestamp": ADS.timestamp.model_copy(update={"format": text}),
            "columns": {**ADS.columns, "hour": ColumnSource(column="t", hour_of=text)},
        }
    )
    log = log.model_copy(
        update={"timestamp": log.timestamp.model_copy(update={"column": "t"})}
    )
    table = pa.table(
        {
            "t": [good, bad, None],
            "user_id": ["u"] * 3,
            "adv_id": ["a"] * 3,
            "slot_id": ["s"] * 3,
            "u_newsCatInterestsST": ["1"] * 3,
            "u_refreshTimes": [1] * 3,
            "label": [1] * 3,
        }
    )
    result = convert(table, log, FEATURES, pa.array([DAY] * 3), "f")
    assert result.rows.column("hour").to_pylist() == [[b"9"]]
    assert [str(reason) for reason in result.reasons] == [
        "t is not a number"
        if text.startswith("epoch")
        else f"t is not a time written like {text}",
        "t is missing, so there is no time",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of `column` and `constant`"),
        ({"column": "a", "constant": "b"}, "exactly one of"),
        ({"column": "a", "hour_of": "%Y%m%d"}, "has no hour"),
        ({"column": "a", "hour_of": "%Y%m%d%H", "separator": "^"}, "goes with"),
        ({"column": "a", "since": "2024-03-01", "until": "2024-02-01"}, "swap them"),
        ({"column": "a", "separator": ""}, "at least 1 character"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        ColumnSource.model_validate(fields)
