"""Accounts of an ingest: every row is written or set aside, and no day is empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.problems import columns_in
from models.artifact_files import split_folder
from models.data.arrow_files import pq
from models.days import to_date
from models.errors import DataError
from models.errors import listed
from models.progress import PROGRESS

# Reasons that an error shows; the quarantine has them all.
_SHOWN_REASONS = 3


@dataclass(frozen=True)
class Limits:
    """Limits on bad rows and files.

    Attributes:
        max_bad_share: Share of a domain's rows that may be quarantined.
        quarantine: Folder of the quarantine, for error messages.
    """

    max_bad_share: float
    quarantine: Path


@dataclass
class _Account:
    """Counts of one domain over all shards and days."""

    read: int = 0
    written: int = 0
    quarantined: int = 0
    clicks: int = 0
    cut: int = 0
    line_breaks: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    read_by_day: Counter[int] = field(default_factory=Counter)
    # By column, then by day: a file without it, and the file's columns.
    lacking: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def add(self, count: dict[str, Any]) -> None:
        """Adds the counts of a shard and day, see `WriteShard`."""
        for name in ("read", "written", "quarantined", "clicks", "cut", "line_breaks"):
            setattr(self, name, getattr(self, name) + count[name])
        self.reasons.update(count["reasons"])
        self.read_by_day[count["day"]] += count["read"]
        for column, file in count["lacking"].items():
            self.lacking.setdefault(column, {}).setdefault(count["day"], file)


def check_accounts(
    counts: Iterable[dict[str, Any]],
    shards: Sequence[Shard],
    logs: Sequence[DomainLog],
    uri: Path,
    limits: Limits,
) -> int:
    """Checks that read = written + quarantined and returns the rows written.

    The counts come through the Beam pipeline; the number of rows in the files does not,
    so a runner that loses elements is found out.

    Args:
        counts: What `WriteShard` reported.
        shards: What was to be read.
        logs: All domains.
        uri: The Examples.
        limits: What is accepted.

    Raises:
        DataError: Rows are unaccounted for, a day has log files without a row though
            its domain may not skip days, a column is missing, or too many rows of a
            domain are bad.
    """
    accounts = {log.domain: _Account() for log in logs}
    reported = set()
    for count in counts:
        accounts[count["domain"]].add(count)
        reported.add((count["domain"], count["shard"]))
    for log in logs:
        account = accounts[log.domain]
        mine = [shard for shard in shards if shard.domain == log.domain]
        unreported = [
            shard.file_name
            for shard in mine
            if shard.files and (shard.domain, shard.index) not in reported
        ]
        _check_sums(log.domain, account, uri, unreported)
        if not any(shard.files for shard in mine):
            PROGRESS.info(f"{log.domain}: no log file on these days, skipped")
            continue
        _check_days(log, account)
        _check_columns(log.domain, account)
        if account.read:
            PROGRESS.info(_line(log.domain, account))
            _check_share(log.domain, account, limits)
    return sum(account.written for account in accounts.values())


def _check_sums(
    domain: str, account: _Account, uri: Path, unreported: list[str]
) -> None:
    on_disk = sum(
        pq.read_metadata(path).num_rows
        for path in sorted((uri / split_folder(domain)).glob("*.parquet"))
    )
    accounted = account.written + account.quarantined
    if on_disk != account.written or account.read != accounted:
        lost = f" (no report of {', '.join(unreported)})" if unreported else ""
        raise DataError(
            f"domain {domain!r}: {account.read:,} rows read, {on_disk:,} on disk, "
            f"{account.quarantined:,} quarantined; the three do not add up{lost}"
            "; the Beam runner lost rows; set `--direct_running_mode=in_memory` in "
            "beam_args"
        )


def _check_days(log: DomainLog, account: _Account) -> None:
    """Raises `DataError` for days of empty files, unless the domain may skip days."""
    empty = sorted(day for day, read in account.read_by_day.items() if not read)
    if not empty:
        return
    days = listed(map(to_date, empty))
    if log.missing_days == "skip":
        PROGRESS.warning(f"{log.domain}: log files without a row on {days}, skipped")
        return
    raise DataError(
        f"domain {log.domain!r} has log files but no row in them on {days}; expected "
        "at least one impression; check what writes the log, or let the domain skip "
        f"days: `missing_days: {{{log.domain}: skip}}`"
    )


def _check_columns(domain: str, account: _Account) -> None:
    """Raises `DataError` for missing columns, but not for those that came later.

    A column that no file has is a slip in the configuration, and one that is gone an
    outage of what writes it. One that is there from some day on is a new one.
    """
    for column, by_day in account.lacking.items():
        have = [
            day
            for day, read in account.read_by_day.items()
            if read and day not in by_day
        ]
        if have and max(by_day) < min(have):
            since = to_date(min(have))
            PROGRESS.warning(
                f"{domain}: no column {column!r} before {since}, so its feature is "
                f"missing there; to say so write `since: {since}` in `columns`"
            )
            continue
        day = max(by_day)
        file, *columns = by_day[day]
        raise DataError(
            f"{file} has no column {column!r}; it has {columns_in(columns)}; map "
            "the feature to one of these in `columns`, give the column `since` or "
            "`until` if the log has it on some days only, or fix the log"
        )


def _line(domain: str, account: _Account) -> str:
    """Returns the line of a domain in the run's output."""
    parts = [f"{account.read:,} rows read", f"{account.quarantined:,} quarantined"]
    if account.cut:
        parts.append(f"lists cut to max_length in {account.cut:,}")
    if account.line_breaks:
        parts.append(f"{account.line_breaks:,} line breaks inside quoted values")
    parts.append(click_rate(account.clicks, account.written))
    return f"{domain}: {', '.join(part for part in parts if part)}"


def click_rate(clicks: int, rows: int) -> str:
    """Returns the click rate in words; a rate of 0 or 1 teaches a model nothing.

    Example:
        >>> click_rate(0, 1200)
        'no click in 1,200 rows'
    """
    if not rows:
        return ""
    if clicks == 0:
        return f"no click in {rows:,} rows"
    if clicks == rows:
        return f"no row without a click in {rows:,} rows"
    return f"click rate {clicks / rows:.2%}"


def _check_share(domain: str, account: _Account, limits: Limits) -> None:
    share = account.quarantined / account.read
    if share <= limits.max_bad_share:
        return
    common = "; ".join(
        f"{number:,} rows: {reason}"
        for reason, number in account.reasons.most_common(_SHOWN_REASONS)
    )
    raise DataError(
        f"domain {domain!r}: {account.quarantined:,} of {account.read:,} rows "
        f"({share:.1%}) cannot be read, allowed are {limits.max_bad_share:.1%}; the "
        f"commonest reasons are: {common}; see {limits.quarantine / domain} for the "
        "rows, mend the log or raise `max_bad_share`"
    )
