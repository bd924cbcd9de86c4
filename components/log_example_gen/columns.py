"""Rows of a domain's log to raw Examples, column by column.

Nothing here loops over rows: log files are Arrow tables, every conversion is an Arrow
kernel, and what cannot be converted is a boolean column that sends its rows to the
quarantine with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.logic import COMPARISONS
from components.log_example_gen.logic import ColumnSource
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import TimeColumn
from components.log_example_gen.logic import parse_label_rule
from components.log_example_gen.logic import parse_time_format
from models.errors import DataError
from models.features.feature import Feature
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable

_COMPARE = dict(
    zip(
        COMPARISONS,
        (pc.greater_equal, pc.less_equal, pc.equal, pc.greater, pc.less),
        strict=True,
    )
)
_NUMBER = {
    pa.int64(): r"^\s*[+-]?\d{1,18}\s*$",
    pa.float64(): r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$",
}


def raw_schema(features: FeatureTable) -> pa.Schema:
    """Returns the Arrow schema of raw Examples.

    Columns are in alphabetical order and of the list types that TFX's Parquet reader
    insists on; a missing value is an empty list.
    """
    fields = [pa.field(LABEL, pa.large_list(pa.int64()))]
    fields.append(pa.field(DAY, pa.large_list(pa.int64())))
    for feature in features.features:
        fields.append(pa.field(feature.name, pa.large_list(_value_type(feature))))
    return pa.schema(sorted(fields, key=lambda field: field.name))


def _value_type(feature: Feature) -> pa.DataType:
    return feature.feature_kind.arrow_type()


@dataclass(frozen=True)
class Converted:
    """What became of some rows of a log.

    Attributes:
        rows: Raw Examples of the rows that could be converted.
        bad_rows: Positions of the rows that could not, ascending.
        reasons: One reason per bad row.
        cut_rows: Positions of the rows with a list longer than its `max_length`, which
            was cut; bad rows may be among them.
    """

    rows: pa.Table
    bad_rows: list[int]
    reasons: list[str]
    cut_rows: npt.NDArray[np.int64]


def convert(
    table: pa.Table, log: DomainLog, features: FeatureTable, days: pa.Array, path: str
) -> Converted:
    """Turns rows of a domain's log into raw Examples.

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
        DataError: A column is missing, or of a type that no row could be read from.
    """
    num_rows = table.num_rows
    problems = _Problems(num_rows)
    cut = np.zeros(num_rows, np.bool_)
    columns = {LABEL: _wrap(_label(table, log, path, problems)), DAY: _wrap(days)}
    if log.timestamp is not None:
        _check_days(table, log.timestamp, days, path, problems)
    for feature in features.features:
        if feature.is_list:
            lists, longer = _lists(table, log, feature, path)
            columns[feature.name] = lists
            cut |= longer
        else:
            columns[feature.name] = _wrap(_scalars(table, log, feature, path, problems))
    schema = raw_schema(features)
    rows = pa.table([columns[name] for name in schema.names], schema=schema)
    bad, reasons = problems.found()
    if bad:
        keep = np.ones(num_rows, np.bool_)
        keep[bad] = False
        rows = rows.filter(pa.array(keep))
    return Converted(rows, bad, reasons, np.flatnonzero(cut))


def fit_sparse(table: pa.Table, log: DomainLog, features: FeatureTable) -> pa.Table:
    """Returns rows of JSON Lines or tf.Examples in the shape of a table.

    A column that no row has is absent there: it becomes one of nulls. tf.Examples hold
    lists alone: those of at most one value become that value where one is expected.

    Args:
        table: Rows of one file.
        log: The domain's column mapping.
        features: The features to keep.
    """
    sources = {f.name: _source(log, f) for f in features.features}
    lists = {
        source.column
        for f in features.features
        if (source := sources[f.name]) and f.is_list and source.separator is None
    }
    wanted = [source.column for source in sources.values() if source and source.column]
    wanted.append(parse_label_rule(log.label).column)
    if log.timestamp is not None:
        wanted.append(log.timestamp.column)
    columns = {}
    for name in dict.fromkeys(wanted):
        if name not in table.column_names:
            columns[name] = pa.nulls(table.num_rows)
        elif name in lists:
            columns[name] = table.column(name)
        else:
            columns[name] = _unwrap(table.column(name).combine_chunks())
    return pa.table(columns)


def _unwrap(values: pa.Array) -> pa.Array:
    if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
        return values
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
    if len(lengths) and lengths.max() > 1:
        return values  # a list where one value is expected: an error further on
    flat = values.flatten()
    # Row i's value is at the number of values before it; null where it has none.
    position = np.cumsum(lengths) - lengths
    return flat.take(pa.array(position, mask=lengths == 0))


def _scalars(
    table: pa.Table,
    log: DomainLog,
    feature: Feature,
    path: str,
    problems: _Problems,
) -> pa.Array:
    """Returns a feature's values of shape (rows,), null where there is none."""
    kind = _value_type(feature)
    source = _source(log, feature)
    if source is None:
        return pa.nulls(table.num_rows, kind)
    if source.constant is not None:
        values = _constant(source.constant, table.num_rows)
    else:
        values = _column(table, str(source.column), path)
    name = source.column or feature.name
    if source.hour_of is not None:
        times = _times(values, source.hour_of, name, path, problems)
        return pc.hour(times).cast(pa.string()).cast(pa.large_binary())
    if feature.is_id:
        return _ids(values, name, path)
    number = feature.feature_kind.parsed_type()
    return _numbers(values, number, name, path, problems).cast(kind)


