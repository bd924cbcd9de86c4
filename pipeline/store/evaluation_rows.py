"""Impressions that a model will be judged on, counted once they are ingested."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from models.artifact_files import ENCODING_FILE
from models.days import DayRange
from models.days import to_date
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Step
from pipeline.store.reader import Store


def too_few_to_publish(config: Config, store: Store, steps: Sequence[Step]) -> str:
    """Returns a warning if the Gate will refuse for want of impressions, else "".

    It can be given before the trainings of a run, which the Gate comes after.

    Args:
        config: The configuration.
        store: The store of its root.
        steps: The steps of a run whose ingests are done.
    """
    needed = config.gate.min_examples
    for step in steps:
        days = step.evaluation
        if step.done or step.kind != StepKind.TARGET or days is None:
            continue
        rows = rows_of_days(store, step.evaluation_blocks, days, config.target)
        if rows is not None and rows < needed:
            return (
                f"{days} has {rows:,} impressions of {config.target}, and the Gate "
                f"needs {needed:,} (`gate.min_examples`): no model of this run will "
                "be published; raise `evaluation_days` or lower the minimum"
            )
    return ""


def rows_of_days(
    store: Store, blocks: Sequence[Block], days: DayRange, domain: str
) -> int | None:
    """Returns a domain's ingested impressions of some days.

    Args:
        store: The store.
        blocks: Blocks that hold the days.
        days: The days.
        domain: The domain.

    Returns:
        The number; None if a block is not stored, or `crossctr clean` removed it.
    """
    counted = {
        stored.fingerprint: Path(stored.uri) / ENCODING_FILE
        for stored in store.transformed_blocks()
    }
    wanted = {str(to_date(day)) for day in range(days.first, days.last + 1)}
    total = 0
    for block in blocks:
        path = counted.get(block.fingerprint)
        if path is None or not path.is_file():
            return None
        encoding = json.loads(path.read_text(encoding="utf-8"))
        for counts in encoding["domains"].get(domain, {}).values():
            by_day = zip(encoding["days"], counts["rows"], strict=True)
            total += sum(rows for date, rows in by_day if date in wanted)
            # Every feature counts all impressions of its domain.
            break
    return total
