"""Python interface without TFX: days, strategies, versions and rows."""

import ast
import datetime
import inspect
from pathlib import Path

import numpy as np
import pytest

from models.days import to_day
from models.errors import ConfigError
from models.errors import DataError
from pipeline import api
from pipeline import cli
from pipeline.cli.compare import compare_command
from pipeline.config.load import load_config
from tests.pipeline.planning.worlds import make_config

DAY = to_day(datetime.date(2024, 3, 1))


class Planned:
    """Stands for planning: remembers the run days and strategies that were asked."""

    def __init__(self, monkeypatch):
        self.asked = []
        monkeypatch.setattr(api, "plan_run", lambda _, make: make(self))

    def run(self, day, names):
        self.asked.append((day, names))
        return self.asked[-1]


@pytest.mark.parametrize("day", [DAY, "2024-03-01", datetime.date(2024, 3, 1)])
def test_a_day_is_a_date_its_text_or_its_number(monkeypatch, tmp_path, day):
    planned = Planned(monkeypatch)
    api.plan(make_config(root=tmp_path), day)
    assert planned.asked == [(DAY, ["ecdctr"])]


def test_strategies_count_once_and_may_be_kinds(monkeypatch, tmp_path):
    planned = Planned(monkeypatch)
    config = make_config(root=tmp_path, strategies={"ecdctr": {}})
    api.plan(config, DAY, ["joint", "ecdctr", "joint"])
    assert planned.asked == [(DAY, ["joint", "ecdctr"])]


@pytest.mark.parametrize("day", ["yesterday", "2024-02-30", "1. 3. 2024"])
def test_what_is_no_day_is_refused_with_its_text(tmp_path, day):
    with pytest.raises(ConfigError, match="received '" + day.replace(".", r"\.")):
        api.plan(make_config(root=tmp_path), day)


def test_days_the_wrong_way_round_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="2024-03-01, is after the last day, 2024-02"):
        api.backfill(make_config(root=tmp_path), DAY, DAY - 1)


def test_without_a_published_version_there_is_no_model(tmp_path):
    config = make_config(root=tmp_path, serving={"directory": tmp_path / "serving"})
    with pytest.raises(
        DataError, match="no version of .* run .* for a day that the Gate approves"
    ):
        api.load_model(config)


def test_rows_are_raw_values_by_feature(monkeypatch, tmp_path):
    answered = []

    class Scorer:
        def __init__(self, folder):
            self.folder = folder

        def __call__(self, signature, inputs):
            answered.append((signature, inputs))
            return {"ctr": np.float32([0.25, 0.5])}

    monkeypatch.setattr("models.serving.saved_scorer.SavedScorer", Scorer)
    config = make_config(root=tmp_path)
    model = api.Model(config, 2024030100, tmp_path)
    found = model.predict([{"user_id": "u1"}, {"user_id": None, "item_id": ["i1"]}])
    assert found.tolist() == [0.25, 0.5]
    ((signature, inputs),) = answered
    assert signature == "predict"
    assert inputs["user_id"].tolist() == [b"u1", b""]
    assert inputs["item_id"].tolist() == [b"", b"i1"]
    with pytest.raises(DataError, match="row 1: there is no feature 'usr_id'"):
        model.predict([{}, {"usr_id": "u1"}])
    with pytest.raises(DataError, match="there are no rows"):
        model.predict([])


def test_arrays_are_lists_and_a_cross_is_no_input(monkeypatch, tmp_path):
    answered = []

    class Scorer:
        def __init__(self, folder):
            self.folder = folder

        def __call__(self, _, inputs):
            answered.append(inputs)
            return {"ctr": np.float32([0.5])}

    monkeypatch.setattr("models.serving.saved_scorer.SavedScorer", Scorer)
    known = make_config().model_dump(mode="json")["features"]
    config = make_config(
        root=tmp_path,
        columns={"user_id": "u", "item_id": "i", "image": "e"},
        features=[
            *known,
            {"name": "image", "kind": "vector", "length": 2},
            {"name": "pair", "kind": "cross", "of": ["user_id", "item_id"]},
        ],
    )
    model = api.Model(config, 2024030100, tmp_path)
    model.predict([{"image": np.float32([0.5, 2.0]), "user_id": np.str_("u1")}])
    (inputs,) = answered
    assert inputs["image"].tolist() == [[0.5, 2.0]]
    assert inputs["user_id"].tolist() == [b"u1"]
    with pytest.raises(DataError, match="there is no feature 'pair'"):
        model.predict([{"pair": 3}])


def test_every_public_name_is_documented_and_typed():
    for name in api.__all__:
        one = getattr(api, name)
        if not inspect.isfunction(one):
            continue
        assert one.__doc__, name
        signature = inspect.signature(one)
        assert signature.return_annotation is not inspect.Signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, name
        assert "Raises:" in one.__doc__ or name == "write_page"


def test_commands_go_through_the_functions_and_not_around_them():
    # What the functions are made of.
    inner = {
        *("backfill_days", "plan_run", "plan_when_ready", "run_steps"),
        *("run_comparison", "Planner", "Question", "report_run", "report_days"),
    }
    imported = {
        alias.name
        for path in Path(cli.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported & inner == set()
    assert api.load_config is load_config


@pytest.mark.parametrize("name", ["seeds", "baseline", "controls"])
def test_defaults_of_compare_are_those_of_the_function(name):
    (option,) = [one for one in compare_command.params if one.name == name]
    assert option.default == inspect.signature(api.compare).parameters[name].default
