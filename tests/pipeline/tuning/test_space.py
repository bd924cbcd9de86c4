"""Search space: bounds, the configuration's own values, and where values go."""

from __future__ import annotations

import pytest

from models.references.settings import ReferenceSettings
from pipeline.comparing.run import chosen
from pipeline.config.entries import entry_config
from pipeline.tuning.space import REFERENCES
from pipeline.tuning.space import Knob
from pipeline.tuning.space import current
from pipeline.tuning.space import knobs_of
from pipeline.tuning.space import overrides
from tests.pipeline.planning.worlds import make_config

NAMES = ("ecdctr", "target_only", *REFERENCES)


def world(**changes):
    config = make_config(**changes)
    entries = chosen(config, ["ecdctr", "target_only", "joint"])
    return config.model_copy(update={"strategies": entries})


def test_every_tunable_reference_is_known_by_its_name_in_tables():
    assert REFERENCES == (
        "logistic",
        "logistic + sources",
        "logistic_by_domain + sources",
        "gbdt",
        "gbdt + sources",
    )


def test_the_first_trial_has_the_values_of_the_configuration():
    config = world(
        training={"batch_size": 128, "epochs": 2, "dense_learning_rate": 0.002},
        levels={"cpm": {"every_days": 5, "window_days": 9, "training": {"epochs": 3}}},
        network={"width": 4, "dropout": 0.25},
    )
    assert current(config, "ecdctr") == {
        "epochs": 2,
        "batch_size": 128,
        "dense_learning_rate": 0.002,
        "embedding_learning_rate": 0.02,
        "wide_l2": 20.0,
        "source_epochs": 3,
        "width": 4,
        "dropout": 0.25,
    }
    # It pretrains on no source.
    assert "source_epochs" not in current(config, "target_only")
    assert current(config, "logistic") == {"inverse_l2": 1.0}


def test_values_outside_the_bounds_start_at_the_closest():
    config = world(training={"batch_size": 4_096, "epochs": 20})
    found = current(config, "target_only")
    assert (found["batch_size"], found["epochs"]) == (1_024, 8)


@pytest.mark.parametrize("name", ["ecdctr", "target_only", "joint"])
def test_a_trial_sets_every_knob_of_an_entry(name):
    config = world()
    values = {knob.name: knob.high for knob in knobs_of(config, name)}
    entry = entry_config(name, {"kind": name, **overrides(config, name, values)})
    tuned = config.model_copy(update={"strategies": {name: entry}})
    assert current(tuned, name) == values
    # TPM and what was not tuned are as they were.
    assert tuned.training_of("tpm") == config.training_of("tpm")
    assert tuned.network_of(name).hidden_units == config.network.hidden_units


@pytest.mark.parametrize("name", REFERENCES)
def test_a_trial_sets_every_knob_of_a_reference_and_of_no_other(name):
    config = world()
    values = {knob.name: knob.low for knob in knobs_of(config, name)}
    keys = overrides(config, name, values)
    settings = ReferenceSettings.model_validate({name: keys}).by_name()
    assert settings.pop(name).model_dump() == values
    assert settings == {
        other: one
        for other, one in ReferenceSettings().by_name().items()
        if other != name
    }


def test_rates_are_tried_as_they_are_written():
    assert Knob("rate", 1e-4, 1e-2).rounded(0.001234567) == 0.00123
    assert Knob("epochs", 1, 8, whole=True).rounded(3.0) == 3
    assert isinstance(Knob("epochs", 1, 8, whole=True).rounded(3.0), int)
