"""Slice rules, which divide the evaluation impressions; imports no Arrow."""

from __future__ import annotations

import json

from pydantic import Field
from pydantic import field_validator

from models.strict_model import StrictModel

# Prefix of the slice columns in the evaluation set.
PREFIX = "slice_"


class SliceRule(StrictModel):
    """Rule that divides the evaluation impressions into slices.

    Attributes:
        feature: Raw feature that determines the slice.
        upto: Upper ends of the buckets of a numeric feature, inclusive: `[0, 5]` gives
            `0`, `1-5` and `6+`. Without it every value is a slice.
    """

    feature: str
    upto: tuple[int, ...] = Field(default=())

    @field_validator("upto")
    @classmethod
    def _check_order(cls, upto: tuple[int, ...]) -> tuple[int, ...]:
        if any(a >= b for a, b in zip(upto, upto[1:], strict=False)):
            raise ValueError(
                f"{list(upto)} does not ascend; write each upper end once, lowest first"
            )
        return upto


def rules_to_json(rules: dict[str, SliceRule]) -> str:
    """Returns rules as one line of JSON, for component parameters."""
    return json.dumps({name: rule.model_dump() for name, rule in rules.items()})


def rules_from_json(text: str) -> dict[str, SliceRule]:
    """Returns the rules that `rules_to_json` wrote."""
    return {
        name: SliceRule.model_validate(rule) for name, rule in json.loads(text).items()
    }
