"""Description of a domain's log: columns, times, label, missing days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from typing import Literal

from pydantic import BeforeValidator
from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.time_formats import DEFAULT_FORMAT
from components.log_example_gen.time_formats import parse_time_format
from models.days import to_day
from models.errors import ConfigError
from models.errors import shown
from models.strict_model import StrictModel
from models.written_date import Date

# Sixteen digits on either side: with more, other numbers would be compared.
_RULE = re.compile(r"\s*(\w+)\s*(>=|<=|==|>|<)\s*(-?[0-9]{1,16}(?:\.[0-9]{1,16})?)\s*")
COMPARISONS = (">=", "<=", "==", ">", "<")


# What a day without a log means: an outage, a log that is still to come, or a domain
# that has gaps. Files that arrive later make their block due again in each case.
MissingDays = Literal["fail", "wait", "skip"]


class TimeColumn(StrictModel):
    """A column that says when an impression was shown, in UTC.

    Attributes:
        column: The log's own column: text, numbers, timestamps or dates.
        format: How text and numbers are written, by the directives of strptime, or
            `epoch_seconds`, `epoch_milliseconds`, `epoch_microseconds`; timestamps
            and dates of Parquet need none.
    """

    column: str
    format: str = DEFAULT_FORMAT

    @field_validator("format")
    @classmethod
    def _check_format(cls, text: str) -> str:
        parse_time_format(text)
        return text


class ColumnSource(StrictModel):
    """Source of one feature: exactly one of `column` and `constant`.

    Attributes:
        column: The log's own column.
        constant: The same value in every row.
        separator: What separates the ids of a list that is written as one text.
        hour_of: Format of `column`, a time; the feature is its hour in UTC, `0` to
            `23`, for a feature of kind `id`.
        since: First day whose log has the column; before it the feature is missing.
        until: Last day whose log has the column; after it the feature is missing.
    """

    column: str | None = None
    constant: str | None = None
    separator: str | None = Field(default=None, min_length=1)
    hour_of: str | None = None
    since: Date | None = None
    until: Date | None = None

    @model_validator(mode="after")
    def _check(self) -> ColumnSource:
        if (self.column is None) == (self.constant is None):
            raise ValueError(
                f"give exactly one of `column` and `constant`; received {self.column!r}"
                f" and {self.constant!r}"
            )
        if self.hour_of is not None:
            if self.separator is not None or self.column is None:
                raise ValueError(
                    "`hour_of` needs `column` and goes with neither `constant` nor "
                    "`separator`; remove one of them"
                )
            if not parse_time_format(self.hour_of).has_hour:
                raise ValueError(
                    f"`hour_of` {self.hour_of!r} has no hour (%H); write the column's "
                    f"format, such as {DEFAULT_FORMAT}"
                )
        if self.since and self.until and self.until < self.since:
            raise ValueError(
                f"`until` {self.until} is before `since` {self.since}; swap them"
            )
        return self

    def lacks(self, day: int) -> bool:
        """Whether the log of `day`, days since 1970-01-01, has no such column."""
        early = self.since is not None and day < to_day(self.since)
        return early or (self.until is not None and day > to_day(self.until))


# In a configuration the bare name of a column will do.
Source = Annotated[
    ColumnSource,
    BeforeValidator(
        lambda v: {"column": v} if isinstance(v, str) else v,
        json_schema_input_type=str | ColumnSource,
    ),
]


class DomainLog(StrictModel):
    """Location of a domain's log and the mapping of its columns to the features.

    Attributes:
        domain: Name of the domain; also the value of the feature `domain`.
        folder: Folder of `date=YYYY-MM-DD/` partitions.
        columns: Where each canonical feature comes from; None where the domain lacks
            it, which is then missing in every row.
        timestamp: Time of the impression, if the log has one: its date must be that of
            the folder.
        label: Label rule, see `parse_label_rule`.
        missing_days: What days without a log mean, see `MissingDays`.
        marker: Name of the file that says a day is complete; no log file itself.
        csv: How its CSV files are written.
    """

    domain: str
    folder: str
    columns: dict[str, Source | None]
    timestamp: TimeColumn | None = None
    label: str
    missing_days: MissingDays = "fail"
    marker: str | None = None
    csv: CsvDialect = CsvDialect()


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
    match = _RULE.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"label rule {shown(text)} cannot be read; expected `<column> <comparison> "
            f"<number>` with one of {', '.join(COMPARISONS)} and at most 16 digits on "
            "either side of the point, such as `rating >= 4`"
        )
    column, comparison, value = match.groups()
    return LabelRule(column, comparison, float(value))
