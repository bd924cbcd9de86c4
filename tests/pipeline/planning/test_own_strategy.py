"""User's strategy: trainings depend on its keys, code and version."""

from __future__ import annotations

import importlib
import sys

import pytest

from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner

MODULE = """
from models.strategies.base import StrategyConfig
from models.strategies.parts import PartsStrategy

class Keys(StrategyConfig):
    layers: int = 1

class Shallow(PartsStrategy[Keys]):
    name = "shallow"
    Config = Keys

    def sizes(self, network):
        return network.model_copy(update={"cross_layers": self.config.layers})
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file of a strategy, on Python's path."""
    path = tmp_path / "my_shallow.py"
    path.write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield path
    sys.modules.pop("my_shallow", None)


def config_of(**keys):
    entry = {"kind": "my_shallow:Shallow", **keys}
    return make_config(strategies={"mine": entry}, strategy="mine")


def training(**keys):
    return planner(config_of(**keys)).run(38, ["mine"])[-1].training


@pytest.mark.usefixtures("module")
def test_its_sizes_are_those_of_the_network():
    assert config_of(layers=3).network_of("mine").cross_layers == 3


def test_all_its_keys_and_its_code_make_another_training(module):
    first = training()
    assert training() == first
    assert training(layers=4) != first
    module.write_text(MODULE + "# changed\n")
    assert training() != first


def test_a_key_that_only_its_learner_reads_makes_another_training(module):
    module.write_text(MODULE.replace("    def sizes", "    def unread"))
    assert config_of(layers=2).network_of("mine") == make_config().network
    assert training(layers=2) != training(layers=3)


@pytest.mark.usefixtures("module")
def test_an_unknown_key_is_refused_with_its_own_keys():
    with pytest.raises(
        ValueError, match=r"'strategies\.mine\.layer'; did you mean 'la"
    ):
        config_of(layer=3)
