"""Complications of a simulated world: what makes transfer hard, all off by default.

With every complication off, impressions are those of a world without this module.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.strict_model import StrictModel


class WorldComplications(StrictModel):
    """Complications of all domains of a world.

    Attributes:
        click_model: How the logit follows from the tastes of user and item: `dot`, a
            product of both, or `trees`, a sum of random trees over both.
        taste_speed: Degrees per day by which tastes rotate; the target's are those
            without rotation on the first day.
        shared_drift: Whether the appeal of an item of the common pool changes in the
            same way in all domains, instead of separately in each.
        feedback: Share of impressions whose item is chosen by a logging policy: of
            eight candidates, the one that a simple model fitted on the domain's past
            clicks ranks highest.
        returning_users: Share of users who are absent most of the time: active for 20
            days, absent for `absence_days`, and so on, each with a phase of their own.
        absence_days: Days of such an absence.
        own_taste: Share of the variance of a user's taste that belongs to the domain:
            drawn for each user and domain, so that no map of one domain's tastes gives
            another's.
    """

    click_model: Literal["dot", "trees"] = "dot"
    taste_speed: float = Field(default=0.0, ge=-180, le=180)
    shared_drift: bool = False
    feedback: float = Field(default=0.0, ge=0, le=1)
    returning_users: float = Field(default=0.0, ge=0, le=0.9)
    absence_days: int = Field(default=60, gt=0, le=10_000)
    own_taste: float = Field(default=0.0, ge=0, le=1)


class DomainComplications(StrictModel):
    """Complications of a single domain, usually of a source.

    Attributes:
        hidden_poison: Share of impressions with an accidental label, all of users whom
            no feature but their id tells apart.
        item_noise: Share of impressions with an accidental label; each item has a rate
            of its own, between 0 and twice the share.
        permute_users: Whether the log names users by each other's ids, as a broken join
            does; their other features stay theirs.
        permute_items: Whether the log names items by each other's ids.
        permute_codes: Whether the log has a code book of its own: codes of segments,
            devices and categories, interests among them, are permuted.
        lag_days: Age in days of the tastes and appeals by which the domain clicks.
    """

    hidden_poison: float = Field(default=0.0, ge=0, le=0.8)
    item_noise: float = Field(default=0.0, ge=0, le=0.45)
    permute_users: bool = False
    permute_items: bool = False
    permute_codes: bool = False
    lag_days: int = Field(default=0, ge=0, le=10_000)
