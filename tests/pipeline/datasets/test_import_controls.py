"""Importer's controls: cold users, and sources under permuted users."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.sections import NegativeSampling
from tests.pipeline.datasets.imports import DATE
from tests.pipeline.datasets.imports import SAMPLING
from tests.pipeline.datasets.imports import rating_table
from tests.pipeline.datasets.imports import read_logs
from tests.pipeline.datasets.imports import run_import

COLD = {"start": DATE(2014, 1, 4), "share": 0.5}


def _many(rows: int = 400) -> pa.Table:
    rng = np.random.default_rng(0)
    days = [
        DATE(2014, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 9, rows)
    ]
    users, items = rng.integers(0, 30, rows), rng.integers(0, 200, rows)
    return rating_table(
        [(f"u{u}", f"i{i}", 5, d) for u, i, d in zip(users, items, days, strict=True)]
    )


@pytest.mark.parametrize("negatives", [None, SAMPLING], ids=["ratings", "positives"])
def test_cold_users_have_no_target_rows_before_the_evaluation(
    source: Path, logs: Path, negatives: NegativeSampling | None
) -> None:
    table = _many() if negatives is None else _many().drop(["rating"])
    for domain in ("ca", "de"):
        pq.write_table(table, source / f"{domain}.parquet")
    options = {"negatives": negatives, "cold_users": COLD, "recent_items": 9}
    report = run_import(source, logs, ("ca", "de"), **options)
    days = read_logs(logs, "de")
    before = [r for day, rows in days.items() for r in rows if day < "date=2014-01-04"]
    after = [r for day, rows in days.items() for r in rows if day >= "date=2014-01-04"]
    cold = {row["user_id"] for row in after}
    assert cold
    assert not cold & {row["user_id"] for row in before}
    for row in after:
        assert (row["user_impressions"], row["user_age_days"]) == (0, None)
        assert row["recent_items"] == row["recent_items_de"] == []
    # In the source they are as any other user, and it knows nothing of their target.
    source_rows = [r for rows in read_logs(logs, "ca").values() for r in rows]
    assert cold <= {row["user_id"] for row in source_rows}
    assert all(r["recent_items_de"] == [] for r in source_rows if r["user_id"] in cold)
    assert any(row["recent_items_ca"] for row in after)
    ca, de = report.domains
    assert ca.hidden_rows == 0
    kept = de.written_rows - de.negative_rows
    assert de.read_rows == kept + de.outside_rows + de.hidden_rows
    assert de.hidden_rows > 0


def test_cold_users_leave_no_trace_in_the_rows_before_the_evaluation(
    source: Path, logs: Path
) -> None:
    pq.write_table(_many(), source / "de.parquet")
    run_import(source, logs, ("de",), cold_users=COLD)
    found = {d: r for d, r in read_logs(logs, "de").items() if d < "date=2014-01-04"}
    kept = {row["user_id"] for rows in found.values() for row in rows}
    table = _many()
    without = table.filter(pa.array([u in kept for u in table["user_id"].to_pylist()]))
    pq.write_table(without, source / "de.parquet")
    run_import(source, logs.with_name("without"), ("de",))
    expected = read_logs(logs.with_name("without"), "de")
    assert found == {d: r for d, r in expected.items() if d < "date=2014-01-04"}


def test_permuted_users_are_those_of_the_sources_alone(
    source: Path, logs: Path
) -> None:
    for domain in ("ca", "de"):
        pq.write_table(_many(), source / f"{domain}.parquet")
    placebo = logs.with_name("placebo")
    run_import(source, logs, ("ca", "de"))
    run_import(source, placebo, ("ca", "de"), permute_source_users=3)
    names = ("user_id", "item_id", "user_impressions", "recent_items")
    for domain, same in (("de", True), ("ca", False)):
        plain, permuted = (
            [
                [row[name] for name in names]
                for rows in read_logs(folder, domain).values()
                for row in rows
            ]
            for folder in (logs, placebo)
        )
        assert (plain == permuted) == same
        # Only ids change: each row keeps the history of its user.
        assert [row[1:] for row in plain] == [row[1:] for row in permuted]
    other = [
        r["recent_items_ca"] for rows in read_logs(placebo, "de").values() for r in rows
    ]
    own = [
        r["recent_items_ca"] for rows in read_logs(logs, "de").values() for r in rows
    ]
    assert other != own