def _lists(
    table: pa.Table, log: DomainLog, feature: Feature, path: str
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Returns a feature's lists, at most `max_length` long, and which were longer."""
    source = _source(log, feature)
    if source is None:
        values = pa.nulls(table.num_rows, pa.large_list(pa.large_binary()))
    elif source.constant is not None:
        constant = _constant(source.constant, table.num_rows)
        values = pc.split_pattern(constant, source.separator or ",")
    else:
        values = _column(table, str(source.column), path)
        if source.separator is not None:
            values = _split(values, source, path)
    name = (source and source.column) or feature.name
    return _id_lists(values, name, path, feature.max_length)


def _source(log: DomainLog, feature: Feature) -> ColumnSource | None:
    if feature.name == "domain" and feature.name not in log.columns:
        return ColumnSource(constant=log.domain)
    return log.columns[feature.name]


def _constant(value: str, num_rows: int) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(num_rows, np.int64)))


def _split(values: pa.Array, source: ColumnSource, path: str) -> pa.Array:
    if pa.types.is_null(values.type):
        return values.cast(pa.list_(pa.binary()))
    if pa.types.is_integer(values.type):
        values = values.cast(pa.string())  # lists of one id, read as a number
    if not _is_text(values.type):
        expected = f"text (ids separated by {source.separator!r})"
        raise _wrong_type(values, str(source.column), path, expected)
    return pc.split_pattern(values, source.separator)


def _check_days(
    table: pa.Table,
    timestamp: TimeColumn,
    days: pa.Array,
    path: str,
    problems: _Problems,
) -> None:
    """Marks rows whose time is missing, unreadable or not of the folder's day."""
    name = timestamp.column
    values = _column(table, name, path)
    times = _times(values, timestamp.format, name, path, problems)
    problems.add(pc.is_null(times), f"{name} is missing, so there is no time")
    other = pc.not_equal(
        times.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()), days
    )
    problems.add(
        pc.fill_null(other, False), f"{name} is of another day than the log's folder"
    )


def _times(
    values: pa.Array, form: str, name: str, path: str, problems: _Problems
) -> pa.Array:
    """Returns times, timestamp[s]; marks rows that are not written like `form`."""
    if pa.types.is_integer(values.type):
        values = values.cast(pa.string())
    if pa.types.is_null(values.type):
        return values.cast(pa.timestamp("s"))
    if not _is_text(values.type):
        raise _wrong_type(values, name, path, f"text or integers written like {form}")
    wanted = parse_time_format(form)
    text = values.cast(pa.binary())
    readable = pc.match_substring_regex(text, wanted.pattern)
    text = pc.if_else(readable, text, pa.scalar(None, pa.binary())).cast(pa.string())
    times = pc.strptime(text, wanted.strptime, "s", error_is_null=True)
    bad = pc.and_(pc.is_valid(values), pc.is_null(times))
    problems.add(bad, f"{name} is no time written like {form}")
    return times


class _Problems:
    """Collects, per row, the first reason for which it cannot be used."""

    def __init__(self, num_rows: int) -> None:
        self._reasons = pa.nulls(num_rows, pa.string())

    def add(self, mask: pa.Array, reason: str) -> None:
        """Marks the rows where `mask` is true, unless they are marked already."""
        if pc.any(mask).as_py():
            marked = pc.if_else(mask, reason, pa.scalar(None, pa.string()))
            self._reasons = pc.coalesce(self._reasons, marked)

    def found(self) -> tuple[list[int], list[str]]:
        """Returns the marked rows' positions and reasons."""
        marked = pc.is_valid(self._reasons)
        positions = pc.indices_nonzero(marked).to_pylist()
        return positions, self._reasons.filter(marked).to_pylist()


