"""Command `strategies`: kinds, their keys, and what they read."""

from __future__ import annotations

import importlib
import sys

import pytest
import yaml
from click.testing import CliRunner

from models.strategies.base import StrategyConfig
from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.cli.group import main


def listed(*kinds_named):
    """Returns what the command prints of each kind: its heading and its keys."""
    result = CliRunner().invoke(main, ["strategies", *kinds_named])
    assert result.exit_code == 0, result.output
    found, keys = {}, {}
    for line in result.output.splitlines():
        if not line.startswith("  "):
            kind, _, about = line.partition(": ")
            keys = found[kind] = {"": about}
        else:
            keys |= yaml.safe_load(line)
    return found


def test_every_kind_is_listed_with_the_keys_that_its_entries_take():
    found = listed()
    assert list(found) == list(kinds())
    for kind, lines in found.items():
        config = strategy_class(kind).Config
        about, reads = lines.pop(""), lines.pop("reads")
        assert about.endswith(".")
        assert reads.startswith("impressions of the target")
        assert lines.keys() == config.model_fields.keys() - StrategyConfig.model_fields
        # What is printed are values that an entry may have.
        assert config.model_validate(lines) == config()


@pytest.mark.parametrize(
    ("kind", "reads"),
    [
        ("target_only", "impressions of the target"),
        ("joint", "impressions of the target, impressions of the sources"),
        (
            "ecdctr",
            "impressions of the target, snapshots of TPM, CPM without its BatchNorm",
        ),
        ("finetune", "impressions of the target, CPM with its BatchNorm"),
        ("ctnet", "impressions of the target, a source model"),
    ],
)
def test_what_a_kind_reads(kind, reads):
    assert listed(kind)[kind]["reads"] == reads


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("layers: int = 2", "  reads: impressions of the target\n  layers: 2\n"),
        ("layers: int", "  keys that an entry must give: layers\n"),
    ],
)
def test_a_class_of_ones_own_can_be_asked_for(tmp_path, monkeypatch, key, shown):
    monkeypatch.delitem(sys.modules, "my_plain", raising=False)
    (tmp_path / "my_plain.py").write_text(
        "from models.strategies.base import Strategy, StrategyConfig\n"
        f"class Keys(StrategyConfig):\n    {key}\n"
        "class Mine(Strategy):\n"
        "    '''Plain [network].'''\n    name = 'mine'\n    Config = Keys\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    result = CliRunner().invoke(main, ["strategies", "my_plain:Mine"])
    assert result.output == f"my_plain:Mine: Plain [network].\n{shown}"


def test_a_kind_that_is_not_known_is_refused():
    result = CliRunner().invoke(main, ["strategies", "ctnte"])
    assert result.exit_code == 2
    assert result.output.startswith("Bad configuration: strategy 'ctnte' is not known")
