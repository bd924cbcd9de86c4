"""Types with which Arrow's JSON parser reads columns, chosen by a look at some lines.

They decide how fast lines are read, never what they mean: see `jsonl_reader`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from components.log_example_gen.wanted import Wanted
from components.log_example_gen.wanted import WantedColumns

_LOOKED_AT = 64
_UINT64_MAX = 2**64


def column_types(
    line: Callable[[int], bytes], num_lines: int, wanted: WantedColumns
) -> pa.Schema | None:
    """Returns a type for each wanted column; None if no types fit the lines looked at.

    Args:
        line: Returns a line by its index.
        num_lines: Number of lines.
        wanted: What the columns are read for.
    """
    records = []
    for index in np.unique(np.linspace(0, num_lines - 1, _LOOKED_AT).astype(int)):
        try:
            record = json.loads(line(int(index)))
        except (ValueError, RecursionError):
            continue  # Malformed lines are found when they are parsed.
        if isinstance(record, dict):
            records.append(record)
    fields = []
    for name, column in wanted.items():
        values = [r[name] for r in records if r.get(name) is not None]
        kind = _list_type(values, column) if column.is_list else _type(values, column)
        if kind is None:
            return None
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def _list_type(values: list[Any], column: Wanted) -> pa.DataType | None:
    if column.separator is not None and all(isinstance(v, str) for v in values):
        return pa.string()
    if not all(isinstance(value, list) for value in values):
        return None
    inner = [entry for value in values for entry in value if entry is not None]
    if column.is_vector:
        numbers = all(type(entry) in (int, float) for entry in inner)
        return pa.list_(pa.float64()) if numbers else None
    kind = _type(inner, Wanted(is_id=True))
    # Whether floating-point ids are exact is looked at in single values alone.
    return None if kind in (None, pa.float64()) else pa.list_(kind)


def _type(values: list[Any], column: Wanted) -> pa.DataType | None:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return None if column.is_time else pa.bool_()
    if not kinds:
        return pa.string() if column.is_id or column.is_time else pa.float64()
    if kinds == {str}:
        return pa.string()
    if not kinds <= {int, float}:
        return None
    if column.is_rate or float in kinds:
        return pa.float64()
    if min(values) >= 0 and 2**63 <= max(values) < _UINT64_MAX:
        return pa.uint64()
    return pa.int64()
