"""The misuse table: each wrong input ends with its code, its line, and no trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.misuse.world import build
from tests.misuse.world import contents
from tests.misuse.world import repeated

TABLES = sorted(Path(__file__).parent.glob("*.yaml"))
ROWS = {
    f"{table.stem}: {name}": row
    for table in TABLES
    for name, row in yaml.safe_load(table.read_text(encoding="utf-8")).items()
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
    words = {"config": str(world / "config.yaml"), "world": str(world)}
    command = [
        repeated(word)
        .replace("{config}", words["config"])
        .replace("{world}", words["world"])
        for word in row.get("run", "validate {config}").split()
    ]
    result = CliRunner().invoke(main, command)
    expected = repeated(row["line"])
    for name, value in words.items():
        expected = expected.replace(f"{{{name}}}", value)
    assert first_line(result.output) == expected
    assert result.exit_code == row.get("code", 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    after = {p: c for p, c in contents(world).items() if p not in row.get("leaves", ())}
    assert after == before
