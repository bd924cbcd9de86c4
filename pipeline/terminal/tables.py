"""Tables of the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from components.evaluation.metrics import NAMES
from components.evaluation.metrics import RESULT_COLUMNS
from models.strategies.registry import BASELINE_KIND
from pipeline.planning.steps import Step
from pipeline.store.results import TargetResult
from pipeline.store.results import label_constants
from pipeline.terminal.plain_text import Table

if TYPE_CHECKING:
    from components.references.stored import StoredReferences

Metrics = Mapping[str, float | None]

# Format of metrics that are not close to 1.
_FORMATS = {
    "gauc_coverage": ".1%",
    "calibration": ".3f",
    "example_count": ",.0f",
    "click_count": ",.0f",
}


def plan_table(steps: Sequence[Step], why: Mapping[str, str]) -> Table:
    """Returns the table of a plan: impressions, artifacts read and reasons.

    Args:
        steps: The plan.
        why: Reason why a step is due, by fingerprint.
    """
    table = Table(title="Plan", title_justify="left")
    for column in ("#", "step", "reads rows of", "reads", "state"):
        table.add_column(column, overflow="fold")
    for index, step in enumerate(steps, 1):
        reads = [f"block {block.days}" for block in step.blocks]
        if step.warm_start:
            reads.append(f"weights {step.warm_start[:8]}")
        if step.source:
            reads.append(f"source model {step.source[:8]}")
        if step.snapshots:
            prints = ", ".join(fingerprint[:8] for fingerprint in step.snapshots)
            reads.append(f"snapshots {prints}")
        if step.live:
            reads.append(f"live model {step.live[:8]}")
        days = str(step.days)
        if step.evaluation:
            days += f"; judged on {step.evaluation}"
        state = "done" if step.done else f"due: {why[step.fingerprint]}"
        if step.note:
            state += f" ({step.note})"
        table.add_row(
            str(index),
            f"{step.label} {step.fingerprint[:8]}",
            days,
            ", ".join(reads) or "logs",
            state,
        )
    return table


def result_table(
    results: Sequence[TargetResult],
    target: str,
    failed: Mapping[str, str],
    references: StoredReferences | None = None,
) -> Table:
    """Returns the strategies' metrics on the same evaluation impressions.

    The last lines are those of the constant, the click rate of the target's impressions
    in the training window, and of the references, evaluated like models.

    Args:
        results: Results of the strategies.
        target: The target domain.
        failed: Strategies without a result, each with the reason.
        references: Simple models on the same impressions; None without any.
    """
    title = f"Evaluation on {target}, same impressions for all"
    table = Table(title=title, title_justify="left")
    table.add_column("strategy")
    for metric in RESULT_COLUMNS:
        table.add_column(NAMES[metric], justify="right")
    table.add_column("gate")
    for result in results:
        approved = "approved" if result.decision["approved"] else "refused"
        table.add_row(
            result.strategy,
            *_metric_cells(result.decision["candidate"]),
            f"{approved} ({result.decision['state'].replace('_', ' ')})",
        )
    for strategy, reason in failed.items():
        empty = [""] * (len(table.columns) - 2)
        table.add_row(strategy, *empty, f"failed: {reason}")
    constants = label_constants(
        [(result.strategy, result.decision.get("constant")) for result in results]
    )
    if constants:
        table.add_section()
    for label, metrics in constants:
        table.add_row(label, *_metric_cells(metrics), "", style="dim")
    for name, one in (references.models if references else {}).items():
        table.add_row(name, *_metric_cells(one.metrics), one.remark, style="dim")
    return table


def _metric_cells(metrics: Mapping[str, float | None]) -> list[str]:
    return [
        _number(metrics[metric], _FORMATS.get(metric, ".4f"))
        for metric in RESULT_COLUMNS
    ]


def warm_start_table(result: TargetResult) -> Table | None:
    """Returns the table of a warm start by layer; None without a warm start.

    A layer is the first part of its variables' names; report.html names each variable
    that was not copied.
    """
    copied: dict[str, Any] | None = result.report.get("warm_start")
    if not copied:
        return None
    source = "its own model of an earlier day" if result.continues else "CPM"
    table = Table(
        title=f"Warm start of {result.strategy} from {source}", title_justify="left"
    )
    table.add_column("what")
    table.add_column("variables", justify="right")
    table.add_column("which", overflow="fold")
    for key in ("copied", "resized", "new", "left_out"):
        names = list(copied.get(key, ()))
        layers = Counter(name.partition("/")[0] for name in names)
        which = ", ".join(
            f"{layer} ({count})" if count > 1 else layer
            for layer, count in layers.items()
        )
        table.add_row(key.replace("_", " "), str(len(names)), which)
    return table


def comparison(results: Sequence[TargetResult], strategy: str) -> str:
    """Returns the differences of `strategy` and `target_only`, without a verdict.

    AUC and log loss come first: they include all evaluation impressions, GAUC only
    those of users with both labels.
    """
    by_name = {result.strategy: result.decision["candidate"] for result in results}
    if strategy == BASELINE_KIND or not {strategy, BASELINE_KIND} <= by_name.keys():
        return ""
    ours, plain = by_name[strategy], by_name[BASELINE_KIND]
    coverage = _number(ours["gauc_coverage"], ".1%")
    gauc = (
        f"{_change(ours, plain, 'gauc')} on {coverage} of the impressions"
        if None not in (ours["gauc"], plain["gauc"])
        else "undefined: no user has both a click and an impression without one; "
        "evaluate on more days"
    )
    return (
        f"{strategy} minus target_only, on one seed: "
        f"AUC {_change(ours, plain, 'auc')}, "
        f"log loss {_change(ours, plain, 'log_loss')} (less is better), GAUC {gauc}"
    )


def _change(ours: Metrics, plain: Metrics, key: str) -> str:
    """Returns the difference of one metric; undefined if it is for either model."""
    one, other = ours[key], plain[key]
    return "undefined" if one is None or other is None else f"{one - other:+.4f}"


def _number(value: float | None, form: str) -> str:
    """Returns a metric as text; an undefined one has no number."""
    return "undefined" if value is None else format(value, form)
