"""Rows of a domain's log to raw Examples, column by column.

Nothing here loops over rows: log files are Arrow tables, every conversion is an Arrow
kernel, and what cannot be converted is a boolean column that sends its rows to the
quarantine with a reason.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.days import to_day
from models.errors import ConfigError
from models.errors import DataError
from models.features import DAY
from models.features import LABEL
from models.features import Feature
from models.features import FeatureTable
from models.features import StrictModel

_DAY_FOLDER = re.compile(r"^date=(\d{4}-\d{2}-\d{2})$")
_RULE = re.compile(r"^\s*(\w+)\s*(>=|<=|==|>|<)\s*(-?\d+(?:\.\d+)?)\s*$")
_COMPARISONS = {
    ">=": pc.greater_equal,
    "<=": pc.less_equal,
    "==": pc.equal,
    ">": pc.greater,
    "<": pc.less,
}
_NUMBER = {
    pa.int64(): r"^[+-]?\d{1,18}$",
    pa.float64(): r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$",
}


class DomainLog(StrictModel):
    """Where a domain's log lies and how its columns map to the canonical features.

    Attributes:
        domain: Name of the domain; also the value of the feature `domain`.
        folder: Folder of `date=YYYY-MM-DD/` partitions.
        columns: Canonical feature to log column.
        label: Label rule, see `parse_label_rule`.
        missing_days: What days without a log mean: `fail`, since an outage is the
            likelier cause in a busy domain, or `skip`. Files that arrive later make
            their block due again.
    """

    domain: str
    folder: str
    columns: dict[str, str]
    label: str
    missing_days: Literal["fail", "skip"] = "fail"


@dataclass(frozen=True)
class LabelRule:
    """A comparison of one log column with a number; true is label 1."""

    column: str
    comparison: str
    value: float


def parse_label_rule(text: str) -> LabelRule:
    """Parses a label rule such as `rating >= 4` or `label == 1`.

    Raises:
        ConfigError: The text is not `<column> <comparison> <number>`.
    """
    match = _RULE.match(text)
    if match is None:
        raise ConfigError(
            f"label rule {text!r} cannot be read; expected `<column> <comparison> "
            f"<number>` with one of {', '.join(_COMPARISONS)}, such as `rating >= 4`"
        )
    column, comparison, value = match.groups()
    return LabelRule(column, comparison, float(value))


@dataclass(frozen=True)
class LogFile:
    """One file of a domain's log."""

    path: str
    day: int


def list_log_files(folder: Path, first_day: int, last_day: int) -> list[LogFile]:
    """Returns the log files of the days `first_day` to `last_day`, oldest first.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.

    Raises:
        DataError: The folder is missing or holds no dated partition.
    """
    if not folder.is_dir():
        raise DataError(
            f"there is no log folder {str(folder)!r}; expected "
            "<logs>/<domain>/date=YYYY-MM-DD/*.parquet; run `crossctr import`, or set "
            "`logs` in the configuration"
        )
    files = []
    dated = False
    for partition in sorted(folder.iterdir()):
        match = _DAY_FOLDER.match(partition.name)
        if match is None:
            continue
        dated = True
        day = to_day(datetime.date.fromisoformat(match.group(1)))
        if first_day <= day <= last_day:
            files += [
                LogFile(str(path), day) for path in sorted(partition.glob("*.parquet"))
            ]
    if not dated:
        raise DataError(
            f"{str(folder)!r} holds no folder named date=YYYY-MM-DD; expected one per "
            "day with Parquet files inside"
        )
    return files


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
    if feature.is_id:
        return pa.large_binary()
    return pa.int64() if feature.kind == "count" else pa.float32()


@dataclass(frozen=True)
class Converted:
    """What became of some rows of a log.

    Attributes:
        rows: Raw Examples of the rows that could be converted.
        bad_rows: Positions of the rows that could not, ascending.
        reasons: One reason per bad row.
    """

    rows: pa.Table
    bad_rows: list[int]
    reasons: list[str]


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
    columns = {
        LABEL: _wrap(_label(table, log, path, problems)),
        DAY: _wrap(days),
    }
    for feature in features.features:
        if feature.name == "domain" and feature.name not in log.columns:
            constant = pa.array([log.domain.encode()], pa.large_binary())
            columns["domain"] = _wrap(constant.take(_zeros(num_rows)))
            continue
        source = log.columns[feature.name]
        values = _column(table, source, path)
        if feature.kind == "ids":
            columns[feature.name] = _id_lists(values, source, path)
        elif feature.kind == "id":
            columns[feature.name] = _wrap(_ids(values, source, path))
        else:
            number = pa.int64() if feature.kind == "count" else pa.float64()
            read = _numbers(values, number, source, path, problems)
            columns[feature.name] = _wrap(read.cast(_value_type(feature)))
    schema = raw_schema(features)
    rows = pa.table([columns[name] for name in schema.names], schema=schema)
    bad, reasons = problems.found()
    if bad:
        keep = pc.invert(pc.is_in(pa.array(range(num_rows)), pa.array(bad)))
        rows = rows.filter(keep)
    return Converted(rows, bad, reasons)


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


def _zeros(count: int) -> pa.Array:
    return pa.array([0], pa.int64()).take(pa.nulls(count, pa.int64()).fill_null(0))


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


def _id_lists(values: pa.Array, name: str, path: str) -> pa.Array:
    if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
        raise _wrong_type(values, name, path, "a list of text or integers (ids)")
    lists = values.cast(pa.large_list(values.type.value_type))
    filled = pc.if_else(
        pc.is_null(lists), pa.scalar([], pa.large_list(values.type.value_type)), lists
    )
    flat = _ids(filled.flatten(), name, path)
    parents = pc.list_parent_indices(filled)
    kept = pc.is_valid(flat)
    return _lists_of(flat.filter(kept), parents.filter(kept), len(values))


def _lists_of(values: pa.Array, parents: pa.Array, num_rows: int) -> pa.Array:
    """Returns lists from flat `values` and the ascending row each belongs to."""
    lengths = np.bincount(parents.to_numpy(zero_copy_only=False), minlength=num_rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)


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
        text = pc.utf8_trim_whitespace(values.cast(pa.string()))
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        readable = pc.match_substring_regex(text, _NUMBER[kind])
        if not pc.any(readable).as_py() and text.null_count < len(text):
            raise _wrong_type(values, name, path, expected)
        problems.add(
            pc.fill_null(pc.invert(readable), False), f"{name} is not {expected}"
        )
        return pc.if_else(readable, text, pa.scalar(None, pa.string())).cast(kind)
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
    return _COMPARISONS[rule.comparison](numbers, rule.value).cast(pa.int64())


@dataclass(frozen=True)
class Shard:
    """A domain's log files that become one Parquet file of Examples."""

    domain: str
    index: int
    files: tuple[LogFile, ...]

    @property
    def file_name(self) -> str:
        """Name of the shard's Parquet file; the same at every attempt."""
        return f"data-{self.index:05d}.parquet"


def plan_shards(
    domain: str, files: Sequence[LogFile], sizes: Sequence[int], shard_bytes: int
) -> Iterator[Shard]:
    """Cuts a domain's files, in order, into shards of about `shard_bytes`."""
    group: list[LogFile] = []
    total = index = 0
    for file, size in zip(files, sizes, strict=True):
        if group and total + size > shard_bytes:
            yield Shard(domain, index, tuple(group))
            group, total, index = [], 0, index + 1
        group.append(file)
        total += size
    if group:
        yield Shard(domain, index, tuple(group))
