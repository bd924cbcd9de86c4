"""Files of a stored replicate, to which strategies can be added later.

    scores.parquet     user, item, label, and a column of logits a model: `score_files`
    comparison.json    costs, failures and notes of the single comparison
    facts.json         what the data hold, counted: `data_facts`
    stamps.json        by model, what made its scores: `code_stamps`

A strategy is stored if it has a stamp, which is written last.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.code_stamps import REFERENCES
from benchmarks.score_files import read_scores
from benchmarks.score_files import write_scores
from models import durable_files
from models.errors import DataError
from pipeline.comparing.record import Comparison
from pipeline.comparing.record import read_json
from pipeline.comparing.record import to_json

SCORES_FILE = "scores.parquet"
COMPARISON_FILE = "comparison.json"
FACTS_FILE = "facts.json"
STAMPS_FILE = "stamps.json"
MODEL, REFERENCE, ORACLE = "model:", "reference:", "oracle"
Stamps = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Made:
    """What a process made of a replicate.

    Attributes:
        scores: The judged impressions with a column a model.
        comparison: Their comparison.
        facts: What the data hold.
        stamps: Stamps of the models, of those that failed and of the references.
    """

    scores: pa.Table
    comparison: Comparison
    facts: Mapping[str, Any]
    stamps: Stamps


def stamps_in(folder: Path) -> dict[str, dict[str, str]]:
    """Returns the stamps of a stored replicate by model; empty without one."""
    path = folder / STAMPS_FILE
    if not path.is_file():
        return {}
    content: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return content


def add(folder: Path, made: Made) -> None:
    """Stores a replicate, or adds what a stored one does not have.

    Args:
        folder: The replicate's folder.
        made: What was made; models that are stored already stay as they are.

    Raises:
        DataError: The stored scores are of other impressions.
    """
    known = stamps_in(folder)
    if known:
        scores = _joined(read_scores(folder / SCORES_FILE), made.scores, known, folder)
        stored = read_json(folder / COMPARISON_FILE)
        comparison = _with_models(stored, made.comparison)
    else:
        scores, comparison = made.scores, made.comparison
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, scores, comparison)
    durable_files.write_text(folder / FACTS_FILE, _text(made.facts))
    durable_files.write_text(folder / STAMPS_FILE, _text({**made.stamps, **known}))


def drop(folder: Path, models: Collection[str]) -> None:
    """Removes models from a stored replicate, and all of it where none is left."""
    kept = {name: one for name, one in stamps_in(folder).items() if name not in models}
    if not kept.keys() - {REFERENCES}:
        shutil.rmtree(folder)
        return
    stored = read_json(folder / COMPARISON_FILE)
    comparison = dataclasses.replace(
        stored,
        costs=_without(stored.costs, models),
        failed=_without(stored.failed, models),
        controls=_without(stored.controls, models),
        models=tuple(one for one in stored.models if one.name not in models),
    )
    # First, so that a stop in between leaves no stamp without its scores.
    durable_files.write_text(folder / STAMPS_FILE, _text(kept))
    scores = read_scores(folder / SCORES_FILE)
    columns = [name for name in scores.column_names if _part(name) not in models]
    _write(folder, scores.select(columns), comparison)


def _write(folder: Path, scores: pa.Table, comparison: Comparison) -> None:
    partial = folder / f".{SCORES_FILE}"
    write_scores(scores, partial)
    partial.replace(folder / SCORES_FILE)
    durable_files.write_text(folder / COMPARISON_FILE, to_json(comparison))


def _joined(stored: pa.Table, made: pa.Table, known: Stamps, folder: Path) -> pa.Table:
    """Returns the stored columns, and those of models that have no stamp."""
    for name in stored.column_names:
        if _part(name) or name == ORACLE:
            continue
        if name not in made.column_names or stored[name] != made[name]:
            raise DataError(
                f"{str(folder)!r} holds scores of other impressions than this run's "
                f"(column {name!r} differs); remove the folder to make it anew"
            )
    new = [
        name for name in made.column_names if _part(name) and _part(name) not in known
    ]
    old = [name for name in stored.column_names if name not in new]
    joined = stored.select(old)
    for name in new:
        joined = joined.append_column(name, made[name])
    return joined


def _part(column: str) -> str:
    """Returns whose stamp a column has; "" for one that is of the impressions."""
    if column.startswith(REFERENCE):
        return REFERENCES
    return column.removeprefix(MODEL) if column.startswith(MODEL) else ""


def _with_models(stored: Comparison, made: Comparison) -> Comparison:
    """Returns the stored comparison with the models that only the new one has."""
    names = {one.name for one in stored.models}
    return dataclasses.replace(
        stored,
        models=(*stored.models, *(m for m in made.models if m.name not in names)),
        costs={**made.costs, **stored.costs},
        failed={**made.failed, **stored.failed},
        controls={**made.controls, **stored.controls},
    )


def _without(found: Mapping[str, Any], models: Collection[str]) -> dict[str, Any]:
    return {name: one for name, one in found.items() if name not in models}


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"
