"""Data quality: impressions by domain and day, quarantine, drift."""

from __future__ import annotations

import datetime
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.guard.logic import largest
from models.artifact_files import ACCOUNTING_FILE
from models.artifact_files import GUARD_FILE
from models.days import DayRange
from models.days import to_day
from pipeline.report.charts import Point
from pipeline.report.charts import Series
from pipeline.report.files import read_json
from pipeline.report.periods import describe
from pipeline.report.periods import periods
from pipeline.report.periods import sums
from pipeline.store.reader import Store
from pipeline.store.reader import Stored

# Distances of older blocks are in the reports of the runs that ingested them.
_MOST_BLOCKS = 5
_COUNTS = ("read", "written", "quarantined", "cut")


@dataclass(frozen=True)
class DomainRows:
    """Log rows of a domain over all blocks of a run.

    Attributes:
        domain: The domain.
        read: Rows read from logs.
        written: Rows written as Examples.
        quarantined: Rows written into the quarantine.
        cut: Lists longer than `max_length`, which were truncated.
    """

    domain: str
    read: int
    written: int
    quarantined: int
    cut: int


@dataclass(frozen=True)
class Distance:
    """Distance between two distributions of a feature.

    Attributes:
        value: The distance.
        measure: TFDV's name of the measure.
        threshold: Largest allowed distance; None if it is only reported.
    """

    value: float
    measure: str
    threshold: float | None

    @property
    def too_far(self) -> bool:
        """Whether the distance exceeds its threshold."""
        return self.threshold is not None and self.value > self.threshold


@dataclass(frozen=True)
class Distances:
    """Distances of one kind in one block, by feature and domain.

    Attributes:
        key: `drift` (from the previous block) or `domain_distance` (from the target).
        domains: Columns of the table.
        features: Lines of the table.
        cells: Distance by (feature, domain).
        largest: Domain, feature and value of the largest distance that has enough rows
            on both sides, if any.
    """

    key: str
    domains: tuple[str, ...]
    features: tuple[str, ...]
    cells: Mapping[tuple[str, str], Distance]
    largest: tuple[str, str, float] | None


@dataclass(frozen=True)
class BlockQuality:
    """Measurements of the Guard in one block.

    Attributes:
        days: Days of the block.
        previous: Days of the block compared with; empty for the first.
        drift: Distances from the previous block; None if there are none.
        from_target: Distances from the target; None if there are none.
    """

    days: str
    previous: str
    drift: Distances | None
    from_target: Distances | None


@dataclass(frozen=True)
class Quality:
    """Data quality of a run's blocks.

    Attributes:
        rows: Totals by domain.
        written: Impressions over time, a line per domain.
        quarantined: Share of the rows read that is in the quarantine, over time.
        point: Period of one point of these two, in words.
        blocks: Measurements of the Guard in the newest blocks, newest first.
        reasons: By domain, the most frequent reasons for the quarantine, with counts.
    """

    rows: tuple[DomainRows, ...]
    written: tuple[Series, ...]
    quarantined: tuple[Series, ...]
    point: str
    blocks: tuple[BlockQuality, ...]
    reasons: Mapping[str, Sequence[tuple[str, int]]]

    @property
    def total(self) -> DomainRows:
        """Totals over all domains."""
        return DomainRows(
            "all", *(sum(getattr(row, key) for row in self.rows) for key in _COUNTS)
        )


def gather_quality(
    store: Store, fingerprints: Sequence[str], domains: Sequence[str], min_rows: int
) -> Quality | None:
    """Reads accounts and Guard reports of some blocks; None if none is stored.

    Args:
        store: The artifacts.
        fingerprints: The blocks, oldest first.
        domains: All domains, in the order shown.
        min_rows: Rows that a distance needs on both sides to be judged.
    """
    stored = {
        s.fingerprint: s
        for s in store.artifacts("Examples")
        if s.properties.get("role") == "raw"
    }
    blocks = [stored[name] for name in fingerprints if name in stored]
    counts = [
        count
        for block in blocks
        for count in read_json(Path(block.uri) / ACCOUNTING_FILE) or ()
    ]
    if not counts:
        return None
    guards = store.artifacts("GuardReport")
    newest = blocks[: -_MOST_BLOCKS - 1 : -1]
    measured = [_guard_report(block, guards) for block in newest]
    days = DayRange(blocks[0].first_day, blocks[-1].last_day)
    bad = {count["domain"] for count in counts if count["quarantined"]}
    return summarise(
        counts,
        [report for report in measured if report is not None],
        domains,
        min_rows,
        {name: read_reasons(store.root / "quarantine" / name, days) for name in bad},
    )


