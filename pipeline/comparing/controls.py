"""Controls of a comparison: models that rule out other causes of a method's gain.

| control              | what it is                                                    |
| -------------------- | ------------------------------------------------------------- |
| `<entry>_<control>`  | what a strategy declares, such as `cctl_equal` (w = 1)        |
| `equal_steps_<n>`    | the baseline in smaller or larger batches, so that it takes   |
|                      | the n optimizer steps of a method that mixes in sources       |

A method that trains on source impressions beside the target's takes other numbers of
steps over the same target impressions, and the number alone can be worth more than the
sources are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.strategies.base import StrategyConfig
from models.strategies.registry import BASELINE_KIND
from pipeline.comparing.costs import Cost
from pipeline.config.entries import entry_config
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind

# Numbers of steps that differ by less are no explanation of a difference.
_SAME_STEPS = 0.1
# A batch of one impression has no statistics for BatchNorm.
_LEAST_BATCH = 2


def declared_controls(
    config: Config, entries: Mapping[str, StrategyConfig]
) -> dict[str, StrategyConfig]:
    """Returns the controls that the strategies of a comparison declare, by name.

    Left out are those that stand in the comparison already, under whatever name.

    Args:
        config: The configuration.
        entries: Entries of the comparison by name.
    """
    compared = config.model_copy(update={"strategies": dict(entries)})
    known = [
        compared.strategy_of(name).identity(source_model=False) for name in entries
    ]
    found = {}
    for name in entries:
        whole = compared.entry_of(name)
        for suffix, keys in compared.strategy_of(name).controls().items():
            entry = entry_config(f"{name}_{suffix}", {**whole, **keys})
            control = compared.model_copy(update={"strategies": {name: entry}})
            identity = control.strategy_of(name).identity(source_model=False)
            if identity not in known:
                known.append(identity)
                found[f"{name}_{suffix}"] = entry
    return found


def equal_steps(
    config: Config,
    entries: Mapping[str, StrategyConfig],
    costs: Mapping[str, Cost],
) -> dict[str, tuple[StrategyConfig, str]]:
    """Returns the baseline with the steps of each method that mixes in sources.

    Args:
        config: The configuration.
        entries: Entries of the comparison by name.
        costs: Cost of each entry whose training is finished.

    Returns:
        By name the entry, and a note on what it stands for. Methods of the same number
        of steps share one; there are none without an entry of the baseline's kind.
    """
    compared = config.model_copy(update={"strategies": dict(entries)})
    plain = [
        name
        for name in costs
        if compared.kind_of(name) == BASELINE_KIND and costs[name].batch_size
    ]
    if not plain:
        return {}
    own = costs[plain[0]]
    steps = {
        name: cost.steps[StepKind.TARGET]
        for name, cost in costs.items()
        if compared.needs(name).source_impressions and cost.steps
    }
    found = {}
    for count in sorted(set(steps.values())):
        if abs(count / max(own.steps[StepKind.TARGET], 1) - 1) <= _SAME_STEPS:
            continue
        methods = [name for name, steps_of in steps.items() if steps_of == count]
        size = int(own.batch_size or 0) * own.steps[StepKind.TARGET] // count
        size = max(size, _LEAST_BATCH)
        keys = _with_batch_size(compared.entry_of(plain[0]), size)
        name = f"equal_steps_{count}"
        note = (
            f"{plain[0]} in batches of {size:,} impressions, for about the {count:,} "
            f"optimizer steps of {', '.join(methods)}"
        )
        found[name] = (entry_config(name, keys), note)
    return found


def _with_batch_size(entry: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Returns an entry's keys with this batch size, whatever `min_steps_per_pass`."""
    training = dict(entry["training"] or {})
    fixed = {"batch_size": size, "min_steps_per_pass": 0}
    training["target"] = {**(training.get("target") or {}), **fixed}
    return {**entry, "training": training}
