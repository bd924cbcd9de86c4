"""What some rows of a domain's log say about its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import numpy as np

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.file_names import format_of
from models.days import to_date
from models.errors import DataError
from models.errors import listed
from pipeline.guessing.column import Column
from pipeline.guessing.dialect import guess_delimiter
from pipeline.guessing.dialect import guess_nulls
from pipeline.guessing.kinds import Kind
from pipeline.guessing.kinds import guess_kind
from pipeline.guessing.labels import Label
from pipeline.guessing.labels import guess_label
from pipeline.guessing.leaks import says_label
from pipeline.guessing.log_folders import DomainLogs
from pipeline.guessing.matching import LogColumn
from pipeline.guessing.sample import Sample
from pipeline.guessing.sample import count_ids
from pipeline.guessing.sample import read_sample
from pipeline.guessing.sides import guess_key
from pipeline.guessing.sides import guess_side
from pipeline.guessing.times import Times
from pipeline.guessing.times import find_times
from pipeline.guessing.times import times_of

# What the CSV reader calls the second of two columns with one name.
_SECOND = re.compile(r"(.+) \(\d+\)")
# Share of rows whose day must be that of their folder.
_SAME_DAY = 0.99


@dataclass(frozen=True)
class Named:
    """Columns that the user named for a domain; None where it is to be guessed.

    Attributes:
        label: A column or a rule.
        time: A column.
        user: A column.
        item: A column.
    """

    label: str | None = None
    time: str | None = None
    user: str | None = None
    item: str | None = None


@dataclass(frozen=True)
class DomainGuess:
    """Guesses about a domain's log.

    Attributes:
        logs: Its files.
        dialect: How its CSV files are written.
        sample: Rows that were read.
        times: The column with the impression's time, if there is one.
        label: What a click is.
        user: The column that names users.
        user_reason: Why.
        item: The column that names items.
        item_reason: Why.
        columns: All other columns; those of kind `""` are left out.
        notes: What was found odd, in words.
    """

    logs: DomainLogs
    dialect: CsvDialect
    sample: Sample
    times: Times | None
    label: Label
    user: str
    user_reason: str
    item: str
    item_reason: str
    columns: tuple[LogColumn, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The domain."""
        return self.logs.name

    @property
    def days(self) -> list[int]:
        """Days with a log, by the folders or by the times of the rows read."""
        if self.logs.dated:
            return sorted({file.day for file in self.logs.files})
        known = [] if self.times is None else np.unique(self.times.days).tolist()
        return [day for day in known if day >= 0]

    @property
    def has_all_days(self) -> bool:
        """Whether `days` are all days of the log, not those of a part of its rows."""
        return self.logs.dated or self.sample.is_complete

    @property
    def click_rate(self) -> float:
        """Share of clicks in the rows read."""
        return float(self.label.clicks.mean()) if self.sample.rows else 0.0

    def named(self) -> Named:
        """Returns the roles that were guessed, to look again without guessing them."""
        time = None if self.times is None else self.times.column
        return Named(self.label.rule, time, self.user, self.item)


def look_at(logs: DomainLogs, named: Named) -> DomainGuess:
    """Reads some rows of a domain's log and guesses what its columns are.

    Args:
        logs: The domain's files.
        named: What the user named.

    Raises:
        DataError: The log has no rows, or no column looks like one that is needed.
    """
    dialect, sample = _read(logs)
    columns, twice = _without_twins(sample.columns)
    notes = [
        f"{name} stands twice in the header: neither column is read" for name in twice
    ]
    times = _times(logs, columns, named.time)
    if times is not None and logs.dated and not _fits_folders(times, sample):
        day = to_date(int(sample.days[0]))
        notes.append(
            f"{times.column} has other days than the folders (look at {day}): it is "
            "not checked against them; are they days of another time zone?"
        )
        times = None if named.time is None else times
    rest = {
        name: column
        for name, column in columns.items()
        if times is None or name != times.column
    }
    label = guess_label(logs.name, rest, named.label)
    rest.pop(label.column)
    kinds = {name: guess_kind(column) for name, column in rest.items()}
    user, user_reason = guess_key(logs.name, "user", rest, kinds, named.user)
    item, item_reason = guess_key(logs.name, "item", rest, kinds, named.item, [user])
    sided = {name: rest[name] for name in rest if name not in (user, item)}
    described = [
        LogColumn(logs.name, rest[user], _as_id(kinds[user]), "user"),
        LogColumn(logs.name, rest[item], _as_id(kinds[item]), "item"),
        *_described(logs, sided, kinds, label, rest[user], rest[item], sample),
    ]
    return DomainGuess(
        logs,
        dialect,
        sample,
        times,
        label,
        user,
        user_reason,
        item,
        item_reason,
        tuple(_counted(logs, described, sample)),
        tuple(notes),
    )


