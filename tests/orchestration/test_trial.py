"""Trial world of the checks that run a scheduler."""

from pathlib import Path

from pipeline.config.load import load_config
from tests.orchestration import trial
from tests.pipeline import feeds_ads


def test_a_relative_folder_is_resolved(tmp_path, monkeypatch):
    monkeypatch.setattr(feeds_ads, "NUM_DAYS", feeds_ads.NUM_DAYS)
    monkeypatch.chdir(tmp_path)
    trial.write(Path("some/trial"), 2)
    config = load_config(Path("some/trial/config.yaml"))
    assert config.schema_path.is_file()
    assert config.logs == tmp_path / "some" / "trial" / "logs"
