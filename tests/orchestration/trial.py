"""Trial world: a few days of tiny logs, and a configuration that trains on them.

python -m tests.orchestration.trial FOLDER [DAYS]
"""

from __future__ import annotations

import sys
from pathlib import Path

from models.days import to_date
from tests.pipeline import feeds_ads

START = feeds_ads.FIRST_DAY + 1


def write(folder: Path, days: int) -> None:
    """Writes the logs of `days` days, the first of which nothing is trained for."""
    # A configuration's paths count from its own folder.
    folder = folder.resolve()
    feeds_ads.NUM_DAYS = days
    folder.mkdir(parents=True, exist_ok=True)
    feeds_ads.prepare(
        folder,
        anchor_day=str(to_date(START)),
        levels={
            "tpm": {"every_days": 30, "window_days": 30, "snapshots": 1},
            "cpm": {"every_days": 7, "window_days": 7},
            "target": {"window_days": 3},
        },
        gate=feeds_ads.OPEN_GATE,
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
