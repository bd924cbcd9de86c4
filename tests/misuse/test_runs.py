"""The misuse table's part that needs a run: wrong logs, found while they are read."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.misuse.world import build
from tests.misuse.world import expected
from tests.misuse.world import load_table

pytestmark = pytest.mark.slow

ROWS = load_table("runs")


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_misused_log_ends_the_run_with_a_code_and_a_line(row, tmp_path):
    world = tmp_path / "world"
    build(world, row)
    command = ["ingest", str(world / "config.yaml"), "--to", "2024-03-01"]
    result = CliRunner().invoke(main, command)
    assert result.output.rstrip().splitlines()[-1] == expected(row, world)[0]
    assert result.exit_code == row.get("code", 2)
    assert not list(world.glob("runs/artifacts/LogExampleGen/*/*/Split-*/data*"))
    assert not (world / "serving" / "tiny").exists()
