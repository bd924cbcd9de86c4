"""Arrival of logs: waiting for missing ones, and naming files that are not read."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

from components.log_example_gen.log_files import entries_of
from components.log_example_gen.log_files import existing_day_folders
from components.log_example_gen.log_files import is_log_file
from components.log_example_gen.unread_files import list_unread_files
from components.storage.places import Place
from models.days import DayRange
from models.days import to_date
from models.errors import CrossctrError
from models.errors import ExitCode
from models.errors import listed
from pipeline.config.schema import Config
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import duration


class LogsNotThereError(CrossctrError):
    """Logs that a run waited for did not come in time."""

    headline = "Logs not there yet"
    # EX_TEMPFAIL: schedulers take it for "try again later".
    exit_code = ExitCode.TRY_AGAIN


def unread_lines(
    config: Config, days: Iterable[DayRange], domains: Iterable[str]
) -> list[str]:
    """Returns a line for each domain with files that no ingest of `days` reads.

    Args:
        config: The configuration.
        days: Days of logs.
        domains: The domains to look at.

    Raises:
        DataError: A domain has no log folder, or it holds no dated partition.
    """
    lines = []
    days = merged(days)
    for domain in domains:
        found = [
            file
            for wanted in days
            for file in list_unread_files(
                config.logs / domain, wanted.first, wanted.last, config.wait.marker
            )
        ]
        if found:
            lines.append(f"{domain}: not read: {listed(dict.fromkeys(found))}")
    return lines


def merged(ranges: Iterable[DayRange]) -> list[DayRange]:
    """Returns the same days in as few ranges as possible, oldest first.

    Example:
        >>> merged([DayRange(1, 2), DayRange(5, 6), DayRange(3, 3)])
        [DayRange(first=1, last=3), DayRange(first=5, last=6)]
    """
    found: list[DayRange] = []
    for one in sorted(ranges, key=lambda days: days.first):
        if found and one.first <= found[-1].last + 1:
            last = max(found[-1].last, one.last)
            found[-1] = DayRange(found[-1].first, last)
        else:
            found.append(one)
    return found


def has_arrived(partition: Place | None, marker: str | None) -> bool:
    """Whether the log of a day has arrived.

    Args:
        partition: The day's folder; None if it does not exist.
        marker: File that marks the day complete; None to accept any log file.
    """
    if partition is None:
        return False
    if marker is not None:
        return (partition / marker).exists()
    return any(map(is_log_file, entries_of(partition)))


def awaited_logs(config: Config, days: Sequence[DayRange]) -> list[tuple[str, int]]:
    """Returns (domain, day) of the waiting domains' logs that have not arrived."""
    if not days:
        return []
    first, last = min(d.first for d in days), max(d.last for d in days)
    # A domain may have thousands of folders: each is listed once.
    folders = {
        domain: existing_day_folders(config.logs / domain, first, last)
        for domain, policy in config.missing_days.items()
        if policy == "wait"
    }
    return [
        (domain, day)
        for wanted in days
        for day in range(wanted.first, wanted.last + 1)
        for domain, by_day in folders.items()
        if not has_arrived(by_day.get(day), config.wait.marker)
    ]


def wait_for_logs(
    config: Config,
    days: Iterable[DayRange],
    console: Console,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Returns once every waiting domain has its logs of `days`.

    Args:
        config: Says which domains wait, for how long and for what sign.
        days: Days about to be ingested.
        console: Where it says what it is waiting for.
        sleep: Replaced in tests.
        clock: Replaced in tests; seconds.

    Returns:
        Whether it had to wait at all.

    Raises:
        LogsNotThereError: `wait.minutes` are over and logs are still missing.
    """
    days = list(days)
    missing = awaited_logs(config, days)
    if not missing:
        return False
    started = clock()
    limit = config.wait.minutes * 60
    console.say(
        f"Waiting for {_logs(missing)}; looking every {config.wait.poll_seconds:g} s "
        f"for at most {duration(limit)}"
    )
    while missing:
        left = limit - (clock() - started)
        if left <= 0:
            sign = config.wait.marker or "a log file"
            raise LogsNotThereError(
                f"{_logs(missing)} did not come within {config.wait.minutes:g} "
                f"minutes; expected {sign} in {config.logs}/<domain>/date=YYYY-MM-DD/. "
                "Nothing was ingested and the live model stays; run the same command "
                "again once they are there, raise `wait.minutes`, or let the domain "
                f"`skip` days in `missing_days`{_unread(config, missing)}"
            )
        sleep(min(config.wait.poll_seconds, left))
        missing = awaited_logs(config, days)
    console.print(f"All logs are there after {duration(clock() - started)}")
    return True


def _unread(config: Config, missing: list[tuple[str, int]]) -> str:
    """Returns the unread files in the folders of missing logs."""
    days_by_domain: dict[str, list[int]] = {}
    for domain, day in missing:
        days_by_domain.setdefault(domain, []).append(day)
    present = []
    for domain, days in days_by_domain.items():
        by_day = existing_day_folders(config.logs / domain, min(days), max(days))
        ranges = [DayRange(day, day) for day in days if day in by_day]
        present += unread_lines(config, ranges, [domain])
    return f"; {listed(present)}" if present else ""


def _logs(missing: list[tuple[str, int]]) -> str:
    names = listed(f"{domain} {to_date(day)}" for domain, day in missing)
    return f"the logs of {names}"
