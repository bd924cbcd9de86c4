"""Guard of GAUC: features that move within a user's rows because of their own labels.

A running click rate of a user falls after an impression without a click and rises after
a click. A user counts for GAUC who has both labels among the evaluation rows: after a
click fewer clicks are left, so such a feature is set against the label by construction,
and GAUC says how far a model follows it rather than whom it would rank first.

To measure it, a user's labels are permuted and the feature is counted anew from them.
What ranks a user's rows then is the mechanism alone. (With the values held fixed, any
feature would have a GAUC of 0.5 by symmetry.) How a feature follows the labels is
estimated from the rows: as a running mean of labels with a weight behind it, or as a
count that rises with each click. A feature whose movement within users is not explained
in either way, such as one of the item, has a mechanical GAUC of 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.ranking import Codes
from components.evaluation.ranking import Floats
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import user_codes

USABLE = (0.45, 0.55)
# Of a feature's movement within users; below it the labels do not drive it.
_LEAST_EXPLAINED = 0.5
# A count's response to a click that is smaller than so many standard errors is noise.
_MIN_Z_SCORE = 3.0
# Rows permuted in all: enough for a standard error far below 0.05 on any block.
_PERMUTED_ROWS, _MOST_PERMUTATIONS = 400_000, 200


def mechanical_gaucs(
    users: npt.ArrayLike,
    days: npt.NDArray[np.int64],
    labels: npt.ArrayLike,
    features: Mapping[str, Floats],
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Returns the GAUC of each feature where labels are permuted within users.

    Args:
        users: Ids, shape (N,).
        days: Days of the rows, shape (N,); within a day rows are in their order.
        labels: 0 or 1, shape (N,).
        features: Values by name, NaN where missing, shape (N,) each.
        seed: Seed of the permutations.

    Returns:
        NaN for all where no user has both labels.
    """
    code = user_codes(users)
    label = np.asarray(labels, np.float64)
    order = np.lexsort((np.arange(len(code)), days, code))
    order = order[_has_both(code, label)[order]]
    if not len(order):
        return dict.fromkeys(features, math.nan)
    found = {}
    for name, values in features.items():
        units = _Units.of(code[order], days[order], label[order], values[order])
        found[name] = _gauc_of(units, np.random.default_rng(seed))
    return found


def unusable(gaucs: Mapping[str, float]) -> list[str]:
    """Returns the features for which GAUC cannot be used, in their order."""
    low, high = USABLE
    return [name for name, gauc in gaucs.items() if gauc < low or gauc > high]


def guard_sentence(features: list[str]) -> str:
    """Returns what a table says of GAUC; empty if it can be used."""
    if not features:
        return ""
    verb = "moves" if len(features) == 1 else "move"
    return f"GAUC not usable: {', '.join(features)} {verb} within the block"


def _has_both(code: Codes, label: Floats) -> npt.NDArray[np.bool_]:
    """Returns which rows are of a user with both labels."""
    known = code >= 0
    count = int(code.max(initial=-1)) + 1
    rows = np.bincount(code[known], minlength=count)
    clicks = np.bincount(code[known], label[known], count)
    both = np.append((clicks > 0) & (clicks < rows), False)
    return both[np.where(known, code, count)]


@dataclass(frozen=True)
class _Units:
    """A user's consecutive rows of one day with one value of the feature, as a unit.

    Attributes:
        code: User by row, ascending, shape (N,).
        label: By row.
        unit: Number of each row's unit, ascending from 0.
        user: Number of each unit's user, from 0, shape (units,).
        first: Which units are the first of their user.
        rows: Rows of each unit.
        before: Rows of the user before it.
        value: The feature; NaN where missing.
    """

    code: Codes
    label: Floats
    unit: Codes
    user: Codes
    first: npt.NDArray[np.bool_]
    rows: Floats
    before: Floats
    value: Floats

    @classmethod
    def of(
        cls, code: Codes, days: npt.NDArray[np.int64], label: Floats, value: Floats
    ) -> _Units:
        same = np.zeros(len(code), np.bool_)
        same[1:] = (code[1:] == code[:-1]) & (days[1:] == days[:-1])
        same[1:] &= (value[1:] == value[:-1]) | (
            np.isnan(value[1:]) & np.isnan(value[:-1])
        )
        starts = np.flatnonzero(~same)
        user = np.unique(code[starts], return_inverse=True)[1].astype(np.int64)
        first = np.append(True, user[1:] != user[:-1])
        begin = starts[np.flatnonzero(first)][user]
        return cls(
            code,
            label,
            np.cumsum(~same) - 1,
            user,
            first,
            np.diff(np.append(starts, len(code))).astype(np.float64),
            (starts - begin).astype(np.float64),
            value[starts].astype(np.float64),
        )

    def clicks(self, label: Floats) -> Floats:
        """Returns the clicks of each unit, given labels by row."""
        found: Floats = np.bincount(self.unit, label, len(self.rows)).astype(np.float64)
        return found

    def pairs(self) -> tuple[Codes, Codes]:
        """Returns units that another one of the same user follows, and these."""
        after = np.flatnonzero(~self.first)
        return after - 1, after


