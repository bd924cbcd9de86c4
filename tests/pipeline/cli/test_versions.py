"""Command `versions`: published versions, newest first."""

import json

import pytest
import yaml
from click.testing import CliRunner

from models.artifact_files import LINEAGE_FILE
from models.artifact_files import SAVED_MODEL_FILE
from models.errors import DataError
from pipeline import api
from pipeline.cli.group import main
from tests.pipeline.report.stored import ROOT

LINEAGE = {
    "day": "2019-01-01",
    "strategy": "ecdctr",
    "decision": {
        "state": "cold_start",
        "candidate": {"auc": 0.6543, "gauc": None, "calibration": 0.987},
    },
}


@pytest.fixture
def config(tmp_path):
    settings = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
    settings |= {
        "root": str(tmp_path / "runs"),
        "logs": str(tmp_path / "logs"),
        "schema": str(ROOT / "schema" / "xmarket.pbtxt"),
        "serving": {"directory": str(tmp_path / "serving")},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def _publish(config, version, lineage, *, model=True):
    folder = config.parent / "serving" / "xmarket" / str(version)
    (folder / LINEAGE_FILE).parent.mkdir(parents=True)
    if model:
        (folder / SAVED_MODEL_FILE).touch()
    if lineage:
        (folder / LINEAGE_FILE).write_text(json.dumps(lineage))


def test_versions_are_listed_newest_first_with_who_let_them_pass(config):
    _publish(config, 2019010100, LINEAGE)
    override = {"who": "ada", "why": "the drop is in a dead slice", "when": ""}
    _publish(config, 2019010200, {**LINEAGE, "override": override})
    _publish(config, 2018123100, None)
    (config.parent / "serving" / "xmarket" / ".2019010300.writing").mkdir()
    result = CliRunner().invoke(main, ["versions", str(config)])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("│")]
    assert [line.split()[1] for line in lines] == [
        "2019010200",
        "2019010100",
        "2018123100",
    ]
    assert "ada: the drop is in a dead slice" in lines[0]
    for said in ("2019-01-01", "ecdctr", "0.6543", "–", "0.987", "(cold start)"):
        assert said in lines[1]
    assert "unknown: not written by crossctr" in lines[2]
    assert [line.split("│")[2].strip() for line in lines] == ["stable", "(loaded)", ""]


def test_nothing_published_says_what_to_do(config):
    result = CliRunner().invoke(main, ["versions", str(config)])
    assert result.exit_code == 2
    assert "nothing is published" in result.output
    assert "crossctr run" in result.output


def test_a_version_without_a_model_is_named(config):
    _publish(config, 2019010100, LINEAGE)
    _publish(config, 2019010200, LINEAGE, model=False)
    result = CliRunner().invoke(main, ["versions", str(config)])
    assert "2019010200 holds no SavedModel, so no server can load it" in result.output
    newest, before = [
        line for line in result.output.splitlines() if line.startswith("│")
    ]
    assert "stable no model" in newest
    assert "no model" not in before


def test_a_version_without_a_model_cannot_be_loaded(config):
    _publish(config, 2019010200, LINEAGE, model=False)
    with pytest.raises(DataError, match="2019010200' holds no SavedModel; restore it"):
        api.load_model(api.load_config(config))
