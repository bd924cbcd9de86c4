"""Log files that hold many days, laid out by day as an ingest reads them.

    <folder>/date=YYYY-MM-DD/part-00001.parquet    of CSV and Parquet; .jsonl of JSON
    <rejected>                                     rows without a day, as JSON Lines

Values stay as they are: those of CSV as text. Read = written + rejected, where records
are counted in the bytes of the files that are read, and in the footers and lines of
those that were written.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.file_names import format_of
from components.log_example_gen.logic import TimeColumn
from components.log_example_gen.pieces import Piece
from components.log_example_gen.quarantine import row_values
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.times import DAY_SECONDS
from components.log_example_gen.times import read_times
from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.values import is_text
from components.log_example_gen.wanted import Wanted
from models import durable_files
from models.data.arrow_files import pq
from models.days import to_date
from models.errors import DataError
from models.errors import listed

MANIFEST_FILE = "_split.json"
# Rows that are kept until they are written; fewer make more and smaller files.
_KEPT_ROWS = 500_000
_BATCH_ROWS = 65_536
# Logs of impressions are of 1995 to 2069; anything else is a slip, or another unit.
_FIRST_DAY, _LAST_DAY = 9_131, 36_524
_POINT = r"^(-?\d+)\.0+$"
_NO_DAY = -1


@dataclass(frozen=True)
class Mend:
    """Values that are written in another way than they are read.

    Attributes:
        lists: Columns of text that hold lists as JSON, and the list of each text; they
            become lists.
        whole: Columns of text with ids such as `7.0`, which become `7`.
    """

    lists: dict[str, Callable[[str], list[Any] | None]] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()


@dataclass
class SplitReport:
    """Result of laying out a domain's log by day.

    Attributes:
        read: Records of the files, counted in their bytes.
        written: Rows of the new files, counted there.
        rejected: Rows that have no day or cannot be read.
        reasons: How many were rejected for which reason.
        days: Rows by day, days since 1970-01-01.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)


def split_by_day(
    files: Sequence[str],
    folder: Path,
    rejected: Path,
    time: TimeColumn,
    dialect: CsvDialect,
    mend: Mend | None = None,
) -> SplitReport:
    """Writes the rows of log files into a folder for each day.

    Args:
        files: CSV, JSON Lines or Parquet files.
        folder: Where the days' folders go; made, and not there before.
        rejected: File of the rows that have no day; made if there are any.
        time: The column with the impression's time, UTC.
        dialect: How CSV files are written.
        mend: Values that are written in another way.

    Raises:
        DataError: A file cannot be read, no row has a day, or rows are unaccounted for.
            Nothing is left in `folder`.
    """
    writing = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(parents=True)
    rejected.parent.mkdir(parents=True, exist_ok=True)
    try:
        with rejected.open("w", encoding="utf-8") as bad:
            split = _Split(writing, bad, time, dialect, mend or Mend())
            for path in files:
                split.read(path)
            split.flush()
        report = split.report
        report.written = _rows_in(writing)
        report.rejected = sum(1 for _ in rejected.open("rb"))
        if not report.written:
            raise DataError(
                f"no row of {listed(files)} has a day: {_commonest(report.reasons)}; "
                "name the column with the impression's time, `--time COLUMN`"
            )
        if report.read != report.written + report.rejected:
            raise DataError(
                f"{listed(files)} have {report.read:,} records, but "
                f"{report.written:,} were written and {report.rejected:,} rejected; "
                "nothing is kept: did the files change meanwhile?"
            )
        durable_files.write_text(
            writing / MANIFEST_FILE,
            json.dumps(
                {
                    "files": [str(path) for path in files],
                    "read": report.read,
                    "written": report.written,
                    "rejected": report.rejected,
                }
            ),
        )
        durable_files.move_folder(writing, folder)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
        if rejected.exists() and not rejected.stat().st_size:
            rejected.unlink()
    return report


