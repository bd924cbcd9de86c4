"""Reading, encoding, bucketizing and writing with polars; prints one line of JSON.

    python benchmarks/peers/polars_child.py LOGS_FOLDER OUTPUT_FOLDER

About what the machine can do: the same Parquet in, the same twelve features out as
table rows, in memory, without validation, statistics, accounting or metadata.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

_MISSING, _FIRST = 1, 2
_BUCKETS = 16
_LENGTH = 5
_GROUP_ROWS = 65_536
# Beside ids: whole numbers are counts, fractions are rates.
_NOT_FEATURES = ("label", "date")


def read(logs: Path) -> pl.DataFrame:
    """Returns the impressions of every domain, with `domain` and `date`."""
    return pl.concat(
        pl.read_parquet(f"{folder}/*/*.parquet", hive_partitioning=True).with_columns(
            domain=pl.lit(folder.name)
        )
        for folder in sorted(logs.iterdir())
    )


def encode(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns table rows by feature, with `label` and `date`."""
    ids = ("user_id", "domain")
    users, domains = (rows[name].unique(maintain_order=True) for name in ids)
    listed = rows["recent_items"].explode().drop_nulls()
    items = pl.concat([rows["item_id"], listed]).unique(maintain_order=True)
    known = {"user_id": users, "domain": domains, "item_id": items}
    encoded = {name: _table_row(pl.col(name), ids) for name, ids in known.items()}
    encoded["recent_items"] = (
        pl.col("recent_items")
        .list.eval(_table_row(pl.element(), items))
        .list.gather(list(range(_LENGTH)), null_on_oob=True)
        .list.eval(pl.element().fill_null(0))
    )
    for name, kind in rows.schema.items():
        if name in encoded or name in _NOT_FEATURES:
            continue
        value = pl.col(name)
        bucket = (1 + value).log(2) if kind.is_integer() else value * _BUCKETS
        bucket = bucket.floor().clip(0, _BUCKETS - 1).cast(pl.Int64) + _FIRST
        encoded[name] = bucket.fill_null(_MISSING)
    return rows.select(*_NOT_FEATURES, **encoded)


def _table_row(column: pl.Expr, ids: pl.Series) -> pl.Expr:
    return column.cast(pl.Enum(ids)).to_physical().cast(pl.Int64) + _FIRST


def main(logs: Path, output: Path) -> None:
    """Runs and prints the result."""
    output.mkdir(parents=True)
    started, busy = time.perf_counter(), time.process_time()
    rows = encode(read(logs))
    for (domain,), part in rows.partition_by("domain", as_dict=True).items():
        part.write_parquet(
            output / f"domain-{domain}.parquet", row_group_size=_GROUP_ROWS
        )
    result: dict[str, Any] = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
        "rows": len(rows),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
