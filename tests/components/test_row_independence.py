"""A row's fate, its values or the reason against it, follows from the row alone.

Each row is read on its own and among others, in any order and in blocks of any size.
The number of rows is counted on the file's bytes or in its footer, not by a reader.
"""

import csv
import datetime
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.log_example_gen import jsonl_reader
from components.log_example_gen import text_lines
from components.log_example_gen.chunks import read_chunks
from components.log_example_gen.columns import convert
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.wanted import wanted_columns
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

DAY = 19779  # 2024-02-26
FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="tags", kind="ids", vocabulary="user", max_length=2),
        Feature(name="recent", kind="ids", vocabulary="user", max_length=2),
        Feature(name="shown", kind="count"),
        Feature(name="rate", kind="rate"),
        Feature(name="hour", kind="id", vocabulary="user"),
    ),
    vocabularies={"user": IdSpace(capacity=5)},
)
LOG = DomainLog.model_validate(
    {
        "domain": "ads",
        "folder": "logs/ads",
        "columns": {
            "user_id": "u",
            "tags": {"column": "t", "separator": "^"},
            "recent": {"column": "l"},
            "shown": "n",
            "rate": "r",
            "hour": {"column": "ts", "hour_of": "%Y%m%d%H"},
        },
        "timestamp": {"column": "ts", "format": "%Y%m%d%H"},
        "label": "y >= 1",
    }
)
NO_LISTS = LOG.model_copy(
    update={"columns": {**LOG.columns, "recent": LOG.columns["tags"]}}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rows")


def fates(path, log, chunk_rows=1000):
    """Returns what became of each record of a file, by its position."""
    found = {}
    shard = Shard(log.domain, 0, (LogFile(str(path), DAY),))
    for chunk in read_chunks(shard, log, wanted_columns(log, FEATURES), chunk_rows):
        found |= {number: reason for _, (number, _, reason) in chunk.unparsed}
        if not chunk.files:
            continue
        days = pa.array(chunk.days, pa.int64())
        converted = convert(chunk.table, log, FEATURES, days, "file")
        bad = dict(zip(converted.bad_rows, converted.reasons, strict=True))
        kept = iter(converted.rows.to_pylist())
        for row in range(len(chunk.table)):
            _, number = chunk.origin(row)
            if row in bad:
                chunk.values(row)  # can be shown, whatever it is
            found[number] = str(bad[row]) if row in bad else next(kept)
    return found


SCALARS = [
    b'"u1"', b"17", b"7.0", b"1.5", b"true", b"false", b"null", b"-0", b"-0.0", b'""',
    b"18446744073709551615", b"9007199254740993", b"9007199254740993.0", b"1e3",
    b"1e400", b"+3", b"01", b"NaN", b"-NaN", b"-Infinity", b"Inf", b'"NaN"', b'" 12 "',
    b"[]", b"{}", b'["a"]', b'["a", "b"]', b"[[1]]", b'"\\ud83d\\ude00"', b'"\\ud800"',
    b'"\xff"', b'"2024-02-26 10:00:00"', b'"1e-400"', b'"3.0"', b'"true"', b'"many"',
]  # fmt: skip
LISTS = [
    b"[]", b"null", b'["a", "b", "c"]', b"[1, 2]", b'["a", 1]', b"[1.0]", b"[1.5]",
    b'["a", null]', b"[true]", b'[["a"]]', b'["\xfe"]', b"[{}]", b'"a^b"', b"7",
]  # fmt: skip
TIMES = [b'"2024022610"', b"2024022610", b"2024022610.0", b'"2024022625"', b"true"]
LABELS = [b"1", b"0", b"true", b'"1"', b"0.5", b"null", b"many"]


@st.composite
def json_lines(draw):
    """Returns one line; most of its values are healthy."""
    healthy = {b"u": b'"u1"', b"t": b'"a^b"', b"l": b'["a"]', b"n": b"3", b"r": b"0.5"}
    healthy |= {b"ts": b"2024022610", b"y": b"1", b"z": b"0"}
    odd = {b"u": SCALARS, b"t": LISTS, b"l": LISTS, b"n": SCALARS, b"r": SCALARS}
    odd |= {b"ts": TIMES + SCALARS, b"y": LABELS + SCALARS, b"z": SCALARS + LISTS}
    for name in draw(st.sets(st.sampled_from(sorted(odd)), max_size=2)):
        healthy[name] = draw(st.sampled_from(odd[name]))
    pairs = list(healthy.items())
    if draw(st.booleans()):
        pairs.pop(draw(st.integers(0, len(pairs) - 1)))
    if draw(st.integers(0, 9)) == 0:
        pairs.append(draw(st.sampled_from(pairs)))
    return b"{" + b", ".join(b'"' + k + b'": ' + v for k, v in pairs) + b"}"


@given(
    st.lists(json_lines(), min_size=1, max_size=12),
    st.sampled_from([64, 400, 1 << 20]),
    st.sampled_from([1, 3, 1024]),
)
@settings(max_examples=40, deadline=None)
def test_a_line_of_json_has_the_fate_that_it_has_alone(
    folder, lines, block_bytes, few_lines
):
    path = folder / "log.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "BLOCK_BYTES", block_bytes)
        patch.setattr(jsonl_reader, "_FEW_LINES", few_lines)
        among_others = fates(path, LOG)
    assert sorted(among_others) == list(range(path.read_bytes().count(b"\n")))
    for number, line in enumerate(lines):
        path.write_bytes(line)
        assert fates(path, LOG) == {0: among_others[number]}, line


CELLS = st.sampled_from(
    ["u1", "7.0", "", "a^b", "a,b", 'say "x"', "3", "+3", "1e400", "many", "0.5", "NaN",
     "99999999999999999999", "true", "2024022610", "2024022725", "Ü木", "two\nlines"]
)  # fmt: skip
HEADER = ["u", "t", "n", "r", "ts", "y", "z"]
HEALTHY = ["u1", "a^b", "3", "0.5", "2024022610", "1", "0"]


@st.composite
def csv_records(draw):
    """Returns one record as the `csv` module writes it, with damaged bytes in some."""
    cells = list(HEALTHY)
    for at in draw(st.sets(st.integers(0, len(cells) - 1), max_size=2)):
        cells[at] = draw(CELLS)
    width = draw(st.sampled_from([7, 7, 7, 7, 6, 9]))
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow((cells + ["x", "y"])[:width])
    text = out.getvalue().encode()
    damage = draw(st.sampled_from([b"u1", b"u1", b"u1", b"\xff", b"\0"]))
    return text.replace(b"u1", damage)


@given(
    st.lists(csv_records(), min_size=1, max_size=12),
    st.sampled_from([32, 100, 1 << 20]),
)
@settings(max_examples=40, deadline=None)
def test_a_record_of_csv_has_the_fate_that_it_has_alone(folder, records, block_bytes):
    path = folder / "log.csv"
    header = ",".join(HEADER).encode() + b"\n"
    path.write_bytes(header + b"".join(records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "BLOCK_BYTES", block_bytes)
        among_others = fates(path, NO_LISTS)
    assert len(among_others) == len(records)
    # A record with a line break in a value takes two lines.
    ends = sum(record.count(b"\n") for record in records)
    assert path.read_bytes().count(b"\n") - 1 == ends
    for (_, fate), record in zip(sorted(among_others.items()), records, strict=True):
        path.write_bytes(header + record)
        assert fates(path, NO_LISTS) == {0: fate}, record


def _raw(texts):
    return pa.array(texts, pa.binary()).view(pa.string())


MOMENT = datetime.datetime(2024, 2, 26, 10)
# By column, its possible types with some values each.
PARQUET = {
    "u": [
        _raw([b"u1", b"u\xff", b"", None]),
        pa.array([1.0, 2.5, None, float("nan"), 2.0**60]),
        pa.array([2**64 - 1, 0, None], pa.uint64()),
        pa.array(["u1", "u2", None, "u1"]).dictionary_encode(),
        pa.array([b"abcd", None], pa.binary(4)),
    ],
    "t": [
        pa.array(["a^b", "", None, "a^b^c"]),
        pa.array([["a"], ["a", "b", "c"], [], None]),
        pa.array([1.0, 1.5, None]),
    ],
    "l": [
        pa.array([["a", None], [], None, ["a", "b", "c"]]),
        pa.array([[1.0], [1.5], [2.0, 3.0], None]),
        pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)),
    ],
    "n": [
        pa.array([2**64 - 1, 3, None], pa.uint64()),
        pa.array([1.0, 1.5, float("inf"), float("nan"), 1e300]),
        pa.array(["3", "many", "+3", "3.0", "1e400", None, "9" * 30]),
    ],
    "r": [
        pa.array([0.5, float("inf"), 1e300, None]),
        pa.array(["0.5", "1e400", "?", "nan"]),
    ],
    "ts": [
        pa.array([MOMENT, MOMENT + datetime.timedelta(1), None], pa.timestamp("us")),
        pa.array([MOMENT, None], pa.timestamp("ns", "Europe/Berlin")),
        pa.array(["2024022610", "2024022625", "", None, "20240226"]),
        pa.array([2024022610, 2024022699]),
        pa.array([2024022610.0, 0.5, float("nan")]),
    ],
    "y": [pa.array([True, False, None]), pa.array([1, 0, -1]), pa.array(["1", "?"])],
}


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_row_of_parquet_has_the_fate_that_it_has_alone(folder, data):
    size = data.draw(st.integers(1, 10))
    columns = {}
    for name, kinds in PARQUET.items():
        values = data.draw(st.sampled_from(kinds))
        places = st.integers(0, len(values) - 1)
        chosen = data.draw(st.lists(places, min_size=size, max_size=size))
        columns[name] = values.take(pa.array(chosen))
    table = pa.table(columns)
    path = folder / "log.parquet"
    pq.write_table(table, path, row_group_size=data.draw(st.integers(1, 10)))
    among_others = fates(path, LOG, data.draw(st.sampled_from([1, 3, 1000])))
    assert sorted(among_others) == list(range(pq.read_metadata(path).num_rows))
    for row in range(size):
        pq.write_table(table.slice(row, 1), path)
        assert fates(path, LOG) == {0: among_others[row]}, table.slice(row, 1)
