"""Waiting for logs: for which, how long, and the messages."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.days import DayRange
from models.days import to_date
from pipeline.config.sections import WaitConfig
from pipeline.execution.arrivals import LogsNotThereError
from pipeline.execution.arrivals import awaited_logs
from pipeline.execution.arrivals import merged
from pipeline.execution.arrivals import unread_lines
from pipeline.execution.arrivals import wait_for_logs
from pipeline.terminal.plain_text import Console

DAYS = [DayRange(10, 11)]


@pytest.fixture
def config(tmp_path):
    """Domain `jp` waits, `uk` does not; only `jp`'s first day is there."""
    put(tmp_path, "jp", 10)
    return SimpleNamespace(
        logs=tmp_path,
        missing_days={"jp": "wait", "uk": "skip"},
        wait=WaitConfig(minutes=10, poll_seconds=60),
    )


def put(logs: Path, domain, day, name="part.csv"):
    path = logs / domain / f"date={to_date(day)}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


class Clock:
    """A clock that only sleeping moves; `at` says what happens at which second."""

    def __init__(self, at):
        self.now, self._at = 0.0, at

    def sleep(self, seconds):
        self.now += seconds
        for second in [s for s in self._at if s <= self.now]:
            self._at.pop(second)()

    def __call__(self):
        return self.now


def wait(config, at=None):
    """Returns whether it waited, the seconds passed, and what was printed."""
    clock = Clock(at or {})
    console = Console(width=500, record=True, file=io.StringIO())
    waited = wait_for_logs(config, DAYS, console, clock.sleep, clock)
    return waited, clock.now, console.export_text()


def test_only_waiting_domains_are_awaited(config):
    assert awaited_logs(config, DAYS) == [("jp", 11)]


def test_files_that_are_no_logs_do_not_count(config):
    put(config.logs, "jp", 11, "_temporary")
    assert awaited_logs(config, DAYS) == [("jp", 11)]


def test_a_marker_counts_instead_of_files(config):
    config.wait = WaitConfig(marker="_SUCCESS")
    put(config.logs, "jp", 11)
    assert awaited_logs(config, DAYS) == [("jp", 10), ("jp", 11)]
    put(config.logs, "jp", 11, "_SUCCESS")
    assert awaited_logs(config, DAYS) == [("jp", 10)]


def test_nothing_is_said_when_all_is_there(config):
    put(config.logs, "jp", 11)
    assert wait(config) == (False, 0.0, "")


def test_it_goes_on_as_soon_as_the_log_is_there(config):
    waited, seconds, shown = wait(config, {150: lambda: put(config.logs, "jp", 11)})
    assert (waited, seconds) == (True, 180)
    assert "Waiting for the logs of jp 1970-01-12; looking every 60 s" in shown
    assert "at most 10:00 min" in shown
    assert "All logs are there after 3:00 min" in shown


def test_it_gives_up_with_what_is_missing_and_the_code_for_later(config):
    with pytest.raises(LogsNotThereError, match="jp 1970-01-12 did not come within 10"):
        wait(config)
    assert LogsNotThereError.exit_code == 75


def test_what_is_there_and_not_read_is_named_when_it_gives_up(config):
    put(config.logs, "jp", 11, "part-0.parq")
    with pytest.raises(LogsNotThereError, match=r"not read: .*part-0\.parq \(rename"):
        wait(config)


def test_files_that_are_not_read_are_named_by_domain(config):
    put(config.logs, "jp", 10, "part-1.xls")
    put(config.logs, "uk", 12, "part-1.csv")
    put(config.logs, "uk", 12, "_SUCCESS")
    (line,) = unread_lines(config, DAYS, ["jp", "uk"])
    assert line.startswith("jp: not read: date=1970-01-11/part-1.xls (none of")
    config.wait = WaitConfig(marker="part-1.xls")
    assert unread_lines(config, DAYS, ["jp", "uk"]) == []


def test_a_limit_of_nothing_does_not_wait(config):
    config.wait = WaitConfig(minutes=0)
    with pytest.raises(LogsNotThereError):
        wait(config)


def test_ranges_of_days_that_touch_are_one():
    one, two, three = DayRange(1, 2), DayRange(5, 6), DayRange(3, 3)
    assert merged([two, one, three]) == [DayRange(1, 3), two]
    assert merged([DayRange(1, 9), one]) == [DayRange(1, 9)]
    assert merged([]) == []
