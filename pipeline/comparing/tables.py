"""Tables of a comparison, for a terminal and for Markdown from the same cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import JustifyMethod

from components.evaluation.metrics import COMPARISON_COLUMNS
from components.evaluation.metrics import COMPARISON_MEANS
from components.evaluation.metrics import NAMES
from pipeline.comparing.costs import Cost
from pipeline.comparing.record import Comparison
from pipeline.comparing.words import with_interval
from pipeline.planning.step_kinds import StepKind
from pipeline.terminal.plain_text import Table


@dataclass(frozen=True)
class Grid:
    """Texts of a table; the first column is left-aligned, the others right-aligned."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_rich(self, title: str) -> Table:
        """Returns the table for a terminal."""
        table = Table(title=title, title_justify="left")
        for index, name in enumerate(self.header):
            justify: JustifyMethod = "right" if index else "left"
            table.add_column(name, justify=justify, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table

    def as_markdown(self) -> str:
        """Returns the table as Markdown."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        lines = [self.header, rule, *self.rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def quality(comparison: Comparison, label: str = "strategy") -> Grid:
    """Returns the table of metrics and differences, of strategies and references.

    Args:
        comparison: The comparison.
        label: Heading of the first column, such as `variant`.
    """
    share = any(model.gap_share is not None for model in comparison.models)
    header = [label]
    for metric in COMPARISON_COLUMNS:
        header += [NAMES[metric], f"{NAMES[metric]}: minus {comparison.baseline}"]
    if comparison.best_reference:
        header.append(f"AUC: minus {comparison.best_reference}")
    header += [NAMES[metric] for metric in COMPARISON_MEANS]
    if share:
        header.append("share of the reachable gap")
    rows = []
    for model in (*comparison.models, *comparison.references):
        row = [model.name]
        for metric in COMPARISON_COLUMNS:
            row.append(_with_spread(model.metrics[metric], model.spread[metric]))
            row.append(with_interval(model.differences.get(metric)))
        if comparison.best_reference:
            row.append(with_interval(model.over_reference))
        row += [_number(model.metrics[metric]) for metric in COMPARISON_MEANS]
        if share:
            row.append(with_interval(model.gap_share, ".0%"))
        rows.append(tuple(row))
    for name, reason in comparison.failed.items():
        told = " ".join(f"failed: {reason}".split()).replace("|", "/")
        rows.append((name, told, *[""] * (len(header) - 2)))
    return Grid(tuple(header), tuple(rows))


def cost(comparison: Comparison) -> Grid:
    """Returns the table of each strategy's cost of training and serving."""
    rows = []
    for model in comparison.models:
        spent = comparison.costs[model.name]
        trained = ", ".join(
            level if count == 1 else f"{count} {level}"
            for level, count in spent.levels.items()
        )
        rows.append(
            (
                model.name,
                trained,
                _steps(spent),
                f"{spent.rows_read:,.0f}",
                f"{spent.train_seconds:.1f}",
                f"{_known(spent.peak_memory_mib, ',.0f')} "
                f"({_known(spent.added_memory_mib, '+,.0f')})",
                f"{spent.model_mib:.1f}",
                _known(spent.milliseconds, ".2f"),
            )
        )
    header = (
        "strategy",
        "trainings",
        "target steps",
        "rows read",
        "training, s",
        "peak memory (added), MiB",
        "SavedModel, MiB",
        "ms per 100 candidates",
    )
    return Grid(header, tuple(rows))


def _steps(spent: Cost) -> str:
    """Returns the target level's optimizer steps and their size."""
    if not spent.steps:
        return "–"
    steps = f"{spent.steps[StepKind.TARGET]:,}"
    return steps if spent.batch_size is None else f"{steps} of {spent.batch_size:,}"


def _with_spread(value: float, spread: float) -> str:
    if math.isnan(value):
        return "undefined"
    return _number(value) if math.isnan(spread) else f"{value:.4f} ± {spread:.4f}"


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4f}"


def _known(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
