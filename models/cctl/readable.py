"""Readable record of a CCTL training: ids in place of table rows."""

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
    """Returns the record with raw ids for the impressions of extreme weight.

    Args:
        record: Result of `CctlRecord.numbers`.
        features: All features.
        vocabulary: Folder of the Vocabulary artifact of the encoding.
    """
    spaces = {
        feature.table: _names(feature, features, vocabulary)
        for feature in features.features
        if feature.is_id
    }

    def named(row: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for feature in features.features:
            # Values beside the buckets are left out.
            encoded = row["rows"].get(feature.name)
            if encoded is None:
                continue
            several = encoded if isinstance(encoded, list) else [encoded]
            names = spaces.get(feature.table)
            words = [_word(value, names) for value in several if value != PADDING_ROW]
            values[feature.name] = ", ".join(words) or "none"
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
    """Returns the raw ids of a space by table row; empty for a hashed space."""
    space = features.vocabularies[feature.table]
    if space.hashed:
        return {}
    ids = read_ids(vocabulary, feature.table).to_pylist()
    return {space.first_id_row + position: name for position, name in enumerate(ids)}
