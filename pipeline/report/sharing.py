"""Users and items that the target shares with its sources, counted."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.days import DayRange
from models.days import to_day
from pipeline.report.charts import Point
from pipeline.report.charts import Series
from pipeline.report.periods import sums

# Contents of a block's `vocabulary.json`.
Summary = Mapping[str, Any]


@dataclass(frozen=True)
class SharedIds:
    """Ids of the target in the newest block that a source knows.

    An id of several days counts once on each.

    Attributes:
        space: The vocabulary.
        source: The source domain.
        ids: Number of different ids of the target, by day and added up.
        known: Those that the source has shown until then. At 0 nothing that is learned
            there reaches the target.
    """

    space: str
    source: str
    ids: int
    known: int

    @property
    def share(self) -> float | None:
        """Share of the ids that are known; None without ids."""
        return self.known / self.ids if self.ids else None


def shared_ids(summary: Summary) -> list[SharedIds]:
    """Returns what target and sources share in a block, by id space and source."""
    return [
        SharedIds(space, source, sum(shared["ids"]), sum(shared["known"][source]))
        for space, source, shared in _sharing(summary)
    ]


def shared_over_time(
    summaries: Sequence[Summary], within: list[DayRange]
) -> list[Series]:
    """Returns the shares over blocks, a line per id space and source.

    Args:
        summaries: Summaries of the blocks, oldest first; the lines are those of the
            newest.
        within: The periods of the points.
    """
    return [
        _shared(space, source, summaries, within)
        for space, source, _ in _sharing(summaries[-1])
    ]


def _sharing(summary: Summary) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields space, source and counts, where sharing is measured."""
    for space, found in sorted(summary.items()):
        shared = found.get("shared", {})
        for source in shared.get("known", ()):
            yield space, source, shared


def _shared(
    space: str, source: str, summaries: Sequence[Summary], within: list[DayRange]
) -> Series:
    ids: dict[int, float] = {}
    known: dict[int, float] = {}
    for summary in summaries:
        shared = summary.get(space, {}).get("shared")
        if shared is None or source not in shared["known"]:
            continue
        days = [to_day(datetime.date.fromisoformat(date)) for date in shared["days"]]
        ids.update(zip(days, shared["ids"], strict=True))
        known.update(zip(days, shared["known"][source], strict=True))
    shares = [
        part / total if total and part is not None else None
        for part, total in zip(sums(known, within), sums(ids, within), strict=True)
    ]
    points = zip(within, shares, strict=True)
    return Series(
        f"{space} in {source}",
        tuple(Point(days.first, share) for days, share in points),
    )
