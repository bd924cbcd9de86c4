"""The decision, as a pure function of thresholds and metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any
from typing import Literal

from pydantic import Field
from pydantic import model_validator

from models.features import StrictModel

Metrics = Mapping[str, float]
State = Literal["cold_start", "compared"]


class GateThresholds(StrictModel):
    """What a candidate must reach before it is published.

    Attributes:
        min_auc: Lowest AUC. 0.5 is what a coin reaches, so anything below is broken.
        min_examples: Fewest evaluation rows; below some hundred, AUC is mostly noise.
        max_auc_drop: Largest loss of AUC against the live model on the same rows. Two
            trainings that differ by their seed alone are a few thousandths apart.
        min_calibration: Lowest ratio of predicted to actual clicks. Auctions multiply
            by the prediction, so a model that is off by half costs real money.
        max_calibration: Highest ratio of predicted to actual clicks.
    """

    min_auc: float = Field(default=0.5, ge=0, le=1)
    min_examples: int = Field(default=500, gt=0)
    max_auc_drop: float = Field(default=0.01, ge=0, le=1)
    min_calibration: float = Field(default=0.5, ge=0)
    max_calibration: float = Field(default=2.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> GateThresholds:
        if self.max_calibration < self.min_calibration:
            raise ValueError(
                f"max_calibration {self.max_calibration} is below min_calibration "
                f"{self.min_calibration}, so nothing could be approved; swap them"
            )
        return self


@dataclass(frozen=True)
class Decision:
    """The Gate's word.

    Attributes:
        approved: Whether the candidate may be published.
        state: `cold_start` while nothing is live: only the value thresholds count.
        reasons: One sentence per rule, failed ones first.
        candidate: The candidate's metrics.
        live: The live model's metrics on the same rows; None on a cold start.
    """

    approved: bool
    state: State
    reasons: tuple[str, ...]
    candidate: Metrics
    live: Metrics | None

    def to_json(self) -> dict[str, Any]:
        """Returns the decision as plain values; NaN, which JSON lacks, as None."""
        plain = asdict(self)
        for key in ("candidate", "live"):
            if plain[key] is not None:
                plain[key] = {
                    name: None if math.isnan(value) else value
                    for name, value in plain[key].items()
                }
        return plain


def decide(
    candidate: Metrics, live: Metrics | None, thresholds: GateThresholds
) -> Decision:
    """Judges a candidate.

    A metric that is NaN or absent fails its rule: what cannot be measured is no reason
    to publish.

    Args:
        candidate: Metrics by name; `auc`, `calibration` and `example_count` count.
        live: The live model's on the same rows, or None on a cold start.
        thresholds: What must be reached.
    """
    auc = candidate.get("auc", math.nan)
    calibration = candidate.get("calibration", math.nan)
    num_examples = candidate.get("example_count", 0.0)
    rules = [
        (
            num_examples >= thresholds.min_examples,
            f"{num_examples:,.0f} evaluation rows, needed are "
            f"{thresholds.min_examples:,}",
        ),
        (
            auc >= thresholds.min_auc,
            f"AUC {auc:.4f}, needed is {thresholds.min_auc:.4f}",
        ),
        (
            thresholds.min_calibration <= calibration <= thresholds.max_calibration,
            f"predicted / actual clicks {calibration:.3f}, allowed are "
            f"{thresholds.min_calibration:.2f} to {thresholds.max_calibration:.2f}",
        ),
    ]
    if live is not None:
        drop = live.get("auc", math.nan) - auc
        rules.append(
            (
                drop <= thresholds.max_auc_drop,
                f"AUC {-drop:+.4f} against the live model, allowed is "
                f"{-thresholds.max_auc_drop:+.4f}",
            )
        )
    failed = [f"{text}: refused" for passed, text in rules if not passed]
    held = [f"{text}: held" for passed, text in rules if passed]
    return Decision(
        approved=not failed,
        state="cold_start" if live is None else "compared",
        reasons=(*failed, *held),
        candidate=candidate,
        live=live,
    )
