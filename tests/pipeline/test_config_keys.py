"""Keys of a configuration: kept, printed and read again with any value.

The keys are those of the pydantic models themselves. A key whose type does not say what
another value could be has one in `VALUES`; a new key of that kind fails here until it
gets one.
"""

import contextlib
import copy
import datetime
import json
import re
import types
import typing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel
from pydantic import TypeAdapter
from pydantic import ValidationError

from models.errors import ConfigError
from models.settings import Units
from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.cli.group import main
from pipeline.config.load import dump
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.config.yaml_dump import to_yaml

# At least one entry in every list and table, so that the keys inside can be set.
BASE = {
    "name": "ads",
    "root": "runs",
    "logs": "logs",
    "schema": "ads.pbtxt",
    "import": {"data": "data", "last_day": "2020-02-01"},
    "first_day": "2020-01-01",
    "target": "de",
    "sources": ["ca", "uk"],
    "columns": {"item_id": {"column": "ad"}, "user_id": "uid", "shown": "n"},
    "domain_columns": {"ca": {"item_id": {"column": "visitor"}}},
    "timestamp": {"de": {"column": "at"}},
    "label": "clicked == 1",
    "csv": {"ca": {"quote": "'"}},
    "vocabularies": {"user": {"capacity": 5}, "item": {"capacity": 4}},
    "features": [
        {"name": "item_id", "kind": "id", "vocabulary": "item"},
        {"name": "user_id", "kind": "id", "vocabulary": "user"},
        {"name": "shown", "kind": "count"},
    ],
    "levels": {
        level: {"training": {"early_stopping": {}}}
        for level in ("tpm", "cpm", "source", "target")
    },
    "training": {"early_stopping": {}},
    "strategy": "target_only",
    "strategies": {"target_only": {}, "joint": {}},
    "slices": {"item": {"feature": "item_id"}},
    "serving": {"directory": "serving"},
}
SIMULATED = {"import": None, "simulate": {"truth": "truth", "domains": {"de": {}}}}
NEGATIVES = {
    "import": {**BASE["import"], "negatives": {"per_positive": 1}},
    "label": "click == 1",
}
# Every kind of strategy, and what all of them need together.
OWN = {level: {"early_stopping": {}} for level in ("cpm", "source", "target")}
STRATEGIES = {
    "strategies": {kind: {"network": {}, "training": OWN} for kind in kinds()},
    "columns": {"item_id": {"column": "ad"}, "user_id": "uid"},
    "features": [
        {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
        {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
        {"name": "domain", "kind": "id", "vocabulary": "domain"},
    ],
    "vocabularies": {name: {"capacity": 4} for name in ("user", "item", "domain")},
}
CONSTANT = {"item_id": {"constant": "a"}}
# By key, or by the end of one: another value, and what else it needs.
VALUES = {
    ("name",): ("other", {}),
    ("metadata",): ("mysql://me@host/db", {}),
    ("logs",): ("s3://clicks/logs", {}),
    ("import",): (None, {}),
    ("negatives",): ({"per_positive": 2}, {"label": "click == 1"}),
    ("cold_users",): ({"start": "2020-01-03"}, {}),
    ("simulate",): ({"truth": "truth"}, {"import": None}),
    ("simulate", "domains"): ({"ca": {"theta": 3}}, SIMULATED),
    ("target",): ("fr", {"timestamp": {}}),
    ("sources",): (["uk", "ca", "fr"], {}),
    ("columns",): ({**BASE["columns"], "shown": "m"}, {}),
    ("column",): ("other", {}),
    ("columns", "item_id", "constant"): (
        "b",
        {"columns": {**BASE["columns"], **CONSTANT}},
    ),
    ("domain_columns", "ca", "item_id", "constant"): (
        "b",
        {"domain_columns": {"ca": CONSTANT}},
    ),
    ("separator",): (";", {}),
    ("hour_of",): ("YYYYMMDDHH", {}),
    ("domain_columns",): ({"uk": {"shown": "m"}}, {}),
    ("timestamp",): ({"uk": {"column": "t"}}, {}),
    ("format",): ("YYYY-MM-DD HH", {}),
    ("label",): ("bought >= 2", {}),
    ("domain_labels",): ({"ca": "bought == 1"}, {}),
    ("missing_days",): ({"uk": "skip"}, {}),
    ("csv",): ({"uk": {"escape": "\\"}}, {}),
    ("delimiter",): (";", {}),
    ("model_card", "purpose"): ("Ranks ads", {}),
    ("model_card", "owner"): ("Ads team", {}),
    ("model_card", "limits"): (["No video ads"], {}),
    ("quote",): ("|", {}),
    ("escape",): ("\\", {}),
    ("null_values",): (["NULL", "\\N"], {}),
    ("marker",): ("_SUCCESS", {}),
    ("separate_ids",): ({"item": ["ca"]}, {}),
    ("vocabularies",): ({**BASE["vocabularies"], "more": {"capacity": 9}}, {}),
    ("features",): (list(reversed(BASE["features"])), {}),
    ("features", 0, "name"): (
        "ad_id",
        {
            "columns": {"ad_id": "ad", "user_id": "uid", "shown": "n"},
            "domain_columns": {},
            "slices": None,
        },
    ),
    ("features", 0, "kind"): ("ids", {"slices": None}),
    ("features", 0, "vocabulary"): ("user", {}),
    ("features", 0, "of"): (
        ["user_id", "page_id"],
        {
            "features": [
                {"name": "pair", "kind": "cross", "of": ["item_id", "user_id"]},
                {"name": "page_id", "kind": "id", "vocabulary": "item"},
                *BASE["features"],
            ],
            "columns": {**BASE["columns"], "page_id": "p"},
        },
    ),
    ("features", 0, "domains"): (["de"], {"domain_columns": {}}),
    ("features", 0, "counts"): (
        True,
        {
            "features": [{**BASE["features"][0], "kind": "ids"}, *BASE["features"][1:]],
            "slices": None,
        },
    ),
    ("features", 0, "buckets"): (
        5,
        {
            "features": [
                {"name": "item_id", "kind": "count"},
                *BASE["features"][1:],
            ],
            "slices": None,
        },
    ),
    ("features", 0, "max_length"): (
        5,
        {
            "features": [{**BASE["features"][0], "kind": "ids"}, *BASE["features"][1:]],
            "slices": None,
        },
    ),
    ("features", 0, "length"): (
        5,
        {
            "features": [
                {"name": BASE["features"][0]["name"], "kind": "vector", "length": 4},
                *BASE["features"][1:],
            ],
            "slices": None,
        },
    ),
    ("levels", "training"): ({"epochs": 3}, {}),
    ("early_stopping",): (None, {}),
    ("strategies", "network"): ({"width": 3}, {}),
    ("strategies", "training"): ({"target": {"epochs": 3}}, {}),
    ("training", "cpm"): ({"epochs": 3}, {}),
    ("training", "source"): ({"epochs": 3}, {}),
    ("training", "target"): ({"epochs": 3}, {}),
    ("snapshot_pooling",): ("mean", {}),
    ("strategy",): ("joint", {}),
    ("strategies",): ({"target_only": {}}, {}),
    ("strategies", "target_only", "kind"): ("joint", {}),
    ("strategies", "kind"): ("target_only", {}),
    ("strategies", "linear", "sources"): (True, {}),
    ("slices",): ({}, {}),
    ("slices", "item", "feature"): ("user_id", {}),
    ("upto",): ([3], {"slices": {"item": {"feature": "shown", "upto": [1]}}}),
    ("server_path",): ("/elsewhere", {}),
    ("beam_args",): (["--direct_num_workers=2"], {}),
}


def model_in(annotation):
    """Returns the model inside an annotation, and how many containers are around it."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return (annotation, 0) if issubclass(annotation, BaseModel) else None
    depth = int(typing.get_origin(annotation) in (tuple, dict))
    for argument in typing.get_args(annotation):
        found = model_in(argument)
        if found:
            return found[0], found[1] + depth
    return None


def keys_of(model, key=()):
    """Yields (key, field) of every key that a configuration may have."""
    for name, field in model.model_fields.items():
        own = (*key, field.alias or name)
        inner = model_in(field.annotation)
        if inner is None or inner[0] is not field.annotation:
            yield own, field
        if own == ("strategies",):
            for kind in kinds():
                for found, of in keys_of(strategy_class(kind).Config, (*own, kind)):
                    shared = found[2] in ("network", "training")
                    # An entry may not have a seed of its own.
                    if not shared or (kind == "ecdctr" and found[-1] != "seed"):
                        yield found, of
            continue
        if inner is None:
            continue
        entry = own
        for _ in range(inner[1]):
            there = at(with_base(own), entry)
            entry = (*entry, 0 if isinstance(there, list) else next(iter(there)))
        yield from keys_of(inner[0], entry)


def with_base(key, changes=None):
    """Returns `BASE` with what the key's own section needs."""
    data = copy.deepcopy(BASE)
    if key[0] == "simulate":
        data |= copy.deepcopy(SIMULATED)
    if key[0] == "strategies" and len(key) > 1:
        data |= copy.deepcopy(STRATEGIES)
    if key[:2] == ("import", "negatives") and len(key) > 2:
        data |= copy.deepcopy(NEGATIVES)
    if key[:2] == ("import", "cold_users") and len(key) > 2:
        data["import"]["cold_users"] = {"start": "2020-01-03"}
    return data | copy.deepcopy(changes or {})


def at(data, key):
    for part in key:
        data = data[part]
    return data


def set_at(data, key, value):
    for part in key[:-1]:
        data = data[part] if isinstance(data, list) else data.setdefault(part, {})
    data[key[-1]] = value


def given_value(key):
    """Returns the entry of `VALUES` for a key, if there is one."""
    for length in range(len(key)):
        if key[length:] in VALUES:
            return VALUES[key[length:]]
    return VALUES.get((key[0], key[-1]))


def another(key, field, current):
    """Returns a value for `field` that is neither its default nor the current one."""
    annotation = field.annotation
    if type(None) in typing.get_args(annotation):
        (annotation,) = (a for a in typing.get_args(annotation) if a is not type(None))
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if annotation is bool:
        candidates = [not current]
    elif typing.get_origin(annotation) is typing.Literal:
        candidates = list(typing.get_args(annotation))
    elif annotation in (int, float):
        candidates = [0.9, 0.25, 3.0, 30.0] if annotation is float else [3, 7]
    elif annotation == tuple[Units, ...]:
        candidates = [[5, 3]]
    elif annotation is datetime.date:
        candidates = ["2020-01-05"]
    elif annotation is Path:
        candidates = ["elsewhere"]
    else:
        pytest.fail(f"{'.'.join(map(str, key))}: give another value in VALUES")
    allowed = TypeAdapter(field.rebuild_annotation())
    for value in candidates:
        with contextlib.suppress(ValidationError):
            allowed.validate_python(value)
            if value not in (field.default, current):
                return value
    return pytest.fail(f"{'.'.join(map(str, key))}: give another value in VALUES")


KEYS = list(keys_of(Config))


@pytest.fixture
def load(tmp_path):
    def load_data(data, name="ads.yaml"):
        path = tmp_path / name
        text = data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False)
        path.write_text(text)
        return load_config(path)

    return load_data


def test_every_section_is_enumerated():
    found = {".".join(map(str, key)) for key, _ in KEYS}
    assert {
        "serving.rollout",
        "serving.keep",
        "levels.tpm.training.early_stopping.patience",
        "import.negatives.seed",
        "simulate.domains.de.theta",
        "domain_columns.ca.item_id.separator",
        "features.0.width",
        "strategies.cctl.cctl.price",
        "strategies.composed.source_model",
    } <= found


@pytest.fixture(scope="module")
def base_of(tmp_path_factory):
    """Returns a function that returns what is kept of a section's base."""
    path = tmp_path_factory.mktemp("bases") / "ads.yaml"
    kept = {}

    def loaded(key):
        text = yaml.safe_dump(with_base(key), sort_keys=False)
        if text not in kept:
            path.write_text(text)
            kept[text] = json.loads(dump(load_config(path)))
        return kept[text]

    return loaded


@pytest.mark.parametrize(
    ("key", "field"), KEYS, ids=[".".join(map(str, key)) for key, _ in KEYS]
)
def test_a_key_is_kept_printed_and_read_again(load, base_of, key, field):
    chosen = given_value(key)
    data = with_base(key, chosen[1] if chosen else {})
    parent = at(base_of(key), key[:-1])
    # A level prints only the training settings it was given.
    current = parent.get(key[-1], field.default) if isinstance(parent, dict) else None
    value = chosen[0] if chosen else another(key, field, current)
    set_at(data, key, value)
    config = load(data)

    kept = at(json.loads(dump(config)), key)
    assert kept != current
    if isinstance(value, bool | int | float):
        assert kept == value
    again = load(dump(config), "again.yaml")
    assert again == config
    for level in ("tpm", "cpm", "source", "target"):
        assert again.training_of(level) == config.training_of(level)
    assert load(to_yaml(config, defaults=False), "shown.yaml") == config


@pytest.mark.parametrize("options", [[], ["--all"]], ids=["changed", "all"])
@pytest.mark.parametrize(
    "key",
    [
        ("name",),
        ("simulate", "domains"),
        ("strategies", "cctl"),
        ("import", "negatives", "seed"),
        ("import", "cold_users", "start"),
    ],
    ids=" ".join,
)
def test_what_show_prints_is_the_configuration(load, tmp_path, key, options):
    config = load(with_base(key))
    shown = CliRunner().invoke(main, ["show", str(tmp_path / "ads.yaml"), *options])
    assert load(shown.output, "shown.yaml") == config


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"gate": {"max_calibration": float("inf")}}, "gate.max_calibration"),
        ({"wait": {"minutes": float("nan")}}, "wait.minutes"),
    ],
)
def test_a_number_that_cannot_be_printed_is_refused(load, changes, key):
    data = yaml.safe_dump(with_base(("name",), changes)).replace(".inf", "inf")
    with pytest.raises(ConfigError, match=key):
        load(data.replace(".nan", "nan"))


