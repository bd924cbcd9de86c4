"""The misuse table's part for a day: `validate --day` says what its log has wrong."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.misuse.world import build
from tests.misuse.world import contents
from tests.misuse.world import load_table
from tests.misuse.world import named

ROWS = load_table("days")


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_wrong_with_a_days_log_is_said_and_nothing_is_written(row, tmp_path):
    world = tmp_path / "world"
    build(world, row)
    before = contents(world)
    command = ["validate", str(world / "config.yaml"), "--day", "2024-02-29"]
    result = CliRunner().invoke(main, command)
    _, feeds, *lines = result.output.splitlines()
    assert feeds == "feeds: 12 rows of 1 of 1 files, click rate 50.00%"
    assert lines == [named(line, world) for line in row["says"]]
    assert result.exit_code == row.get("code", 2)
    assert contents(world) == before
