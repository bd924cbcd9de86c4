"""Late logs: files that arrived or changed after their day was ingested.

A late domain-day makes its block due again, and with it every later block, whose
vocabulary extends it. A run of day D ingests again what D needs; earlier runs that used
the former version are listed for the user to repeat, never repeated automatically.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.artifact_files import LOG_DAYS_FILE
from models.days import DayRange
from models.days import to_date
from models.days import to_day
from models.errors import listed
from pipeline.planning.accepted import AcceptedLogs
from pipeline.planning.planner import Planner
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.reader import Store

LogDays = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class LateLog:
    """A domain-day whose log files differ from those that were ingested.

    Attributes:
        domain: The domain.
        day: Days since 1970-01-01.
        what: `arrived`, `changed` or `gone`.
    """

    domain: str
    day: int
    what: str

    def __str__(self) -> str:
        return f"{self.domain} {to_date(self.day)} {self.what}"


@dataclass(frozen=True)
class Ingested:
    """Log files that the stored blocks were made from.

    Attributes:
        days: All days of the stored blocks.
        files: By domain and day, the hash of the log files; the newest block's where
            several hold a day.
    """

    days: frozenset[int]
    files: LogDays


def ingested(store: Store) -> Ingested:
    """Reads which log files the stored blocks were made from; newer versions count."""
    accepted = AcceptedLogs(store.root)
    days: set[int] = set()
    files: dict[str, dict[int, str]] = {}
    for stored in store.artifacts("Examples"):
        if stored.properties.get("role") != "raw":
            continue
        path = Path(stored.uri) / LOG_DAYS_FILE
        if not path.exists():  # written by a version that did not keep it
            continue
        block = range(stored.first_day, stored.last_day + 1)
        days.update(block)
        for domain, found in json.loads(path.read_text(encoding="utf-8")).items():
            known = files.setdefault(domain, {})
            for day in block:
                known.pop(day, None)
            for date, hashed in found.items():
                day = _day(date)
                known[day] = accepted.as_ingested(domain, day, hashed)
    return Ingested(frozenset(days), files)


def late_logs(before: Ingested, now: LogDays, days: DayRange) -> list[LateLog]:
    """Returns the domain-days whose logs differ from the ingested ones.

    Args:
        before: The ingested log files.
        now: By domain and day, the hash of today's log files.
        days: Days to compare; days that no block holds are new, not late.
    """
    late = []
    for domain in sorted(now):
        former, current = before.files.get(domain, {}), now[domain]
        for day in range(days.first, days.last + 1):
            if day not in before.days or former.get(day) == current.get(day):
                continue
            if day not in current:
                what = "gone"
            else:
                what = "changed" if day in former else "arrived"
            late.append(LateLog(domain, day, what))
    return sorted(late, key=lambda log: (log.day, log.domain))


def explain(steps: Sequence[Step], before: Ingested, now: LogDays) -> list[Step]:
    """Returns `steps` with the reason noted at each block that is ingested again."""
    explained = []
    for step in steps:
        again = range(step.days.first, step.days.last + 1)
        if (
            step.kind == StepKind.INGEST
            and not step.done
            and before.days.intersection(again)
        ):
            late = late_logs(before, now, step.days)
            reason = (
                f"logs came late: {listed(late)}"
                if late
                else "an earlier block, the configuration or the code has changed"
            )
            note = f"{step.note}; " * bool(step.note) + f"again, as {reason}"
            step = dataclasses.replace(step, note=note)
        explained.append(step)
    return explained


def runs_to_repeat(
    store: Store, planner: Planner, late: Sequence[LateLog], before_day: int
) -> list[tuple[int, str]]:
    """Returns (day, strategy) of finished runs that used a former version of `late`.

    Args:
        store: The stored artifacts.
        planner: Plans the runs, which says whether a result is up to date.
        late: The late logs.
        before_day: Runs of this day and later are left out.
    """
    if not late:
        return []
    first = min(log.day for log in late)
    finished = {
        (stored.last_day + 1, str(stored.properties.get("strategy", "")))
        for stored in store.artifacts("GateDecision")
        if first < stored.last_day + 1 < before_day
    }
    return [
        (day, strategy)
        for day, strategy in sorted(finished)
        # An entry of that time may be gone, or have belonged to a comparison.
        if planner.knows(strategy) and not planner.run(day, [strategy])[-1].done
    ]


def _day(date: str) -> int:
    return to_day(datetime.date.fromisoformat(date))
