"""Statistics of a number in the first block of days, by which all days are encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.strict_model import StrictModel

if TYPE_CHECKING:
    import numpy.typing as npt

# Standardised values are clipped to [-CLIP, CLIP] (our choice).
CLIP = 5.0


class NumberStatistics(StrictModel):
    """Frozen statistics of a feature that has a value beside its table row.

    Without values, the default, there are no boundaries, and a standardised value is
    the value itself.

    Attributes:
        boundaries: Lower ends of the buckets after the first, ascending. A value that
            equals a boundary is in the bucket above it.
        shares: Share of the values in each bucket; one more than boundaries.
        mean: Mean of the scaled values (`log1p` of counts), one per element of a
            vector.
        deviation: Standard deviation of the same; 1 for a constant.
        values: Number of values that the statistics are from.
        missing: Share of the impressions without a usable value.
        first_day: First day of these impressions, days since 1970-01-01.
        last_day: Last day of them.
    """

    boundaries: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    values: int = 0
    missing: float = 0.0
    first_day: int = 0
    last_day: int = 0

    @property
    def encoding(self) -> list[Any]:
        """What a model's inputs depend on."""
        return [self.boundaries, self.mean, self.deviation]


def choose_boundaries(
    quantiles: npt.ArrayLike, buckets: int
) -> tuple[list[float], list[float]]:
    """Returns boundaries of buckets with shares as equal as repeated values allow.

    A value that more than one bucket's share of the impressions has, such as 0, gets a
    bucket of its own, and the other values share the buckets that are left.

    Args:
        quantiles: Evenly spaced quantiles, ascending, shape (Q,).
        buckets: Largest number of buckets.

    Returns:
        The boundaries, at most `buckets - 1`, and the share of each bucket.

    Example:
        >>> choose_boundaries([0, 0, 0, 0, 0, 0, 1, 2, 3, 4], buckets=3)
        ([1.0, 3.0], [0.6, 0.2, 0.2])
    """
    import numpy as np

    values, counts = np.unique(np.asarray(quantiles, np.float64), return_counts=True)
    boundaries: list[float] = []
    shares: list[float] = []
    left, held = float(counts.sum()), 0.0
    for value, count in zip(values, counts, strict=True):
        wanted = left / (buckets - len(boundaries))
        # The next value starts a bucket where that is nearer to equal shares.
        if (
            held
            and len(boundaries) < buckets - 1
            and (held >= wanted or held + count - wanted > wanted - held)
        ):
            boundaries.append(float(value))
            shares.append(held / counts.sum())
            left, held = left - held, 0.0
        held += count
    if held:
        shares.append(held / counts.sum())
    return boundaries, shares
