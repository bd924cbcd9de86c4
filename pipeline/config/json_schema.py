"""JSON schema of the configuration, by which editors complete and check the YAML."""

from __future__ import annotations

from typing import Any

from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.config.schema import Config
from pipeline.config.tuned import KEY as TUNED

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Read before a `Config` is made, so it is none of its fields.
_TUNED = {
    "anyOf": [{"type": "string"}, {"type": "null"}],
    "default": None,
    "description": "File of values that `crossctr tune` found, relative to the "
    "configuration; the configuration's own values take precedence.",
}


def config_schema() -> dict[str, Any]:
    """Returns the JSON schema of a configuration, with the keys of every strategy.

    It is looser than `load_config`, which also checks keys against one another.
    """
    schema = Config.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for kind in kinds():
        own = strategy_class(kind).Config.model_json_schema(
            by_alias=True, ref_template="#/$defs/{model}"
        )
        definitions.update(own.pop("$defs", {}))
        definitions[_name(kind)] = own
    definitions["StrategyEntry"] = _entry_of_any_kind()
    schema["properties"]["strategies"] |= {
        "properties": {kind: _entry_named(kind) for kind in kinds()},
        "additionalProperties": {"$ref": "#/$defs/StrategyEntry"},
    }
    schema["properties"][TUNED] = _TUNED
    return {"$schema": DIALECT, **schema}


def _name(kind: str) -> str:
    return f"strategies.{kind}"


def _entry_of_any_kind() -> dict[str, Any]:
    """Returns the schema of an entry whose `kind` says which keys it has."""
    return {
        "type": "object",
        "required": ["kind"],
        # `package.module:Class` is a kind, too, whose keys are not known here.
        "properties": {
            "kind": {
                "type": "string",
                "description": "The strategy, or `package.module:Class` of your own.",
                "examples": list(kinds()),
            }
        },
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}},
                "then": {"$ref": f"#/$defs/{_name(kind)}"},
            }
            for kind in kinds()
        ],
    }


def _entry_named(kind: str) -> dict[str, Any]:
    """Returns the schema of an entry that is called like a kind."""
    return {
        "if": {"type": "object", "required": ["kind"]},
        "then": {"$ref": "#/$defs/StrategyEntry"},
        "else": {"anyOf": [{"$ref": f"#/$defs/{_name(kind)}"}, {"type": "null"}]},
    }
