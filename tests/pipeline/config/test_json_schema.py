"""JSON schema of configurations: complete, with descriptions, as `load_config`."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from models.strategies.registry import kinds
from pipeline.config.json_schema import config_schema

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
SMALL = {
    "name": "ads",
    "root": "runs",
    "logs": "logs",
    "schema": "ads.pbtxt",
    "first_day": "2024-01-01",
    "target": "ads",
    "sources": ["feeds"],
    "columns": {"user_id": "u", "hour": {"hour_of": "time"}, "age": None},
    "label": "click == 1",
    "vocabularies": {"user": {"capacity": 10}},
    "features": [{"name": "user_id", "kind": "id", "vocabulary": "user"}],
    "serving": {"directory": "serving"},
}


@pytest.fixture(scope="module")
def validator():
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _described(schema):
    for name, model in {"Config": schema, **schema["$defs"]}.items():
        for key, entry in model.get("properties", {}).items():
            yield f"{name}.{key}", entry.get("description", "")


def test_every_key_has_a_description():
    found = dict(_described(config_schema()))
    assert len(found) > 150
    assert [key for key, text in found.items() if not text] == []


def test_a_file_of_tuned_values_may_be_named(validator):
    named = validator.iter_errors({**SMALL, "tuned": "tuned/ads.yaml"})
    assert [error.message for error in named] == []
    assert list(validator.iter_errors({**SMALL, "tuned": 3}))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_shipped_configurations_fit(validator, path):
    data = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
    assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(
    "entries",
    [
        {"ecdctr": {"snapshots": 0}},
        {"ecdctr": None},
        {"mine": {"kind": "ecdctr", "snapshots": 0}},
        {"mine": {"kind": "package.module:Class", "depth": 3}},
        {"joint": {"kind": "ecdctr", "snapshots": 0}},
        *({kind: {}} for kind in kinds()),
    ],
)
def test_entries_of_every_kind_fit(validator, entries):
    assert validator.is_valid({**SMALL, "strategies": entries})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sorces": ["feeds"]}, "sorces"),
        ({"target": 3}, "3"),
        ({"levels": {"tpm": {"snapshots": -1}}}, "-1"),
        ({"columns": {"user_id": ["u"]}}, "['u']"),
        ({"features": []}, "[]"),
        ({"missing_days": {"ads": "hope"}}, "hope"),
        ({"strategies": {"ecdctr": {"snapshot": 0}}}, "snapshot"),
        ({"strategies": {"mine": {"kind": "ecdctr", "snapshot": 0}}}, "snapshot"),
        ({"strategies": {"mine": {}}}, "kind"),
    ],
)
def test_what_load_config_refuses_does_not_fit(validator, change, named):
    errors = list(validator.iter_errors({**SMALL, **change}))
    assert errors
    assert named in json.dumps([str(error) for error in errors])
