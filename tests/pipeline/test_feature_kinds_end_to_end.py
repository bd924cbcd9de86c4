"""Real days with features of all kinds: ingest, training, serving and a next day."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from models.statistics_files import read_statistics
from pipeline import api
from pipeline.cli.group import main
from pipeline.store.reader import Store
from tests.pipeline import all_kinds
from tests.pipeline.all_kinds import DAY
from tests.pipeline.all_kinds import NEXT_DAY
from tests.pipeline.all_kinds import QUARANTINED
from tests.pipeline.all_kinds import ROWS_A_DAY

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The folder after a run of two days."""
    folder = tmp_path_factory.mktemp("kinds")
    all_kinds.prepare(folder)
    ran = all_kinds.run(folder, "backfill", "--from", DAY, "--to", NEXT_DAY)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def blocks(folder, kind, **properties):
    """Returns the folders of stored artifacts, in the order of their days."""
    found = [
        stored
        for stored in Store(folder / "runs").artifacts(kind)
        if properties.items() <= stored.properties.items()
    ]
    return [Path(s.uri) for s in sorted(found, key=lambda stored: stored.last_day)]


def rows_in(block):
    """Returns the rows of all domains in a folder of Examples."""
    return [
        row
        for path in block.glob("Split-*/*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]


def test_validate_finds_nothing_that_stops_an_ingest(world):
    command = ["validate", str(world / "config.yaml"), "--day", DAY]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "ads: change is not a number: 2 of 100 rows" in result.output
    assert "shop: title is not a vector of 4 numbers: 1 of 100 rows" in result.output


def test_every_row_is_written_or_quarantined_with_its_reason(world):
    bad = sum(map(len, QUARANTINED.values()))
    num_days = []
    for raw, transformed in zip(
        blocks(world, "Examples", role="raw"),
        blocks(world, "Examples", role="transformed"),
        strict=True,
    ):
        days = json.loads((raw / "accounting.json").read_text())
        assert all(day["read"] == ROWS_A_DAY for day in days)
        num_days.append(len(days) // len(QUARANTINED))
        assert sum(day["quarantined"] for day in days) == num_days[-1] * bad
        written = num_days[-1] * (2 * ROWS_A_DAY - bad)
        assert len(rows_in(raw)) == len(rows_in(transformed)) == written
    # All days before the first run's are one block.
    assert num_days == [3, 1, 1]
    for domain, expected in QUARANTINED.items():
        (file,) = (world / "runs/quarantine" / domain / DAY).iterdir()
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert {row["row"]: row["reason"] for row in rows} == expected


def test_the_first_blocks_statistics_are_those_of_every_block(world):
    found = [read_statistics(block) for block in blocks(world, "Vocabulary")]
    assert len(found) >= 2
    assert set(found[0]) == {"views", "rate", "change", "title", "margin"}
    assert all(later == found[0] for later in found)
    assert found[0]["change"].mean[0] == pytest.approx(-10, abs=1)
    assert found[0]["title"].mean == pytest.approx([0, 1, 2, 3], abs=0.3)


def test_the_ids_of_a_list_that_counts_and_crosses_have_rows(world):
    rows = rows_in(blocks(world, "Examples", role="transformed")[-1])
    # Rows 0 to 3 are of padding, no id, and ids out of vocabulary.
    assert {row for each in rows for row in each["history"]} - {0, 1, 2, 3}
    assert len({each["user_category"][0] for each in rows}) > 50


def test_what_only_the_shop_has_is_missing_in_ads_and_not_asked_for(world):
    block = blocks(world, "Examples", role="transformed")[-1]
    for domain, known in (("shop", True), ("ads", False)):
        (path,) = block.glob(f"Split-{domain}/*.parquet")
        rows = pq.read_table(path).to_pylist()
        assert all((row["shelf"][0] > 1) == known for row in rows)
        assert all((row["margin"][0] > 1) == known for row in rows)
        assert any(row["margin/value"][0] for row in rows) == known
    model = blocks(world, "Model")[-1] / "Format-Serving"
    contract = json.loads((model / "assets.extra" / "contract.json").read_text())
    asked = contract["signatures"]["predict"]["inputs"]
    assert "views" in asked
    assert not {"shelf", "margin"} & set(asked)


def test_the_next_day_continues_and_serves_what_it_trained(world):
    reports = [
        json.loads((model / "Format-Train" / "report.json").read_text())
        for model in blocks(world, "Model")
    ]
    # The second model learns the new day alone, from the weights of the first.
    ads = ROWS_A_DAY - len(QUARANTINED["ads"])
    assert [report["rows"] for report in reports] == [3 * ads, ads]
    assert all(report["skew"]["largest"] < 1e-6 for report in reports)


def test_odd_values_of_requests_are_missing_and_have_a_probability(world):
    model = api.load_model(api.load_config(world / "config.yaml"))
    row = {**all_kinds.rows_of("ads", DAY)[20], "domain": "ads"}
    del row["click"]
    unknown = {"user_id": "new", "category": "new", "history": ["new", "newer"]}
    changes = [
        {"change": None},
        {"change": math.nan},
        {"change": -math.inf},
        {"title": []},
        {"title": [1.0, math.nan, 1.0, 1.0]},
        {"title": [1.0] * 5},
        unknown,
        {"title": np.array(row["title"])},
        {},
    ]
    found = model.predict([{}] + [{**row, **change} for change in changes])
    assert np.all((found > 0) & (found < 1))
    number, vector, whole = found[1:4], found[4:7], found[8:]
    for same in (number, vector, whole):
        np.testing.assert_allclose(same, same[0], atol=1e-6)
    assert len({round(float(one), 6) for one in (number[0], vector[0], whole[0])}) == 3
