"""Layout of a model's tables: the rules that assign table rows to ids and crosses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.artifact_files import LAYOUT_FILE
from models.data.id_lists import describe_ids
from models.data.id_lists import is_prefix
from models.errors import TrainingError
from models.features.feature import Feature
from models.features.table import FeatureTable
from models.training.level_inputs import LevelInputs


def layout_of(inputs: LevelInputs, features: FeatureTable) -> dict[str, Any]:
    """Returns the layout: per id space and cross the rule of its table rows."""
    spaces = sorted({f.table for f in features.features if f.is_id})
    return {
        "level": inputs.level,
        "spaces": {
            space: {
                "rows": features.vocabularies[space].row_rule,
                **describe_ids(inputs.vocabulary, space),
            }
            for space in spaces
        },
        "crosses": {feature.name: _rule_of(feature) for feature in features.derived},
    }


def check_layout(
    folder: Path, inputs: LevelInputs, features: FeatureTable
) -> dict[str, Any]:
    """Returns the layout of the model in `folder`; raises unless it is compatible."""
    layout: dict[str, Any] = json.loads(
        (folder / LAYOUT_FILE).read_text(encoding="utf-8")
    )
    for space, known in layout["spaces"].items():
        if space not in {feature.table for feature in features.features}:
            continue
        rule = features.vocabularies[space].row_rule
        if known["rows"] != rule:
            raise TrainingError(
                f"ids of {space!r} have their rows {known['rows']} in the model to "
                f"start from, but {rule} now; encoding and oov_buckets of a "
                "vocabulary, and capacity of a hashed one, must not change. Set them "
                "back or train every level again"
            )
        if not is_prefix(known, inputs.vocabulary, space):
            raise TrainingError(
                f"the vocabulary of {space!r} at {inputs.vocabulary} did not grow out "
                f"of the one behind {folder.parent} ({known['ids']} ids, hash "
                f"{known['hash']}), so rows would mean other ids. Train the earlier "
                "level again with this vocabulary"
            )
    for feature in features.derived:
        # A model of an earlier version has no crosses.
        rule = layout.get("crosses", {}).get(feature.name, _rule_of(feature))
        if rule != _rule_of(feature):
            raise TrainingError(
                f"feature {feature.name!r} is {rule} in the model to start from, but "
                f"{_rule_of(feature)} now, so rows would mean other combinations. Set "
                "`of` and `buckets` back, rename the feature, or train every level "
                "again"
            )
    return layout


def _rule_of(feature: Feature) -> str:
    return f"hash of {', '.join(feature.of)} into {feature.buckets} rows"
