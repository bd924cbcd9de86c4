"""Shipped configurations with few features, as graphs take most of a small run.

Transform and Keras build a graph for every feature, which on a few thousand impressions
takes far longer than the impressions do.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.schemas.files import read_schema
from pipeline.schemas.files import to_text


def keep_features(settings: dict[str, Any], names: Collection[str]) -> None:
    """Leaves out all other features of a configuration."""
    settings["features"] = [f for f in settings["features"] if f["name"] in names]
    of_domains = settings.get("domain_columns", {})
    for columns in (settings["columns"], *of_domains.values()):
        for name in columns.keys() - set(names):
            del columns[name]


def schema_of(path: Path, names: Collection[str]) -> str:
    """Returns a schema's text with `names`, the day and the label alone."""
    schema = read_schema(path)
    kept = [f for f in schema.feature if f.name in {*names, "day", "label"}]
    del schema.feature[:]
    schema.feature.extend(kept)
    return to_text(schema)