def _counted(
    logs: DomainLogs, columns: Sequence[LogColumn], sample: Sample
) -> list[LogColumn]:
    """Returns the columns; those of single ids with what many more rows have."""
    names = [column.column.name for column in columns if column.kind.kind == "id"]
    seen = {} if sample.is_complete or not logs.dated else count_ids(logs.files, names)
    return [
        replace(column, seen=seen[column.column.name])
        if column.column.name in seen
        else column
        for column in columns
    ]


def _read(logs: DomainLogs) -> tuple[CsvDialect, Sample]:
    first = logs.files[0].path
    dialect = CsvDialect(delimiter=guess_delimiter(first))
    sample = read_sample(logs.files, dialect)
    if format_of(first) == ".csv":
        nulls = guess_nulls(sample.columns.values())
        if nulls:
            dialect = dialect.model_copy(update={"null_values": nulls})
            sample = read_sample(logs.files, dialect)
    if not sample.rows:
        raise DataError(
            f"the log of {logs.name!r}, {str(logs.path)!r}, has no rows; expected the "
            "names of the columns and a row for each impression"
        )
    if len(sample.columns) == 1:
        name = next(iter(sample.columns))
        raise DataError(
            f"the log of {logs.name!r}, {str(logs.path)!r}, has one column, {name!r}; "
            "expected the user, the item, a click and, unless there is a folder for "
            "each day, the time, separated by one of , ; | or tabs"
        )
    return dialect, sample


def _without_twins(
    columns: Mapping[str, Column],
) -> tuple[dict[str, Column], list[str]]:
    """Returns the columns whose names stand once in a header, and the other names."""
    seconds = {
        name: match[1]
        for name in columns
        if (match := _SECOND.fullmatch(name)) and match[1] in columns
    }
    twice = sorted(set(seconds.values()))
    kept = {
        name: column
        for name, column in columns.items()
        if name not in seconds and name not in twice
    }
    return kept, twice


def _times(
    logs: DomainLogs, columns: Mapping[str, Column], given: str | None
) -> Times | None:
    if given is not None:
        if given not in columns:
            raise DataError(
                f"--time {given!r} is not a column of {logs.name!r}; expected one of "
                f"{listed(columns, first=40)}"
            )
        times = times_of(columns[given])
        if times is None:
            raise DataError(
                f"the column {given!r} of {logs.name!r} holds no times that are read, "
                f"such as {listed(columns[given].present[:3])}; expected seconds or "
                "milliseconds since 1970, or text such as 2024-02-26 12:30:00"
            )
        return times
    found = find_times(columns.values())
    if found:
        return found[0]
    if logs.dated:
        return None
    raise DataError(
        f"no column of {logs.name!r} says when an impression was shown; looked at "
        f"{listed(columns, first=40)}; name it, `--time {logs.name}=COLUMN`, or put "
        "the files of each day into a folder date=YYYY-MM-DD"
    )


def _fits_folders(times: Times, sample: Sample) -> bool:
    return float((times.days == sample.days).mean()) >= _SAME_DAY


def _as_id(kind: Kind) -> Kind:
    return Kind("id", kind.reason)


def _described(
    logs: DomainLogs,
    columns: Mapping[str, Column],
    kinds: Mapping[str, Kind],
    label: Label,
    user: Column,
    item: Column,
    sample: Sample,
) -> list[LogColumn]:
    """Returns the columns that may be features, with their sides."""
    days = sample.days.tolist()
    users, items = (
        [
            None if text is None else f"{text} {day}"
            for text, day in zip(key.texts, days, strict=True)
        ]
        for key in (user, item)
    )
    found = []
    for name, column in columns.items():
        kind = kinds[name]
        if kind.kind:
            kind = _usable(logs, column, kind, label)
        side, reason = (None, "")
        if kind.kind:
            side, reason = guess_side(column, kind.kind, users, items)
        found.append(LogColumn(logs.name, column, kind, side, reason))
    return found


def _usable(logs: DomainLogs, column: Column, kind: Kind, label: Label) -> Kind:
    """Returns the kind; none for a column that a model must not or cannot read."""
    leak = says_label(column, label.clicks)
    if leak:
        return Kind("", leak, "is it known before the impression is shown?")
    if times_of(column) is not None and _is_time(column):
        return Kind("", "times, which no kind of feature reads", "its age in days can")
    if kind.is_json and logs.dated:
        return Kind("", f"{kind.reason}, which are not read: write them with `|`")
    if kind.is_json:
        # Laying the log out by day makes lists of them.
        return replace(kind, is_json=True, separator=None)
    return kind


def _is_time(column: Column) -> bool:
    return column.numbers is None or bool(find_times([column]))
