"""Table of parameters in the documentation, as printed by the command."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.group import main
from pipeline.cli.sizes import size_table
from pipeline.cli.sizes import target_network
from pipeline.config.load import load_config

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_documented_sizes_are_those_of_the_networks():
    """Regenerate: `crossctr sizes configs/feeds_ads.yaml`."""
    path = ROOT / "configs" / "feeds_ads.yaml"
    result = CliRunner().invoke(main, ["sizes", str(path)])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == 2 + len(load_config(path).strategies)
    page = (ROOT / "docs" / "methods" / "baselines.md").read_text()
    assert result.output in page


def test_parameters_of_a_tower_are_counted_once_per_domain():
    config = load_config(ROOT / "configs" / "feeds_ads.yaml")
    small = config.model_copy(
        update={"strategies": {"shared_bottom": config.strategies["shared_bottom"]}}
    )
    (line,) = list(size_table(small))[2:]
    dense, served = (int(n.replace(",", "")) for n in line.split(" | ")[2:4])
    bottom, tower = config.network.hidden_units
    assert dense - served == bottom * tower + tower + tower + 1
    tables = target_network(small, "shared_bottom").embedding_variables
    rows = sum(table.shape[0] for table in tables)
    assert f"| {rows * config.network.width:,} |" in line
