"""Counts of encoded ids: known, new or out of vocabulary, by feature and day.

The counts are of transformed impressions, as the models read them. `encoding.json`,
beside the splits of the transformed Examples, holds by domain and feature one list per
count:

| key       | meaning of entry i, for the block's i-th day                             |
| --------- | ------------------------------------------------------------------------ |
| `rows`    | impressions of the domain                                                |
| `missing` | of these, impressions without an id (for a list: an empty list)          |
| `ids`     | ids that are not missing; a list may hold several                        |
| `oov`     | of these, ids in out-of-vocabulary buckets                               |
| `new`     | of these, ids that got their table row on this day: for a model of the   |
|           | day before they are out of vocabulary                                    |
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.days import DayRange
from models.days import to_date
from models.features.feature import Feature
from models.features.kind import FIRST_OOV_ROW
from models.features.table import DAY
from models.features.table import FeatureTable

# Share of a list's ids out of vocabulary above which the list says little.
_MOST_UNKNOWN = 0.5
# Fewer ids are no evidence of that.
_LEAST_IDS = 100

KEYS = ("rows", "missing", "ids", "oov", "new")

Ints = npt.NDArray[np.int64]
# Arrays of shape (len(KEYS), days), by id feature.
Counts = dict[str, Ints]


def sizes_before(summary: Mapping[str, Any], days: DayRange) -> Ints:
    """Returns the number of ids of a space before each day of a block.

    Args:
        summary: Entry of `vocabulary.json` for the space.
        days: The block.

    Returns:
        Shape (days,).
    """
    grown = dict(summary["grown"])
    size, sizes = int(summary["ids_before"]), []
    for day in range(days.first, days.last + 1):
        sizes.append(size)
        size = grown.get(str(to_date(day)), size)
    return np.array(sizes, np.int64)


def count_encoded(
    table: pa.Table,
    features: FeatureTable,
    days: DayRange,
    before: Mapping[str, Ints],
) -> Counts:
    """Counts the encoded ids of some transformed impressions.

    Args:
        table: Transformed impressions; each cell holds a value or a list.
        features: The feature table.
        days: The block.
        before: Number of ids before each day, (days,), by append-only space.

    Returns:
        Counts of shape (len(KEYS), days), by feature of kind `id` or `ids`.
    """
    day_of_row = _flat(table.column(DAY).combine_chunks()) - days.first
    counts = {}
    for feature in features.features:
        if not feature.is_id:
            continue
        cells = table.column(feature.name).combine_chunks()
        rows = _flat(cells)
        per_row = feature.max_length if feature.is_list else 1
        day = np.repeat(day_of_row, per_row)
        kinds = _kinds(rows, day, feature, features, before)
        has_id = kinds["ids"].reshape(len(table), per_row).any(axis=1)
        counts[feature.name] = np.stack(
            [
                np.bincount(where[mask], minlength=len(days))
                for where, mask in (
                    (day_of_row, np.ones(len(table), np.bool_)),
                    (day_of_row, ~has_id),
                    (day, kinds["ids"]),
                    (day, kinds["oov"]),
                    (day, kinds["new"]),
                )
            ]
        )
    return counts


def _kinds(
    rows: Ints,
    day: Ints,
    feature: Feature,
    features: FeatureTable,
    before: Mapping[str, Ints],
) -> dict[str, npt.NDArray[np.bool_]]:
    space = features.vocabularies[feature.table]
    ids = rows >= FIRST_OOV_ROW
    if space.hashed:
        nothing = np.zeros(len(rows), np.bool_)
        return {"ids": ids, "oov": nothing, "new": nothing}
    return {
        "ids": ids,
        "oov": ids & (rows < space.first_id_row),
        "new": rows >= space.first_id_row + before[feature.table][day],
    }


def add_counts(parts: Iterable[Counts]) -> Counts:
    """Returns the sum of counts by feature."""
    total: Counts = {}
    for part in parts:
        for name, counts in part.items():
            total[name] = total[name] + counts if name in total else counts
    return total


def to_json(by_domain: Mapping[str, Counts], days: DayRange) -> dict[str, Any]:
    """Returns the entries `days` and `domains` of `encoding.json`."""
    return {
        "days": [str(to_date(day)) for day in range(days.first, days.last + 1)],
        "domains": {
            domain: {
                name: dict(zip(KEYS, values.tolist(), strict=True))
                for name, values in sorted(counts.items())
            }
            for domain, counts in sorted(by_domain.items())
        },
    }


def describe_encoding(
    by_domain: Mapping[str, Counts], features: FeatureTable
) -> list[str]:
    """Returns lines about the append-only id features, over all domains.

    A feature with ids out of vocabulary has a line of its own; the others share one.
    """
    total = add_counts(by_domain.values())
    lines, known = [], []
    for name, counts in total.items():
        sums = dict(zip(KEYS, counts.sum(axis=1).tolist(), strict=True))
        if features.vocabularies[features[name].table].hashed or not sums["ids"]:
            continue
        if not sums["oov"]:
            known.append(name)
            continue
        lines.append(
            f"{name}: {sums['oov'] / sums['ids']:.1%} of {sums['ids']:,} ids out of "
            f"vocabulary, {sums['new'] / sums['ids']:.1%} new that day, "
            f"{sums['missing'] / sums['rows']:.1%} of impressions without"
        )
    if known:
        lines.append(f"no id out of vocabulary: {', '.join(known)}")
    return lines


def unknown_lists(
    domains: Mapping[str, Mapping[str, Mapping[str, Any]]], features: FeatureTable
) -> list[str]:
    """Returns a warning for each list of a domain most of whose ids are unknown.

    Args:
        domains: `domains` of `encoding.json`: lists by count, feature and domain.
        features: The feature table.
    """
    warnings = []
    for domain, by_feature in domains.items():
        for feature in features.features:
            if not feature.is_list or feature.name not in by_feature:
                continue
            found = by_feature[feature.name]
            ids, oov = sum(found["ids"]), sum(found["oov"])
            if ids < _LEAST_IDS or oov <= _MOST_UNKNOWN * ids:
                continue
            remedy = f"a lower min_count or more capacity of {feature.table!r}"
            if not feature.counts:
                remedy = f"`counts: true` on {feature.name!r}, so that they get rows"
            warnings.append(
                f"{feature.name}: {oov / ids:.0%} of the {ids:,} ids in the lists of "
                f"{domain} are out of vocabulary and share "
                f"{features.vocabularies[feature.table].oov_buckets} table rows; "
                f"consider {remedy}"
            )
    return warnings


def _flat(cells: pa.Array) -> Ints:
    """Returns the flat values of scalar cells or of lists of equal length."""
    is_list = pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type)
    flat: Ints = (pc.list_flatten(cells) if is_list else cells).to_numpy(
        zero_copy_only=False
    )
    return flat
