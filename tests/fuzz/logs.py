"""Logs that hypothesis makes up, and what must hold for each."""

from __future__ import annotations

import bz2
import csv
import functools
import gzip
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from components.log_example_gen.chunks import read_chunks
from components.log_example_gen.columns import convert
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.quarantine import rejection
from components.log_example_gen.wanted import wanted_columns
from models.data.arrow_files import pq
from models.errors import DataError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

DAY = 19_782  # 2024-02-29
FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="tags", kind="ids", vocabulary="tag", max_length=3),
        Feature(name="seen", kind="count"),
        Feature(name="score", kind="rate"),
    ),
    vocabularies={"user": IdSpace(capacity=9), "tag": IdSpace(capacity=9)},
)
LOG = DomainLog.model_validate(
    {
        "domain": "ads",
        "folder": "logs",
        "columns": {
            "user_id": "user",
            "tags": {"column": "tags", "separator": "^"},
            "seen": "seen",
            "score": "score",
        },
        "timestamp": {"column": "at", "format": "%Y-%m-%d %H:%M:%S"},
        "label": "click == 1",
    }
)
WANTED = wanted_columns(LOG, FEATURES)

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(',"\n\r\\\t{}[]:^\0'),
    max_size=12,
)
GOOD = {
    "click": st.integers(0, 1),
    "user": TEXTS,
    "tags": st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map("^".join),
    "seen": st.integers(0, 2**40),
    "score": st.floats(0, 1),
    "at": st.times().map(lambda time: f"2024-02-29 {time:%H:%M:%S}"),
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TEXTS,
    st.sampled_from(
        ["NaN", "1e400", "+3", "2024-02-30 10:00:00", "-", "0x1", "∞", "1,5"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(TEXTS, st.integers(), max_size=2),
)
DAMAGE = st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 9))


@dataclass(frozen=True)
class LogBytes:
    """A log file.

    Attributes:
        name: Its name, which says the format.
        content: Its bytes.
        rows: Rows that were written; None once the bytes are damaged.
    """

    name: str
    content: bytes
    rows: int | None


PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
# How the files of a format are packed, mostly not at all.
ENDS = {
    "csv": ["", "", ".gz", ".bz2"],
    "jsonl": ["", "", ".gz", ".bz2"],
    "parquet": [""],
    "tfrecord": ["", ".gz"],
}
# TFRecords need TensorFlow.
LIGHT = ["csv", "jsonl", "parquet"]


@st.composite
def logs(draw: st.DrawFn, formats: Sequence[str] = tuple(ENDS)) -> LogBytes:
    """Draws a log whose values are mostly good; one of three has damaged bytes."""
    rows = [
        {name: draw(good) for name, good in GOOD.items()}
        for _ in range(draw(st.integers(0, 8)))
    ]
    for _ in range(draw(st.integers(0, 3)) if rows else 0):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        row[draw(st.sampled_from(sorted(GOOD)))] = draw(ODD)
    form = draw(st.sampled_from(formats))
    content = {
        "csv": _csv,
        "jsonl": _jsonl,
        "parquet": _parquet,
        "tfrecord": functools.partial(_tfrecord, draw),
    }[form](rows)
    num_rows: int | None = len(rows)
    damage = draw(
        st.sampled_from(["none", "none", "none", "none", "inside", "outside"])
    )
    if damage == "inside":
        num_rows, content = None, _damaged(draw, content)
    end = draw(st.sampled_from(ENDS[form]))
    content = PACKED[end](content)
    if damage == "outside":
        num_rows, content = None, _damaged(draw, content)
    return LogBytes(f"part-0.{form}{end}", content, num_rows)


def _damaged(draw: st.DrawFn, content: bytes) -> bytes:
    for place, added, removed in draw(st.lists(DAMAGE, min_size=1, max_size=3)):
        at = int(place * len(content))
        content = content[:at] + added + content[at + removed :]
    return content


def _csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(GOOD), lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    """Writes each column in the type that holds all of its values, or as text."""
    columns = {}
    for name in GOOD:
        values = [
            # Parquet has no objects without keys.
            json.dumps(row[name]) if isinstance(row[name], dict) else row[name]
            for row in rows
        ]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, OverflowError):
            columns[name] = pa.array(
                [
                    v if v is None or isinstance(v, str) else json.dumps(v)
                    for v in values
                ]
            )
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


def _tfrecord(draw: st.DrawFn, rows: list[dict[str, Any]]) -> bytes:
    """Writes Examples; of some files a record is whole, but not as an Example."""
    from tests.fuzz import tfrecords

    records = [tfrecords.example(row) for row in rows]
    if records and draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(records) - 1))
        records[at] = _damaged(draw, records[at])
    return tfrecords.file_of(records)


def check(log: LogBytes) -> bool:
    """Reads and converts a log; returns whether that worked.

    Raises:
        AssertionError: A row is neither converted nor set aside, or a reason is empty.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / log.name
        path.write_bytes(log.content)
        try:
            records, converted = _read(path)
        except DataError as error:
            refusal = str(error)
        else:
            assert records == converted
            assert log.rows is None or records == log.rows
            return True
    assert log.name in refusal
    return False


def _read(path: Path) -> tuple[int, int]:
    """Returns the records that a file has, and those converted or set aside."""
    records = converted = 0
    shard = Shard("ads", 0, (LogFile(str(path), DAY),))
    for chunk in read_chunks(shard, LOG, WANTED, 4):
        records += sum(chunk.records.values())
        converted += len(chunk.unparsed)
        assert all(reason for _, (_, _, reason) in chunk.unparsed)
        if not chunk.files:
            continue
        days = pa.array(chunk.days, pa.int64())
        found = convert(chunk.table, LOG, FEATURES, days, chunk.name(LOG))
        converted += found.rows.num_rows + len(found.bad_rows)
        for row, reason in zip(found.bad_rows, found.reasons, strict=True):
            assert str(reason)
            # What the quarantine writes of it.
            json.dumps(rejection(*chunk.origin(row), str(reason), chunk.values(row)))
    return records, converted
