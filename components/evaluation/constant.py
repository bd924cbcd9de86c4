"""Metrics of a constant click probability on the evaluation impressions."""

from __future__ import annotations

import math
from collections.abc import Mapping

from components.evaluation.probability import entropy
from components.evaluation.ranking import log_losses


def constant_metrics(
    click_rate: float, evaluated: Mapping[str, float]
) -> dict[str, float]:
    """Returns the metrics of a model with one probability for all impressions.

    Counts are sufficient: with `N` impressions, `c` clicks and the rate `p`, the log
    loss is `-(c log p + (N - c) log(1 - p)) / N`. All pairs are ties, so AUC and GAUC
    are 0.5 where they are defined. Normalized entropy is 1 if `p = c / N` and larger
    otherwise: no constant beats the evaluation impressions' own click rate.

    Args:
        click_rate: The probability: the click rate of the target's impressions in the
            training window, as evaluation impressions are not known at that time.
        evaluated: `example_count`, `click_count` and `gauc_coverage` of a model on the
            same impressions.

    Returns:
        The metrics by name, and `click_rate`; undefined ones are NaN.
    """
    rows, clicks = evaluated["example_count"], evaluated["click_count"]
    others = rows - clicks
    coverage = evaluated.get("gauc_coverage", math.nan)
    of_click, of_other = log_losses([click_rate] * 2, [1, 0])
    loss = (clicks * of_click + others * of_other) / rows if rows else math.nan
    return {
        "click_rate": click_rate,
        "example_count": rows,
        "click_count": clicks,
        "auc": 0.5 if clicks and others else math.nan,
        "gauc": 0.5 if coverage > 0 else math.nan,
        "gauc_coverage": coverage,
        "log_loss": float(loss),
        "normalized_entropy": float(loss / entropy(clicks / rows if rows else 0.0)),
        "calibration": click_rate * rows / clicks if clicks else math.nan,
    }
