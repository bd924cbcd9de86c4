"""Columns that say the label: they are known only after the impression."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from components.evaluation.ranking import auc
from pipeline.guessing.column import Column

# No honest feature ranks clicks this well by itself.
_TOO_GOOD = 0.97
_MIN_ROWS = 50
# Different values of an id up to which its click rates say something.
_FEW_VALUES = 50


def label_auc(column: Column, clicks: npt.NDArray[np.bool_]) -> float | None:
    """Returns how well a column alone ranks clicks before other rows, 0.5 to 1.

    Numbers are ranked as they are, few different values by their own click rate. Where
    a value is missing counts, too.

    Args:
        column: The column.
        clicks: Whether each row is a click; shape (rows,).

    Returns:
        AUC, or one minus AUC if that is larger; None if there are too few rows of
        either label, or too many different values that are no numbers.
    """
    positives = int(clicks.sum())
    if min(positives, len(clicks) - positives) < _MIN_ROWS:
        return None
    if column.numbers is not None and len(column.distinct) > _FEW_VALUES:
        numbers = column.numbers
        scores = np.where(np.isfinite(numbers), numbers, np.nanmin(numbers) - 1)
    elif len(column.distinct) <= _FEW_VALUES:
        scores = _rates(column, clicks)
    else:
        return None
    found = auc(scores, clicks.astype(np.float64))
    return max(found, 1 - found)


def says_label(column: Column, clicks: npt.NDArray[np.bool_]) -> str:
    """Returns why a column must not be a feature; empty if it may be one."""
    found = label_auc(column, clicks)
    if found is None or found < _TOO_GOOD:
        return ""
    return f"alone it ranks clicks with an AUC of {found:.3f}"


def _rates(column: Column, clicks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    shown: dict[str | None, int] = defaultdict(int)
    clicked: dict[str | None, int] = defaultdict(int)
    for text, click in zip(column.texts, clicks.tolist(), strict=True):
        shown[text] += 1
        clicked[text] += click
    return np.array([clicked[text] / shown[text] for text in column.texts])
