"""Tuned settings in a second file, which a configuration names."""

from __future__ import annotations

import pytest
import yaml

from models.errors import ConfigError
from pipeline.config.load import dump
from pipeline.config.load import load_config
from pipeline.config.tuned import over
from tests.pipeline.planning.worlds import make_config

TUNED = {
    "strategies": {
        "target_only": {
            "network": {"width": 4},
            "training": {"target": {"batch_size": 32, "epochs": 3}},
        },
        "joint": {"training": {"target": {"epochs": 2}}},
    },
    "references": {"settings": {"logistic + sources": {"inverse_l2": 0.1}}},
}


@pytest.fixture
def load(tmp_path):
    def read(held=TUNED, **changes):
        plain = yaml.safe_load(dump(make_config()))
        del plain["strategies"], plain["references"], plain["import"]
        data = {"strategies": {"ecdctr": {}, "target_only": None}, **plain, **changes}
        path = tmp_path / "ads.yaml"
        path.write_text(yaml.safe_dump({"tuned": "tuned/ads.yaml", **data}))
        if held is not None:
            (tmp_path / "tuned").mkdir(exist_ok=True)
            text = held if isinstance(held, str) else yaml.safe_dump(held)
            (tmp_path / "tuned" / "ads.yaml").write_text(text)
        return load_config(path)

    return read


def test_tuned_settings_are_read_like_the_configurations_own(load):
    config = load()
    target = config.training_of("target", "target_only")
    assert (target.batch_size, target.epochs) == (32, 3)
    assert config.network_of("target_only").width == 4
    assert config.network_of("ecdctr") == config.network
    settings = config.references.settings.by_name()
    assert settings["logistic + sources"].inverse_l2 == 0.1
    assert settings["logistic"].inverse_l2 == 1.0
    # An entry that the tuned file alone has.
    assert config.training_of("target", "joint").epochs == 2


def test_what_the_configuration_says_comes_first(load):
    own = {"training": {"target": {"epochs": 7}}}
    config = load(strategies={"ecdctr": {}, "target_only": own})
    target = config.training_of("target", "target_only")
    assert (target.batch_size, target.epochs) == (32, 7)


def test_mappings_are_merged_and_lists_replaced():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    found = over(base, {"a": {"c": [3]}, "e": {"f": 5}})
    assert found == {"a": {"b": 1, "c": [3]}, "d": 4, "e": {"f": 5}}
    assert base["a"]["c"] == [1, 2]


def test_null_is_a_value_that_comes_first(load):
    tuned = {"training": {"target": {"id_learning_rate": 0.5}}}
    held = {"strategies": {"target_only": tuned}}
    own = {"training": {"target": {"id_learning_rate": None}}}
    config = load(held, strategies={"ecdctr": {}, "target_only": own})
    assert config.training_of("target", "target_only").id_learning_rate is None
    config = load(held)
    assert config.training_of("target", "target_only").id_learning_rate == 0.5


def test_what_is_shown_needs_no_second_file(load, tmp_path):
    config = load()
    (tmp_path / "tuned" / "ads.yaml").unlink()
    again = tmp_path / "again.yaml"
    again.write_text(dump(config))
    assert load_config(again) == config


@pytest.mark.parametrize(
    ("held", "changes", "message"),
    [
        (None, {}, r"there is no file '.*tuned/ads\.yaml'; make it with"),
        (TUNED, {"tuned": ["a"]}, r"tuned: expected the path .* received \['a'\]"),
        ("a: [", {}, "is not valid YAML"),
        ("just text", {}, "holds 'just text'; expected the keys strategies and"),
        ({"network": {"width": 3}}, {}, r"holds \['network'\]; expected the keys"),
        ({"strategies": ["a"]}, {}, "with mappings"),
        (
            {"strategies": {"target_only": {"wdth": 3}}},
            {},
            r"unknown key 'strategies\.target_only\.wdth'",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(load, held, changes, message):
    with pytest.raises(ConfigError, match=message):
        load(held, **changes)
