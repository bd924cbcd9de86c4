"""Counts of numbers in a block: missing, odd and clipped values, and drift of buckets.

`encoding.json` holds them under `numbers`, by domain and feature:

| key            | meaning                                                     |
| -------------- | ----------------------------------------------------------- |
| `rows`         | impressions of the domain                                   |
| `missing`      | of these, impressions without a usable value                |
| `out_of_range` | logged values outside the kind's range: a rate of 1.5       |
| `non_finite`   | logged values that are NaN or infinite                      |
| `clipped`      | impressions whose standardised value is at the clip's end   |
| `buckets`      | impressions in each bucket, in order                        |
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.days import to_date
from models.features.kind import FIRST_OOV_ROW
from models.features.kind import MISSING_ROW
from models.features.kind import value_column
from models.features.number_statistics import CLIP
from models.features.number_statistics import NumberStatistics
from models.features.table import FeatureTable

KEYS = ("rows", "missing", "out_of_range", "non_finite", "clipped")
# Population stability index above which a distribution counts as another one; the
# usual rule of thumb.
DRIFT = 0.25
# Change of the share of missing values that is reported.
MISSING_CHANGE = 0.1
_LEAST_SHARE = 1e-4

Ints = npt.NDArray[np.int64]
# By feature, the counts of `KEYS` followed by those of the buckets.
NumberCounts = dict[str, Ints]


def count_logged(table: pa.Table, features: FeatureTable) -> NumberCounts:
    """Counts odd values in some raw Examples; other counts are 0."""
    counts = {}
    for feature in features.with_values:
        kind = feature.feature_kind
        # Unsafe: a count above 2 ** 53 is rounded, not an error.
        flat = pc.list_flatten(table.column(feature.name))
        numbers = flat.cast(pa.float64(), safe=False).to_numpy()
        odd = np.zeros(len(KEYS) + features.num_rows(feature.table), np.int64)
        non_finite = ~np.isfinite(numbers)
        outside = (numbers < kind.low) | (numbers > kind.high)
        odd[KEYS.index("out_of_range")] = (outside & ~non_finite).sum()
        odd[KEYS.index("non_finite")] = non_finite.sum()
        counts[feature.name] = odd
    return counts


def count_encoded_numbers(table: pa.Table, features: FeatureTable) -> NumberCounts:
    """Counts numbers in some transformed impressions; odd values are not seen here."""
    counts = {}
    for feature in features.with_values:
        rows = _flat(table.column(feature.name))
        values = np.abs(_flat(table.column(value_column(feature.name))))
        at_end = (values.reshape(len(rows), feature.length or 1) >= CLIP).any(axis=1)
        found = {
            "rows": len(rows),
            "missing": (rows == MISSING_ROW).sum(),
            "clipped": at_end.sum(),
        }
        num_rows = features.num_rows(feature.table)
        counts[feature.name] = np.concatenate(
            [
                [found.get(key, 0) for key in KEYS],
                np.bincount(rows, minlength=num_rows),
            ]
        ).astype(np.int64)
    return counts


def add_number_counts(parts: Iterable[NumberCounts]) -> NumberCounts:
    """Returns the sum of counts by feature."""
    total: NumberCounts = {}
    for part in parts:
        for name, counts in part.items():
            total[name] = total[name] + counts if name in total else counts
    return total


def numbers_to_json(by_domain: Mapping[str, NumberCounts]) -> dict[str, Any]:
    """Returns the entry `numbers` of `encoding.json`."""
    return {
        domain: {
            name: {
                **dict(zip(KEYS, values.tolist(), strict=False)),
                "buckets": _buckets(values).tolist(),
            }
            for name, values in sorted(counts.items())
        }
        for domain, counts in sorted(by_domain.items())
    }


def describe_numbers(
    by_domain: Mapping[str, NumberCounts],
    statistics: Mapping[str, NumberStatistics],
) -> list[str]:
    """Returns a line per number that has odd values, or moved since its first block."""
    lines = []
    for name, counts in add_number_counts(by_domain.values()).items():
        found = dict(zip(KEYS, counts.tolist(), strict=False))
        if not found["rows"]:
            continue
        parts = [
            f"{found[key]:,} values {words}"
            for key, words in (
                ("out_of_range", "out of range"),
                ("non_finite", "not finite"),
            )
            if found[key]
        ]
        if name in statistics:
            parts += _moved(counts, found, statistics[name])
        if parts:
            lines.append(f"{name}: {', '.join(parts)}")
    return lines


def stability_index(counts: Ints, shares: npt.ArrayLike) -> float:
    """Returns the population stability index of bucket counts; 0 without counts.

    `sum((q - p) log(q / p))` over the buckets, each share at least 0.0001.

    Args:
        counts: Impressions in each bucket, shape (K,).
        shares: Shares in the first block, shape (K,).
    """
    if not counts.sum():
        return 0.0
    now = np.maximum(counts / counts.sum(), _LEAST_SHARE)
    before = np.maximum(np.asarray(shares, np.float64), _LEAST_SHARE)
    return float(((now - before) * np.log(now / before)).sum())


def _moved(
    counts: Ints, found: Mapping[str, int], first: NumberStatistics
) -> list[str]:
    """Returns what differs from the first block, in words."""
    since = f"{to_date(first.first_day)}..{to_date(first.last_day)}"
    parts = []
    if first.shares:
        index = stability_index(_buckets(counts)[: len(first.shares)], first.shares)
        if index >= DRIFT:
            clipped = found["clipped"] / found["rows"]
            parts.append(
                f"distributed otherwise than in {since} (stability index {index:.2f}, "
                f"{clipped:.1%} of impressions clipped)"
            )
    missing = found["missing"] / found["rows"]
    if abs(missing - first.missing) >= MISSING_CHANGE:
        parts.append(
            f"{missing:.1%} of impressions without, {first.missing:.1%} in {since}"
        )
    return parts


def _buckets(counts: Ints) -> Ints:
    return counts[len(KEYS) + FIRST_OOV_ROW :]


def _flat(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    cells = column.combine_chunks()
    is_list = pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type)
    flat: npt.NDArray[Any] = (pc.list_flatten(cells) if is_list else cells).to_numpy(
        zero_copy_only=False
    )
    return flat
