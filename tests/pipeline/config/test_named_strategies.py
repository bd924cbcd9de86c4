"""Strategies named on the command line: entries of the configuration, and kinds."""

from __future__ import annotations

import pytest

from models.errors import ConfigError
from models.strategies.registry import kinds
from pipeline.cli.options import asked_for
from pipeline.config.named_strategies import asked
from pipeline.config.named_strategies import with_strategies
from tests.pipeline.planning.worlds import make_config


def test_a_kind_that_is_no_entry_gets_its_defaults():
    config, names = asked(make_config(), ["ctnet", "target_only"])
    assert names == ["ctnet", "target_only"]
    assert config.kind_of("ctnet") == "ctnet"
    assert config.strategies.keys() == {*make_config().strategies, "ctnet"}


@pytest.mark.parametrize("names", [[], ["target_only"]])
def test_entries_alone_leave_the_configuration_as_it_is(names):
    config = make_config()
    assert asked(config, names)[0] is config


def test_all_entries_are_compared_and_no_kind_beside_them():
    config = make_config()
    names = asked_for(config, ["ctnet"], compare=True)
    assert names == list(config.strategies) == list(make_config().strategies)


def test_without_a_name_the_strategy_of_the_configuration_is_meant():
    names = asked_for(make_config(), [], compare=False)
    assert asked(make_config(), names)[1] == ["ecdctr"]


def test_a_name_that_is_neither_is_refused_with_the_closest():
    with pytest.raises(ConfigError, match="'ctnte' is neither.*did you mean 'ctnet'"):
        with_strategies(make_config(), ["ctnte"])


def test_a_kind_that_the_configuration_cannot_have_says_why():
    with pytest.raises(ConfigError, match="star has a part of each domain's own"):
        with_strategies(make_config(), ["star"])


def test_an_entry_of_a_kinds_name_stays_what_it_is():
    config = make_config(
        strategies={"joint": {"kind": "target_only"}}, strategy="joint"
    )
    assert "joint" in kinds()
    assert with_strategies(config, ["joint"]).kind_of("joint") == "target_only"
