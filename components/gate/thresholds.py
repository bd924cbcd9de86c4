"""Thresholds of the Gate: the configuration's `gate`."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field
from pydantic import model_validator

from models.strict_model import StrictModel

_CHANCE = 0.5
_MIN_CLICKS = 100


class GateThresholds(StrictModel):
    """What a candidate must reach before it is published; null is no rule.

    Attributes:
        min_auc: Lowest AUC. 0.5 is what a coin reaches, so anything below is broken.
        min_gauc: Lowest GAUC. No rule by default: where few users have both labels it
            speaks for few impressions.
        min_examples: Fewest evaluation impressions; below some hundred, AUC is mostly
            noise.
        min_clicks: Fewest of them with a click, and fewest without: the rarer label
            decides how much a metric says. By default 100, which tell the click rate
            to a tenth, or a fifth of `min_examples` where that is less.
        min_calibration: Lowest ratio of predicted to actual clicks. Auctions multiply
            by the prediction, so a model that is off by a quarter costs real money.
        max_calibration: Highest ratio of predicted to actual clicks.
        max_normalized_entropy: Normalized entropy must be below. 1 is what the best
            constant click rate reaches: a model at or above it is worth less than none.
            No rule by default where `min_auc` is set below 0.5, which lets pass even
            what orders impressions worse than a coin.
        max_normalized_entropy_high: The upper end of its interval must be below, so
            that the value is no luck of few users. No rule by default where
            `max_normalized_entropy` has none.
        max_auc_drop: Largest loss of AUC against the live model on the same rows. Two
            trainings that differ by their seed alone are a few thousandths apart.
        max_gauc_drop: Largest loss of GAUC against the live model. No rule by default.
        max_log_loss_rise: Largest rise of log loss, in nats. No rule by default.
        max_slice_auc_drop: Largest loss of AUC in a slice. A slice refuses only if the
            interval of its change lies below 0, too: among some dozen slices a few move
            that far by chance. 0.05 is what a person would want to look at.
        min_slice_examples: Fewest rows a slice needs to be judged; smaller ones are
            shown and marked.
    """

    min_auc: float = Field(default=0.5, ge=0, le=1)
    min_gauc: float | None = Field(default=None, ge=0, le=1)
    min_examples: int = Field(default=500, gt=0)
    min_clicks: int = Field(default=_MIN_CLICKS, gt=0)
    min_calibration: float = Field(default=0.8, ge=0)
    max_calibration: float = Field(default=1.25, gt=0)
    max_normalized_entropy: float | None = Field(default=1.0, gt=0)
    max_normalized_entropy_high: float | None = Field(default=1.0, gt=0)
    max_auc_drop: float = Field(default=0.01, ge=0, le=1)
    max_gauc_drop: float | None = Field(default=None, ge=0, le=1)
    max_log_loss_rise: float | None = Field(default=None, ge=0)
    max_slice_auc_drop: float | None = Field(default=0.05, ge=0, le=1)
    min_slice_examples: int = Field(default=500, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _follow_what_is_given(cls, data: Any) -> Any:
        """Fills in the defaults that follow from keys that are given."""
        if not isinstance(data, dict):
            return data
        filled = dict(data)
        num_examples = _number(data.get("min_examples"))
        if num_examples is not None:
            of_these = max(1, int(num_examples) // 5)
            filled.setdefault("min_clicks", min(_MIN_CLICKS, of_these))
        lowest_auc = _number(data.get("min_auc"))
        if lowest_auc is not None and lowest_auc < _CHANCE:
            filled.setdefault("max_normalized_entropy", None)
        if filled.get("max_normalized_entropy", 1.0) is None:
            filled.setdefault("max_normalized_entropy_high", None)
        return filled

    @model_validator(mode="after")
    def _check(self) -> GateThresholds:
        if self.max_calibration < self.min_calibration:
            raise ValueError(
                f"max_calibration {self.max_calibration} is below min_calibration "
                f"{self.min_calibration}, so nothing could be approved; swap them"
            )
        return self


def _number(value: Any) -> float | None:
    """Returns a key's value as pydantic will read it; None if it is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
