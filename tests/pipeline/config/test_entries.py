"""Entries of `strategies`, with the keys of their own kind."""

from __future__ import annotations

import pytest

from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.config.entries import entry_config


@pytest.mark.parametrize("kind", kinds())
def test_a_key_that_a_kind_does_not_have_is_refused_with_those_it_has(kind):
    with pytest.raises(ValueError, match="unknown key") as refused:
        entry_config("mine", {"kind": kind, "no_such_key": 1})
    allowed = ", ".join(strategy_class(kind).Config.model_fields)
    assert str(refused.value) == (
        f"unknown key 'strategies.mine.no_such_key' (allowed: {allowed})"
    )


@pytest.mark.parametrize("kind", kinds())
def test_the_keys_of_other_kinds_are_refused_too(kind):
    own = strategy_class(kind).Config.model_fields.keys()
    everybodys = {
        k for other in kinds() for k in strategy_class(other).Config.model_fields
    }
    for key in everybodys - own:
        with pytest.raises(ValueError, match=rf"unknown key 'strategies\.mine\.{key}'"):
            entry_config("mine", {"kind": kind, key: None})


def test_the_closest_key_is_named():
    with pytest.raises(ValueError, match="did you mean 'adapter'"):
        entry_config("mine", {"kind": "ctnet", "adaptor": "glu"})
    with pytest.raises(
        ValueError, match=r"strategies\.cctl\.cctl\.prise.*mean 'price'"
    ):
        entry_config("cctl", {"cctl": {"prise": 1}})


def test_the_closest_kind_is_named():
    with pytest.raises(
        ValueError, match=r"strategies\.mine\.kind.*did you mean 'ctnet'"
    ):
        entry_config("mine", {"kind": "ctnett"})


@pytest.mark.parametrize("keys", [["ctnet"], "ctnet", 3])
def test_an_entry_that_is_no_mapping_is_shown_one(keys):
    with pytest.raises(ValueError, match="expected keys and values, such as `mine: "):
        entry_config("mine", keys)


def test_an_entry_without_keys_has_the_defaults_of_its_name():
    assert entry_config("ctnet", None) == strategy_class("ctnet").Config()
