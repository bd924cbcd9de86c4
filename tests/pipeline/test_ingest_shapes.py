"""Real ingest of logs of a feeds -> ads company: two formats, with bad rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from models.artifact_files import ENCODING_FILE
from models.days import to_date
from pipeline.cli.group import main
from pipeline.store.reader import Store
from tests.pipeline import feeds_ads
from tests.pipeline.feeds_ads import FIRST_DAY
from tests.pipeline.feeds_ads import NUM_DAYS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    feeds_ads.prepare(folder)
    return folder, feeds_ads.ingest(folder)


def _block(folder):
    (block,) = Store(folder / "runs").transformed_blocks()
    return Path(block.uri)


def _transformed(folder, domain):
    paths = sorted((_block(folder) / f"Split-{domain}").glob("*.parquet"))
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


def test_what_became_of_the_ids_is_kept_by_domain_feature_and_day(ingested):
    folder, shown = ingested
    content = json.loads((_block(folder) / ENCODING_FILE).read_text())
    assert content["days"] == [str(to_date(FIRST_DAY + i)) for i in range(NUM_DAYS)]
    ads, feeds = content["domains"]["ads"], content["domains"]["feeds"]
    assert ads["user_id"]["rows"] == [38] * 3
    assert feeds["user_id"]["ids"] == [40] * 3
    # Everything has a row of its own, and most ids had it after the first day.
    assert ads["item_id"]["oov"] == [0] * 3
    assert ads["item_id"]["new"][0] == 38
    assert ads["item_id"]["new"][1] < 10
    for domain, features in content["domains"].items():
        for name, kinds in features.items():
            rows = [_rows(row[name]) for row in _transformed(folder, domain)]
            assert sum(kinds["ids"]) == sum(r >= 2 for row in rows for r in row)
            missing = sum(all(r < 2 for r in row) for row in rows)
            assert sum(kinds["missing"]) == missing
    (known,) = re.findall(r"Transform: no id out of vocabulary: (.*)", shown)
    assert {"user_id", "item_id"} <= set(known.split(", "))


def test_a_hashed_space_reports_its_collisions(ingested):
    folder, shown = ingested
    assert "topic: 9 ids hashed into 8 rows" in shown
    summary = json.loads(_vocabulary(folder)["vocabulary.json"])["topic"]
    # Nine ids in eight rows: at least two share one.
    assert summary["shared_ids"] >= 2
    assert summary["collision_rate"] == summary["shared_ids"] / 9
    rows = {
        row
        for domain in ("ads", "feeds")
        for impression in _transformed(folder, domain)
        for row in impression["interests"]
    }
    assert len(rows - {0}) <= summary["rows_used"]
    assert max(rows) < 2 + 8


def test_the_ids_of_each_day_can_be_looked_at(ingested):
    folder, _ = ingested
    result = CliRunner().invoke(main, ["vocabularies", str(folder / "config.yaml")])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if "item_id" in line]
    assert len(lines) == NUM_DAYS
    assert all(str(to_date(FIRST_DAY + i)) in lines[i] for i in range(NUM_DAYS))
    assert " 100.0% " in lines[0]  # all ids are new on the first day


def _rows(cell):
    return cell if isinstance(cell, list) else [cell]


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
