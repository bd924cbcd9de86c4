"""Guesses from shipped and simulated logs, beside the shipped configurations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from models.features.table import DAY
from pipeline import api
from pipeline.config.load import load_config
from pipeline.config.sections import ImportConfig
from pipeline.datasets.importer import import_logs
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.datasets.simulation.writer import write_domains
from tests.pipeline.guessing.guesses import draft_of
from tests.pipeline.guessing.guesses import written

pytestmark = [pytest.mark.slow, pytest.mark.checkout]

ROOT = Path(__file__).parents[3]
_LOGS = {
    "amazon": {"first_day": "2014-06-01", "last_day": "2014-06-30"},
    "xmarket": {"first_day": "2018-07-01", "last_day": "2018-12-31"},
}


def _shipped(name):
    return yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())


def _write_logs(name, settings, logs):
    if name == "feeds_ads":
        simulation = SimulationConfig(
            **{
                **settings["simulate"],
                "preset": "small",
                "truth": logs.parent / "truth",
            }
        )
        write_domains(
            plan_domains(simulation, settings["sources"], settings["target"]),
            seed=17,
            first_day=settings["first_day"],
            num_days=simulation.num_days,
            logs=logs,
            truth=simulation.truth,
            recent_items=simulation.recent_items,
        )
        return
    keys = {
        **settings["import"],
        "data": ROOT / "data" / name,
        "last_day": _LOGS[name]["last_day"],
    }
    imports = ImportConfig.model_validate(keys)
    first = imports.last_day.fromisoformat(_LOGS[name]["first_day"])
    domains = [*settings["sources"], settings["target"]]
    import_logs(imports, logs, domains, first, recent_items=5)


@pytest.mark.parametrize("name", ["feeds_ads", "amazon", "xmarket"])
def test_kinds_are_those_of_the_shipped_configuration(name, tmp_path):
    settings = _shipped(name)
    _write_logs(name, settings, tmp_path / "logs")
    draft = draft_of(tmp_path / "logs", settings["target"])
    path, _ = written(draft, tmp_path)
    config = load_config(path)
    shipped = load_config(ROOT / "configs" / f"{name}.yaml")

    guessed = {
        (domain, column.column.name): feature.kind
        for feature in draft.features
        for domain, column in feature.columns.items()
    }
    compared = 0
    wrong = set()
    for domain in shipped.domains:
        for feature in shipped.table.logged:
            source = shipped.domain_log(domain).columns.get(feature.name)
            if source is None or source.column is None or source.hour_of is not None:
                continue
            compared += 1
            kind = guessed.get((domain, source.column), "left out")
            if kind != feature.kind:
                wrong.add((domain, feature.name, kind))
    assert compared > 15
    # No exceptions: every kind of the three configurations is guessed.
    assert wrong == set()
    # The same rule of a click, in the words of the same columns.
    for domain in shipped.domains:
        assert config.domain_log(domain).label == shipped.domain_log(domain).label

    # `plan` accepts it, with a schema that has a feature of each name.
    shutil.copy(ROOT / "schema" / f"{name}.pbtxt", tmp_path / "ads.pbtxt")
    planned = api.plan(config, draft.calendar.run_day)
    assert {str(step.kind) for step in planned.steps} >= {"ingest", "tpm", "cpm"}
    assert DAY not in config.table.columns
