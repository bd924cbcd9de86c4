"""Logs laid out by day: no row is lost, no value changes."""

from __future__ import annotations

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.logic import TimeColumn
from models.errors import DataError
from pipeline.datasets import by_day
from pipeline.datasets.by_day import MANIFEST_FILE
from pipeline.datasets.by_day import Mend
from pipeline.datasets.by_day import split_by_day
from pipeline.guessing.column import json_list

TIME = TimeColumn(column="time", format="%Y-%m-%d %H:%M")
_GOOD = ["2024-02-26 10:00,u1,7.0", "2024-02-27 23:59,u2,", "2024-02-26 00:00,u1,x"]
_BAD = {
    "2024-02-30 10:00,u1,1": "time is not a time written like %Y-%m-%d %H:%M",
    ",u1,1": "time is missing",
    "1970-01-01 10:00,u1,1": "time lies outside 1995 to 2069",
    "2024-02-26 10:00,u1": "2 columns, the header has 3",
    '2024-02-26 10:00,u"1,1': "a quotation mark in the middle of an unquoted value",
}


def _split(folder, text, *, name="ads.csv", dialect=None, mend=None, time=TIME):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    rejected = folder / "rejected.jsonl"
    report = split_by_day(
        [str(path)], folder / "ads", rejected, time, dialect or CsvDialect(), mend
    )
    lines = rejected.read_text().splitlines() if rejected.exists() else []
    return report, [json.loads(line) for line in lines]


def _by_day(folder):
    """Returns the rows of each day's folder, read without the project's readers."""
    return {
        day.name: [
            row
            for path in sorted(day.iterdir())
            for row in pq.ParquetFile(path).read().to_pylist()
        ]
        for day in sorted((folder / "ads").glob("date=*"))
    }


def test_rows_go_to_their_days_in_their_order(tmp_path):
    report, rejected = _split(tmp_path, "\n".join(["time,user,x", *_GOOD]))
    assert (report.read, report.written, report.rejected) == (3, 3, 0)
    assert rejected == []
    assert _by_day(tmp_path) == {
        "date=2024-02-26": [
            {"time": "2024-02-26 10:00", "user": "u1", "x": "7.0"},
            {"time": "2024-02-26 00:00", "user": "u1", "x": "x"},
        ],
        "date=2024-02-27": [{"time": "2024-02-27 23:59", "user": "u2", "x": None}],
    }
    manifest = json.loads((tmp_path / "ads" / MANIFEST_FILE).read_text())
    assert manifest["written"] == 3


@pytest.mark.parametrize(("line", "reason"), _BAD.items(), ids=list(_BAD.values()))
def test_a_row_without_a_day_is_rejected_with_its_reason(tmp_path, line, reason):
    report, rejected = _split(tmp_path, "\n".join(["time,user,x", line, *_GOOD]))
    assert (report.read, report.written, report.rejected) == (4, 3, 1)
    assert [(entry["row"], entry["reason"]) for entry in rejected] == [(0, reason)]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lines=st.lists(st.sampled_from([*_GOOD, *_BAD]), max_size=30),
    kept=st.integers(1, 9),
)
def test_read_is_written_and_rejected(tmp_path_factory, monkeypatch, lines, kept):
    folder = tmp_path_factory.mktemp("split")
    monkeypatch.setattr(by_day, "_KEPT_ROWS", kept)
    good = [line for line in lines if line in _GOOD]
    text = "\n".join(["time,user,x", *lines]) + "\n"
    if not good:
        with pytest.raises(DataError, match="no row of"):
            _split(folder, text)
        assert not (folder / "ads").exists()
        return
    report, rejected = _split(folder, text)
    assert report.read == len(lines)
    assert len(rejected) == report.rejected == len(lines) - len(good)
    assert sorted(
        row["time"] for rows in _by_day(folder).values() for row in rows
    ) == sorted(line.split(",")[0] for line in good)


