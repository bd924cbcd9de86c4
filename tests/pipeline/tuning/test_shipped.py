"""Shipped tuned values: used, of equal budgets, for what the configuration has."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from pipeline.config.load import load_config
from pipeline.config.tuned import read_tuned
from pipeline.tuning.results import budgets
from pipeline.tuning.space import REFERENCES

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SHIPPED = sorted((ROOT / "configs" / "tuned").glob("*.yaml"))
pytestmark = pytest.mark.checkout


def test_there_are_tuned_values():
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_all_names_of_a_file_had_the_same_budget(path):
    assert budgets(path) == ""
    with path.with_suffix(".csv").open() as file:
        names = {line["name"] for line in csv.DictReader(file)}
    values = read_tuned(path)
    tuned = {*values["strategies"], *values["references"]["settings"]}
    assert tuned == names
    assert set(REFERENCES) <= tuned


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_file_is_used_and_adds_no_entry(path):
    users = [
        one
        for one in CONFIGS
        if yaml.safe_load(one.read_text()).get("tuned") == f"tuned/{path.name}"
    ]
    assert users
    for user in users:
        own = yaml.safe_load(user.read_text())["strategies"]
        assert set(read_tuned(path)["strategies"]) <= set(own)
        config = load_config(user)
        for name, keys in yaml.safe_load(path.read_text())["strategies"].items():
            target = config.training_of("target", name)
            assert target.epochs == keys["training"]["target"]["epochs"]
            assert target.wide_l2 == keys["training"]["target"]["wide_l2"]
