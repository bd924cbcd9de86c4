"""Keys of the ingest benchmark, and logs that stock TFX reads, too."""

from __future__ import annotations

import pytest

from benchmarks import simulated_logs
from benchmarks.bench_ingest import OURS
from benchmarks.bench_ingest import POLARS
from benchmarks.bench_ingest import STOCK
from benchmarks.bench_ingest import compared_keys
from benchmarks.bench_ingest import memory_keys
from models.data.arrow_files import pq


def test_ratios_of_the_compared_runs():
    keys = compared_keys(
        {
            STOCK: {"rows": 1_000, "seconds": 40.0, "cpu_seconds": 30.0},
            OURS: {"rows": 1_000, "seconds": 4.0, "cpu_seconds": 2.0},
            POLARS: {"rows": 1_000, "seconds": 0.2, "cpu_seconds": 0.5},
        }
    )
    assert keys == {
        "speedup_vs_stock": 10,
        "speedup_vs_stock_cpu": 15,
        "cpu_seconds_per_1e6_rows": 2_000,
        "share_of_polars": 0.25,
        "rows_per_second": 250,
        "stock_rows_per_second": 25,
    }


def test_fixed_costs_are_no_part_of_a_further_row():
    few = {"rows": 1_000_000, "cpu_seconds": 10.0, "peak_bytes": 100}
    many = {"rows": 3_000_000, "cpu_seconds": 18.0, "peak_bytes": 110}
    keys = memory_keys({1_000_000: few, 2_000_000: {}, 3_000_000: many})
    assert keys["rss_ratio_1e7_over_1e5"] == pytest.approx(1.1)
    assert keys["further_cpu_seconds_per_1e6_rows"] == 4
    assert set(memory_keys({}).values()) == {None}


def test_stock_tfx_has_a_feature_for_each_column_of_the_files(tmp_path):
    logs = simulated_logs.write_logs(tmp_path, 100)
    schema = simulated_logs.schema_text(stock=True)
    columns = pq.read_schema(next(logs.folder.glob("*/*/*.parquet"))).names
    assert [line.split('"')[1] for line in schema.splitlines()] == sorted(columns)
