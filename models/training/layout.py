"""Layout of a model's inputs: rules of table rows, and statistics of numbers."""

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
from models.short_hash import short_hash
from models.statistics_files import read_statistics
from models.training.level_inputs import LevelInputs


def layout_of(inputs: LevelInputs, features: FeatureTable) -> dict[str, Any]:
    """Returns the layout: rules of id spaces and crosses, statistics of numbers."""
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
        "numbers": _numbers(inputs.vocabulary, features),
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
    _check_numbers(layout.get("numbers", {}), inputs, features, folder)
    return layout


def _numbers(vocabulary: Path, features: FeatureTable) -> dict[str, str | None]:
    """Returns a hash of each number's statistics; None if it has none so far."""
    found = read_statistics(vocabulary)
    return {
        f.name: short_hash(json.dumps(found[f.name].encoding).encode())
        if f.name in found
        else None
        for f in features.with_values
    }


def _check_numbers(
    known: dict[str, str | None],
    inputs: LevelInputs,
    features: FeatureTable,
    folder: Path,
) -> None:
    """Raises `TrainingError` unless a model's numbers are the network's, too."""
    now = _numbers(inputs.vocabulary, features)
    if known.keys() != now.keys():
        raise TrainingError(
            f"the model to start from at {folder.parent} reads the numbers "
            f"{', '.join(sorted(known)) or '(none)'}, this one "
            f"{', '.join(sorted(now)) or '(none)'}; both need the same features of "
            "kind count, rate, number and vector. Train the earlier level with this "
            "configuration, or set the strategy's warm_start to false"
        )
    changed = [name for name, text in known.items() if text not in (None, now[name])]
    if changed:
        raise TrainingError(
            f"the model to start from at {folder.parent} standardises "
            f"{', '.join(changed)} with other statistics than the vocabulary at "
            f"{inputs.vocabulary}, whose first block of days is another; a value would "
            "mean something else. Train the earlier level again with this vocabulary"
        )


def _rule_of(feature: Feature) -> str:
    return f"hash of {', '.join(feature.of)} into {feature.buckets} rows"
