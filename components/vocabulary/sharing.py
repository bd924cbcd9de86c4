"""Share of the target's users and items that each source knows; transfer needs it.

An id is known from a source as of the first day on which the source's log shows it,
once it has a row in the vocabulary. So what is said of a day follows from the logs up
to that day, however they are cut into blocks.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from components.vocabulary.buckets import BucketedCounts
from components.vocabulary.buckets import Ints
from components.vocabulary.logic import Growth
from components.vocabulary.logic import positions
from models.days import DayRange
from models.days import to_date

# By domain, the first day on which it showed each id; shape (ids,).
Sightings = dict[str, Ints]

NEVER = int(np.iinfo(np.int64).max)
_NONE = np.empty(0, np.int64)
_ALWAYS = int(np.iinfo(np.int64).min)


def see(
    earlier: Sightings,
    growth: Growth,
    counts: BucketedCounts,
    target: str,
    days: DayRange,
) -> tuple[Sightings, dict[str, Any]]:
    """Returns the sightings after a block, and what the sources know of the target.

    Args:
        earlier: Those before it, of the ids that had a row then.
        growth: What the block added to the vocabulary.
        counts: By domain, its counts of the block.
        target: The target domain.
        days: The block.

    Returns:
        The sightings; and how many of the target's ids each source knows, JSON-able:
        `days`, the target's distinct `ids` on each day, and by source how many of them
        are `known`.
    """
    ids = growth.vocabulary.ids
    admitted = _admission_days(len(ids), growth)
    sightings: Sightings = {
        domain: _longer(seen, ids) for domain, seen in earlier.items()
    }
    none = np.zeros(len(days), np.int64)
    distinct = none
    known: dict[str, Ints] = {}
    for tables in counts:
        found = _rows_of(ids, tables)
        for domain, (rows, shown) in found.items():
            # An id that waits for its `min_count` has no row that could be learned.
            learned = shown >= admitted[rows]
            seen = sightings.setdefault(domain, _longer(_NONE, ids))
            np.minimum.at(seen, rows[learned], shown[learned])
        if target in tables:
            distinct = distinct + _by_day(tables[target].column("day").to_numpy(), days)
            rows, shown = found[target]
            for source, seen in sightings.items():
                by_day = _by_day(shown[seen[rows] <= shown], days)
                known[source] = known.get(source, none) + by_day
    shared = {
        "days": [str(to_date(day)) for day in range(days.first, days.last + 1)],
        "ids": distinct.tolist(),
        "known": {
            source: known.get(source, none).tolist()
            for source in sorted(sightings)
            if source != target
        },
    }
    return dict(sorted(sightings.items())), shared


def describe_sharing(
    space: str,
    shared: Mapping[str, Any],
    target: str,
    examples: Mapping[str, str],
    separate: Collection[str] = (),
) -> tuple[str, list[str]]:
    """Returns a part of the space's line, and a warning for each source without one.

    Args:
        space: The id space.
        shared: Made by `shared_ids`.
        target: The target domain.
        examples: By domain, an id of it.
        separate: Sources that are stated to share no ids with the target; a warning
            says if one does.
    """
    total = sum(shared["ids"])
    if not total:
        return "", []
    known = {source: sum(counts) for source, counts in shared["known"].items()}
    shares = ", ".join(f"{source} {n / total:.0%}" for source, n in known.items())
    warnings = [
        f"{space}: none of the {total:,} ids of {target} is known from {source}, so "
        f"nothing that is learned there about a {space} reaches {target}; if they "
        f"should share ids, compare how they are written: {target} {examples[target]}, "
        f"{source} {examples[source]}; if they should not, "
        f"`separate_ids: {{{space}: [{source}]}}` in the configuration says so"
        for source, number in known.items()
        if not number
        and source not in separate
        and source in examples
        and target in examples
    ]
    warnings += [
        f"{space}: `separate_ids` states that {source} shares no {space} with "
        f"{target}, but {known[source]:,} of the {total:,} ids of {target} are known "
        f"from it; if the same id is another {space} there, write it differently, as "
        "both have one embedding row; otherwise remove the statement"
        for source in separate
        if known.get(source)
    ]
    return f"ids of {target} known from {shares}" if shares else "", warnings


def example_ids(counts: BucketedCounts) -> dict[str, str]:
    """Returns an id of each domain that has one, as people read it."""
    found: dict[str, str] = {}
    for tables in counts:
        for domain, table in tables.items():
            if domain not in found and len(table):
                first = table.column("id")[0].as_py()
                found[domain] = repr(first.decode("utf-8", "backslashreplace"))
    return found


def _admission_days(num_ids: int, growth: Growth) -> Ints:
    """Returns the day on which each id got its row; shape (ids,)."""
    new = np.repeat(list(growth.new), list(growth.new.values())).astype(np.int64)
    before = np.full(num_ids - len(new), _ALWAYS, np.int64)
    return np.concatenate([before, new])


def _longer(seen: Ints, ids: pa.Array) -> Ints:
    """Returns first days with those of the ids that are new; shape (ids,)."""
    return np.concatenate([seen, np.full(len(ids) - len(seen), NEVER, np.int64)])


def _rows_of(
    ids: pa.Array, tables: Mapping[str, pa.Table]
) -> dict[str, tuple[Ints, Ints]]:
    """Returns, by domain, rows and days of the counted ids that have a row."""
    if not tables:
        return {}
    every = pa.concat_tables(tables.values())
    ends = np.cumsum([len(table) for table in tables.values()])
    parts = zip(
        np.split(positions(every.column("id"), ids), ends[:-1]),
        np.split(every.column("day").to_numpy(), ends[:-1]),
        strict=True,
    )
    return {
        domain: (rows[rows >= 0], days[rows >= 0])
        for domain, (rows, days) in zip(tables, parts, strict=True)
    }


def _by_day(shown: Ints, days: DayRange) -> Ints:
    """Returns how many of the days `shown` are each of `days`."""
    counted: Ints = np.bincount(shown - days.first, minlength=len(days))
    return counted
