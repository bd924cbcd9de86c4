"""A real ingest of logs in the shape of a feeds -> ads company: two formats, dirty."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.days import to_date
from pipeline.store import Store
from tests.pipeline import feeds_ads
from tests.pipeline.feeds_ads import FIRST_DAY
from tests.pipeline.feeds_ads import NUM_DAYS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    feeds_ads.prepare(folder)
    return folder, feeds_ads.ingest(folder)


def _transformed(folder, domain):
    (block,) = [
        stored
        for stored in Store(folder / "runs").artifacts("Examples")
        if stored.properties.get("role") == "transformed"
    ]
    paths = sorted(Path(block.uri, f"Split-{domain}").glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def test_every_row_is_written_or_quarantined(ingested):
    folder, shown = ingested
    assert "ads: 120 rows read, 6 quarantined" in shown
    assert "feeds: 120 rows read, 0 quarantined, lists cut to max_length in" in shown
    assert len(_transformed(folder, "ads")) == 114
    assert len(_transformed(folder, "feeds")) == 120
    for day in range(FIRST_DAY, FIRST_DAY + NUM_DAYS):
        (file,) = (folder / "runs/quarantine/ads" / str(to_date(day))).iterdir()
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert {row["row"]: row["reason"] for row in rows} == {
            3: "3 columns, the header has 7",
            7: "pt_d is of another day than the log's folder",
        }
        assert all(str(to_date(day)) in row["file"] for row in rows)


def test_what_a_domain_lacks_is_its_missing_row_and_not_a_guess(ingested):
    folder, _ = ingested
    feeds, ads = _transformed(folder, "feeds"), _transformed(folder, "ads")
    assert {_value(row["slot"]) for row in feeds} == {1}
    assert {_value(row["refreshes"]) for row in feeds} == {2}  # bucket of 0
    assert len({_value(row["slot"]) for row in ads}) == 3
    # Users are one id space: the domains share rows of its table.
    users = [{_value(row["user_id"]) for row in rows} for rows in (feeds, ads)]
    assert users[0] & users[1]
    assert {_value(row["label"]) for row in feeds} == {0, 1}


def _value(cell):
    return cell[0] if isinstance(cell, list) else cell


def test_a_late_log_makes_a_new_version_as_if_it_had_been_there(
    ingested, tmp_path_factory
):
    whole, _ = ingested
    folder = tmp_path_factory.mktemp("late")
    feeds_ads.prepare(folder, missing_days={"feeds": "skip"})
    day = folder / "logs" / "feeds" / f"date={to_date(FIRST_DAY + 1)}"
    day.rename(folder / "held back")
    assert "feeds: 80 rows read" in feeds_ads.ingest(folder)
    (folder / "held back").rename(day)
    shown = feeds_ads.ingest(folder)
    assert "again, as logs came late: feeds 2022-06-03 arrived" in shown
    assert "feeds: 120 rows read" in shown
    assert "Everything was done already" in feeds_ads.ingest(folder)
    vocabularies = [_vocabulary(root) for root in (whole, folder)]
    assert vocabularies[0] == vocabularies[1]


def _vocabulary(folder):
    """Returns the newest vocabulary's files with their bytes."""
    uri = Store(folder / "runs").artifacts("Vocabulary")[-1].uri
    return {path.name: path.read_bytes() for path in sorted(Path(uri).iterdir())}
