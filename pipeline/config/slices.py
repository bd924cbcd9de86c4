"""Evaluation slices: how `slices` is read, and which features can define them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from components.evaluation_set.slice_rules import PREFIX
from components.evaluation_set.slice_rules import SliceRule
from models.features.feature import Feature
from models.features.table import FeatureTable

# Made if the features exist, with the upper ends of their buckets.
_USUAL = {
    "user_history": SliceRule(feature="user_impressions", upto=(0, 5, 20)),
    "item_age": SliceRule(feature="item_age_days", upto=(1, 7, 30)),
    "hour": SliceRule(feature="hour"),
}
# A table with more slices than this is not readable.
_MAX_VALUES = 100


def read_slices(slices: Any) -> Any:
    """Returns `slices` with a rule in place of each bare feature name."""
    if not isinstance(slices, dict):
        return slices
    rules = {}
    for name, rule in slices.items():
        usual = _USUAL.get(name)
        upto = usual.upto if usual else ()
        rules[name] = {"feature": rule, "upto": upto} if isinstance(rule, str) else rule
    return rules


def usual_slices(table: FeatureTable) -> dict[str, SliceRule]:
    """Returns the slices that are made if the configuration names none."""
    features = {feature.name: feature for feature in table.requested}
    return {
        name: rule
        for name, rule in _USUAL.items()
        if rule.feature in features
        and not _problem(rule, features[rule.feature], table)
    }


def check_slices(rules: Mapping[str, SliceRule], table: FeatureTable) -> None:
    """Checks that each rule's feature can define a readable number of slices.

    Raises:
        ValueError: A feature is unknown, or cannot define slices.
    """
    names = [feature.name for feature in table.requested]
    for name, rule in rules.items():
        where = f"slices.{name}"
        if f"{PREFIX}{name}" in names:
            raise ValueError(
                f"{where}: there is a feature {PREFIX + name!r}; rename the slice"
            )
        if rule.feature not in names:
            match = difflib.get_close_matches(rule.feature, names, n=1)
            hint = f"; did you mean {match[0]!r}?" if match else ""
            raise ValueError(
                f"{where}: {rule.feature!r} is not one of {', '.join(names)}{hint}"
            )
        problem = _problem(rule, table[rule.feature], table)
        if problem:
            raise ValueError(f"{where}: {rule.feature!r} {problem}")


def _problem(rule: SliceRule, feature: Feature, table: FeatureTable) -> str:
    """Returns why `feature` cannot define slices by `rule`; empty if it can."""
    if feature.is_list or feature.is_vector:
        return "holds lists; choose a feature with one value per impression"
    if feature.is_id and rule.upto:
        return f"holds ids, which have no order for `upto` {list(rule.upto)}"
    if not feature.is_id and not rule.upto:
        return "holds numbers; give the ends of its buckets, `upto: [0, 5, 20]`"
    if feature.is_id:
        values = table.vocabularies[feature.table].capacity
        if values > _MAX_VALUES:
            return (
                f"may have {values:,} values; expected at most {_MAX_VALUES}, so that "
                "the table is readable; choose another feature"
            )
    return ""
