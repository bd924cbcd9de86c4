"""The misuse table: each wrong input ends with its code, its line, and no trace."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.misuse.world import build
from tests.misuse.world import command_of
from tests.misuse.world import contents
from tests.misuse.world import expected
from tests.misuse.world import load_table

ROWS = {
    name: row
    for table in ("text", "keys", "commands", "files")
    for name, row in load_table(table).items()
}


def first_line(output: str) -> str:
    """Returns what is wrong; before a wrong argument click says how to call."""
    lines = [line for line in output.splitlines() if line.strip()]
    usage = lines[0].startswith("Usage: ")
    return next(ln for ln in lines if ln.startswith("Error: ")) if usage else lines[0]


def test_the_table_has_its_size():
    assert len(ROWS) >= 120


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_misuse_ends_with_a_code_and_a_line_and_leaves_nothing(row, tmp_path):
    world = tmp_path / "world"
    build(world, row)
    before = contents(world)
    result = CliRunner().invoke(main, command_of(row, world))
    line, more_follows = expected(row, world)
    found = first_line(result.output)
    assert (found[: len(line)] if more_follows else found) == line
    assert len(found) < 2_000
    assert result.exit_code == row.get("code", 2)
    assert isinstance(result.exception, SystemExit)
    left = row.get("leaves", ())
    assert {p: c for p, c in contents(world).items() if p not in left} == before