def read_reasons(
    folder: Path, days: DayRange, *, max_reasons: int = 5, max_rows: int = 10_000
) -> list[tuple[str, int]]:
    """Returns the most frequent reasons in a domain's quarantine, with counts.

    Args:
        folder: The domain's quarantine.
        days: Days to read.
        max_reasons: Number of reasons returned.
        max_rows: Number of rows read, which bounds the time.
    """
    found: Counter[str] = Counter()
    lines = (
        line
        for path in sorted(folder.glob("*-*-*/*.jsonl"))
        if to_day(datetime.date.fromisoformat(path.parent.name)) in days
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    for line in itertools.islice(lines, max_rows):
        found[str(json.loads(line).get("reason"))] += 1
    return found.most_common(max_reasons)


def _guard_report(block: Stored, guards: Iterable[Stored]) -> dict[str, Any] | None:
    """Returns the report of the graph run that wrote `block`.

    The Guard's artifact has no fingerprint: it is the first one of the same days that
    was written after the block.
    """
    days = (block.first_day, block.last_day)
    for guard in guards:
        if guard.id > block.id and (guard.first_day, guard.last_day) == days:
            report = read_json(Path(guard.uri) / GUARD_FILE) or {}
            # Reports of the first version list domains without measurements.
            return report if isinstance(report.get("domains"), dict) else None
    return None


def summarise(
    counts: Sequence[Mapping[str, Any]],
    reports: Iterable[Mapping[str, Any]],
    domains: Sequence[str],
    min_rows: int,
    reasons: Mapping[str, Sequence[tuple[str, int]]] | None = None,
) -> Quality:
    """Summarises row accounts and Guard reports.

    Args:
        counts: Entries of `accounting.json`.
        reports: Contents of `report.json`, newest first.
        domains: All domains, including those without rows.
        min_rows: Rows that a distance needs on both sides to be judged.
        reasons: By domain, the reasons for the quarantine.
    """
    totals = {domain: dict.fromkeys(_COUNTS, 0) for domain in domains}
    by_day: dict[str, dict[str, dict[int, float]]] = {key: {} for key in _COUNTS}
    for count in counts:
        domain, day = count["domain"], int(count["day"])
        totals.setdefault(domain, dict.fromkeys(_COUNTS, 0))
        for key in _COUNTS:
            number = int(count.get(key, 0))
            totals[domain][key] += number
            of_domain = by_day[key].setdefault(domain, {})
            of_domain[day] = of_domain.get(day, 0) + number
    days = [int(count["day"]) for count in counts]
    within = periods(DayRange(min(days), max(days)))
    written, quarantined = [], []
    for domain in totals:
        rows, read, bad = (
            sums(by_day[key].get(domain, {}), within)
            for key in ("written", "read", "quarantined")
        )
        written.append(_series(domain, within, [number or 0.0 for number in rows]))
        if totals[domain]["quarantined"]:
            shares = [
                b / r if b is not None and r else None
                for b, r in zip(bad, read, strict=True)
            ]
            quarantined.append(_series(domain, within, shares))
    return Quality(
        rows=tuple(DomainRows(name, **totals[name]) for name in totals),
        written=tuple(written),
        quarantined=tuple(quarantined),
        point=describe(within),
        reasons=dict(reasons or {}),
        blocks=tuple(_block_quality(report, min_rows) for report in reports),
    )


def _series(
    name: str, within: Sequence[DayRange], values: Sequence[float | None]
) -> Series:
    points = zip(within, values, strict=True)
    return Series(name, tuple(Point(days.first, value) for days, value in points))


def _block_quality(report: Mapping[str, Any], min_rows: int) -> BlockQuality:
    return BlockQuality(
        days=str(report["days"]),
        previous=str(report.get("previous_days") or ""),
        drift=_distances(report, "drift", min_rows),
        from_target=_distances(report, "domain_distance", min_rows),
    )


def _distances(report: Mapping[str, Any], key: str, min_rows: int) -> Distances | None:
    cells = {
        (feature, domain): Distance(
            float(found["value"]), str(found["measure"]), found["threshold"]
        )
        for domain, entry in report["domains"].items()
        for feature, found in entry.get(key, {}).items()
    }
    if not cells:
        return None
    return Distances(
        key=key,
        domains=tuple(sorted({domain for _, domain in cells})),
        features=tuple(sorted({feature for feature, _ in cells})),
        cells=cells,
        largest=largest(report, key, min_rows),
    )
