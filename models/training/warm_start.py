"""Warm start: the weights that a new model copies from a trained one.

Only named variables are copied. They include no metric state, and the optimizer's slots
only if `inherit_optimizer` is set, within one level.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import TrainingError
from models.training.checkpoints import restore

Shape = tuple[int, ...]

# Variables with one row per table row: embedding tables, and the wide part's weights.
_TABLE_SUFFIXES = ("/table", "/weight")
_NORM_SUFFIX = "_norm"


@dataclass(frozen=True)
class CopyReport:
    """Effect of a warm start, by variable.

    Attributes:
        copied: Variables copied completely, with their number of rows.
        resized: Embedding tables and wide weights of another size, with the number of
            common rows, which are copied.
        new: Variables that the source lacks, with their number of rows.
        left_out: Variables of the source that are not copied, with their number of
            rows.
    """

    copied: dict[str, int]
    resized: dict[str, int]
    new: dict[str, int]
    left_out: dict[str, int]

    def to_json(self) -> dict[str, dict[str, int]]:
        """Returns the report as plain dictionaries."""
        return asdict(self)


def batch_norm_variables(names: Iterable[str]) -> frozenset[str]:
    """Returns the `names` that belong to a BatchNorm layer.

    Scale, shift and both running statistics: `hidden_0_norm/gamma` and so on.
    """
    return frozenset(name for name in names if _is_norm(name))


def plan_copy(
    source: Mapping[str, Shape],
    target: Mapping[str, Shape],
    excluded: frozenset[str] = frozenset(),
) -> CopyReport:
    """Plans a warm start.

    E-CDCTR's rule: embedding, interaction and MLP weights are loaded, BatchNorm is
    re-initialised (pass `batch_norm_variables`). A table row never moves, so the common
    rows of a table of another size are copied.

    Args:
        source: Shapes in the checkpoint, by variable.
        target: Shapes in the new model, by variable.
        excluded: Variables to leave at their initial values.

    Returns:
        The plan, which also serves as the report.

    Raises:
        TrainingError: If a variable other than a table has another shape.

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238, initialisation of A-CTR.
    """
    report = CopyReport(copied={}, resized={}, new={}, left_out={})
    for name, shape in target.items():
        rows = _num_rows(shape)
        if name not in source:
            report.new[name] = rows
        elif name in excluded:
            report.left_out[name] = _num_rows(source[name])
        elif source[name] == shape:
            report.copied[name] = rows
        elif name.endswith(_TABLE_SUFFIXES) and source[name][1:] == shape[1:]:
            report.resized[name] = min(source[name][0], rows)
        else:
            raise TrainingError(
                f"{name} has shape {source[name]} in the model to start from, but "
                f"{shape} in this one; the two levels need the same features, network "
                "and use of snapshots. Train the earlier level with this "
                "configuration, or set the strategy's warm_start to false"
            )
    for name in source.keys() - target.keys():
        report.left_out[name] = _num_rows(source[name])
    return report


def apply(plan: CopyReport, prefix: Path, variables: Mapping[str, Any]) -> None:
    """Copies variables from the checkpoint at `prefix` according to `plan`."""
    for name, num_rows in {**plan.copied, **plan.resized}.items():
        restore(prefix, name, variables[name], num_rows)


def _num_rows(shape: Shape) -> int:
    """Returns the number of rows of a variable; 1 for a scalar."""
    return shape[0] if shape else 1


def optimizer_variables(names: Iterable[str]) -> frozenset[str]:
    """Returns the `names` that are an optimizer's slots or step counts."""
    return frozenset(name for name in names if name.startswith("optimizer/"))


def _is_norm(name: str) -> bool:
    parts = name.split("/")
    return len(parts) > 1 and parts[-2].endswith(_NORM_SUFFIX)