def _column(table: pa.Table, name: str, path: str) -> pa.Array:
    if name not in table.column_names:
        raise DataError(
            f"{path} has no column {name!r}; it has {', '.join(table.column_names)}; "
            "map the feature to one of these in `columns`, or fix the log"
        )
    column = table.column(name)
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks()


def _wrong_type(values: pa.Array, name: str, path: str, expected: str) -> DataError:
    return DataError(
        f"column {name!r} of {path} is of type {values.type}; expected {expected}; "
        "fix the log or map another column in `columns`"
    )


def _is_scalar(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or _is_text(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _ids(values: pa.Array, name: str, path: str) -> pa.Array:
    if not (_is_text(values.type) or pa.types.is_integer(values.type)):
        if pa.types.is_null(values.type):
            return values.cast(pa.large_binary())
        raise _wrong_type(values, name, path, "text or an integer (an id)")
    if pa.types.is_integer(values.type):
        values = values.cast(pa.string())
    ids = values.cast(pa.large_binary())
    # An empty id says as little as none; both mean "missing" from here on.
    empty = pc.equal(pc.binary_length(ids), 0)
    return pc.if_else(empty, pa.scalar(None, pa.large_binary()), ids)


def _id_lists(
    values: pa.Array, name: str, path: str, max_length: int
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Returns lists of ids without missing ones, cut, and which rows were cut."""
    if pa.types.is_null(values.type):
        values = values.cast(pa.large_list(pa.large_binary()))
    if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
        raise _wrong_type(values, name, path, "a list of text or integers (ids)")
    value_type = values.type.value_type
    lists = values.cast(pa.large_list(value_type))
    filled = pc.if_else(
        pc.is_null(lists), pa.scalar([], pa.large_list(value_type)), lists
    )
    flat = _ids(filled.flatten(), name, path)
    kept = pc.is_valid(flat)
    parents = pc.list_parent_indices(filled).filter(kept).to_numpy()
    flat = flat.filter(kept)
    lengths = np.bincount(parents, minlength=len(values))
    longer = lengths > max_length
    if longer.any():
        starts = np.cumsum(lengths) - lengths
        position = np.arange(len(parents)) - starts[parents]
        flat = flat.filter(pa.array(position < max_length))
        lengths = np.minimum(lengths, max_length)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), flat), longer


def _wrap(values: pa.Array) -> pa.Array:
    """Returns each value as a list of one, each null as an empty list."""
    present = pc.is_valid(values).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values.drop_null())


def _numbers(
    values: pa.Array, kind: pa.DataType, name: str, path: str, problems: _Problems
) -> pa.Array:
    """Returns `values` as numbers of type `kind`; marks rows that hold none."""
    expected = "an integer" if kind == pa.int64() else "a number"
    if not _is_scalar(values.type):
        raise _wrong_type(values, name, path, expected)
    if _is_text(values.type):
        # Bytes, because a log may hold what is no UTF-8.
        raw = values.cast(pa.binary())
        missing = pc.match_substring_regex(raw, r"^\s*$")
        readable = pc.match_substring_regex(raw, _NUMBER[kind])
        some = pc.any(pc.invert(missing)).as_py()
        if some and not pc.any(readable).as_py():
            raise _wrong_type(values, name, path, expected)
        bad = pc.invert(pc.or_(missing, readable))
        problems.add(pc.fill_null(bad, False), f"{name} is not {expected}")
        text = pc.if_else(readable, raw, pa.scalar(None, pa.binary()))
        return pc.utf8_trim_whitespace(text.cast(pa.string())).cast(kind)
    if pa.types.is_floating(values.type):
        finite = pc.is_finite(values)
        # NaN is how NumPy and pandas write "missing".
        problems.add(pc.fill_null(pc.is_inf(values), False), f"{name} is infinite")
        values = pc.if_else(finite, values, pa.scalar(None, values.type))
        if kind == pa.int64():
            whole = pc.equal(pc.floor(values), values)
            problems.add(
                pc.fill_null(pc.invert(whole), False), f"{name} is not {expected}"
            )
            values = pc.if_else(whole, values, pa.scalar(None, values.type))
    return values.cast(kind)


def _label(table: pa.Table, log: DomainLog, path: str, problems: _Problems) -> pa.Array:
    rule = parse_label_rule(log.label)
    values = _column(table, rule.column, path)
    numbers = _numbers(values, pa.float64(), rule.column, path, problems)
    problems.add(pc.is_null(numbers), f"{rule.column} is missing, so there is no label")
    return _COMPARE[rule.comparison](numbers, rule.value).cast(pa.int64())
