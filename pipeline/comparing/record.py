"""Record of a comparison: JSON that is read back, CSV for spreadsheets."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic import ValidationError

from components.evaluation.differences import Difference
from components.evaluation.metrics import COMPARED
from components.evaluation.metrics import COMPARISON_MEANS
from models.errors import DataError
from pipeline.comparing.costs import Cost
from pipeline.comparing.measure import Measured


@dataclass(frozen=True)
class Comparison:
    """Strategies, trained on the same seeds and measured on the same rows.

    Attributes:
        name: The configuration's name.
        target: The target domain.
        sources: The source domains.
        day: The run's day; trainings end the day before.
        last_day: Last evaluation day; the first is `day`.
        seeds: Seeds of the trainings.
        baseline: The strategy that the others are compared with.
        rows: Number of evaluation impressions.
        clicks: Number of those with label 1.
        users: Number of their users.
        coverage: Share of impressions that GAUC covers.
        models: Metrics of each strategy.
        costs: Cost of each strategy, a summary over the seeds.
        oracle: Metrics of the true click probabilities; None if they are not known.
        note: Why they are not known, for simulated logs.
        command: The command line.
        written: Time of writing, UTC.
        failed: Strategies that failed and are not compared, with the reason.
        references: Metrics of simple models on the same impressions.
        best_reference: The one with the highest AUC; empty without any.
        reference_notes: Remarks about references, by name.
        guard: Why GAUC is not usable; empty if it is.
        random_effects: Whether intervals take seeds, users and items as random
            effects; records of former versions have those of a bootstrap instead,
            which were too narrow.
        controls: What each control stands for, by name.
    """

    name: str
    target: str
    sources: tuple[str, ...]
    day: datetime.date
    last_day: datetime.date
    seeds: tuple[int, ...]
    baseline: str
    rows: int
    clicks: int
    users: int
    coverage: float
    models: tuple[Measured, ...]
    costs: Mapping[str, Cost]
    oracle: Mapping[str, float] | None
    note: str
    command: str
    written: datetime.datetime
    failed: Mapping[str, str] = field(default_factory=dict)
    references: tuple[Measured, ...] = ()
    best_reference: str = ""
    reference_notes: Mapping[str, str] = field(default_factory=dict)
    guard: str = ""
    random_effects: bool = False
    controls: Mapping[str, str] = field(default_factory=dict)


_RECORD = TypeAdapter(Comparison)


def to_json(comparison: Comparison) -> str:
    """Returns the comparison as JSON; undefined values are NaN."""
    return json.dumps(dataclasses.asdict(comparison), default=str, indent=1) + "\n"


def read_json(path: Path) -> Comparison:
    """Reads what `to_json` wrote.

    Raises:
        DataError: The file does not hold a comparison.
    """
    try:
        return _RECORD.validate_python(
            json.loads(path.read_text(encoding="utf-8")), strict=False
        )
    except (ValueError, ValidationError) as error:
        raise DataError(
            f"{str(path)!r} is not a valid comparison "
            f"({' '.join(str(error).split())}); delete it and compare again"
        ) from error


def to_csv(comparison: Comparison) -> str:
    """Returns CSV with a line per strategy, and one per strategy and seed.

    In lines of a single seed, only the metrics are filled. Undefined values are `nan`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(), lineterminator="\n")
    writer.writeheader()
    for model in (*comparison.models, *comparison.references):
        line: dict[str, Any] = {"strategy": model.name, "seed": "all"}
        line |= model.metrics
        for metric in COMPARED:
            line[f"{metric}_sd"] = model.spread[metric]
            line |= _ends(f"{metric}_minus_baseline", model.differences.get(metric))
        line |= _ends("auc_minus_best_reference", model.over_reference)
        line |= _ends("gap_share", model.gap_share)
        if model.name in comparison.costs:
            cost = dataclasses.asdict(comparison.costs[model.name])
            for key in ("levels", "steps"):
                cost[key] = " ".join(f"{k}:{n}" for k, n in cost[key].items())
            line |= cost
        writer.writerow(line)
        if model.name not in comparison.costs:
            continue
        for seed, metrics in zip(comparison.seeds, model.by_seed, strict=True):
            writer.writerow({"strategy": model.name, "seed": seed, **metrics})
    for name, reason in comparison.failed.items():
        writer.writerow({"strategy": name, "seed": "all", "failed": reason})
    if comparison.oracle is not None:
        writer.writerow({"strategy": "oracle", "seed": "all", **comparison.oracle})
    return text.getvalue()


def _columns() -> list[str]:
    columns = ["strategy", "seed"]
    for metric in COMPARED:
        columns += [metric, f"{metric}_sd", *_ends(f"{metric}_minus_baseline", None)]
    columns += [*COMPARISON_MEANS, *_ends("auc_minus_best_reference", None)]
    columns += [*_ends("gap_share", None)]
    columns += [one.name for one in dataclasses.fields(Cost)]
    return [*columns, "failed"]


def _ends(name: str, difference: Difference | None) -> dict[str, float | None]:
    found = difference or Difference(math.nan, math.nan, math.nan)
    return {
        name: found.value,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        f"{name}_adjusted_p": found.adjusted,
    }
