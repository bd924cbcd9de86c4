"""`crossctr plan`: what a run would do, and why."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import click

from models.days import DayRange
from models.days import to_date
from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.late_logs import show_runs_to_repeat
from pipeline.cli.late_logs import to_repeat
from pipeline.cli.options import COMPARE
from pipeline.cli.options import CONFIG
from pipeline.cli.options import STRATEGY
from pipeline.cli.options import Day
from pipeline.cli.options import asked_for
from pipeline.cli.options import wide_console
from pipeline.cli.output import answer
from pipeline.cli.output import output
from pipeline.execution.failures import raise_failed
from pipeline.execution.run_records import used
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.reasons import read_earlier
from pipeline.planning.reasons import settings_of
from pipeline.planning.reasons import why_due
from pipeline.planning.steps import Step
from pipeline.terminal.tables import plan_table


@click.command(
    name="plan",
    cls=Command,
    as_json=True,
    example="crossctr plan configs/first_run.yaml --day 2024-01-29 -s ecdctr",
)
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day.")
@STRATEGY
@COMPARE
def plan_command(
    config_path: Path, day: int, strategy: Sequence[str], compare: bool
) -> None:
    """Print what `run` would do, and why; nothing runs.

    A line for each step, with the impressions and artifacts that it reads.
    """
    config = api.load_config(config_path)
    planned = api.plan(config, day, asked_for(config, strategy, compare))
    why = why_due(
        planned.steps,
        read_earlier(config.root, planned.steps),
        code_fingerprint(),
        settings_of(config),
    )
    shown = used(planned.steps)
    if output().as_json:
        answer(
            {
                "day": to_date(day),
                "steps": [_described(step, why) for step in shown],
                "blocks_not_read": len(planned.steps) - len(shown),
                "not_read": planned.unread,
                "to_repeat": to_repeat(planned),
                "failed": planned.refused,
            }
        )
    else:
        console = wide_console()
        console.print(plan_table(shown, why))
        if len(shown) < len(planned.steps):
            console.print(
                f"{len(planned.steps) - len(shown)} stored blocks that no level reads "
                "are not shown"
            )
        for line in planned.unread:
            console.print(line, soft_wrap=True)
        show_runs_to_repeat(config_path, planned, console)
    raise_failed(planned.refused)


def _described(step: Step, why: Mapping[str, str]) -> dict[str, object]:
    """Returns a step for JSON."""
    return {
        "kind": step.kind,
        "label": step.label,
        "strategy": step.strategy,
        "first_day": to_date(step.days.first),
        "last_day": to_date(step.days.last),
        "evaluation": _days(step.evaluation),
        "fingerprint": step.fingerprint,
        "done": step.done,
        "why": why.get(step.fingerprint, ""),
        "note": step.note,
    }


def _days(days: DayRange | None) -> list[object] | None:
    return None if days is None else [to_date(days.first), to_date(days.last)]
