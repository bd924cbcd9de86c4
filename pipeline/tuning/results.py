"""Results of a tuning: the table of trials, and the frozen values.

`<config>.yaml` has the best values of each strategy and reference, for the key `tuned`
of a configuration; `<config>.csv` beside it has every trial. What an earlier tuning
found for other names stays in both.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from components.evaluation.metrics import Auc
from components.evaluation.metrics import LogLoss
from models import durable_files
from models.days import to_date
from pipeline.config.tuned import read_tuned
from pipeline.terminal.plain_text import Table
from pipeline.terminal.progress import duration
from pipeline.tuning.space import REFERENCES
from pipeline.tuning.space import knobs_of
from pipeline.tuning.space import overrides
from pipeline.tuning.studies import TunedTrial
from pipeline.tuning.tune import Task

Trials = Mapping[str, Sequence[TunedTrial]]
_COLUMNS = ("name", "trial", "frozen", LogLoss.name, Auc.name)
_MORE = ("values", "day", "origins", "seeds", "log_loss_by_origin", "seconds", "failed")


def best_of(trials: Iterable[TunedTrial]) -> TunedTrial | None:
    """Returns the trial with the lowest log loss; None if all failed."""
    judged = [one for one in trials if one.judged.log_loss is not None]
    return min(judged, key=lambda one: one.judged.log_loss or 0.0, default=None)


def frozen(task: Task, trials: Trials) -> dict[str, Any]:
    """Returns the best values of each name, as a configuration has them."""
    found: dict[str, Any] = {}
    for name, of_name in trials.items():
        best = best_of(of_name)
        if best is None:
            continue
        keys = overrides(task.config, name, best.values)
        if name in REFERENCES:
            references = found.setdefault("references", {"settings": {}})
            references["settings"][name] = keys
            continue
        kind = task.config.kind_of(name)
        told = {} if kind == name else {"kind": kind}
        found.setdefault("strategies", {})[name] = {**told, **keys}
    return found


def write_results(task: Task, trials: Trials, path: Path, command: str) -> None:
    """Writes the frozen values to `path` and all trials beside it.

    Args:
        task: What was tuned.
        trials: All trials by name.
        path: The YAML file.
        command: The command line, for the file's head.
    """
    values = read_tuned(path) if path.is_file() else {}
    for section, found in frozen(task, trials).items():
        if section == "references":
            settings = values.setdefault(section, {}).setdefault("settings", {})
            settings |= found["settings"]
        else:
            values.setdefault(section, {}).update(found)
    head = (
        f"# Values that `crossctr tune` found on days before {to_date(task.day)}; the\n"
        f"# trials are in {path.stem}.csv. The newest of its commands:\n"
        f"# {command}\n"
    )
    text = head + yaml.safe_dump(_plain(values), sort_keys=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_files.write_text(path.with_suffix(".csv"), _csv(task, trials, path))
    durable_files.write_text(path, text)


def table_of(task: Task, name: str, trials: Sequence[TunedTrial]) -> Table:
    """Returns the trials of a name for a terminal, the frozen one marked."""
    best = best_of(trials)
    knobs = knobs_of(task.config, name)
    table = Table(title=f"{name}: {len(trials)} trials", title_justify="left")
    for column in ("trial", "log loss", "AUC", *(knob.name for knob in knobs), "time"):
        table.add_column(column, justify="right")
    for one in trials:
        judged = one.judged
        loss = "failed" if judged.log_loss is None else f"{judged.log_loss:.4f}"
        table.add_row(
            f"{one.number}{'*' if one is best else ''}",
            loss,
            "–" if judged.auc is None else f"{judged.auc:.4f}",
            *(f"{knob.rounded(one.values[knob.name]):g}" for knob in knobs),
            duration(judged.seconds),
        )
    return table


def names_by_budget(path: Path) -> dict[str, list[str]]:
    """Returns the tuned names of a file by their budget, in words; empty without one.

    Args:
        path: The YAML file; the CSV beside it is read.
    """
    lines = _stored(path)
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(line["name"] for line in lines):
        own = [line for line in lines if line["name"] == name]
        one = own[0]
        budget = (
            f"{len(own)} trials before {one['day']}, {one['origins']} origins, "
            f"{one['seeds']} seeds"
        )
        found.setdefault(budget, []).append(name)
    return found


def budgets(path: Path) -> str:
    """Returns a warning if the names in a file had different budgets; else nothing."""
    found = names_by_budget(path)
    if len(found) < 2:
        return ""
    told = "; ".join(f"{budget}: {', '.join(names)}" for budget, names in found.items())
    return f"The budgets differ, so a comparison is not one of equals: {told}"


def _csv(task: Task, trials: Trials, path: Path) -> str:
    """Returns CSV with a line for each trial, those of earlier tunings included."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (*_COLUMNS, *_MORE), lineterminator="\n")
    writer.writeheader()
    writer.writerows(line for line in _stored(path) if line["name"] not in trials)
    for name, of_name in trials.items():
        best = best_of(of_name)
        for one in of_name:
            judged = one.judged
            values = " ".join(
                f"{knob.name}={knob.rounded(one.values[knob.name]):g}"
                for knob in knobs_of(task.config, name)
            )
            by_origin = " ".join(f"{loss:.6f}" for loss in judged.by_origin)
            writer.writerow(
                {
                    "name": name,
                    "trial": one.number,
                    "frozen": int(one is best),
                    LogLoss.name: _six(judged.log_loss),
                    Auc.name: _six(judged.auc),
                    "values": values,
                    "day": to_date(task.day),
                    "origins": len(task.origins),
                    "seeds": task.num_seeds,
                    "log_loss_by_origin": by_origin,
                    "seconds": f"{judged.seconds:.0f}",
                    "failed": judged.failure,
                }
            )
    return text.getvalue()


def _stored(path: Path) -> list[dict[str, str]]:
    table = path.with_suffix(".csv")
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _six(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _plain(value: Any) -> Any:
    """Returns nested mappings of plain numbers, as YAML writes them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    # A configuration's reader leaves numbers as text.
    return yaml.safe_load(value) if isinstance(value, str) else value
