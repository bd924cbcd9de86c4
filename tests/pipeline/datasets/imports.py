"""Imports of small files: their rows, the import, and the logs it writes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.sections import ImportConfig
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.importer import ImportReport
from pipeline.datasets.importer import import_logs

SAMPLING = NegativeSampling(per_positive=2, seed=3)
DATE = datetime.date

# Not sorted by day; the first row lies before the window, the last one after it.
ROWS: tuple[tuple[str, str, int, datetime.date], ...] = (
    ("ann", "lamp", 5, DATE(2013, 12, 30)),
    ("bob", "lamp", 2, DATE(2014, 1, 2)),
    ("ann", "lamp", 4, DATE(2014, 1, 1)),
    ("bob", "desk", 4, DATE(2014, 1, 2)),
    ("bob", "desk", 4, DATE(2014, 1, 2)),  # an exact duplicate is a row of its own
    ("ann", "sofa", 5, DATE(2014, 1, 4)),
    ("ann", "sofa", 5, DATE(2014, 1, 9)),
)
FIRST_DAY = DATE(2014, 1, 1)
LAST_DAY = DATE(2014, 1, 5)


def rating_table(rows: Sequence[tuple[Any, ...]] = ROWS) -> pa.Table:
    """Returns a source file's ratings."""
    users, items, ratings, dates = (list(column) for column in zip(*rows, strict=True))
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "rating": pa.array(ratings, pa.int8()),
            "date": pa.array(dates, pa.date32()),
        }
    )


def run_import(
    source: Path, logs: Path, domains: Sequence[str] = ("ca",), **changes: Any
) -> ImportReport:
    """Imports domains, with changes to `ImportConfig` or other arguments."""
    settings = {"data": source, "last_day": LAST_DAY, **changes}
    options = {
        name: settings.pop(name, default)
        for name, default in (
            ("first_day", FIRST_DAY),
            ("recent_items", 2),
            ("on_progress", None),
        )
    }
    return import_logs(
        ImportConfig(**settings), logs, domains, options.pop("first_day"), **options
    )


def read_logs(logs: Path, domain: str = "ca") -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of a domain's log by day folder."""
    return {
        path.parent.name: pq.ParquetFile(path).read().to_pylist()
        for path in sorted((logs / domain).glob("date=*/part-0.parquet"))
    }