@pytest.mark.parametrize(
    ("name", "text", "dialect"),
    [
        ("ads.csv", "time;user;x\n2024-02-26 10:00;a,b;1\n", CsvDialect(delimiter=";")),
        ("ads.tsv", "time\tuser\tx\n2024-02-26 10:00\ta,b\t1\n", CsvDialect()),
        ("ads.csv", b'\xef\xbb\xbftime,user,x\r\n2024-02-26 10:00,"a,b",1\r\n', None),
        (
            "ads.csv.gz",
            gzip.compress(b'time,user,x\n2024-02-26 10:00,"a,b",1\n'),
            None,
        ),
    ],
    ids=["semicolons", "tabs", "byte order mark", "gzip"],
)
def test_csv_files_of_every_dialect(tmp_path, name, text, dialect):
    _split(tmp_path, text, name=name, dialect=dialect)
    assert _by_day(tmp_path) == {
        "date=2024-02-26": [{"time": "2024-02-26 10:00", "user": "a,b", "x": "1"}]
    }


def test_quoted_line_breaks_and_many_parts_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(by_day, "_KEPT_ROWS", 10)
    path = tmp_path / "big.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "user", "x"])
        for i in range(500):
            rows.writerow([f"2024-02-{1 + i % 9:02} 10:00", f"u\n{i}", i])
    report, rejected = _split(tmp_path, path.read_bytes())
    with path.open(newline="") as file:
        counted = sum(1 for _ in csv.reader(file)) - 1
    assert (report.read, report.written, len(rejected)) == (counted, counted, 0)
    assert sum(map(len, _by_day(tmp_path).values())) == counted == 500


def test_json_lines_stay_json_lines(tmp_path):
    objects = [
        {"time": "2024-02-26 10:00", "user": "ü", "list": [1, 2], "n": 2**60},
        {"time": "2024-02-27 10:00", "user": None},
        {"user": "x"},
    ]
    text = "".join(json.dumps(entry) + "\n" for entry in objects) + "no json\n"
    report, rejected = _split(tmp_path, text, name="ads.jsonl")
    assert (report.read, report.written, report.rejected) == (4, 2, 2)
    assert {entry["row"] for entry in rejected} == {2, 3}
    found = [
        json.loads(line)
        for path in sorted((tmp_path / "ads").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert found == objects[:2]


def test_types_of_parquet_stay(tmp_path):
    table = pa.table(
        {
            "time": pa.array([1_708_900_000, 1_709_000_000]),
            "list": pa.array([[1, 2], []]),
            "x": pa.array([1.5, None], pa.float32()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    time = TimeColumn(column="time", format="epoch_seconds")
    content = (tmp_path / "in.parquet").read_bytes()
    _split(tmp_path, content, name="ads.parquet", time=time)
    parts = sorted((tmp_path / "ads").rglob("*.parquet"))
    read = pa.concat_tables([pq.ParquetFile(path).read() for path in parts])
    assert read.schema.equals(table.schema)
    assert read.to_pylist() == table.to_pylist()


def test_lists_and_ids_are_mended_where_told(tmp_path):
    text = (
        "time,user,list\n"
        '2024-02-26 10:00,7.0,"[""a"", ""b""]"\n'
        "2024-02-26 10:00,x7.0,\n"
        "2024-02-26 10:00,8,{\n"
    )
    mend = Mend({"list": json_list}, frozenset({"user"}))
    report, rejected = _split(tmp_path, text, mend=mend)
    assert (report.read, report.written) == (3, 2)
    assert rejected[0]["reason"] == "list is not a list written as JSON"
    assert [
        (row["user"], row["list"]) for row in _by_day(tmp_path)["date=2024-02-26"]
    ] == [
        ("7", ["a", "b"]),
        ("x7.0", None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when,user\n2024-02-26 10:00,u\n", "has no column 'time'"),
        ("time,user\n", "no row of .* has a day: they have no rows"),
        ("", "no row of .* has a day: they have no rows"),
    ],
)
def test_a_file_that_cannot_be_laid_out_leaves_nothing(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        _split(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["ads.csv"]