def numeric(annotation):
    return annotation in (int, float) or any(
        numeric(argument) for argument in typing.get_args(annotation)
    )


NUMERIC = {key: field for key, field in KEYS if numeric(field.annotation)}
# Python itself reads no number of 5,000 digits: one key of each type is enough.
ONE_OF_A_TYPE = {str(field.annotation): key for key, field in NUMERIC.items()}


@pytest.mark.parametrize(
    ("key", "digits"),
    [
        *((key, 50) for key in NUMERIC),
        *((key, 5_000) for key in ONE_OF_A_TYPE.values()),
    ],
    ids=str,
)
def test_a_number_of_many_digits_is_refused_in_a_line_with_its_key(load, key, digits):
    chosen = given_value(key)
    data = with_base(key, chosen[1] if chosen else {})
    listed = isinstance(chosen[0], list) if chosen else key[-1] == "hidden_units"
    value = "9" * digits + "0" * 10
    set_at(data, key, [value] if listed else value)
    with pytest.raises(ConfigError, match=re.escape(str(key[-1]))) as caught:
        load(data)
    assert len(str(caught.value)) < 1_000


def test_a_level_prints_only_the_training_settings_it_differs_in(load):
    levels = {"cpm": {"training": {"epochs": 2}}}
    config = load(with_base(("levels",), {"levels": levels, "training": {"seed": 5}}))
    assert json.loads(dump(config))["levels"]["cpm"]["training"] == {"epochs": 2}
    again = load(dump(config), "again.yaml").training_of("cpm")
    assert (again.epochs, again.seed) == (2, 5)
