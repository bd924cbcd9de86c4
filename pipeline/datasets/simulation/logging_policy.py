"""Logging policy of a feedback loop: it shows what past clicks say users like.

The model is as simple as production's first one: the log odds of the item's click rate
plus those of the cell of segment and category, both smoothed, fitted on all impressions
of the domain before the day. What it never shows it never learns about.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.datasets.simulation.population import CATEGORIES
from pipeline.datasets.simulation.population import SEGMENTS
from pipeline.datasets.simulation.population import Floats
from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import Items
from pipeline.datasets.simulation.population import Users

# Items that the policy chooses among.
CANDIDATES = 8
# Weight of the mean click rate, in impressions.
_SMOOTHING = 20.0


class LoggingPolicy:
    """Click rates by item and by cell of segment and category.

    Args:
        users: The domain's users.
        items: The domain's items.
    """

    def __init__(self, users: Users, items: Items) -> None:
        self._segment, self._category = users.segment, items.category
        self._shown, self._clicked = np.zeros((2, len(items.ids)))
        self._cell_shown, self._cell_clicked = np.zeros((2, SEGMENTS * CATEGORIES))
        self._item_odds, self._cell_odds = self._odds()

    def learn(self, user: Ints, item: Ints, click: npt.NDArray[np.bool_]) -> None:
        """Counts impressions; `refit` makes the policy act on them."""
        cell = self._cell(user, item)
        self._shown += np.bincount(item, minlength=len(self._shown))
        self._clicked += np.bincount(item, click, len(self._shown))
        self._cell_shown += np.bincount(cell, minlength=len(self._cell_shown))
        self._cell_clicked += np.bincount(cell, click, len(self._cell_shown))

    def refit(self) -> None:
        """Fits the model on all impressions counted so far."""
        self._item_odds, self._cell_odds = self._odds()

    def choose(self, user: Ints, candidates: Ints) -> Ints:
        """Returns the candidate with the highest score; (N,), (N, K) -> (N,).

        The first of those with equal scores is chosen.
        """
        scores = self._item_odds[candidates]
        scores = scores + self._cell_odds[self._cell(user[:, None], candidates)]
        best = scores.argmax(axis=1)
        chosen: Ints = np.take_along_axis(candidates, best[:, None], axis=1)[:, 0]
        return chosen

    def _cell(self, user: Ints, item: Ints) -> Ints:
        return self._segment[user] * CATEGORIES + self._category[item]

    def _odds(self) -> tuple[Floats, Floats]:
        """Returns the smoothed log odds by item and by cell."""
        base = (self._clicked.sum() + 1) / (self._shown.sum() + 10)
        found = []
        for clicked, shown in (
            (self._clicked, self._shown),
            (self._cell_clicked, self._cell_shown),
        ):
            rate = (clicked + _SMOOTHING * base) / (shown + _SMOOTHING)
            found.append(np.log(rate / (1 - rate)).astype(np.float32))
        return found[0], found[1]
