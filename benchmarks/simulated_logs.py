"""Simulated logs of twelve features, as dated Parquet.

Impressions are drawn with NumPy in chunks, so that 10^7 of them fit a small machine.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from models.data.arrow_files import pq

FIRST_DAY = datetime.date(2024, 1, 1)
# A fixed number of days: more impressions make the daily files longer, which is harder
# on memory than more files.
NUM_DAYS = 10
# Share of the impressions by domain; the target is the small one.
DOMAINS = {"feed": 0.75, "ads": 0.25}
TARGET = "ads"
MAX_LENGTH = 5

USERS = 60_000
ITEMS = 30_000
CAPACITIES = {"user": 65_536, "item": 32_768, "domain": 16}
OOV_BUCKETS = 16
COUNTS = (
    "item_impressions",
    "item_age_days",
    "user_impressions",
    "user_age_days",
    "position",
)
RATES = ("item_click_rate", "user_click_rate", "bid_quantile")
# Columns that may be missing in an impression.
OPTIONAL = ("item_age_days", "user_age_days")
_CHUNK_ROWS = 200_000


def features() -> list[dict[str, Any]]:
    """Returns the twelve features in the form of a configuration."""
    ids = [
        {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
        {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
        {"name": "domain", "kind": "id", "vocabulary": "domain", "tpm": True},
        {
            "name": "recent_items",
            "kind": "ids",
            "vocabulary": "item",
            "max_length": MAX_LENGTH,
        },
    ]
    counts = [{"name": name, "kind": "count"} for name in COUNTS]
    rates = [{"name": name, "kind": "rate"} for name in RATES]
    return ids + counts + rates


@dataclass(frozen=True)
class Logs:
    """Simulated logs on disk.

    Attributes:
        folder: `<domain>/date=YYYY-MM-DD/part-0.parquet`.
        rows: Number of impressions.
    """

    folder: Path
    rows: int


def write_logs(folder: Path, rows: int, seed: int = 17) -> Logs:
    """Draws `rows` impressions and writes them below `folder`.

    Args:
        folder: Receives `logs/`.
        rows: Impressions of all domains and days.
        seed: Seed of the draws.
    """
    return write_days(folder, _sizes(rows), seed)


def write_days(folder: Path, sizes: Mapping[tuple[str, int], int], seed: int) -> Logs:
    """Draws the impressions of given domains and days and writes them below `folder`.

    Args:
        folder: Receives `logs/`.
        sizes: Impressions by domain and day; day 0 is `FIRST_DAY`.
        seed: Seed of the draws.
    """
    generator = np.random.default_rng(seed)
    logs = folder / "logs"
    written = 0
    for (domain, day), size in sizes.items():
        partition = logs / domain / f"date={FIRST_DAY + datetime.timedelta(days=day)}"
        partition.mkdir(parents=True)
        with pq.ParquetWriter(partition / "part-0.parquet", _SCHEMA) as parquet:
            for length in _cut(size):
                parquet.write_table(_draw(generator, length))
                written += length
    return Logs(logs, written)


def _sizes(rows: int) -> dict[tuple[str, int], int]:
    """Returns the impressions of each domain and day; their sum is `rows`."""
    keys = [(domain, day) for day in range(NUM_DAYS) for domain in DOMAINS]
    shares = np.array([DOMAINS[domain] / NUM_DAYS for domain, _ in keys])
    ends = np.rint(np.cumsum(shares) * rows).astype(int)
    sizes = np.diff(ends, prepend=0)
    return dict(zip(keys, sizes.tolist(), strict=True))


def _cut(size: int) -> Iterator[int]:
    for start in range(0, size, _CHUNK_ROWS):
        yield min(_CHUNK_ROWS, size - start)


_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("recent_items", pa.list_(pa.string())),
        *((name, pa.int64()) for name in COUNTS),
        *((name, pa.float64()) for name in RATES),
        ("label", pa.int64()),
    ]
)
_USER_IDS = pa.array([f"u{i:08d}" for i in range(USERS)])
_ITEM_IDS = pa.array([f"i{i:07d}" for i in range(ITEMS)])


def _draw(generator: np.random.Generator, size: int) -> pa.Table:
    lengths = generator.integers(0, MAX_LENGTH + 1, size)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    recent = _ITEM_IDS.take(_popular(generator, ITEMS, int(lengths.sum())))
    columns: dict[str, Any] = {
        "user_id": _USER_IDS.take(_popular(generator, USERS, size)),
        "item_id": _ITEM_IDS.take(_popular(generator, ITEMS, size)),
        "recent_items": pa.ListArray.from_arrays(offsets, recent),
    }
    for name in COUNTS:
        count = np.floor(generator.lognormal(3.0, 2.0, size)).astype(np.int64) + 1
        absent = generator.random(size) < 0.1 if name in OPTIONAL else None
        columns[name] = pa.array(count, mask=absent)
    for name in RATES:
        columns[name] = np.round(generator.beta(1.0, 9.0, size), 6)
    columns["label"] = (generator.random(size) < 0.1).astype(np.int64)
    return pa.table([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _popular(generator: np.random.Generator, ids: int, size: int) -> pa.Array:
    """Returns positions of ids with a power-law popularity."""
    return pa.array((ids * generator.random(size) ** 2.5).astype(np.int64))


_INT = "type: INT"
_BYTES = "type: BYTES"
_ONE = "value_count { min: 1 max: 1 } presence { min_fraction: 1.0 min_count: 1 }"


def schema_text(*, stock: bool) -> str:
    """Returns the TFMD schema of the raw logs, features in alphabetical order.

    Args:
        stock: Whether it is for stock TFX, which reads the files' own columns: `domain`
            and `day` are in their path alone, and a 0 is a missing value.
    """
    few = "value_count { min: 0 max: 1 }"
    may_be_zero = few if stock else _ONE
    described = {
        "user_id": f"{_BYTES} {_ONE}",
        "item_id": f"{_BYTES} {_ONE}",
        "recent_items": f"{_BYTES} value_count {{ min: 0 max: {MAX_LENGTH} }}",
        "label": f'{_INT} {may_be_zero} not_in_environment: "SERVING"',
    }
    if not stock:
        described["domain"] = f"{_BYTES} {_ONE}"
        described["day"] = f'{_INT} {_ONE} not_in_environment: "SERVING"'
    for name in COUNTS:
        described[name] = f"{_INT} {few if name in OPTIONAL else _ONE}"
    for name in RATES:
        described[name] = f"type: FLOAT {may_be_zero}"
    environments = [] if stock else [*DOMAINS, "SERVING"]
    lines = [f'default_environment: "{name}"' for name in environments]
    for name, text in sorted(described.items()):
        lines.append(f'feature {{ name: "{name}" {text} }}')
    return "\n".join(lines) + "\n"


def write_config(folder: Path, logs: Logs) -> Path:
    """Writes configuration and schema; returns the configuration's path."""
    (folder / "schema.pbtxt").write_text(schema_text(stock=False), encoding="utf-8")
    names = [feature["name"] for feature in features() if feature["name"] != "domain"]
    settings = {
        "name": "simulated",
        "root": str(folder / "root"),
        "logs": str(logs.folder),
        "schema": str(folder / "schema.pbtxt"),
        "first_day": str(FIRST_DAY),
        "target": TARGET,
        "sources": [domain for domain in DOMAINS if domain != TARGET],
        "columns": {name: name for name in names},
        "label": "label == 1",
        "vocabularies": {
            name: {"capacity": capacity, "oov_buckets": OOV_BUCKETS}
            for name, capacity in CAPACITIES.items()
        },
        "features": features(),
        "serving": {"directory": str(folder / "serving")},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path
