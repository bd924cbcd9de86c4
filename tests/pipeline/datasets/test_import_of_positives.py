"""Importer of files of positives: clicks among sampled negatives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import DataError
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.importer import ImportReport
from tests.pipeline.datasets.imports import DATE
from tests.pipeline.datasets.imports import ROWS
from tests.pipeline.datasets.imports import SAMPLING
from tests.pipeline.datasets.imports import rating_table
from tests.pipeline.datasets.imports import read_logs
from tests.pipeline.datasets.imports import run_import

# As `ROWS`, but cid buys beside bob.
SALES = (*ROWS[:3], ROWS[3], ("cid", "rug", 5, DATE(2014, 1, 2)), *ROWS[5:])


def _positives(rows: Sequence[tuple[Any, ...]] = SALES) -> pa.Table:
    return rating_table(rows).drop(["rating"])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    pq.write_table(_positives(), folder / "ca.parquet")
    pq.write_table(_positives(SALES[:4]), folder / "de.parquet")
    return folder


def _import_positives(source: Path, logs: Path, **changes: Any) -> ImportReport:
    return run_import(source, logs, **{"negatives": SAMPLING, **changes})


def test_positives_become_clicks_among_sampled_negatives(
    shop: Path, logs: Path
) -> None:
    report = _import_positives(shop, logs).domains[0]
    days = read_logs(logs)
    rows = {
        day: [(row["user_id"], row["item_id"], row["click"]) for row in rows]
        for day, rows in days.items()
    }
    # By hand: ann is alone on her days; on 2014-01-02 cid bought what bob did not.
    assert rows == {
        "date=2014-01-01": [("ann", "lamp", 1)],
        "date=2014-01-02": [
            ("bob", "desk", 1),
            ("bob", "lamp", 1),
            ("bob", "rug", 0),
            ("cid", "desk", 0),
            ("cid", "lamp", 0),
            ("cid", "rug", 1),
        ],
        "date=2014-01-04": [("ann", "sofa", 1)],
    }
    assert (report.read_rows, report.outside_rows) == (7, 2)
    assert (report.written_rows, report.negative_rows) == (8, 3)
    assert report.missing_negatives == 2 + 3 + 0 + 2
    assert report.unmatched_positives == 2
    assert report.num_files == 3


def test_aggregates_take_negatives_for_impressions(shop: Path, logs: Path) -> None:
    late = (*SALES[:6], ("bob", "lamp", 5, DATE(2014, 1, 5)))
    pq.write_table(_positives(late), shop / "ca.parquet")
    _import_positives(shop, logs)
    row = next(r for r in read_logs(logs)["date=2014-01-05"] if r["item_id"] == "lamp")
    # The lamp was bought three times before and passed over once, on 2014-01-02.
    # The domain has 6 clicks in 9 impressions to date.
    assert row["item_impressions"] == 4
    assert row["item_click_rate"] == pytest.approx((3 + 20 * 6 / 9) / (4 + 20))
    assert row["item_age_days"] == 6
    assert row["recent_items"] == ["desk", "lamp"]


def test_rows_of_positives_are_accounted_for(shop: Path, logs: Path) -> None:
    report = _import_positives(shop, logs, domains=("ca", "de"))
    for domain in report.domains:
        kept = domain.read_rows - domain.outside_rows
        assert domain.written_rows == kept + domain.negative_rows
        assert domain.negative_rows + domain.missing_negatives == 2 * kept
        clicks = [
            r["click"] for rows in read_logs(logs, domain.domain).values() for r in rows
        ]
        assert (sum(clicks), len(clicks)) == (kept, domain.written_rows)


def test_the_log_depends_neither_on_row_order_nor_on_what_else_is_imported(
    shop: Path, logs: Path
) -> None:
    _import_positives(shop, logs, domains=("de", "ca"))
    expected = read_logs(logs)
    pq.write_table(_positives(SALES[::-1]), shop / "ca.parquet")
    fewer = logs.with_name("fewer")
    _import_positives(
        shop, fewer, first_day=DATE(2014, 1, 4), last_day=DATE(2014, 1, 9)
    )
    assert read_logs(fewer)["date=2014-01-04"] == expected["date=2014-01-04"]
    _import_positives(shop, fewer)
    assert read_logs(fewer) == expected


@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"per_positive": 1}],
    ids=lambda change: next(iter(change)),
)
def test_other_sampling_replaces_the_logs(
    shop: Path, logs: Path, change: dict[str, Any]
) -> None:
    busy = [(f"u{i}", f"i{i}", 5, DATE(2014, 1, 2)) for i in range(9)]
    pq.write_table(_positives(busy), shop / "ca.parquet")
    _import_positives(shop, logs)
    assert _import_positives(shop, logs).reused
    before = read_logs(logs)
    other = NegativeSampling(**{**SAMPLING.model_dump(), **change})
    assert not _import_positives(shop, logs, negatives=other).reused
    assert _import_positives(shop, logs, negatives=other).reused
    assert read_logs(logs) != before


def test_refuses_ratings_where_positives_are_expected(source: Path, logs: Path) -> None:
    with pytest.raises(
        DataError, match=r"has a column 'rating', but .*`import.click_at_least`"
    ):
        _import_positives(source, logs)
    assert not logs.exists()


def test_refuses_positives_where_ratings_are_expected(shop: Path, logs: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'rating'.*set `import.negatives`"):
        run_import(shop, logs)
    assert not logs.exists()
