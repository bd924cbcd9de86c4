"""Simulated impressions of a domain by day, in chunks.

The impressions of a day depend only on seed, domain and day. A logging policy learns
from earlier days, which are drawn again where needed; without one, no state is carried
from one day to the next. Each random column has its own stream, drawn in order, so that
impressions do not depend on the size of the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.datasets.simulation import truth
from pipeline.datasets.simulation.accidents import Accidents
from pipeline.datasets.simulation.click_models import taste_model
from pipeline.datasets.simulation.logging_policy import CANDIDATES
from pipeline.datasets.simulation.logging_policy import LoggingPolicy
from pipeline.datasets.simulation.population import CATEGORIES
from pipeline.datasets.simulation.population import DEVICES
from pipeline.datasets.simulation.population import SEGMENTS
from pipeline.datasets.simulation.population import Floats
from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import active_users
from pipeline.datasets.simulation.population import code_book
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

    @property
    def minute_of_day(self) -> npt.NDArray[np.int32]:
        """Minutes since midnight, (N,)."""
        return self.hour.astype(np.int32) * 60 + self.minute


class DomainWorld:
    """Domain of the simulated world.

    Its memory depends on the number of users and items, not of impressions.

    Args:
        plan: The domain.
        seed: Seed of the world.
        num_days: Days that may be asked for.

    Attributes:
        codes: By `segment`, `device` and `category`, the code of each in the log.
    """

    def __init__(self, plan: DomainPlan, seed: int, num_days: int) -> None:
        self.plan = plan
        self.users = make_users(plan, seed, num_days)
        self.items = make_items(plan, seed, num_days)
        self._seed = seed
        self._taste_model = taste_model(plan.world.click_model, seed)
        slot, hour, device = truth.context_logits(seed, plan.name)
        bias = truth.TARGET_BIAS if plan.is_target else truth.SOURCE_BIAS
        self._slot_hour = (slot[:, None] + hour[None, :] + np.float32(bias)).ravel()
        self._user_logit = (
            np.float32(truth.EAGERNESS) * self.users.eagerness
            + device[self.users.device]
        )
        self._slots = np.repeat(np.arange(truth.SLOTS, dtype=np.uint8), _SLOT_PLACES)
        self._hours = _hour_table(seed, plan.name)
        places = np.array(_SLOT_PLACES, np.float32)
        self.accidents = Accidents(
            plan, seed, self.users, len(self.items.ids), places / places.sum()
        )
        self.codes = {
            kind: code_book(plan, seed, kind, number)
            for kind, number in (
                ("segment", SEGMENTS),
                ("device", DEVICES),
                ("category", CATEGORIES),
            )
        }
        self._policy = LoggingPolicy(self.users, self.items)
        self._policy_day = 0

    def taste_logits(self, user: Ints, item: Ints, day: int = 0) -> Floats:
        """Returns the taste's part of the logit on a day; (N,), (N,) -> (N,)."""
        return self._taste_model(self.users.taste[user], self._turned(day)[item])

    def day(self, day: int, chunk_rows: int = CHUNK_ROWS) -> Iterator[Impressions]:
        """Yields the impressions of a day.

        Args:
            day: Days since the first day.
            chunk_rows: Rows of a chunk; the rows themselves do not depend on it.
        """
        if self.plan.world.feedback:
            self._fit_policy(day)
        yield from self._draw(day, chunk_rows)

    def _draw(self, day: int, chunk_rows: int) -> Iterator[Impressions]:
        """Yields the impressions of a day, given the policy's present state."""
        plan = self.plan
        users = sampling_table(self._user_weights(day))
        items = sampling_table(self.items.weight[: present(plan.items, day)])
        turned, logit_of_item = self._turned(day), self._appeal_logits(day)
        draws = {
            name: stream(self._seed, plan.name, f"day {day}", name)
            for name in ("users", "items", "context", "accidents", "clicks", "policy")
        }
        for start in range(0, plan.rows_per_day, chunk_rows):
            size = min(chunk_rows, plan.rows_per_day - start)
            user = users[draws["users"].integers(0, len(users), size, np.uint32)]
            item = items[draws["items"].integers(0, len(items), size, np.uint32)]
            if plan.world.feedback:
                item = self._chosen(user, item, items, draws["policy"])
            bits = draws["context"].integers(0, 1 << 32, size, np.uint32)
            slot = self._slots[bits & 0xFF]
            hour = self._hours[(bits >> 8) & ((1 << _HOUR_BITS) - 1)]
            minute = (((bits >> (8 + _HOUR_BITS)) * np.uint32(60)) >> 14).astype("u1")
            logits = self._taste_model(self.users.taste[user], turned[item])
            logits += self._user_logit[user]
            logits += logit_of_item[item]
            logits += self._slot_hour[slot.astype(np.int32) * truth.HOURS + hour]
            p = truth.probabilities(logits)
            uniform = draws["clicks"].random(size, np.float32)
            if self.accidents.any:
                rate = self.accidents.rates(slot, user, item)
                accident = draws["accidents"].random(size, np.float32) < rate
                click = uniform < np.where(accident, np.float32(truth.ACCIDENT), p)
                p += rate * (np.float32(truth.ACCIDENT) - p)
            else:
                accident = np.zeros(size, np.bool_)
                click = uniform < p
            yield Impressions(user, item, slot, hour, minute, p, accident, click)

    def _user_weights(self, day: int) -> npt.NDArray[np.float64]:
        """Returns the relative number of impressions of each user present."""
        about, number = self.plan.world, present(self.plan.users, day)
        weight = self.users.weight[:number]
        if not about.returning_users:
            return weight
        active = active_users(
            self.users, about.returning_users, about.absence_days, day
        )
        return weight * active[:number]

    def _turned(self, day: int) -> Floats:
        """Returns the items' tastes as the domain's users see them on a day."""
        days = day - self.plan.complications.lag_days
        turn = self.plan.theta + self.plan.world.taste_speed * days
        return truth.rotate(self.items.taste, turn)

    def _appeal_logits(self, day: int) -> Floats:
        """Returns the appeal's part of the logit of every item on a day."""
        plan = self.plan
        seen = day - plan.complications.lag_days
        appeal = np.float32(truth.APPEAL) * truth.appeal_on(
            self.items, plan.drift, seen
        )
        turned = plan.turn_day is not None and day >= plan.turn_day
        return -appeal if turned else appeal

    def _chosen(
        self, user: Ints, item: Ints, items: Ints, draw: np.random.Generator
    ) -> Ints:
        """Returns the item shown: the policy's choice, or the one drawn.

        Args:
            user: Positions of the users, (N,).
            item: Items drawn at random, the first candidates, (N,).
            items: Table of items to draw other candidates from.
            draw: Random stream; each impression takes as many numbers from it.
        """
        places = draw.random((len(user), CANDIDATES), np.float32)
        others = items[(places[:, 1:] * len(items)).astype(np.int64)]
        chosen = self._policy.choose(user, np.column_stack([item, others]))
        return np.where(places[:, 0] < self.plan.world.feedback, chosen, item)

    def _fit_policy(self, day: int) -> None:
        """Makes the policy that of a day, by drawing the days it has not seen."""
        if self._policy_day > day:
            self._policy, self._policy_day = LoggingPolicy(self.users, self.items), 0
        for earlier in range(self._policy_day, day):
            for rows in self._draw(earlier, CHUNK_ROWS):
                self._policy.learn(rows.user, rows.item, rows.click)
            self._policy.refit()
        self._policy_day = day


def _hour_table(seed: int, domain: str) -> npt.NDArray[np.uint8]:
    """Returns hours in which each has its share: one busy time a day."""
    peak = stream(seed, domain, "busy").uniform(8, 22)
    turn = 2 * np.pi * (np.arange(truth.HOURS) - peak) / truth.HOURS
    ends = np.cumsum(np.exp(np.cos(turn)))
    ends *= (1 << _HOUR_BITS) / ends[-1]
    places = np.arange(1 << _HOUR_BITS) + 0.5
    return np.searchsorted(ends, places).astype(np.uint8)