def _gauc_of(units: _Units, rng: np.random.Generator) -> float:
    counted_anew = _as_rate(units) or _as_count(units)
    if counted_anew is None:
        return 0.5
    repeats = max(5, min(_MOST_PERMUTATIONS, _PERMUTED_ROWS // len(units.code)))
    neutral = float(np.nanmean(units.value))
    gaucs = []
    for _ in range(repeats):
        shuffled = units.label[np.lexsort((rng.random(len(units.code)), units.code))]
        values = counted_anew(units.clicks(shuffled))
        values = np.where(np.isnan(values), neutral, values)
        gaucs.append(grouped_auc(units.code, values[units.unit], shuffled).gauc)
    return float(np.mean(gaucs))


class _RunningRate:
    """A mean of labels: each unit pulls it towards its own, by rows over all rows.

    With `N` rows behind the value `f` of a unit of `k` rows with click rate `y`, the
    next one's is `f + k / (N + k) * (y - f)`. Smoothing only adds to `N`.
    """

    def __init__(self, units: _Units, behind: Floats) -> None:
        self._units = units
        self._pull = units.rows / np.maximum(behind + units.rows, units.rows)
        self._rest = units.value - self._counted(units.clicks(units.label))

    @property
    def unexplained(self) -> Floats:
        """What the labels leave of the values, by unit; NaN where they are missing."""
        return self._rest

    def __call__(self, clicks: Floats) -> Floats:
        """Returns the value of each unit, given its clicks."""
        return self._counted(clicks) + self._rest

    def _counted(self, clicks: Floats) -> Floats:
        units = self._units
        rates = clicks / units.rows
        value = np.where(units.first, units.value, np.nan)
        start = np.flatnonzero(units.first)
        length = np.diff(np.append(start, len(units.rows)))
        for step in range(1, int(length.max())):
            at = start[length > step] + step
            last = np.where(np.isnan(value[at - 1]), rates[at - 1], value[at - 1])
            value[at] = last + self._pull[at - 1] * (rates[at - 1] - last)
        return value


def _as_rate(units: _Units) -> _RunningRate | None:
    """Returns the feature as a running mean of labels; None if it is none."""
    at, after = units.pairs()
    rate = units.clicks(units.label)[at] / units.rows[at]
    moved, gap = units.value[after] - units.value[at], rate - units.value[at]
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = moved / gap
        behind = np.where(pull > 0, units.rows[at] * (1 / pull - 1), np.inf)
    known = ~np.isnan(moved) & (np.abs(gap) > 1e-9)
    if not known.any():
        return None
    estimates = np.maximum(behind - units.before[at], 0.0)[known]
    medians = _medians(units.user[at][known], estimates, int(units.user[-1]) + 1)
    if not np.isfinite(medians).any():
        return None
    running = _RunningRate(units, medians[units.user] + units.before)
    moves = units.value - units.value[np.flatnonzero(units.first)][units.user]
    inner = ~units.first & ~np.isnan(moves) & ~np.isnan(running.unexplained)
    left = float((running.unexplained[inner] ** 2).sum())
    whole = float((moves[inner] ** 2).sum())
    # One weight was fitted to each user.
    free = int(inner.sum()) - len(np.unique(units.user[inner]))
    if free <= 0 or whole <= 0:
        return None
    explained = 1 - (left / free) / (whole / int(inner.sum()))
    return running if explained >= _LEAST_EXPLAINED else None


class _RisingCount:
    """A count that rises by `response` with each click more than without one."""

    def __init__(self, units: _Units, response: float) -> None:
        self._units = units
        self._response = response
        self._clicks = units.clicks(units.label)

    def __call__(self, clicks: Floats) -> Floats:
        """Returns the value of each unit, given its clicks."""
        more = np.cumsum(clicks - self._clicks) - (clicks - self._clicks)
        more -= more[np.flatnonzero(self._units.first)][self._units.user]
        return self._units.value + self._response * more


def _as_count(units: _Units) -> _RisingCount | None:
    """Returns the feature as a count of clicks; None if clicks do not move it."""
    at, after = units.pairs()
    clicks = units.clicks(units.label)[at]
    moved = units.value[after] - units.value[at]
    known = ~np.isnan(moved)
    given = np.stack([units.rows[at], clicks], axis=1)[known]
    if len(given) < 3 or np.linalg.matrix_rank(given) < 2:
        return None
    fitted, *_ = np.linalg.lstsq(given, moved[known], rcond=None)
    left = moved[known] - given @ fitted
    noise = float((left**2).sum()) / (len(given) - 2)
    whole = float((moved[known] ** 2).sum())
    error = math.sqrt(noise * np.linalg.inv(given.T @ given)[1, 1])
    explained = 1 - float((left**2).sum()) / whole if whole > 0 else 0.0
    response = float(fitted[1])
    if explained < _LEAST_EXPLAINED or abs(response) <= _MIN_Z_SCORE * error:
        return None
    return _RisingCount(units, response)


def _medians(groups: Codes, values: Floats, count: int) -> Floats:
    """Returns the lower median of each group's values; infinity without one."""
    order = np.lexsort((values, groups))
    sizes = np.bincount(groups, minlength=count)
    starts = np.cumsum(sizes) - sizes
    found = np.full(count, np.inf)
    has = sizes > 0
    found[has] = values[order][(starts + (sizes - 1) // 2)[has]]
    return found
