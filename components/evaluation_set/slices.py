"""Into which slices an evaluation row falls: no TFX."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic import field_validator

from models.strict_model import StrictModel

MISSING = "missing"

# What a slice's column is called in the evaluation set, before its name.
PREFIX = "slice_"


class SliceRule(StrictModel):
    """One way to cut the evaluation rows.

    Attributes:
        feature: The raw feature that decides.
        upto: Upper ends of the buckets of a numeric feature, ends included: `[0, 5]`
            makes `0`, `1-5` and `6+`. Without it each value is a slice of its own.
    """

    feature: str
    upto: tuple[int, ...] = Field(default=())

    @field_validator("upto")
    @classmethod
    def _check_order(cls, upto: tuple[int, ...]) -> tuple[int, ...]:
        if any(a >= b for a, b in zip(upto, upto[1:], strict=False)):
            raise ValueError(
                f"{list(upto)} does not ascend; write each upper end once, lowest first"
            )
        return upto


def bucket_labels(upto: Sequence[int]) -> list[str]:
    """Returns the names of the buckets that end at `upto`, and of the rest.

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
    """Returns the slice of each row as a list column of one text a row.

    Args:
        values: The feature as a list column; the first value counts, an empty list or
            NaN is `missing`.
        rule: How to cut.
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
    """Returns `batch` with a column `slice_<name>` for each rule."""
    names, columns = [*batch.schema.names], [*batch.columns]
    for name, rule in rules.items():
        names.append(f"{PREFIX}{name}")
        columns.append(slice_column(batch.column(rule.feature), rule))
    return pa.RecordBatch.from_arrays(columns, names)


def rules_to_json(rules: dict[str, SliceRule]) -> str:
    """Returns rules as one line of JSON, for component parameters."""
    return json.dumps({name: rule.model_dump() for name, rule in rules.items()})


def rules_from_json(text: str) -> dict[str, SliceRule]:
    """Returns the rules that `rules_to_json` wrote."""
    return {
        name: SliceRule.model_validate(rule) for name, rule in json.loads(text).items()
    }


def _padded(values: pa.Array) -> pa.Array:
    """Returns list column `values` with null in place of an empty list.

    Arrow's `list_element` refuses an index that a list does not have.
    """
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    return pc.if_else(pc.greater(lengths, 0), values, pa.scalar(None, values.type))
