"""Rows of a request, as files and scripts give them, checked feature by feature."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.model_server.errors import BadRequestError
from components.model_server.json_tensors import array_of
from components.model_server.json_tensors import short
from models.errors import DataError
from models.features.feature import Feature
from models.features.table import FeatureTable

Row = dict[str, list[Any]]


def checked_row(where: str, row: Mapping[str, Any], table: FeatureTable) -> Row:
    """Returns a row with a list of values by feature, empty where missing.

    Args:
        where: Place of the row, for messages.
        row: A value of JSON, or a list of them, by feature; null is missing. An id may
            also be bytes.
        table: The features; no row has crosses, which are computed, or features that
            the target lacks.

    Raises:
        DataError: It names what is no feature, or a value is of another type.
    """
    features = {feature.name: feature for feature in table.requested}
    checked = {}
    for name, value in row.items():
        if name not in features:
            close = difflib.get_close_matches(name, features, n=1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"expected one of {', '.join(features)}"
            )
            raise DataError(f"{where}: there is no feature {name!r}; {hint}")
        checked[name] = _values(where, features[name], value)
    return checked


def python_row(where: str, row: Mapping[str, Any], table: FeatureTable) -> Row:
    """Returns the checked row of values as Python, NumPy and pandas have them.

    NaN is missing, as in logs; a vector with NaN or None in it is missing, too. Whole
    floats are counts, as pandas makes them of a column with missing values.

    Raises:
        DataError: See `checked_row`.
    """
    features = {feature.name: feature for feature in table.requested}
    plain = {
        name: _plain(features[name], value) if name in features else value
        for name, value in row.items()
    }
    return checked_row(where, plain, table)


def _plain(feature: Feature, value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return None if _is_missing(value) else _number(feature, value)
    missing = [_is_missing(item) for item in value]
    if feature.is_vector and any(missing):
        return None
    items = [item for item, none in zip(value, missing, strict=True) if not none]
    return [
        _number(feature, item.item() if isinstance(item, np.generic) else item)
        for item in items
    ]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def _number(feature: Feature, value: Any) -> Any:
    """Returns an integer or float as the feature's type has it, others as they are."""
    if feature.is_id or not isinstance(value, int | float):
        return value
    if float in feature.feature_kind.json_types or feature.is_vector:
        return float(value)
    return int(value) if float(value).is_integer() else value


def _values(where: str, feature: Feature, value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    kind = feature.feature_kind.tensor_type
    wanted = object if kind == "string" else np.dtype(kind).type
    several = feature.is_list or feature.is_vector
    try:
        arrays = [
            np.array(item, object)
            if feature.is_id and isinstance(item, bytes)
            else array_of(feature.name, item, wanted)
            for item in values
        ]
    except BadRequestError as error:
        raise DataError(f"{where}: {error}") from error
    if any(array.ndim for array in arrays) or (not several and len(values) > 1):
        expected = "a list of values" if several else "one value"
        raise DataError(
            f"{where}: {feature.name} of kind {feature.kind} must be {expected}; "
            f"received {short(value)}"
        )
    return [array.item() for array in arrays]
