"""Settings of `crossctr simulate`: presets of size and parameters of difficulty.

Only pydantic is imported here, so that checking a configuration stays fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Literal

from pydantic import Field

from models.settings import MAX_SEED
from pipeline.config.local_paths import LocalPath
from pipeline.datasets.simulation.complications import DomainComplications
from pipeline.datasets.simulation.complications import WorldComplications


@dataclass(frozen=True)
class Preset:
    """Size of the simulated world.

    Attributes:
        days: Days of logs.
        rows_per_day: Impressions of a source on one day.
        users: Users of a source on the first day.
        items: Items of a source on the first day.
        target_users: Users of the target on the first day.
        target_items: Items of the target on the first day.
    """

    days: int
    rows_per_day: int
    users: int
    items: int
    target_users: int
    target_items: int


PRESETS = {
    # For tests: an ingest of it takes seconds.
    "small": Preset(12, 2_000, 600, 200, 200, 40),
    # Two months of a small company: 2 million feed rows, 60,000 ad rows.
    "daily": Preset(60, 33_500, 12_000, 4_000, 2_500, 400),
    # 10^7 feed rows; `rows_per_day` and `days` increase it.
    "scale": Preset(60, 170_000, 100_000, 20_000, 20_000, 2_000),
}
# Of impressions a day, users and items; what is larger is a slip of the keyboard.
_MOST = 10**9
PresetName = Literal["small", "daily", "scale"]


class DomainKnobs(DomainComplications):
    """Parameters of one domain that differ from those of `SimulationConfig`.

    The keys of `DomainComplications` belong to it, too.

    Attributes:
        rows_per_day: Impressions on one day.
        theta: Degrees between this domain's taste and the target's.
        drift: Share of the variance of an item's appeal that changes over time.
        user_overlap: Share of the users who belong to the common pool.
        item_overlap: Share of the items that belong to the common pool.
        poison: Share of impressions with an accidental label.
        turn_day: Day, 0 for the first, from which on the appeal of every item is
            reversed. If one domain is reversed before another, items of the common pool
            predict the change in the later one.
        taste_speed: Degrees per day by which its tastes rotate.
    """

    rows_per_day: int | None = Field(default=None, gt=0, le=_MOST)
    theta: float | None = Field(default=None, ge=0, le=180)
    drift: float | None = Field(default=None, ge=0, le=1)
    user_overlap: float | None = Field(default=None, ge=0, le=1)
    item_overlap: float | None = Field(default=None, ge=0, le=1)
    poison: float | None = Field(default=None, ge=0, le=0.8)
    turn_day: int | None = Field(default=None, ge=0, le=10_000)
    taste_speed: float | None = Field(default=None, ge=-180, le=180)


class SimulationConfig(WorldComplications):
    """Simulated world: folder of its true probabilities, size and difficulty.

    The first source's users and items are the common pool; the overlaps define how many
    of them other domains share. The keys of `WorldComplications` belong to it, too.

    Attributes:
        truth: Folder for each impression's true click probability and whether its
            label is an accident, which models must not see. It must not lie in `logs`.
        preset: Size: `small` (tests), `daily` (60 days, 2 million feed rows, 60,000 ad
            rows) or `scale` (10^7 feed rows).
        seed: Seed of every draw.
        theta: Degrees between a source's taste and the target's: 0 is the same taste,
            90 is unrelated. The default 30 is a correlation of 0.87.
        drift: Share of the variance of an item's appeal that changes over weeks; the
            rest is constant.
        sparsity: Impressions of a source per impression of the target; ads have a few
            percent of the impressions of feeds.
        poison: Share of the sources' impressions with an accidental label.
        user_overlap: Share of the target's users who are in the common pool.
        item_overlap: Share of the target's items that are in the common pool; small,
            because ads are rarely articles of the feed.
        days: Days of logs instead of the preset's.
        rows_per_day: Impressions of a source on one day instead of the preset's.
        users: Users of a source on the first day instead of the preset's.
        items: Items of a source on the first day instead of the preset's.
        recent_items: Most items of a list `recent_items_<domain>`, the items that the
            user clicked last in a domain, of which every log has one per domain; 0
            writes no lists.
        domains: Other parameters for single domains.
    """

    truth: LocalPath
    preset: PresetName = "daily"
    seed: int = Field(default=17, ge=0, le=MAX_SEED)
    theta: float = Field(default=30.0, ge=0, le=180)
    drift: float = Field(default=0.3, ge=0, le=1)
    sparsity: float = Field(default=33.0, ge=1, le=_MOST)
    poison: float = Field(default=0.0, ge=0, le=0.8)
    user_overlap: float = Field(default=0.8, ge=0, le=1)
    item_overlap: float = Field(default=0.1, ge=0, le=1)
    days: int | None = Field(default=None, gt=0, le=10_000)
    rows_per_day: int | None = Field(default=None, gt=0, le=_MOST)
    users: int | None = Field(default=None, gt=0, le=_MOST)
    items: int | None = Field(default=None, gt=0, le=_MOST)
    recent_items: int = Field(default=0, ge=0, le=1_000)
    domains: dict[str, DomainKnobs] = Field(default_factory=dict)

    @property
    def num_days(self) -> int:
        """Days of logs."""
        return self.days or PRESETS[self.preset].days


@dataclass(frozen=True)
class DomainPlan:
    """Resolved parameters of a domain; with a seed they determine its impressions.

    Attributes:
        name: The domain.
        number: Position that makes ids outside the pool distinct; 0 for the pool's own
            domain, 1 for the target, whatever sources are added.
        is_target: Whether it is the target, whose log has other columns.
        rows_per_day: Impressions on one day.
        users: Users on the first day.
        items: Items on the first day.
        theta: Degrees between its taste and the target's.
        drift: Share of the variance of an item's appeal that changes over time.
        user_overlap: Share of its users in the common pool.
        item_overlap: Share of its items in the common pool.
        poison: Share of impressions with an accidental label.
        turn_day: Day from which on its items' appeal is reversed; None for never.
        complications: Those of the domain.
        world: Those of all domains; `taste_speed` is the domain's own.
    """

    name: str
    number: int
    is_target: bool
    rows_per_day: int
    users: int
    items: int
    theta: float
    drift: float
    user_overlap: float
    item_overlap: float
    poison: float
    turn_day: int | None = None
    complications: DomainComplications = field(default_factory=DomainComplications)
    world: WorldComplications = field(default_factory=WorldComplications)


def plan_domains(
    simulation: SimulationConfig, sources: Sequence[str], target: str
) -> tuple[DomainPlan, ...]:
    """Resolves the parameters of every domain, the target last.

    Args:
        simulation: The world.
        sources: The sources; users and items of the first are the common pool.
        target: The target.
    """
    preset = PRESETS[simulation.preset]
    source_rows = simulation.rows_per_day or preset.rows_per_day
    plans = []
    for position, name in enumerate([*sources, target]):
        is_target, is_pool = name == target, position == 0
        defaults = {
            "rows_per_day": max(1, round(source_rows / simulation.sparsity))
            if is_target
            else source_rows,
            "theta": 0.0 if is_target else simulation.theta,
            "drift": simulation.drift,
            "user_overlap": 1.0 if is_pool else simulation.user_overlap,
            "item_overlap": 1.0 if is_pool else simulation.item_overlap,
            "poison": 0.0 if is_target else simulation.poison,
        }
        own = simulation.domains.get(name, DomainKnobs()).model_dump(exclude_none=True)
        complications = {key: own.pop(key) for key in DomainComplications.model_fields}
        world = simulation.model_dump(include=set(WorldComplications.model_fields))
        world["taste_speed"] = own.pop("taste_speed", simulation.taste_speed)
        users, items = simulation.users, simulation.items
        plans.append(
            DomainPlan(
                name=name,
                number=1 if is_target else position and position + 1,
                is_target=is_target,
                users=_scaled(users, preset.users, preset.target_users, is_target),
                items=_scaled(items, preset.items, preset.target_items, is_target),
                complications=DomainComplications(**complications),
                world=WorldComplications(**world),
                **(defaults | own),
            )
        )
    return tuple(plans)


def _scaled(chosen: int | None, source: int, target: int, is_target: bool) -> int:
    """Returns a domain's number of users or items in the preset's proportion."""
    if not is_target:
        return chosen or source
    return target if chosen is None else max(1, round(chosen * target / source))
