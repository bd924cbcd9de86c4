"""Reasons why a step is due: it is new, was interrupted, or something changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import DataError
from models.errors import listed
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.execution.run_index import RunIndex
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


def read_earlier(root: Path, steps: Sequence[Step]) -> list[Earlier]:
    """Returns the steps of the commands that say why steps of a plan are due.

    Args:
        root: The configuration's `root`.
        steps: The plan.

    Returns:
        Oldest first, the steps of every command that was to do one that is due now, or
        one in its position.

    Raises:
        DataError: A record cannot be read.
    """
    wanted = {
        name
        for step in steps
        if not step.done
        for name in (step.fingerprint, step.position)
    }
    found: list[Earlier] = []
    for folder, record in RunIndex(root).records(steps=wanted):
        flat = flattened(_settings_in(folder / CONFIG_FILE))
        found += [
            Earlier(run.step, run.state, record.code, flat)
            for run in reversed(record.steps)
        ]
    return found[::-1]


def _settings_in(path: Path) -> Any:
    """Returns the configuration that a run kept; empty if it kept none."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(
            f"{str(path)!r} is not the configuration of a run ({error}); delete the "
            "file, nothing but the reasons in `plan` and the report come from it"
        ) from error


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
    newest = {one.step.position: one for one in earlier}
    same = {one.step.fingerprint: one for one in earlier}
    reasons = {}
    for step in steps:
        if step.done:
            continue
        if step.fingerprint in same:
            reason = _interrupted(same[step.fingerprint].state)
        elif step.position in newest:
            reason = _changed(step, newest[step.position], code, settings)
        else:
            reason = "not made yet"
        reasons[step.fingerprint] = reason
    return reasons


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
