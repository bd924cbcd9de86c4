"""Accidental labels: how likely an impression has one, by place, user and item.

An accident is a click with probability `truth.ACCIDENT`, independent of user and item.
Three causes add up, each independent of the others: poisoned cells of slot and segment,
which features show; users of a hidden group; items with noisy labels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.datasets.simulation import truth
from pipeline.datasets.simulation.population import SEGMENTS
from pipeline.datasets.simulation.population import Floats
from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import Users
from pipeline.datasets.simulation.population import stream
from pipeline.datasets.simulation.settings import DomainPlan

# Share of accidents among the labels of a user of the hidden group.
_HIDDEN_RATE = 0.9


class Accidents:
    """Rates of accidental labels in a domain.

    Args:
        plan: The domain.
        seed: Seed of the world.
        users: The domain's users.
        num_items: Number of its items.
        slot_shares: Share of the impressions by slot, sums to 1; (SLOTS,).

    Attributes:
        cells: By slot and segment, (SLOTS, SEGMENTS).
    """

    def __init__(
        self,
        plan: DomainPlan,
        seed: int,
        users: Users,
        num_items: int,
        slot_shares: Floats,
    ) -> None:
        segments = truth.shares(users.segment, users.weight, SEGMENTS)
        self.cells = truth.accident_rates(
            seed, plan.name, plan.poison, slot_shares, segments
        )
        self._segment = users.segment
        about = plan.complications
        self._users = self._items = None
        if about.hidden_poison:
            draws = stream(seed, plan.name, "users", "hidden").random(len(users.ids))
            hidden = draws < about.hidden_poison / _HIDDEN_RATE
            self._users = np.where(hidden, _HIDDEN_RATE, 0).astype(np.float32)
        if about.item_noise:
            draws = stream(seed, plan.name, "items", "noise").random(num_items)
            self._items = (2 * about.item_noise * draws).astype(np.float32)
        self.any = bool(plan.poison or about.hidden_poison or about.item_noise)

    def rates(self, slot: npt.NDArray[np.uint8], user: Ints, item: Ints) -> Floats:
        """Returns the probability of an accident of each impression, (N,)."""
        rate: Floats = self.cells[slot, self._segment[user]]
        for causes, entity in ((self._users, user), (self._items, item)):
            if causes is not None:
                rate = rate + causes[entity] * (1 - rate)
        return rate
