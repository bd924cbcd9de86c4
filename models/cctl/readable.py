"""The record of a CCTL training with ids in place of table rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.data.id_lists import read_ids
from models.features.feature import Feature
from models.features.kind import FIRST_OOV_ROW
from models.features.kind import MISSING_ROW
from models.features.kind import PADDING_ROW
from models.features.table import FeatureTable


def readable(
    record: dict[str, Any], features: FeatureTable, vocabulary: Path
) -> dict[str, Any]:
    """Returns the record with the rows of highest and lowest weight in words.

    Args:
        record: What `CctlRecord.numbers` returns.
        features: All features.
        vocabulary: Vocabulary artifact that the rows were encoded with.
    """
    spaces = {
        feature.table: _names(feature, features, vocabulary)
        for feature in features.features
        if feature.is_id
    }

    def named(row: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for name, encoded in row["rows"].items():
            feature = features[name]
            several = encoded if isinstance(encoded, list) else [encoded]
            names = spaces.get(feature.table)
            words = [_word(value, names) for value in several if value != PADDING_ROW]
            values[name] = ", ".join(words) or "none"
        return {**row, "rows": values}

    return {
        **record,
        "highest": [named(row) for row in record["highest"]],
        "lowest": [named(row) for row in record["lowest"]],
    }


def _word(row: int, names: dict[int, str] | None) -> str:
    if row == MISSING_ROW:
        return "missing"
    if names is None:
        return f"bucket {row - FIRST_OOV_ROW}"
    return names.get(row, "other")


def _names(
    feature: Feature, features: FeatureTable, vocabulary: Path
) -> dict[int, str]:
    """Returns the ids of a space by table row; none of a hashed one."""
    space = features.vocabularies[feature.table]
    if space.hashed:
        return {}
    ids = read_ids(vocabulary, feature.table).to_pylist()
    return {space.first_id_row + position: name for position, name in enumerate(ids)}
