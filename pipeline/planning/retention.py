"""Retention rules: which artifacts no future run can need, see `crossctr clean`.

Entries in ML Metadata, vocabularies, statistics and reports are kept for ever, so that
plans and lineage stay complete; impressions, weights and embedding tables are removed.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from models.days import to_date
from models.errors import DataError
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step

KINDS = ("Examples", "Model", "EmbeddingSnapshot")


@dataclass(frozen=True)
class Item:
    """A stored artifact whose files may be removed.

    Attributes:
        id: Its id in ML Metadata.
        kind: One of `KINDS`.
        level: The level of a model.
        strategies: Strategies whose Gate judged it (models of the target only).
        last_day: Last day of the impressions in it, or that it was trained on.
        made_from: Ids of the artifacts it was made from.
    """

    id: int
    kind: str
    level: str
    strategies: frozenset[str]
    last_day: int
    made_from: tuple[int, ...]


def reach(config: Config) -> int:
    """Returns how many days before its own a run may read, by any strategy.

    The oldest impressions of a run are those of the earliest TPM period that CPM pools,
    when CPM's own tick is as long ago as it can be. That period's whole window counts,
    though a stored chain reads only newer days: a chain that has to start again, as
    after a change of the network's sizes, starts with a whole window. Every other level
    reaches less far, with a window and a tick of its own.
    """
    levels = config.levels
    snapshots = max(config.needs(name).tpm_periods for name in config.strategies)
    ticks = levels.cpm.every_days + levels.target.every_days
    windows = (
        (max(snapshots, 1) + 1) * levels.tpm.every_days + levels.tpm.window_days,
        levels.cpm.window_days + levels.cpm.every_days,
        levels.source.window_days + levels.source.every_days,
        levels.target.window_days + levels.target.every_days,
    )
    return ticks + max(windows) + config.evaluation_days


def superfluous(
    items: Sequence[Item], live: Collection[int], newest_day: int, days: int
) -> dict[int, str]:
    """Returns, by id, what no run after `newest_day` needs, and why.

    Kept are whatever reaches into the last `days` days; the newest model and snapshot
    of every level and strategy; the live models with all models and snapshots they
    descend from, and the impressions they were trained on themselves.

    Args:
        items: What is stored.
        live: Ids of the models that serve or that a rollback may restore.
        newest_day: The newest day that was run.
        days: What `reach` returns.
    """
    horizon = newest_day - days
    by_id = {item.id: item for item in items}
    kept = _ancestors(live, by_id)
    newest: dict[tuple[str, str, str], Item] = {}
    for item in sorted(items, key=lambda item: (item.last_day, item.id)):
        for strategy in item.strategies or {""}:
            newest[item.kind, item.level, strategy] = item
    kept |= _ancestors([item.id for item in newest.values()], by_id)
    why = {
        "Examples": f"it ends before {to_date(horizon)}, and no window reaches it",
        "Model": "newer models continue, and no live model descends from it",
        "EmbeddingSnapshot": "newer periods are read, and no live model read it",
    }
    return {
        item.id: why[item.kind]
        for item in items
        if item.last_day < horizon and item.id not in kept
    }


def _ancestors(start: Collection[int], by_id: Mapping[int, Item]) -> set[int]:
    """Returns the models and snapshots `start` descends from, and its own Examples."""
    found: set[int] = set()
    waiting = [number for number in start if number in by_id]
    for number in waiting:
        rows = (n for n in by_id[number].made_from if n in by_id)
        found |= {n for n in rows if by_id[n].kind == "Examples"}
    while waiting:
        number = waiting.pop()
        if number in found:
            continue
        found.add(number)
        waiting += [
            n
            for n in by_id[number].made_from
            if n in by_id and by_id[n].kind != "Examples"
        ]
    return found


def refuse_removed(steps: Sequence[Step], removed: Collection[str]) -> None:
    """Raises if a step would read what `crossctr clean` has removed.

    Args:
        steps: The plan.
        removed: Fingerprints of what was removed.

    Raises:
        DataError: A step that is due reads an artifact whose files were removed.
    """
    for step in steps:
        if step.done or step.kind == StepKind.INGEST:
            continue
        gone = sorted({*step.reads, step.training}.intersection(removed))
        if gone:
            raise DataError(
                f"{step.label} reads {', '.join(gone)}, which `crossctr clean` has "
                "removed as no later day needs it; run a later day, or restore the "
                "root's artifacts from a backup"
            )
