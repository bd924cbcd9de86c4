"""Reasons why a step is due: it is new, was interrupted, or something changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import listed
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.execution.run_records import RECORD_FILE
from pipeline.execution.run_records import read_record
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.planning.steps import prints

CONFIG_FILE = "config.json"
# Keys that say where files are, which changes no result.
_PLACES = ("root", "logs", "schema", "metadata", "import", "serving.directory")


@dataclass(frozen=True)
class Earlier:
    """A step of an earlier command.

    Attributes:
        step: The step as it was planned.
        state: How it ended, see `StepRun`.
        code: Hash of the code at that time; empty if it was not recorded.
        settings: The configuration at that time, by dotted key.
    """

    step: Step
    state: str
    code: str
    settings: Mapping[str, object]


def read_earlier(root: Path) -> list[Earlier]:
    """Returns the steps of all commands that ran under `root`, oldest first.

    Raises:
        DataError: A record cannot be read.
    """
    found = []
    for path in sorted((root / "runs").glob(f"*/{RECORD_FILE}")):
        record = read_record(path)
        kept = path.with_name(CONFIG_FILE)
        settings = json.loads(kept.read_bytes()) if kept.exists() else {}
        flat = flattened(settings)
        found += [Earlier(r.step, r.state, record.code, flat) for r in record.steps]
    return found


def settings_of(config: Config) -> dict[str, object]:
    """Returns a configuration by dotted key, as `read_earlier` does."""
    return flattened(json.loads(dump(config)))


def flattened(settings: Any, key: str = "") -> dict[str, object]:
    """Returns nested tables by dotted key.

    Example:
        >>> flattened({"network": {"width": 4}, "target": "ads"})
        {'network.width': 4, 'target': 'ads'}
    """
    if not isinstance(settings, dict) or (key and not settings):
        return {key: settings}
    found: dict[str, object] = {}
    for name, value in settings.items():
        found |= flattened(value, f"{key}.{name}" if key else name)
    return found


def why_due(
    steps: Sequence[Step],
    earlier: Sequence[Earlier],
    code: str,
    settings: Mapping[str, object],
) -> dict[str, str]:
    """Returns, by fingerprint, why each step that is not done would run.

    Args:
        steps: The plan.
        earlier: Steps of earlier commands, oldest first.
        code: Hash of the code that makes artifacts.
        settings: The configuration by dotted key.
    """
    newest = {_identity(one.step): one for one in earlier}
    same = {one.step.fingerprint: one for one in earlier}
    reasons = {}
    for step in steps:
        if step.done:
            continue
        if step.fingerprint in same:
            reason = _interrupted(same[step.fingerprint].state)
        elif _identity(step) in newest:
            reason = _changed(step, newest[_identity(step)], code, settings)
        else:
            reason = "not made yet"
        reasons[step.fingerprint] = reason
    return reasons


def _identity(step: Step) -> tuple[object, ...]:
    """Returns what identifies a step, whatever it is made from."""
    if step.kind == StepKind.INGEST:
        return step.kind, step.days
    run_day = step.run_day if step.kind == StepKind.TARGET else step.day
    return step.kind, step.strategy, step.day, run_day, step.judged


def _interrupted(state: str) -> str:
    return {
        "failed": "failed before",
        "due": "an earlier command ended before it was done",
    }.get(state, "what an earlier command made is no longer stored")


def _of_another_strategy(key: str, step: Step) -> bool:
    """Whether `key` belongs to an entry of `strategies` that is not the step's."""
    names = key.split(".")
    return names[0] == "strategies" and names[1:2] != [step.strategy]


def _changed(
    step: Step, before: Earlier, code: str, settings: Mapping[str, object]
) -> str:
    former = before.step
    reasons = []
    if before.code and before.code != code:
        reasons.append("the code has changed")
    keys = sorted(
        key
        for key in before.settings.keys() | settings.keys()
        if before.settings.get(key) != settings.get(key)
        and not key.startswith(_PLACES)
        and not _of_another_strategy(key, step)
    )
    if before.settings and keys:
        reasons.append(f"the configuration has changed: {listed(keys)}")
    inputs = {
        "impressions of other days": former.days != step.days,
        "other blocks": prints(former.blocks) != prints(step.blocks),
        "other weights to start from": former.warm_start != step.warm_start,
        "other snapshots": former.snapshots != step.snapshots,
        "another source model": former.source != step.source,
        "other evaluation impressions": former.evaluation != step.evaluation
        or prints(former.evaluation_blocks) != prints(step.evaluation_blocks),
        "another live model to compare with": former.live != step.live,
    }
    differing = [name for name, differs in inputs.items() if differs]
    if differing:
        reasons.append(f"it reads {listed(differing)}")
    return "; ".join(reasons) or "its logs or the schema file have changed"
