"""Origins: earlier days on which settings are judged, none of them the run's own.

A trial is trained as a run of each origin would be and judged on the days from the
origin on. The windows of the origins lie before the run's day and do not overlap:

    first_day ... | origin 3: judged | origin 2: judged | origin 1: judged | day D ...
"""

from __future__ import annotations

from typing import NamedTuple

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind

# The other half is what the earliest origin is trained on.
_JUDGED_SHARE = 2


class Origin(NamedTuple):
    """A day that a trial is trained up to, and the days that it is judged on."""

    day: int
    judged: DayRange


def origins_before(config: Config, day: int, count: int) -> list[Origin]:
    """Returns the origins before a run's day, oldest first.

    Each is a tick of CPM's clock, on which every strategy starts anew, as no trial may
    continue the model of another one. Windows are as long as `evaluation_days`, but all
    together at most half of the days of logs before the run's day.

    Args:
        config: The configuration.
        day: The run's day D.
        count: Number of origins.

    Raises:
        ConfigError: There are too few days of logs before `day`.
    """
    history = day - config.first
    days = min(config.evaluation_days, history // (_JUDGED_SHARE * count))
    clock = config.levels.cpm.clock(config.anchor)
    found: list[Origin] = []
    until = day
    for _ in range(count if days > 0 else 0):
        until = clock.tick(until - days)
        found.insert(0, Origin(until, DayRange(until, until + days - 1)))
    if not found or found[0].day - config.first < max(days // _JUDGED_SHARE, 1):
        raise ConfigError(
            f"{count} origins before {to_date(day)} need more days of logs than the "
            f"{max(history, 0):,} since {config.first_day} (`first_day`), as each is a "
            f"tick of the clock of {StepKind.CPM} (levels.cpm.every_days "
            f"{config.levels.cpm.every_days}); choose fewer --origins, a later --day, "
            "or a denser clock"
        )
    return found
