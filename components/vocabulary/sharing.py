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
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.vocabulary.logic import Growth
from models.days import DayRange
from models.days import to_date

Ints = npt.NDArray[np.int64]
# By domain, the first day on which it showed each id; shape (ids,).
Sightings = dict[str, Ints]

NEVER = int(np.iinfo(np.int64).max)
_ALWAYS = int(np.iinfo(np.int64).min)


def see(
    earlier: Sightings, growth: Growth, counts: Mapping[str, pa.Table]
) -> Sightings:
    """Returns the sightings after a block.

    Args:
        earlier: Those before it, of the ids that had a row then.
        growth: What the block added to the vocabulary.
        counts: By domain, its counts of the block, `COUNTS_SCHEMA`.
    """
    ids = growth.vocabulary.ids
    admitted = _admission_days(len(ids), growth)
    sightings = {}
    for domain in sorted({*earlier, *counts}):
        first = np.full(len(ids), NEVER, np.int64)
        before = earlier.get(domain, first[:0])
        first[: len(before)] = before
        if domain in counts:
            rows, days = _rows_of(ids, counts[domain])
            # An id that waits for its `min_count` has no row that could be learned.
            known = days >= admitted[rows]
            np.minimum.at(first, rows[known], days[known])
        sightings[domain] = first
    return sightings


def shared_ids(
    sightings: Sightings,
    ids: pa.Array,
    counts: Mapping[str, pa.Table],
    target: str,
    days: DayRange,
) -> dict[str, Any]:
    """Returns how many of the target's ids each source knows, by day of a block.

    Args:
        sightings: After the block, see `see`.
        ids: The vocabulary, in row order.
        counts: By domain, its counts of the block, `COUNTS_SCHEMA`.
        target: The target domain.
        days: The block.

    Returns:
        JSON-able: `days`, the target's distinct `ids` on each day, and by source how
        many of them are `known`.
    """
    dates = [str(to_date(day)) for day in range(days.first, days.last + 1)]
    found: dict[str, Any] = {"days": dates, "ids": [0] * len(days), "known": {}}
    sources = [domain for domain in sightings if domain != target]
    table = counts.get(target)
    if table is None:
        return found | {"known": {source: [0] * len(days) for source in sources}}
    shown = table.column("day").to_numpy() - days.first
    found["ids"] = np.bincount(shown, minlength=len(days)).tolist()
    rows, shown = _rows_of(ids, table)
    for source in sources:
        known = sightings[source][rows] <= shown
        found["known"][source] = np.bincount(
            shown[known] - days.first, minlength=len(days)
        ).tolist()
    return found


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


def example_ids(counts: Mapping[str, pa.Table]) -> dict[str, str]:
    """Returns the first id of each domain that has one, as people read it."""
    return {
        domain: repr(table.column("id")[0].as_py().decode("utf-8", "backslashreplace"))
        for domain, table in counts.items()
        if len(table)
    }


def _admission_days(num_ids: int, growth: Growth) -> Ints:
    """Returns the day on which each id got its row; shape (ids,)."""
    new = np.repeat(list(growth.new), list(growth.new.values())).astype(np.int64)
    before = np.full(num_ids - len(new), _ALWAYS, np.int64)
    return np.concatenate([before, new])


def _rows_of(ids: pa.Array, counts: pa.Table) -> tuple[Ints, Ints]:
    """Returns rows and days of the counted ids that have a row."""
    index = pc.index_in(counts.column("id"), value_set=ids)
    present = pc.is_valid(index)
    rows = index.filter(present).to_numpy().astype(np.int64)
    return rows, counts.column("day").filter(present).to_numpy()
