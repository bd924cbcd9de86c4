"""Simulated transformed Examples: eight id features, two of them large, and a signal.

The files have Transform's layout, so that the trainers' reader reads them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.peers.common import COLUMNS_FILE
from models.data.arrow_files import pq
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable

NUM_FIELDS = 8
NUM_LARGE = 2
SMALL_IDS = 100
FIRST_DAY = 20_000
NUM_DAYS = 10
# Learning rates were tuned on other impressions, those of seed 7.
MEASURED_SEED = 11
_GROUP_ROWS = 65_536
_SHARD_ROWS = 1_000_000


def features(num_ids: int) -> FeatureTable:
    """Returns eight id features; two have `num_ids` ids each, the others 100."""
    return FeatureTable(
        features=tuple(
            Feature(name=f"field_{i}", kind="id", vocabulary=f"space_{i}")
            for i in range(NUM_FIELDS)
        ),
        vocabularies={
            f"space_{i}": IdSpace(capacity=num_ids if i < NUM_LARGE else SMALL_IDS)
            for i in range(NUM_FIELDS)
        },
    )


def write_rows(
    folder: Path,
    num_ids: int,
    num_rows: int,
    held_out: int,
    seed: int = MEASURED_SEED,
) -> None:
    """Writes `train/`, `held_out/` and `columns.json` into `folder`.

    Ids are drawn with a long tail. Every id has an effect. The log-odds of a click are
    the sum of the effects and of products of two features' effects, so that single ids
    and interactions both matter.

    Args:
        folder: Output folder.
        num_ids: Ids of each of the two large features.
        num_rows: Training impressions, of ten days.
        held_out: Impressions of the day after.
        seed: Seed of the effects and of the impressions.
    """
    table = features(num_ids)
    folder.mkdir(parents=True)
    tables = {
        f.name: {"table": f.table, "rows": table.num_rows(f.table)}
        for f in table.features
    }
    (folder / COLUMNS_FILE).write_text(json.dumps(tables))
    rng = np.random.default_rng(seed)
    effects = [
        rng.normal(0, 0.5, space.capacity).astype(np.float32)
        for space in table.vocabularies.values()
    ]
    for part, rows, days in (("train", num_rows, NUM_DAYS), ("held_out", held_out, 1)):
        (folder / part).mkdir()
        first = FIRST_DAY if part == "train" else FIRST_DAY + NUM_DAYS
        for shard, start in enumerate(range(0, rows, _SHARD_ROWS)):
            size = min(_SHARD_ROWS, rows - start)
            columns = _columns(table, effects, rng, size)
            day = np.arange(start, start + size) * days // rows
            columns[DAY] = first + day
            lists = {name: _as_lists(columns[name]) for name in sorted(columns)}
            path = folder / part / f"part-{shard:03}.parquet"
            pq.write_table(pa.table(lists), path, row_group_size=_GROUP_ROWS)


def _columns(
    table: FeatureTable, effects: list[Any], rng: np.random.Generator, size: int
) -> dict[str, Any]:
    columns, numbers = {}, []
    for feature, effect in zip(table.features, effects, strict=True):
        space = table.vocabularies[feature.table]
        drawn = (space.capacity * rng.random(size) ** 3).astype(np.int64)
        columns[feature.name] = drawn + space.first_id_row
        numbers.append(effect[drawn])
    log_odds = -1.5 + sum(numbers) + 2.0 * numbers[2] * numbers[3]
    log_odds += 2.0 * numbers[4] * numbers[5]
    columns[LABEL] = (rng.random(size) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    return columns


def _as_lists(values: Any) -> pa.Array:
    offsets = pa.array(np.arange(len(values) + 1))
    return pa.LargeListArray.from_arrays(offsets, pa.array(values))
