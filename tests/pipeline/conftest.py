"""Fixtures of tests of the command line."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.group import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path):
    """The shipped configuration with every path inside `tmp_path`."""
    loaded = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
    loaded["root"] = str(tmp_path / "runs")
    loaded["logs"] = str(tmp_path / "runs" / "logs")
    loaded["serving"] = {"directory": str(tmp_path / "runs" / "serving")}
    loaded["schema"] = str(ROOT / "schema" / "xmarket.pbtxt")
    loaded["import"]["data"] = str(ROOT / "data" / "xmarket")
    return loaded


@pytest.fixture
def crossctr(tmp_path, settings):
    """Returns a function that runs a command on `settings`."""

    def run(command, *arguments):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return CliRunner().invoke(main, [command, str(path), *arguments])

    return run
