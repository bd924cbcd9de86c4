"""Numbers of simulated impressions, encoded as the pipeline does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.features.kind import value_column
from models.features.number_statistics import NumberStatistics
from models.features.number_statistics import choose_boundaries
from models.features.numeric import NumericKind
from models.features.registry import KINDS


class NumberEncoder:
    """Encoder of numbers by the statistics of the first ones it sees.

    Args:
        kinds: Kind by feature.
        buckets: Number of buckets of each.
    """

    def __init__(self, kinds: dict[str, str], buckets: int) -> None:
        self._kinds = {name: KINDS[kind] for name, kind in kinds.items()}
        self._buckets = buckets
        self._statistics: dict[str, NumberStatistics] = {}

    def encode(self, columns: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
        """Returns table rows and standardised values, (N,) each, of numbers (N,)."""
        encoded = {}
        for name, kind in self._kinds.items():
            assert isinstance(kind, NumericKind)
            numbers = columns[name].astype(np.float64)
            if name not in self._statistics:
                self._statistics[name] = self._measured(kind, numbers)
            rows, values = kind.encoded(numbers, self._statistics[name])
            encoded[name], encoded[value_column(name)] = rows.numpy(), values.numpy()
        return encoded

    def _measured(
        self, kind: NumericKind, numbers: npt.NDArray[np.float64]
    ) -> NumberStatistics:
        quantiles = np.quantile(numbers, np.linspace(0, 1, 1001)[1:-1])
        boundaries, shares = choose_boundaries(quantiles, self._buckets)
        scaled = np.asarray(kind.scaled(numbers))
        return NumberStatistics(
            boundaries=tuple(boundaries),
            shares=tuple(shares),
            mean=(float(scaled.mean()),),
            deviation=(float(scaled.std()) or 1.0,),
            values=len(numbers),
        )
