"""Replicates pooled into one comparison: means and intervals over all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.replicate_files import COMPARISON_FILE
from benchmarks.replicate_files import FACTS_FILE
from benchmarks.replicate_files import MODEL
from benchmarks.replicate_files import ORACLE
from benchmarks.replicate_files import REFERENCE
from benchmarks.replicate_files import SCORES_FILE
from benchmarks.replicates import Replicate
from benchmarks.replicates import is_done
from benchmarks.replicates import stored
from benchmarks.score_files import decoded
from benchmarks.score_files import read_scores
from models.errors import DataError
from models.strategies.registry import BASELINE_KIND
from pipeline.comparing.costs import summary
from pipeline.comparing.measure import measure
from pipeline.comparing.record import Comparison
from pipeline.comparing.record import read_json
from pipeline.report.scoring import Scored


def pool(replicates: Sequence[Replicate], store: Path, command: str) -> Comparison:
    """Returns the comparison over the replicates whose results are stored.

    A strategy or reference counts if all of these replicates have it.

    Args:
        replicates: Replicates of one data set.
        store: Folder of all results.
        command: The command that makes the results again.

    Raises:
        DataError: No replicate is stored.
    """
    done = [one for one in replicates if is_done(one, store)]
    if not done:
        raise DataError(
            f"no replicate of {replicates[0].data_set.name!r} is stored in "
            f"{str(store)!r}; expected at least one; run `{command}`"
        )
    singles = [read_json(stored(one, store) / COMPARISON_FILE) for one in done]
    tables = [_read(one, store) for one in done]
    models, references = (_common(tables, kind) for kind in (MODEL, REFERENCE))
    oracle = all(ORACLE in table.column_names for table in tables)
    measured = measure(
        {
            name: [
                _scored(table, MODEL + name, str(one.seed) if one.is_world else "")
                for one, table in zip(done, tables, strict=True)
            ]
            for name in models
        },
        BASELINE_KIND,
        oracle=[_column(table, ORACLE) for table in tables] if oracle else None,
        references={
            name: [_column(table, REFERENCE + name) for table in tables]
            for name in references
        },
    )
    failed = {name: why for one in singles for name, why in one.failed.items()}
    return dataclasses.replace(
        singles[-1],
        day=min(one.day for one in singles),
        last_day=max(one.last_day for one in singles),
        seeds=tuple(one.seed for one in done),
        rows=measured.rows,
        clicks=measured.clicks,
        users=measured.users,
        coverage=measured.coverage,
        models=measured.models,
        costs={n: summary([one.costs[n] for one in singles]) for n in models},
        oracle=measured.oracle,
        command=command,
        failed=failed,
        references=measured.references,
        best_reference=measured.best_reference,
        guard=next((one.guard for one in singles if one.guard), ""),
    )


def read_facts(replicates: Sequence[Replicate], store: Path) -> list[dict[str, Any]]:
    """Returns the facts of the replicates whose results are stored."""
    return [
        json.loads((stored(one, store) / FACTS_FILE).read_text(encoding="utf-8"))
        for one in replicates
        if is_done(one, store)
    ]


def _read(replicate: Replicate, store: Path) -> pa.Table:
    return read_scores(stored(replicate, store) / SCORES_FILE)


def _common(tables: Sequence[pa.Table], kind: str) -> list[str]:
    """Returns the models or references that all tables have, in order."""
    return [
        name.removeprefix(kind)
        for name in tables[0].column_names
        if name.startswith(kind) and all(name in t.column_names for t in tables)
    ]


def _scored(table: pa.Table, column: str, world: str) -> Scored:
    """Returns a model's scores; users of simulated worlds are those of their world."""
    ids = {}
    for name in ("user", "item"):
        if name in table.column_names:
            known = table.column(name).to_numpy()
            own = [None if one is None else f"{world}/".encode() + one for one in known]
            ids[name] = np.array(own if world else known, object)
    return Scored(
        ids["user"],
        table.column("label").to_numpy().astype(np.int64),
        _column(table, column),
        None,
        ids.get("item"),
    )


def _column(table: pa.Table, name: str) -> npt.NDArray[np.float32]:
    return decoded(table.column(name))
