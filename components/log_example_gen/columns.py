"""Rows of a domain's log to raw Examples, column by column, never row by row.

What cannot be converted is a mask that sends its rows to the quarantine with a reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.id_lists import read_id_lists
from components.log_example_gen.logic import COMPARISONS
from components.log_example_gen.logic import ColumnSource
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import parse_label_rule
from components.log_example_gen.problems import Mask
from components.log_example_gen.problems import Problems
from components.log_example_gen.problems import Reason
from components.log_example_gen.problems import columns_in
from components.log_example_gen.times import DAY_SECONDS
from components.log_example_gen.times import has_hours
from components.log_example_gen.times import read_times
from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.values import Mark
from components.log_example_gen.values import is_list
from components.log_example_gen.values import of_lengths
from components.log_example_gen.values import plain
from components.log_example_gen.values import read_ids
from components.log_example_gen.values import read_numbers
from components.log_example_gen.values import to_float32
from components.log_example_gen.values import type_name
from components.log_example_gen.vectors import read_vectors
from components.log_example_gen.wanted import source_of
from models.errors import DataError
from models.features.feature import Feature
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable

_ID_LISTS = pa.large_list(pa.large_binary())
_VECTORS = pa.large_list(pa.float32())
_COMPARE = dict(
    zip(
        COMPARISONS,
        (pc.greater_equal, pc.less_equal, pc.equal, pc.greater, pc.less),
        strict=True,
    )
)


def raw_schema(features: FeatureTable) -> pa.Schema:
    """Returns the Arrow schema of raw Examples.

    Columns are in alphabetical order and of the list types that TFX's Parquet reader
    insists on; a missing value is an empty list.
    """
    fields = [pa.field(LABEL, pa.large_list(pa.int64()))]
    fields.append(pa.field(DAY, pa.large_list(pa.int64())))
    for feature in features.logged:
        kind = feature.feature_kind.arrow_type()
        fields.append(pa.field(feature.name, pa.large_list(kind)))
    return pa.schema(sorted(fields, key=lambda field: field.name))


@dataclass(frozen=True)
class Converted:
    """Result of converting some rows of a log.

    Attributes:
        rows: Raw Examples of the rows that could be converted.
        bad_rows: Positions of the rows that could not, ascending.
        reasons: One reason per bad row.
        cut_rows: Positions of the rows with a list longer than its `max_length`, which
            was cut; bad rows may be among them.
        unreadable: Sentences about columns of which no row can be read; the rows mean
            nothing then.
        lacking: Columns that are not there, which are missing in every row.
    """

    rows: pa.Table
    bad_rows: list[int]
    reasons: list[Reason]
    cut_rows: npt.NDArray[np.int64]
    unreadable: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)


def convert(
    table: pa.Table, log: DomainLog, features: FeatureTable, days: pa.Array, path: str
) -> Converted:
    """Turns rows of a domain's log into raw Examples.

    What becomes of a row follows from its own values and its day alone.

    Args:
        table: The rows, of one or several files.
        log: The domain's column mapping and label rule.
        features: The features to keep.
        days: Day of each row, int64 of shape (rows,).
        path: Where the rows are from, for error messages.

    Returns:
        The converted rows and the bad ones with their reasons; each row of `table` is
        in exactly one of the two.

    Raises:
        DataError: A column of the label or the time is missing, or a column is of a
            type that no row could be read from; all of these columns are named.
    """
    converted = examine(table, log, features, days, path)
    if converted.unreadable:
        raise DataError("; ".join(converted.unreadable))
    return converted


def examine(
    table: pa.Table, log: DomainLog, features: FeatureTable, days: pa.Array, path: str
) -> Converted:
    """Does what `convert` does, and returns problems of columns as values."""
    reader = _Reader(table, log, days, path)
    cut = np.zeros(table.num_rows, np.bool_)
    columns = {LABEL: _wrap(reader.labels()), DAY: _wrap(days)}
    reader.check_days()
    for feature in features.logged:
        if feature.is_list or feature.is_vector:
            lists, longer = reader.lists(feature)
            columns[feature.name] = lists
            cut |= longer
        else:
            columns[feature.name] = _wrap(reader.scalars(feature))
    schema = raw_schema(features)
    rows = pa.table([columns[name] for name in schema.names], schema=schema)
    bad, reasons = reader.problems.found()
    if bad:
        keep = np.ones(table.num_rows, np.bool_)
        keep[bad] = False
        rows = rows.filter(pa.array(keep))
    problems = reader.problems
    unreadable = list(dict.fromkeys(problems.columns))
    lacking = list(dict.fromkeys(problems.lacking))
    return Converted(rows, bad, reasons, np.flatnonzero(cut), unreadable, lacking)


class _Reader:
    """Reads the columns of some rows.

    Attributes:
        problems: What is wrong with them.
    """

    def __init__(
        self, table: pa.Table, log: DomainLog, days: pa.Array, path: str
    ) -> None:
        self.problems = Problems(table.num_rows)
        self._table = table
        self._log = log
        self._days = days
        self._path = path
        # A time may be read twice: for its day and for its hour.
        self._times = functools.cache(self._read_times)

    def labels(self) -> pa.Array:
        """Returns 0 or 1 of each row; shape (rows,)."""
        rule = parse_label_rule(self._log.label)
        values = self._needed(rule.column)
        if values is None:
            return pa.nulls(self._table.num_rows, pa.int64())
        mark = self._mark(rule.column)
        numbers = self._read(
            rule.column,
            values,
            pa.float64(),
            lambda v: read_numbers(v, pa.float64(), mark),
        )
        mark(
            pc.is_null(numbers).to_numpy(zero_copy_only=False),
            "is missing, so there is no label",
        )
        return _COMPARE[rule.comparison](numbers, rule.value).cast(pa.int64())

    def check_days(self) -> None:
        """Marks rows whose time is missing, unreadable or not of the folder's day."""
        timestamp = self._log.timestamp
        if timestamp is None or self._needed(timestamp.column) is None:
            return
        mark = self._mark(timestamp.column)
        times = self._times(timestamp.column, timestamp.format)
        missing = pc.is_null(times).to_numpy(zero_copy_only=False)
        mark(missing, "is missing, so there is no time")
        days = times.fill_null(0).to_numpy() // DAY_SECONDS
        other = ~missing & (days != self._days.to_numpy())
        mark(other, "is of another day than the log's folder")

    def scalars(self, feature: Feature) -> pa.Array:
        """Returns a feature's values of shape (rows,), null where there is none."""
        kind = feature.feature_kind.arrow_type()
        source = source_of(self._log, feature)
        values = self._values(source)
        if source is None or values is None:
            return pa.nulls(self._table.num_rows, kind)
        name = source.column or feature.name
        mark = self._mark(name)
        if source.hour_of is not None:
            return self._hours(source, values, kind)
        if feature.is_id:
            return self._read(name, values, kind, lambda v: read_ids(v, mark))
        parsed = feature.feature_kind.parsed_type()
        numbers = self._read(
            name, values, parsed, lambda v: read_numbers(v, parsed, mark)
        )
        return to_float32(numbers, mark) if kind == pa.float32() else numbers.cast(kind)

    def lists(self, feature: Feature) -> tuple[pa.Array, Mask]:
        """Returns a feature's lists, at most `max_length` long, and which were longer.

        Vectors have `length` elements and are never longer. Both are of shape (rows,).
        """
        kind = _VECTORS if feature.is_vector else _ID_LISTS
        source = source_of(self._log, feature)
        values = self._values(source)
        longer = np.zeros(self._table.num_rows, np.bool_)
        if source is None or values is None:
            return _nothing(kind, len(longer)), longer
        separator = source.separator
        if source.constant is not None:
            separator = separator or ","
        name = source.column or feature.name

        def read(values: pa.Array) -> pa.Array:
            mark = self._mark(name)
            if feature.length is not None:
                return read_vectors(values, separator, feature.length, mark)
            lists, cut = read_id_lists(values, separator, feature.max_length, mark)
            longer[:] = cut
            return lists

        return self._read(name, values, kind, read), longer

    def _hours(
        self, source: ColumnSource, values: pa.Array, kind: pa.DataType
    ) -> pa.Array:
        name = str(source.column)
        if not has_hours(plain(values).type):
            self.problems.columns.append(self._wrong_type(name, values, "an hour"))
        times = self._times(name, str(source.hour_of))
        hours = times.fill_null(0).to_numpy() % DAY_SECONDS // 3600
        absent = pc.is_null(times).to_numpy(zero_copy_only=False)
        absent |= self._outside(source)
        return pa.array(hours, mask=absent).cast(pa.string()).cast(kind)

    def _read_times(self, name: str, form: str) -> pa.Array:
        mark = self._mark(name)
        values = self._column(name)
        return self._read(name, values, pa.int64(), lambda v: read_times(v, form, mark))

    def _values(self, source: ColumnSource | None) -> pa.Array | None:
        """Returns a feature's values as the log has them; None if it has none."""
        if source is None:
            return None
        if source.constant is not None:
            return pa.array([source.constant]).take(
                pa.array(np.zeros(self._table.num_rows, np.int64))
            )
        outside = self._outside(source)
        name = str(source.column)
        if name not in self._table.column_names:
            if not outside.all():
                self.problems.lacking.append(name)
            return None
        values = self._column(name)
        if not outside.any():
            return values
        positions = pa.array(np.arange(len(values)), mask=outside)
        return values.take(positions)

    def _outside(self, source: ColumnSource) -> Mask:
        """Returns the rows of days whose log has no such column, as declared."""
        if source.since is None and source.until is None:
            return np.zeros(self._table.num_rows, np.bool_)
        days, place = np.unique(self._days.to_numpy(), return_inverse=True)
        lacking = np.array([source.lacks(int(day)) for day in days], np.bool_)
        return lacking[place]

    def _needed(self, name: str) -> pa.Array | None:
        """Returns a column without which no row can be used."""
        if name in self._table.column_names:
            return self._column(name)
        self.problems.columns.append(
            f"{self._path} has no column {name!r}; it has "
            f"{columns_in(self._table.column_names)}; name one of these in the "
            "configuration, or fix the log"
        )
        return None

    def _column(self, name: str) -> pa.Array:
        column = self._table.column(name)
        if column.num_chunks == 1:
            return column.chunk(0)
        if pa.types.is_dictionary(column.type):
            # Each chunk has a dictionary of its own.
            chunks = [plain(chunk) for chunk in column.chunks]
            column = pa.chunked_array(chunks, column.type.value_type)
        return column.combine_chunks()

    def _read(
        self,
        name: str,
        values: pa.Array,
        kind: pa.DataType,
        read: Callable[[pa.Array], pa.Array],
    ) -> pa.Array:
        """Returns what `read` makes of values, of type `kind`; nothing of a wrong type.

        A column without any value has no type that could be wrong.
        """
        if values.null_count < len(values):
            try:
                return read(values)
            except ColumnTypeError as error:
                sentence = self._wrong_type(name, values, str(error))
                self.problems.columns.append(sentence)
        return _nothing(kind, len(values))

    def _wrong_type(self, name: str, values: pa.Array, expected: str) -> str:
        return (
            f"column {name!r} of {self._path} is {type_name(values.type)}; expected "
            f"{expected}; fix the log or map another column in `columns`"
        )

    def _mark(self, column: str) -> Mark:
        return lambda mask, problem: self.problems.add(mask, column, problem)


def _nothing(kind: pa.DataType, num_rows: int) -> pa.Array:
    """Returns missing values: nulls, or empty lists."""
    if is_list(kind):
        return of_lengths(np.zeros(num_rows), pa.array([], kind.value_type))
    return pa.nulls(num_rows, kind)


def _wrap(values: pa.Array) -> pa.Array:
    """Returns each value as a list of one, each null as an empty list."""
    present = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return of_lengths(present, values.drop_null())
