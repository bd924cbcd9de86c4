"""Quarantine: rows that are set aside with file, position, reason and values."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.attempts import attempt_path
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.values import is_list
from components.log_example_gen.values import is_text
from components.log_example_gen.values import plain
from models.days import to_date

# Characters of a text that are kept; the log itself has the rest.
_MAX_CHARACTERS = 10_000
# Different reasons that are counted by shard and day; some hold a number of columns.
_MAX_REASONS = 100


class Quarantine:
    """Writes what is set aside of a shard, one file for each day.

    The files get their names when the context ends without an error.

    Attributes:
        counts: Rejected records by day.
        reasons: By day, how many records were rejected for which reason.
    """

    def __init__(self, folder: str, shard: Shard) -> None:
        """Writes nothing yet.

        Args:
            folder: The quarantine of all domains.
            shard: What is read.
        """
        self.counts: Counter[int] = Counter()
        self.reasons: dict[int, Counter[str]] = {}
        self._folder = Path(folder) / shard.domain
        self._name = f"{shard.index:05d}.jsonl"
        self._beside: dict[Path, Path] = {}

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        for path, beside in self._beside.items():
            if error is None:
                beside.replace(path)
            beside.unlink(missing_ok=True)

    def add(self, rejected: list[dict[str, Any]]) -> None:
        """Appends records.

        Args:
            rejected: Made by `rejection`.
        """
        by_day: dict[int, list[str]] = {}
        for row in rejected:
            by_day.setdefault(row["day"], []).append(json.dumps(row, default=str))
            reasons = self.reasons.setdefault(row["day"], Counter())
            if row["reason"] in reasons or len(reasons) < _MAX_REASONS:
                reasons[row["reason"]] += 1
        for day, lines in by_day.items():
            path = self._folder / str(to_date(day)) / self._name
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._beside.setdefault(path, attempt_path(path))
            with beside.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            self.counts[day] += len(lines)


def rejection(file: LogFile, row: int, reason: str, values: Any) -> dict[str, Any]:
    """Returns the entry of a record that is set aside.

    Args:
        file: Where it is from.
        row: Its position in the file.
        reason: Why it cannot be used.
        values: Its values by column, or its text; long ones are cut.
    """
    return {
        "file": file.path,
        "row": row,
        "day": file.day,
        "reason": reason,
        "values": _bounded(values),
    }


def row_values(table: pa.Table, row: int) -> dict[str, Any]:
    """Returns the values of a row by column, whatever its types and bytes are.

    Args:
        table: Rows of a log.
        row: Position of the row.
    """
    return {
        name: _value(table.column(name).slice(row, 1).combine_chunks())
        for name in table.column_names
    }


def _value(values: pa.Array) -> Any:
    """Returns the only value of an array; bytes become text."""
    if isinstance(values, pa.ChunkedArray):  # of one chunk, in some releases
        values = values.chunk(0)
    values = plain(values)
    kind = values.type
    if is_text(kind):
        raw = values.cast(pa.large_binary())[0].as_py()
        return None if raw is None else raw.decode("utf-8", "backslashreplace")
    if is_list(kind) and values[0].is_valid:
        inner = values[0].values
        return [_value(inner.slice(i, 1)) for i in range(len(inner))]
    try:
        return values[0].as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        # Such as a time beyond the year 9999, or text inside a struct.
        return f"a value of type {kind} that cannot be shown"


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MAX_CHARACTERS:
        return f"{value[:_MAX_CHARACTERS]}... ({len(value):,} characters)"
    if isinstance(value, dict):
        return {name: _bounded(entry) for name, entry in value.items()}
    return value
