"""Thresholds of the Gate: the section `gate` of the configuration."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field
from pydantic import model_validator

from models.strict_model import StrictModel

_CHANCE = 0.5
_MIN_CLICKS = 100


class GateThresholds(StrictModel):
    """Requirements on a candidate before it is published; null disables a rule.

    Attributes:
        min_auc: Lowest AUC. 0.5 is chance, so a model below it is broken.
        min_gauc: Lowest GAUC. No rule by default: if few users have both labels, GAUC
            covers few impressions.
        min_examples: Fewest evaluation impressions; below some hundred, AUC is mostly
            noise.
        min_clicks: Fewest clicks, and fewest impressions without one: the rarer label
            limits a metric's precision. By default 100, which determine the click rate
            to a tenth, or a fifth of `min_examples` if that is less.
        min_calibration: Lowest ratio of predicted to actual clicks. Auctions multiply
            bids by the prediction, so an error of a quarter costs real money.
        max_calibration: Highest ratio of predicted to actual clicks.
        max_normalized_entropy: Exclusive upper limit of normalized entropy. The best
            constant click rate reaches 1, so a model at or above it is useless. No rule
            by default if `min_auc` is below 0.5, which already accepts models worse
            than chance.
        max_normalized_entropy_high: Exclusive upper limit of the upper end of its
            interval, so that the value is not due to a few users. No rule by default if
            `max_normalized_entropy` is none.
        max_auc_drop: Largest loss of AUC against the live model on the same
            impressions. Two trainings that differ only by seed are a few thousandths
            apart.
        max_gauc_drop: Largest loss of GAUC against the live model. No rule by default.
        max_log_loss_rise: Largest rise of log loss, in nats. No rule by default.
        max_slice_auc_drop: Largest loss of AUC in a slice. A slice fails only if the
            interval of its change also lies below 0: among dozens of slices a few
            change that much by chance. 0.05 is a change worth inspecting.
        min_slice_examples: Fewest impressions of a slice that is judged; smaller ones
            are shown and marked.
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
        """Fills in the defaults that depend on other keys."""
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
    """Returns a key's value as pydantic reads it; None if it is not a number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
