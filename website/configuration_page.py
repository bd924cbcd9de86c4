"""Reference of the configuration and of strategies' keys, from the JSON schema."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.config.json_schema import config_schema

_PREFIX = "strategies."
# Named by the page of strategies' keys, which has a table for each.
_OF_STRATEGIES = {"StrategyConfig", "StrategyEntry", "ExpertsConfig", "CctlConfig"}


def configuration_page() -> str:
    """Returns the page of all keys of a configuration but those of strategies."""
    schema = config_schema()
    definitions = schema["$defs"]
    parts = [
        "# Configuration",
        "Every key of a configuration, with its default and the reason. The page is "
        "made from the models that check a configuration; "
        "`crossctr schema-json` prints the same as a JSON schema for editors, and "
        "`crossctr show CONFIG --all` the values in force. Keys of strategies are on "
        "[a page of their own](strategy-keys.md).",
        *_section("Top level", schema),
    ]
    for name, model in definitions.items():
        if not name.startswith(_PREFIX) and name not in _OF_STRATEGIES:
            parts += _section(name, model)
    return "\n\n".join(parts) + "\n"


def strategy_page() -> str:
    """Returns the page of the keys of entries under `strategies`."""
    definitions = config_schema()["$defs"]
    parts = [
        "# Keys of strategies",
        "Every key of an entry under `strategies`, by kind. An entry named like a kind "
        "needs no `kind`. `crossctr strategies` lists the same, also for a class of "
        "your own.",
    ]
    for kind in kinds():
        about = inspect.getdoc(strategy_class(kind)) or ""
        parts += _section(
            kind, definitions[f"{_PREFIX}{kind}"] | {"description": about}
        )
    for name in ("ExpertsConfig", "CctlConfig"):
        parts += _section(name, definitions[name])
    return "\n\n".join(parts) + "\n"


def _section(name: str, model: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield _summary(model)
    properties = model.get("properties", {})
    if not properties:
        yield "No keys of its own."
        return
    required = model.get("required", ())
    rows = [
        f"| `{key}` | {_type(entry)} | {_default(entry, key in required)} "
        f"| {_cell(entry['description'])} |"
        for key, entry in properties.items()
    ]
    header = "| key | type | default | description |\n| --- | --- | --- | --- |"
    yield "\n".join([header, *rows])


def _summary(model: Mapping[str, Any]) -> str:
    first = str(model.get("description", "")).partition("\n\n")[0]
    return " ".join(first.split())


def _type(entry: Mapping[str, Any]) -> str:
    """Returns what a key holds, in the words of YAML, with links to other tables."""
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        page = "strategy-keys" if name in _OF_STRATEGIES else "configuration"
        return f"[{name}]({page}.md{_anchor(name)})"
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    choices = entry.get("anyOf") or entry.get("oneOf")
    if choices:
        return " or ".join(dict.fromkeys(_type(choice) for choice in choices))
    kind = entry.get("type", "any")
    if kind == "array":
        return f"list of {_type(entry.get('items', {}))}"
    if kind == "object" and entry.get("additionalProperties"):
        return f"by name: {_type(entry['additionalProperties'])}"
    return f"{kind}{_bounds(entry)}"


def _anchor(name: str) -> str:
    # An entry has no table: its keys are those of its kind.
    return "" if name in {"StrategyEntry", "StrategyConfig"} else f"#{name.lower()}"


def _bounds(entry: Mapping[str, Any]) -> str:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    found = [f"{sign} {entry[key]}" for key, sign in signs.items() if key in entry]
    return f" {', '.join(found)}" if found else ""


def _default(entry: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    value = entry.get("default")
    if isinstance(value, dict) and value:
        return "see its table"
    return f"`{json.dumps(value)}`" if "default" in entry else "none"


def _cell(text: str) -> str:
    # `{a | b}` within a table would end the cell.
    return re.sub(r"(?<!\\)\|", r"\\|", text)
