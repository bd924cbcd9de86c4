"""Rules that cut the evaluation impressions into slices; no Arrow."""

from __future__ import annotations

import json

from pydantic import Field
from pydantic import field_validator

from models.strict_model import StrictModel

# What a slice's column is called in the evaluation set, before its name.
PREFIX = "slice_"


class SliceRule(StrictModel):
    """One way to cut the evaluation rows.

    Attributes:
        feature: The raw feature that decides.
        upto: Upper ends of the buckets of a numeric feature, ends included: `[0, 5]`
            makes `0`, `1-5` and `6+`. Without it each value is a slice of its own.
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
