"""DAG of a configuration, loaded as Airflow loads it: through a link, by itself."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import pipeline
from models.strategies.registry import kinds
from pipeline.planning.step_kinds import StepKind
from tests.pipeline import feeds_ads

FILE = Path(pipeline.__file__).parent / "orchestrators" / "airflow_dag.py"


class Dag:
    """Stands for Airflow's: it keeps what it was made with, and its tasks."""

    def __init__(self, dag_id, **settings):
        self.dag_id, self.settings, self.tasks = dag_id, settings, []


class Operator:
    """Stands for Airflow's: it keeps its name and what it runs after."""

    def __init__(self, *, task_id, dag):
        self.task_id, self.after = task_id, []
        dag.tasks.append(self)

    def __rshift__(self, later):
        later.after.append(self.task_id)


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Returns a function that writes a configuration and returns its DAG."""
    for name, content in {
        "airflow": {"DAG": Dag},
        "airflow.exceptions": {"AirflowException": RuntimeError},
        "airflow.models": {"BaseOperator": Operator},
    }.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delenv("CROSSCTR_START", raising=False)

    def make(file=FILE, others=(), **changes):
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(feeds_ads.settings(tmp_path) | changes))
        paths = map(str, [*others, config])
        monkeypatch.setenv("CROSSCTR_CONFIGS", ":".join(paths))
        dags = tmp_path / "dags"
        dags.mkdir(exist_ok=True)
        link = dags / "crossctr.py"
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        spec = importlib.util.spec_from_file_location("dags_crossctr", link)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module if others else module.crossctr_feeds_ads

    return make


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "",
        "- a",
        "name: x",
        "name: x\nfirst_day: 2024-02-31",
        "name: x\nfirst_day: 2024-02-01\nevaluation_days: many",
        "name: x\nfirst_day: 2024-02-01\nlevels: [1]",
        "a: " + "[" * 500,
        "a: !!int " + "9" * 5_000,
        "\0",
    ],
)
def test_a_broken_configuration_removes_no_other_dag(load, tmp_path, text):
    (tmp_path / "broken [1].yaml").write_text(text)
    others = [tmp_path / "broken [1].yaml", tmp_path / "none.yaml"]
    module = load(others=others)
    assert module.crossctr_feeds_ads.tasks
    stand_in = module.crossctr_unreadable_broken__1_
    assert stand_in.settings["schedule"] is None
    assert "broken [1].yaml cannot be read: " in stand_in.settings["description"]
    assert stand_in.tasks == []
    assert module.crossctr_unreadable_none.settings["schedule"] is None


@pytest.mark.parametrize("kind", [*kinds(), "no_such_kind"])
def test_a_day_has_a_task_of_every_kind_of_step_whatever_the_strategy(load, kind):
    dag = load(strategy="mine", strategies={"mine": {"kind": kind}})
    expected = [str(one) for one in StepKind]
    assert [task.task_id for task in dag.tasks] == expected
    assert [task.after for task in dag.tasks] == [[], *([one] for one in expected[:-1])]
    assert [task.command[-2:] for task in dag.tasks] == [
        ["--until", one] for one in expected
    ]


@pytest.mark.parametrize(("source", "days"), [(1, 2), (3, 4)])
def test_the_first_day_leaves_the_source_model_a_day_to_train_on(load, source, days):
    levels = {"cpm": {"every_days": 1}, "source": {"every_days": source}}
    dag = load(levels=levels)
    start = dag.settings["start_date"].date()
    first = yaml.safe_load(str(feeds_ads.settings(Path())["first_day"]))
    assert (start - first).days == days


def test_the_file_loads_no_other_part_of_crossctr(load, monkeypatch):
    ours = ("pipeline", "components", "models", "tfx", "tensorflow")
    for name in [name for name in sys.modules if name.split(".")[0] in ours]:
        monkeypatch.delitem(sys.modules, name)
    load()
    assert not [name for name in sys.modules if name.split(".")[0] in ours]


def test_a_copy_says_that_it_must_be_a_link(load, tmp_path):
    copy = tmp_path / "airflow_dag.py"
    copy.write_bytes(FILE.read_bytes())
    with pytest.raises(ImportError, match="instead of copying it"):
        load(copy)
