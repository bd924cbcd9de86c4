"""Days: the first day of logs, the day of the first run, and gaps."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass

from components.gate.thresholds import GateThresholds
from models.days import to_date

# Impressions and clicks of an evaluation, at least: twice what the Gate wants.
_GATE = GateThresholds()
_ROWS, _CLICKS = 2 * _GATE.min_examples, 2 * _GATE.min_clicks
# Part of the days that may be evaluation.
_MOST = 4


@dataclass(frozen=True)
class Calendar:
    """Days of a first run.

    Attributes:
        first_day: First day of logs, days since 1970-01-01.
        run_day: Day of the first run, whose evaluation ends with the logs.
        evaluation_days: Days of the target that the run evaluates on.
        reason: Why so many.
        check: What to look at; empty where the guess is sure.
        gaps: By domain, why `missing_days` has to be `skip`.
    """

    first_day: int
    run_day: int
    evaluation_days: int
    reason: str
    check: str
    gaps: Mapping[str, str]


def guess_calendar(
    days: Mapping[str, Collection[int]], target: str, rows: int, click_rate: float
) -> Calendar:
    """Returns the days of a first run.

    Args:
        days: Days with a log by domain, days since 1970-01-01.
        target: The target.
        rows: Impressions of the target's log.
        click_rate: Share of clicks among them.
    """
    first = min(min(known) for known in days.values())
    last = max(days[target])
    num_days = last - first + 1
    a_day = rows / max(len(days[target]), 1)
    rarer = min(click_rate, 1 - click_rate)
    wanted = max(_ROWS / max(a_day, 1e-9), _CLICKS / max(a_day * rarer, 1e-9))
    most = max(num_days // _MOST, 1)
    evaluation = min(max(int(-(-wanted // 1)), 1), most)
    expected = a_day * evaluation
    reason = (
        f"about {expected:,.0f} impressions of {target}, {expected * rarer:,.0f} of "
        "the rarer label"
    )
    check = ""
    if expected < _GATE.min_examples or expected * rarer < _GATE.min_clicks:
        check = (
            f"the Gate wants {_GATE.min_examples} impressions and {_GATE.min_clicks} "
            "of each label: more days of logs, or lower `gate.min_examples` and "
            "`gate.min_clicks`, and read the intervals"
        )
    every = set(range(first, last + 1))
    gaps = {
        domain: _gap(sorted(every - set(known)))
        for domain, known in days.items()
        if every - set(known)
    }
    return Calendar(first, last - evaluation + 1, evaluation, reason, check, gaps)


def _gap(missing: list[int]) -> str:
    return f"{len(missing):,} days without a log, the first {to_date(missing[0])}"
