"""How a domain's log is described: columns, times, label, missing days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from typing import Literal
from typing import NamedTuple

from pydantic import BeforeValidator
from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from components.log_example_gen.csv_dialect import CsvDialect
from models.errors import ConfigError
from models.strict_model import StrictModel

_RULE = re.compile(r"^\s*(\w+)\s*(>=|<=|==|>|<)\s*(-?\d+(?:\.\d+)?)\s*$")
# In the raw Examples: by domain and date, the hash of the log files that went in.
COMPARISONS = (">=", "<=", "==", ">", "<")


# What a day without a log means: an outage, a log that is still to come, or a domain
# that has gaps. Files that arrive later make their block due again in each case.
MissingDays = Literal["fail", "wait", "skip"]


class TimeColumn(StrictModel):
    """A column that says when an impression was shown, in UTC.

    Attributes:
        column: The log's own column: text or integers.
        format: How it is written: `YYYY`, `MM`, `DD`, `HH`, `mm` and `ss` stand for
            their digits, anything else for itself. `YYYYMMDDHHMM` of minute logs may be
            written with capitals: a second `MM` after `HH` means minutes.
    """

    column: str
    format: str = "YYYYMMDDHHMM"

    @field_validator("format")
    @classmethod
    def _check_format(cls, text: str) -> str:
        parse_time_format(text)
        return text


class ColumnSource(StrictModel):
    """Where one feature comes from; exactly one of `column` and `constant`.

    Attributes:
        column: The log's own column.
        constant: The same value in every row.
        separator: What separates the ids of a list that is written as one text.
        hour_of: Format of `column`, a time; the feature is its hour, `0` to `23`, for
            a feature of kind `id`.
    """

    column: str | None = None
    constant: str | None = None
    separator: str | None = Field(default=None, min_length=1)
    hour_of: str | None = None

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
            if "HH" not in self.hour_of:
                raise ValueError(
                    f"`hour_of` {self.hour_of!r} has no HH; write the column's format, "
                    "such as YYYYMMDDHHMM"
                )
            parse_time_format(self.hour_of)
        return self


# In a configuration the bare name of a column will do.
Source = Annotated[
    ColumnSource,
    BeforeValidator(lambda v: {"column": v} if isinstance(v, str) else v),
]


class TimeFormat(NamedTuple):
    """A time format in the two languages that Arrow understands.

    Attributes:
        pattern: Regular expression that a well-formed time matches.
        strptime: Format for `strptime`, which alone would take `2022-6-3` for a time.
    """

    pattern: str
    strptime: str


def parse_time_format(text: str) -> TimeFormat:
    """Parses a time format such as `YYYYMMDDHHMM`.

    Example:
        >>> parse_time_format("YYYYMMDDHHMM").strptime
        '%Y%m%d%H%M'

    Raises:
        ValueError: The format lacks year, month or day, or names a part twice.
    """
    directives = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M"}
    directives["ss"] = "%S"
    pattern = strptime = ""
    seen: list[str] = []
    position = 0
    while position < len(text):
        token = next((t for t in directives if text.startswith(t, position)), None)
        if token is None:
            pattern += re.escape(text[position])
            strptime += text[position].replace("%", "%%")
            position += 1
            continue
        # Minute logs are often said to be YYYYMMDDHHMM.
        minute = token == "MM" and "%H" in seen
        seen.append("%M" if minute else directives[token])
        pattern += rf"\d{{{len(token)}}}"
        strptime += seen[-1]
        position += len(token)
    if not {"%Y", "%m", "%d"} <= set(seen) or len(set(seen)) < len(seen):
        raise ValueError(
            f"time format {text!r} cannot be used; expected YYYY, MM and DD once each, "
            "then HH, MM (or mm) and ss at most once, such as YYYYMMDDHHMM"
        )
    return TimeFormat(f"^{pattern}$", strptime)


class DomainLog(StrictModel):
    """Where a domain's log lies and how its columns map to the canonical features.

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
    match = _RULE.match(text)
    if match is None:
        raise ConfigError(
            f"label rule {text!r} cannot be read; expected `<column> <comparison> "
            f"<number>` with one of {', '.join(COMPARISONS)}, such as `rating >= 4`"
        )
    column, comparison, value = match.groups()
    return LabelRule(column, comparison, float(value))
