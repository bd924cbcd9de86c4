"""Columns of the simulated logs, which differ in feeds and ads.

| feature       | feeds                    | ads                                  |
| ------------- | ------------------------ | ------------------------------------ |
| user_id       | u_userId, integer        | user_id, text                        |
| item_id       | i_docId, integer         | adv_id, text                         |
| segment       | u_group                  | age_gender                           |
| device        | u_device                 | device                               |
| interests     | u_interests, list        | u_newsCatInterests, text `4^12`      |
| refreshes     | u_refreshTimes           | u_refreshTimes, null in some rows    |
| category      | i_cat                    | adv_cat                              |
| item_age_days | i_ageDays                | adv_ageDays                          |
| score         | i_score                  | adv_score                            |
| slot          | e_section, `f0`, `f1`    | slot_id, `a0`, `a1`                  |
| hour          | e_et, as 202206020910    | pt_d, the same as text               |
| label         | label, 1 and -1          | label, 1 and 0                       |

With `recent_items`, both have columns `recent_items_<domain>`, lists of the type of the
item ids.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import Users
from pipeline.datasets.simulation.truth import SLOTS
from pipeline.datasets.simulation.world import DomainWorld
from pipeline.datasets.simulation.world import Impressions

# In ads, `u_refreshTimes` is missing for users with an id that is a multiple of this.
_UNKNOWN_USERS = 10

TRUTH_SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("click", pa.int8()),
        ("probability", pa.float32()),
        ("accident", pa.bool_()),
    ]
)


class LogColumns:
    """Conversion of a domain's impressions to tables; user columns are cached.

    Args:
        world: The domain.
    """

    def __init__(self, world: DomainWorld) -> None:
        self._world = world
        lists = _interest_lists(world.users, world.codes["category"])
        self._interests = _joined(lists) if world.plan.is_target else lists
        prefix = "a" if world.plan.is_target else "f"
        self._slots = pa.array([f"{prefix}{i}" for i in range(SLOTS)])

    def log(
        self,
        rows: Impressions,
        date: datetime.date,
        day: int,
        recent: Mapping[str, pa.Array] | None = None,
    ) -> pa.Table:
        """Returns impressions as rows of the domain's log.

        Args:
            rows: Impressions of one day.
            date: The day's date.
            day: Days since the first day.
            recent: By column, a list of item ids of each user as of this day.
        """
        users, items, codes = self._world.users, self._world.items, self._world.codes
        user, item = rows.user, rows.item
        midnight = int(f"{date:%Y%m%d}0000")
        shared: dict[str, Any] = {
            "user_id": users.ids[user],
            "item_id": items.ids[item],
            "segment": codes["segment"][users.segment[user]],
            "device": codes["device"][users.device[user]],
            "interests": self._interests.take(pa.array(user)),
            "refreshes": users.refreshes[user],
            "category": codes["category"][items.category[item]],
            "age": np.int32(day) - items.arrival[item],
            "score": items.score[item],
            "slot": self._slots.take(pa.array(rows.slot)),
            "time": midnight + rows.hour.astype(np.int64) * 100 + rows.minute,
        }
        named = _ads(shared) if self._world.plan.is_target else _feeds(shared)
        label = rows.click.astype(np.int8)
        id_type = pa.string() if self._world.plan.is_target else pa.int64()
        for name, lists in (recent or {}).items():
            named[name] = lists.take(pa.array(user)).cast(pa.list_(id_type))
        named["label"] = label if self._world.plan.is_target else label * 2 - 1
        return pa.table(named)

    def truth(self, rows: Impressions) -> pa.Table:
        """Returns the true click probabilities, one row per row of the log."""
        return pa.table(
            {
                "user_id": self._world.users.ids[rows.user],
                "click": rows.click.astype(np.int8),
                "probability": rows.probability,
                "accident": rows.accident,
            },
            schema=TRUTH_SCHEMA,
        )


def _feeds(shared: dict[str, Any]) -> dict[str, Any]:
    return {
        "u_userId": shared["user_id"],
        "i_docId": shared["item_id"],
        "u_group": shared["segment"],
        "u_device": shared["device"],
        "u_interests": shared["interests"],
        "u_refreshTimes": shared["refreshes"],
        "i_cat": shared["category"],
        "i_ageDays": shared["age"],
        "i_score": shared["score"],
        "e_section": shared["slot"],
        "e_et": shared["time"],
    }


def _ads(shared: dict[str, Any]) -> dict[str, Any]:
    unknown: npt.NDArray[np.bool_] = shared["user_id"] % _UNKNOWN_USERS == 0
    return {
        "user_id": pa.array(shared["user_id"]).cast(pa.string()),
        "adv_id": pa.array(shared["item_id"]).cast(pa.string()),
        "age_gender": shared["segment"],
        "device": shared["device"],
        "u_newsCatInterests": shared["interests"],
        "u_refreshTimes": pa.array(shared["refreshes"], mask=unknown),
        "adv_cat": shared["category"],
        "adv_ageDays": shared["age"],
        "adv_score": shared["score"],
        "slot_id": shared["slot"],
        "pt_d": pa.array(shared["time"]).cast(pa.string()),
    }


def _interest_lists(users: Users, codes: Ints) -> pa.Array:
    """Returns each user's list of categories, by their codes in the log."""
    places = np.arange(users.interests.shape[1])
    known = places < users.num_interests[:, None]
    offsets = np.concatenate([[0], np.cumsum(users.num_interests)]).astype(np.int32)
    interests = codes[users.interests[known]]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(interests))


def _joined(lists: pa.Array) -> pa.Array:
    return pa.array(["^".join(map(str, values)) for values in lists.to_pylist()])
