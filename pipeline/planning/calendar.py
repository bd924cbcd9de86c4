"""Clocks and windows of the levels: pure arithmetic.

A run of day D reads impressions and artifacts of days < D only; the target's
impressions from D on are its evaluation set.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.days import DayRange


@dataclass(frozen=True)
class LoggedWindow:
    """The days with logs of a window.

    Attributes:
        days: Those days.
        note: By how much the window is cut short; empty if it is not.
    """

    days: DayRange
    note: str = ""


@dataclass(frozen=True)
class Clock:
    """Schedule of a level: when it trains, and on which days.

    Attributes:
        every: Days between two trainings.
        window: Days of impressions that one training reads, ending the day before.
        anchor: A day on which the clock ticks.
    """

    every: int
    window: int
    anchor: int = 0

    def tick(self, day: int) -> int:
        """Returns the newest tick that is not after `day`.

        Example:
            >>> Clock(every=7, window=30, anchor=3).tick(16)
            10
        """
        return self.anchor + (day - self.anchor) // self.every * self.every

    def first_tick(self, day: int) -> int:
        """Returns the earliest tick that is not before `day`.

        Example:
            >>> Clock(every=7, window=30, anchor=3).first_tick(11)
            17
        """
        return self.tick(day + self.every - 1)

    def window_of(self, run_day: int) -> DayRange:
        """Returns the days that the training of `run_day` reads.

        Example:
            >>> Clock(every=1, window=3).window_of(10)
            DayRange(first=7, last=9)
        """
        return DayRange(run_day - self.window, run_day - 1)

    def logged_window(self, run_day: int, first_day: int) -> LoggedWindow:
        """Returns the days of `window_of` from the first day of logs on.

        Args:
            run_day: A day after `first_day`.
            first_day: First day of logs.

        Example:
            >>> Clock(every=1, window=3).logged_window(10, first_day=8).days
            DayRange(first=8, last=9)
        """
        window = self.window_of(run_day)
        if window.first >= first_day:
            return LoggedWindow(window)
        cut = DayRange(first_day, window.last)
        missing = len(window) - len(cut)
        return LoggedWindow(cut, f"window starts with the logs, {missing} days short")
