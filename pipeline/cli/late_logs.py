"""What a command ends with when logs have changed since runs used them."""

from __future__ import annotations

from pathlib import Path

from models.days import to_date
from models.errors import listed
from pipeline.execution.job import Plan
from pipeline.terminal.plain_text import Console


def show_runs_to_repeat(config_path: Path, planned: Plan, console: Console) -> None:
    """Names earlier runs that used logs which have changed since."""
    if not planned.to_repeat:
        return
    console.say(
        f"These runs used logs that have changed since ({listed(planned.late)}); to "
        "train their models on the new logs, repeat them, oldest first:"
    )
    for day, strategy in planned.to_repeat:
        console.say(
            f"  crossctr run {config_path} --day {to_date(day)} -s {strategy}",
            soft_wrap=True,
        )
    days = [log.day for log in planned.late]
    console.say(
        "If a change means nothing for the models, take the logs as they were:\n"
        f"  crossctr accept {config_path} --from {to_date(min(days))} "
        f"--to {to_date(max(days))} --reason WHY",
        soft_wrap=True,
    )


def to_repeat(planned: Plan) -> list[dict[str, object]]:
    """Returns the day and strategy of each run to repeat, oldest first, for JSON."""
    return [{"day": to_date(day), "strategy": name} for day, name in planned.to_repeat]
