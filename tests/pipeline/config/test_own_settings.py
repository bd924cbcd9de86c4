"""Network and training settings of an entry of `strategies`."""

from __future__ import annotations

import json

import pytest

from models.strategies.registry import create
from pipeline.config.entries import entry_config
from pipeline.config.load import dump
from pipeline.planning.fingerprint import training_settings
from tests.pipeline.planning.worlds import make_config


def test_an_entry_overrides_single_keys_of_network_and_training():
    config = make_config(
        network={"width": 16, "dropout": 0.3},
        training={"batch_size": 512, "seed": 5},
        levels={"target": {"training": {"batch_size": 256, "epochs": 2}}},
        strategies={
            "target_only": {},
            "ecdctr": {
                "network": {"width": 4},
                "training": {"target": {"batch_size": 32}, "cpm": {"epochs": 3}},
            },
        },
    )

    network = config.network_of("ecdctr")
    assert (network.width, network.dropout) == (4, 0.3)
    assert config.network_of("target_only").width == 16
    target = config.training_of("target", "ecdctr")
    assert (target.batch_size, target.epochs, target.seed) == (32, 2, 5)
    cpm = config.training_of("cpm", "ecdctr")
    assert (cpm.batch_size, cpm.epochs) == (512, 3)
    assert config.training_of("target", "target_only").batch_size == 256
    assert config.training_of("target").batch_size == 256
    # TPM is everybody's.
    tpm = config.training.model_copy(update={"table_factor": 0.1})
    assert config.training_of("tpm") == tpm


def test_how_far_tables_move_follows_the_level_unless_it_is_given():
    own = {"kind": "ecdctr", "training": {"target": {"table_factor": 0.5}}}
    config = make_config(strategies={"ecdctr": {}, "target_only": {}, "own": own})
    factors = {
        name: config.training_of("target", name).table_factor
        for name in config.strategies
    }
    assert factors == {"ecdctr": 0.25, "target_only": 1.0, "own": 0.5}
    assert config.training_of("cpm", "ecdctr").table_factor == 1.0
    assert config.training_of("tpm").table_factor == 0.1
    general = make_config(training={"table_factor": 0.5})
    assert general.training_of("tpm").table_factor == 0.5


def test_settings_of_an_entry_change_the_fingerprints_of_its_own_trainings():
    plain = make_config()
    entries = {
        "ecdctr": {"training": {"target": {"epochs": 3}}},
        "target_only": {},
    }
    own = make_config(strategies=entries)

    def made_from(config, level, strategy):
        return training_settings(config, "code", level, strategy)

    assert made_from(plain, "target", "ecdctr") != made_from(own, "target", "ecdctr")
    assert made_from(plain, "cpm", "ecdctr") == made_from(own, "cpm", "ecdctr")
    other = "target_only"
    assert made_from(plain, "target", other) == made_from(own, "target", other)


@pytest.mark.parametrize("kind", ["star", "ecdctr"])
def test_what_trainings_are_made_from_stands_in_fingerprints_once(kind):
    # Of other keys than these, which `training_settings` holds.
    own = {"training": {"target": {"epochs": 3}}, "network": {"width": 3}}
    plain, tuned = (create(kind, entry_config(kind, keys)) for keys in ({}, own))
    identity = plain.identity(source_model=False)
    assert tuned.identity(source_model=False) == identity


def test_settings_of_an_entry_are_printed_as_they_were_given():
    entries = {"ecdctr": {}, "joint": {"training": {"target": {"epochs": 3}}}}
    config = make_config(strategies=entries)
    printed = json.loads(dump(config))["strategies"]["joint"]
    assert printed["training"]["target"] == {"epochs": 3}
    assert printed["network"] is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"training": {"target": {"seed": 3}}}, "set `training.seed`"),
        ({"training": {"tpm": {"epochs": 3}}}, "unknown key"),
        ({"training": {"target": {"epoch": 3}}}, "did you mean 'epochs'"),
        ({"network": {"width": 0}}, r"strategies\.target_only\.network\.width"),
    ],
)
def test_a_setting_that_an_entry_cannot_have_is_named(entry, message):
    with pytest.raises(ValueError, match=message):
        entry_config("target_only", entry)
