"""Slices of evaluation impressions; imports no TFX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.evaluation_set.slice_rules import PREFIX
from components.evaluation_set.slice_rules import SliceRule

MISSING = "missing"


def bucket_labels(upto: Sequence[int]) -> list[str]:
    """Returns the names of the buckets that end at `upto`, and of the last one.

    Example:
        >>> bucket_labels([0, 5, 20])
        ['0', '1-5', '6-20', '21+']
    """
    labels, first = [], 0
    for last in upto:
        labels.append(f"{first}-{last}" if first < last else f"{last}")
        first = last + 1
    return [*labels, f"{first}+"]


def slice_column(values: pa.Array, rule: SliceRule) -> pa.Array:
    """Returns the slice of each impression, as a column of one-element lists.

    Args:
        values: The feature as a list column; the first value is used, an empty list or
            NaN gives `missing`.
        rule: The slice rule.
    """
    first = pc.list_element(_padded(values), 0)
    if rule.upto:
        number = first.cast(pa.float64()).to_numpy(zero_copy_only=False)
        bucket = np.searchsorted(np.asarray(rule.upto, float), number, side="left")
        labels = np.array([*bucket_labels(rule.upto), MISSING], object)
        named = labels[np.where(np.isnan(number), len(labels) - 1, bucket)]
        texts = pa.array(named.tolist(), pa.large_binary())
    else:
        if not (pa.types.is_large_binary(first.type) or pa.types.is_binary(first.type)):
            first = first.cast(pa.large_string())
        texts = pc.fill_null(first.cast(pa.large_binary()), MISSING.encode())
    offsets = np.arange(len(texts) + 1)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), texts)


def add_slices(batch: pa.RecordBatch, rules: dict[str, SliceRule]) -> pa.RecordBatch:
    """Returns `batch` with a column `slice_<name>` added for each rule."""
    names, columns = [*batch.schema.names], [*batch.columns]
    for name, rule in rules.items():
        names.append(f"{PREFIX}{name}")
        columns.append(slice_column(batch.column(rule.feature), rule))
    return pa.RecordBatch.from_arrays(columns, names)


def _padded(values: pa.Array) -> pa.Array:
    """Returns list column `values` with null in place of an empty list.

    Arrow's `list_element` raises an error for an index beyond a list's end.
    """
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    return pc.if_else(pc.greater(lengths, 0), values, pa.scalar(None, values.type))
