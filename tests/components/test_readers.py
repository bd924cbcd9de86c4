"""Readers of all log formats: equal rows, row numbers, and quarantined lines."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.log_example_gen import text_lines
from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.file_names import format_of
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.wanted import Wanted
from models.errors import DataError

WANTED = {
    "u": Wanted(is_id=True),
    "n": Wanted(),
    "l": Wanted(is_list=True),
    "a": Wanted(is_id=True),
    "i": Wanted(),
}


def read(path, batch_rows=1000, **dialect):
    """Returns all rows, their numbers and what was set aside."""
    rows, numbers, rejected = [], [], []
    for piece in read_pieces(str(path), batch_rows, CsvDialect(**dialect), WANTED):
        rows += piece.table.to_pylist()
        numbers += piece.numbers.tolist()
        rejected += piece.rejected
    return rows, numbers, rejected


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("part-0.parquet", ".parquet"),
        ("a.b.csv", ".csv"),
        ("a.csv.gz", ".csv"),
        ("a.jsonl.gz", ".jsonl"),
        ("a.tfrecord", ".tfrecord"),
        ("a.parquet.gz", None),
        ("a.pq", ".parquet"),
        ("a.tsv.bz2", ".csv"),
        ("a.json", ".jsonl"),
        ("a.ndjson.zst", ".jsonl"),
        ("a.tfrecord.zst", None),
        ("a.CSV", None),
        ("_SUCCESS", None),
        (".part-0.csv.crc", None),
        (".a.csv", None),
        ("note.txt", None),
    ],
)
def test_a_format_is_told_by_the_name(name, expected):
    assert format_of(name) == expected


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_csv_values_come_as_text_with_empty_ones_missing(tmp_path, name):
    path = write(tmp_path / name, 'user,"n m"\na,1\n"b, c",\nÜ木,x\n')
    rows, numbers, rejected = read(path)
    assert rows == [
        {"user": "a", "n m": "1"},
        {"user": "b, c", "n m": None},
        {"user": "Ü木", "n m": "x"},
    ]
    assert (numbers, rejected) == ([0, 1, 2], [])


def test_csv_bytes_that_are_no_text_are_left_to_the_conversion(tmp_path):
    path = write(tmp_path / "log.csv", b"user,n\n\xff\xfe,1\n")
    (piece,) = read_pieces(str(path), 1000, CsvDialect(), {})
    assert piece.table.column("user").cast(pa.binary()).to_pylist() == [b"\xff\xfe"]


def test_csv_lines_of_another_width_are_set_aside_with_their_numbers(tmp_path):
    path = write(tmp_path / "log.csv", "a,b\n0,0\nshort\n2,2\n\n4,4\n5,5,5\n6,6\n")
    rows, numbers, rejected = read(path)
    # An empty line is a row without values.
    assert [row["a"] for row in rows] == ["0", "2", None, "4", "6"]
    assert numbers == [0, 2, 3, 4, 6]
    assert rejected == [
        (1, "short", "1 columns, the header has 2"),
        (5, "5,5,5", "3 columns, the header has 2"),
    ]


def test_csv_lines_of_many_columns_touch_no_other_line(tmp_path):
    """Arrow's parser writes beyond an array's end if a record has too many values."""
    lines = ["1,2"] * 40
    lines[20:20] = ["," * 200_000, "," * 70_000]
    path = write(tmp_path / "log.csv", "a,b\n" + "\n".join(lines) + "\n")
    for _ in range(20):
        rows, numbers, rejected = read(path)
        assert rows == [{"a": "1", "b": "2"}] * 40
        assert [number for number, _, _ in rejected] == [20, 21]
    assert rejected[0][2] == "200001 columns, the header has 2"


def test_csv_values_with_delimiters_and_line_breaks_are_one_column(tmp_path):
    path = write(tmp_path / "log.csv", 'a,b\n"1,\n,",2\n"x,y"\n,,\n\n"",""\n')
    rows, numbers, rejected = read(path)
    none = {"a": None, "b": None}
    assert rows == [{"a": "1,\n,", "b": "2"}, none, none]
    assert [(number, reason[:9]) for number, _, reason in rejected] == [
        (2, "1 columns"),
        (3, "3 columns"),
    ]


def test_csv_numbers_hold_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 64)
    lines = [f"{i},x" if i % 7 else f"{i}" for i in range(100)]
    path = write(tmp_path / "log.csv", "i,x\n" + "\n".join(lines) + "\n")
    pieces = list(read_pieces(str(path), 10, CsvDialect(), {}))
    assert len(pieces) > 5
    rows, numbers, rejected = read(path)
    assert [int(row["i"]) for row in rows] == numbers
    assert [number for number, _, _ in rejected] == [
        i for i in range(100) if i % 7 == 0
    ]
    assert sorted(numbers + [n for n, _, _ in rejected]) == list(range(100))


def test_a_csv_of_bad_lines_alone_loses_none(tmp_path):
    rows, _, rejected = read(write(tmp_path / "log.csv", "a,b\n1\n2\n"))
    assert rows == []
    assert [(number, text) for number, text, _ in rejected] == [(0, "1"), (1, "2")]


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_json_lines_keep_numbers_lists_and_text(tmp_path, name):
    lines = [{"u": "Ü", "n": 1, "l": ["x", "y"]}, {"u": None, "n": 2}]
    path = write(tmp_path / name, "".join(json.dumps(x) + "\n" for x in lines))
    rows, numbers, rejected = read(path)
    none = {"a": None, "i": None}
    assert rows == [
        {"u": "Ü", "n": 1, "l": ["x", "y"], **none},
        {"u": None, "n": 2, "l": None, **none},
    ]
    assert (numbers, rejected) == ([0, 1], [])


def test_lines_that_are_no_json_object_are_set_aside(tmp_path):
    text = '{"a": 0}\n\n  \n{"a": 1\n{"a": 2}\nno\n[4]\n{"a": 5}\n'
    rows, numbers, rejected = read(write(tmp_path / "log.jsonl", text))
    assert [int(row["a"]) for row in rows] == numbers == [0, 2, 5]
    assert [(number, line) for number, line, _ in rejected] == [
        (1, '{"a": 1'),
        (3, "no"),
        (4, "[4]"),
    ]
    assert all("not a JSON object" in reason for _, _, reason in rejected)


def test_json_lines_of_mixed_types_are_all_kept(tmp_path):
    text = "".join(
        f'{{"a": {i if i % 3 else json.dumps(str(i))}}}\n' for i in range(20)
    )
    rows, numbers, rejected = read(write(tmp_path / "log.jsonl", text))
    assert [int(row["a"]) for row in rows] == numbers == list(range(20))
    assert rejected == []


def test_json_numbers_hold_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 50)
    text = "".join(f'{{"i": {i}}}\n' + "\n" * (i % 3) for i in range(200))
    rows, numbers, _ = read(write(tmp_path / "log.jsonl", text))
    assert [row["i"] for row in rows] == numbers == list(range(200))


def test_parquet_without_row_groups_is_empty(tmp_path):
    path = tmp_path / "part-0.parquet"
    pq.ParquetWriter(path, pa.schema([("user_id", pa.string())])).close()
    assert pq.read_metadata(path).num_row_groups == 0
    assert list(read_pieces(str(path), 10, CsvDialect(), {})) == []


def test_parquet_is_read_a_batch_at_a_time(tmp_path):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"i": range(25)}), path)
    pieces = list(read_pieces(str(path), 10, CsvDialect(), {}))
    assert [len(piece.table) for piece in pieces] == [10, 10, 5]
    assert np.concatenate([p.numbers for p in pieces]).tolist() == list(range(25))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["log.tfrecord", "log.tfrecord.gz"])
def test_tf_examples_are_read_as_lists(tmp_path, name):
    import tensorflow as tf

    def example(**values):
        made = tf.train.Example()
        for key, value in values.items():
            made.features.feature[key].bytes_list.value.extend(value)
        return made.SerializeToString()

    kind = "GZIP" if name.endswith(".gz") else ""
    with tf.io.TFRecordWriter(str(tmp_path / name), kind) as writer:
        writer.write(example(u=[b"a"], l=[b"x", b"y"]))
        writer.write(example(u=[b"\xff"]))
        writer.write(example(l=[]))
    pieces = list(read_pieces(str(tmp_path / name), 2, CsvDialect(), WANTED))
    first = pieces[0].table
    # As text, whatever the bytes are: the conversion finds those that are not UTF-8.
    assert first.column("u").cast(pa.large_binary()).to_pylist() == [b"a", b"\xff"]
    assert first.column("l").to_pylist() == [["x", "y"], None]
    assert np.concatenate([piece.numbers for piece in pieces]).tolist() == [0, 1, 2]


@pytest.mark.slow
def test_a_tf_example_of_another_type_costs_itself_alone(tmp_path):
    import tensorflow as tf

    def example(**values):
        made = tf.train.Example()
        for key, (kind, value) in values.items():
            getattr(made.features.feature[key], kind).value.extend(value)
        return made.SerializeToString()

    with tf.io.TFRecordWriter(str(tmp_path / "log.tfrecord")) as writer:
        writer.write(example(u=("bytes_list", [b"a"]), n=("int64_list", [2**60])))
        writer.write(example(u=("int64_list", [7]), n=("float_list", [0.5])))
        writer.write(example(u=("bytes_list", [b"a", b"b"])))
        writer.write(b"no example")
    rows, numbers, rejected = read(tmp_path / "log.tfrecord")
    assert [(row["u"], row["n"]) for row in rows] == [("a", str(2**60)), ("7", "0.5")]
    assert numbers == [0, 1]
    assert [(number, reason[:20]) for number, _, reason in rejected] == [
        (2, "u is a list of 2 val"),
        (3, "not a tf.Example (Er"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.parquet", b"PAR1 but not really", "cannot be read as Parquet"),
        ("log.csv", b"\na,b\n1,2\n", "has no header line"),
        (
            "log.csv",
            gzip.compress(b"a,b\n1,2\n", mtime=0),
            "begins like gzip; rename it so",
        ),
        ("log.jsonl", bytes.fromhex("28b52ffd"), "begins like zstd; rename it so"),
        ("log.csv", b"PAR1", "begins like Parquet; rename it to end in .parquet"),
        ("log.csv.gz", b"no gzip at all", "no gzip|cannot be read as CSV"),
        ("log.jsonl.gz", b"no gzip at all", "cannot be read as JSON Lines"),
        pytest.param(
            "log.tfrecord",
            b"no record at all, and long enough to have a length",
            "cannot be read as TFRecord",
            marks=pytest.mark.slow,
        ),
        ("log.txt", b"", "is not a log file; expected a name that ends in"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.jsonl", "x.pq", "x.tfrecord"])
def test_a_file_of_no_bytes_has_no_records(tmp_path, name):
    (tmp_path / name).touch()
    assert read(tmp_path / name) == ([], [], [])


def test_a_packed_file_of_nothing_has_no_records(tmp_path):
    assert read(write(tmp_path / "x.csv.gz", b"")) == ([], [], [])
    assert read(write(tmp_path / "x.jsonl.gz", b"\n")) == ([], [], [])


@pytest.mark.parametrize("end", ["gz", "zst", "bz2"])
def test_text_files_may_be_packed(tmp_path, end):
    path = tmp_path / f"log.json.{end}"
    kind = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}[end]
    with pa.output_stream(str(path), compression=kind) as stream:
        stream.write(b'{"a": "x"}\n')
    rows, _, _ = read(path)
    assert [row["a"] for row in rows] == ["x"]


def test_a_file_that_has_vanished_is_named(tmp_path):
    with pytest.raises(DataError, match="gone.csv cannot be read as .csv"):
        read(tmp_path / "gone.csv")