class _Split:
    """Reads files piece by piece, and keeps rows by day until many can be written."""

    def __init__(
        self, folder: Path, bad: Any, time: TimeColumn, dialect: CsvDialect, mend: Mend
    ) -> None:
        self.report = SplitReport()
        self._folder, self._bad = folder, bad
        self._time, self._dialect, self._mend = time, dialect, mend
        self._tables: dict[tuple[int, pa.Schema], list[pa.Table]] = {}
        self._lines: dict[int, list[str]] = {}
        self._kept = 0
        self._parts = 0

    def read(self, path: str) -> None:
        """Reads a file.

        Raises:
            DataError: It cannot be read, or lacks the column of times.
        """
        kind = format_of(path)
        wanted = {self._time.column: Wanted(is_time=True)}
        for piece in read_pieces(path, _BATCH_ROWS, self._dialect, wanted):
            self.report.read += piece.records
            for number, text, reason in piece.rejected:
                self._reject(path, number, reason, text)
            if len(piece.table):
                self._add(path, piece, as_lines=kind == ".jsonl")
            if self._kept >= _KEPT_ROWS:
                self.flush()

    def flush(self) -> None:
        """Writes the rows that are kept."""
        for (day, _), tables in self._tables.items():
            path = self._part(day, ".parquet")
            pq.write_table(pa.concat_tables(tables), path)
        for day, lines in self._lines.items():
            path = self._part(day, ".jsonl")
            path.write_text("".join(lines), encoding="utf-8")
        self._tables, self._lines, self._kept = {}, {}, 0

    def _part(self, day: int, suffix: str) -> Path:
        folder = self._folder / f"date={to_date(day)}"
        folder.mkdir(exist_ok=True)
        self._parts += 1
        return folder / f"part-{self._parts:05d}{suffix}"

    def _add(self, path: str, piece: Piece, *, as_lines: bool) -> None:
        table = piece.table
        problems = np.full(len(table), "", object)
        days = self._days(path, table, problems)
        mended = self._mended(table, problems)
        for row in np.flatnonzero(problems != "").tolist():
            values = piece.original(row) if piece.original else row_values(table, row)
            self._reject(path, int(piece.numbers[row]), problems[row], values)
        days[problems != ""] = _NO_DAY
        for day, rows in _by_day(days):
            self.report.days[day] += len(rows)
            self._kept += len(rows)
            if as_lines:
                assert piece.original is not None
                self._lines.setdefault(day, []).extend(
                    _line(piece.original(row)) for row in rows.tolist()
                )
            else:
                part = mended.take(pa.array(rows))
                self._tables.setdefault((day, part.schema), []).append(part)

    def _days(
        self, path: str, table: pa.Table, problems: npt.NDArray[np.object_]
    ) -> npt.NDArray[np.int64]:
        """Returns the day of each row; writes down why a row has none."""
        name = self._time.column
        if name not in table.column_names:
            raise DataError(
                f"{path} has no column {name!r}; it has "
                f"{listed(table.column_names, first=40)}; name the column with the "
                "time, `--time COLUMN`"
            )
        column = table.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0)

        def mark(bad: npt.NDArray[np.bool_], problem: str) -> None:
            problems[bad & (problems == "")] = f"{name} {problem}"

        try:
            seconds = read_times(column, self._time.format, mark)
        except ColumnTypeError as error:
            raise DataError(
                f"{path}: the column {name!r} holds no times, expected {error}; name "
                "another, `--time COLUMN`"
            ) from error
        known = seconds.is_valid().to_numpy(zero_copy_only=False)
        mark(~known, "is missing")
        days = seconds.fill_null(0).to_numpy() // DAY_SECONDS
        mark((days < _FIRST_DAY) | (days > _LAST_DAY), "lies outside 1995 to 2069")
        return days.astype(np.int64)

    def _mended(self, table: pa.Table, problems: npt.NDArray[np.object_]) -> pa.Table:
        for name in table.column_names:
            column = table.column(name)
            if not is_text(column.type):
                continue
            if name in self._mend.whole:
                mended = pc.replace_substring_regex(column, _POINT, r"\1")
            elif name in self._mend.lists:
                mended = self._as_lists(name, column, problems)
            else:
                continue
            table = table.set_column(table.column_names.index(name), name, mended)
        return table

    def _as_lists(
        self, name: str, column: pa.ChunkedArray, problems: npt.NDArray[np.object_]
    ) -> pa.Array:
        read = self._mend.lists[name]
        lists = [None if text is None else read(text) for text in column.to_pylist()]
        for row, (value, given) in enumerate(zip(lists, column, strict=True)):
            if value is None and given.is_valid and not problems[row]:
                problems[row] = f"{name} is not a list written as JSON"
        return pa.array(
            [None if value is None else [str(one) for one in value] for value in lists],
            pa.list_(pa.string()),
        )

    def _reject(self, path: str, row: int, reason: str, values: Any) -> None:
        self.report.reasons[reason] += 1
        entry = {"file": path, "row": row, "reason": reason, "values": values}
        self._bad.write(json.dumps(entry, default=str) + "\n")


def _line(original: Any) -> str:
    text = original if isinstance(original, str) else json.dumps(original)
    return f"{text}\n"


def _by_day(
    days: npt.NDArray[np.int64],
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yields each day and the positions of its rows, in their order."""
    order = np.argsort(days, kind="stable")
    found, starts = np.unique(days[order], return_index=True)
    for day, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
        if day != _NO_DAY:
            yield day, rows


def _rows_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("part-*"):
        if path.suffix == ".parquet":
            total += pq.read_metadata(path).num_rows
        else:
            with path.open("rb") as lines:
                total += sum(1 for _ in lines)
    return total


def _commonest(reasons: Counter[str]) -> str:
    counted: Iterable[str] = (
        f"{reason} ({count:,} rows)" for reason, count in reasons.most_common(3)
    )
    return listed(counted) or "they have no rows"
