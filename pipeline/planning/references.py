"""References step: simple models on the target level's window."""

from __future__ import annotations

from collections.abc import Sequence

from models.days import DayRange
from models.days import to_date
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import digest
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints


def references_step(
    config: Config,
    known: Known,
    code: str,
    *,
    run_day: int,
    day: int,
    evaluation: DayRange,
    history: Sequence[Block],
    judged: tuple[Block, ...],
) -> Step:
    """Plans the references of a run, whatever its strategies and seeds are.

    They read the whole window, also on a day whose target models continue from earlier
    ones.

    Args:
        config: The configuration.
        known: What is stored.
        code: Hash of the code that makes artifacts.
        run_day: The run's day D.
        day: Day of the target models, a tick of their clock.
        evaluation: Days on whose target impressions they are evaluated.
        history: Blocks that end before `day`.
        judged: Blocks that hold the evaluation days.
    """
    clock = config.levels.target.clock(config.anchor)
    window = clock.logged_window(day, config.first)
    blocks = overlapping(history, window.days)
    fingerprint = digest(
        code,
        str(StepKind.REFERENCES),
        config.table.model_dump(),
        config.domains,
        config.references.model_dump(),
        config.intervals.draws,
        prints(blocks),
        str(window.days),
        prints(judged),
        str(evaluation),
    )
    return Step(
        kind=StepKind.REFERENCES,
        label=f"references for {config.target} on {to_date(run_day)}",
        day=day,
        run_day=run_day,
        days=window.days,
        fingerprint=fingerprint,
        done=fingerprint in known.results,
        blocks=blocks,
        evaluation=evaluation,
        evaluation_blocks=judged,
        judged=False,
        note=window.note,
    )
