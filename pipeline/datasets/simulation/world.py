"""Simulated impressions of a domain by day, in chunks.

The impressions of a day depend only on seed, domain and day; no state is carried from
one day to the next. Each random column has its own stream, drawn in order, so that
impressions do not depend on the size of the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.datasets.simulation import truth
from pipeline.datasets.simulation.population import SEGMENTS
from pipeline.datasets.simulation.population import Floats
from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import make_items
from pipeline.datasets.simulation.population import make_users
from pipeline.datasets.simulation.population import present
from pipeline.datasets.simulation.population import sampling_table
from pipeline.datasets.simulation.population import stream
from pipeline.datasets.simulation.settings import DomainPlan

# Small enough for the CPU caches, large enough to hide NumPy's cost per call.
CHUNK_ROWS = 131_072
# Relative frequency of the slots in 256ths; the first is the most frequent.
_SLOT_PLACES = (92, 60, 40, 28, 20, 16)
_HOUR_BITS = 10


@dataclass(frozen=True)
class Impressions:
    """N impressions of a domain and day.

    Attributes:
        user: Positions in the domain's users, (N,).
        item: Positions in the domain's items, (N,).
        slot: In [0, SLOTS), (N,).
        hour: In [0, 24), (N,).
        minute: In [0, 60), (N,).
        probability: p*, the click probability given everything but `accident`, (N,).
        accident: Whether the label is independent of user and item, (N,).
        click: Label, (N,).
    """

    user: Ints
    item: Ints
    slot: npt.NDArray[np.uint8]
    hour: npt.NDArray[np.uint8]
    minute: npt.NDArray[np.uint8]
    probability: Floats
    accident: npt.NDArray[np.bool_]
    click: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.user)


class DomainWorld:
    """Domain of the simulated world.

    Its memory depends on the number of users and items, not of impressions.

    Args:
        plan: The domain.
        seed: Seed of the world.
        num_days: Days that may be asked for.
    """

    def __init__(self, plan: DomainPlan, seed: int, num_days: int) -> None:
        self.plan = plan
        self.users = make_users(plan, seed, num_days)
        self.items = make_items(plan, seed, num_days)
        self._seed = seed
        self._turned = truth.rotate(self.items.taste, plan.theta)
        slot, hour, device = truth.context_logits(seed, plan.name)
        bias = truth.TARGET_BIAS if plan.is_target else truth.SOURCE_BIAS
        self._slot_hour = (slot[:, None] + hour[None, :] + np.float32(bias)).ravel()
        self._user_logit = (
            np.float32(truth.EAGERNESS) * self.users.eagerness
            + device[self.users.device]
        )
        self._slots = np.repeat(np.arange(truth.SLOTS, dtype=np.uint8), _SLOT_PLACES)
        self._hours = _hour_table(seed, plan.name)
        segments = truth.shares(self.users.segment, self.users.weight, SEGMENTS)
        places = np.array(_SLOT_PLACES, np.float32)
        self.accident_rates = truth.accident_rates(
            seed, plan.name, plan.poison, places / places.sum(), segments
        )

    def taste_logits(self, user: Ints, item: Ints) -> Floats:
        """Returns the taste's part of the logit; (N,), (N,) -> (N,)."""
        return truth.taste_logits(self.users.taste[user], self._turned[item])

    def day(self, day: int, chunk_rows: int = CHUNK_ROWS) -> Iterator[Impressions]:
        """Yields the impressions of a day.

        Args:
            day: Days since the first day.
            chunk_rows: Rows of a chunk; the rows themselves do not depend on it.
        """
        plan = self.plan
        users = sampling_table(self.users.weight[: present(plan.users, day)])
        items = sampling_table(self.items.weight[: present(plan.items, day)])
        appeal = np.float32(truth.APPEAL) * truth.appeal_on(self.items, plan.drift, day)
        if plan.turn_day is not None and day >= plan.turn_day:
            appeal = -appeal
        draws = {
            name: stream(self._seed, plan.name, f"day {day}", name)
            for name in ("users", "items", "context", "accidents", "clicks")
        }
        for start in range(0, plan.rows_per_day, chunk_rows):
            size = min(chunk_rows, plan.rows_per_day - start)
            user = users[draws["users"].integers(0, len(users), size, np.uint32)]
            item = items[draws["items"].integers(0, len(items), size, np.uint32)]
            bits = draws["context"].integers(0, 1 << 32, size, np.uint32)
            slot = self._slots[bits & 0xFF]
            hour = self._hours[(bits >> 8) & ((1 << _HOUR_BITS) - 1)]
            minute = (((bits >> (8 + _HOUR_BITS)) * np.uint32(60)) >> 14).astype("u1")
            logits = self.taste_logits(user, item)
            logits += self._user_logit[user]
            logits += appeal[item]
            logits += self._slot_hour[slot.astype(np.int32) * truth.HOURS + hour]
            p = truth.probabilities(logits)
            uniform = draws["clicks"].random(size, np.float32)
            if plan.poison:
                rate = self.accident_rates[slot, self.users.segment[user]]
                accident = draws["accidents"].random(size, np.float32) < rate
                click = uniform < np.where(accident, np.float32(truth.ACCIDENT), p)
                p += rate * (np.float32(truth.ACCIDENT) - p)
            else:
                accident = np.zeros(size, np.bool_)
                click = uniform < p
            yield Impressions(user, item, slot, hour, minute, p, accident, click)


def _hour_table(seed: int, domain: str) -> npt.NDArray[np.uint8]:
    """Returns hours in which each has its share: one busy time a day."""
    peak = stream(seed, domain, "busy").uniform(8, 22)
    turn = 2 * np.pi * (np.arange(truth.HOURS) - peak) / truth.HOURS
    ends = np.cumsum(np.exp(np.cos(turn)))
    ends *= (1 << _HOUR_BITS) / ends[-1]
    places = np.arange(1 << _HOUR_BITS) + 0.5
    return np.searchsorted(ends, places).astype(np.uint8)
