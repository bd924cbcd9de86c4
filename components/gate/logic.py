"""Decision of the Gate, a pure function of thresholds and metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Literal

from components.evaluation.judgement import Interval
from components.evaluation.judgement import Judgement
from components.evaluation.judgement import Metrics
from components.evaluation.judgement import without_nan
from components.evaluation.metrics import NAMES
from components.gate.reasons import OUTCOMES
from components.gate.reasons import Reason
from components.gate.thresholds import GateThresholds

State = Literal["cold_start", "compared"]

_NAN = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Decision:
    """Decision of the Gate.

    Attributes:
        approved: Whether the candidate may be published.
        state: `cold_start` without a live model, when only the value thresholds apply.
        reasons: Result of each rule, failed ones first.
        overall: Metrics of candidate and live model on all impressions.
        slices: The same for each slice.
        min_slice_examples: Number of impressions below which a slice was not judged.
        constant: Metrics of the constant click rate, see `constant_metrics`; None if
            the rate is unknown.
    """

    approved: bool
    state: State
    reasons: tuple[Reason, ...]
    overall: Judgement
    slices: tuple[Judgement, ...]
    min_slice_examples: int
    constant: Metrics | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the decision as JSON values, with None for NaN."""
        overall = self.overall.to_json()
        return {
            "approved": self.approved,
            "state": self.state,
            "reasons": [reason.to_json() for reason in self.reasons],
            "candidate": without_nan(self.overall.candidate),
            "live": overall["live"],
            "constant": None if self.constant is None else without_nan(self.constant),
            "intervals": overall["intervals"],
            "changes": overall["changes"],
            "slices": [
                {**part.to_json(), "few_rows": part.num_rows < self.min_slice_examples}
                for part in self.slices
            ],
        }


def decide(
    overall: Judgement,
    thresholds: GateThresholds,
    slices: Sequence[Judgement] = (),
    *,
    constant: Metrics | None = None,
) -> Decision:
    """Decides whether a candidate may be published.

    A metric over all impressions that is NaN or absent fails its rule. A slice without
    a defined AUC is not judged, as a small slice may have no click.

    Args:
        overall: Metrics on all impressions; without a live model on a cold start.
        thresholds: The thresholds.
        slices: Metrics by slice.
        constant: Metrics of the constant click rate, recorded only: the rules compare
            with the best constant, which is harder to beat.
    """
    rules = list(_value_rules(overall, thresholds))
    if overall.live is None:
        text = "no model is live yet (cold start), so only the value thresholds count"
        rules.append(Reason("cold_start", "noted", text))
    else:
        rules += _change_rules(overall, thresholds)
        if thresholds.max_slice_auc_drop is not None and slices:
            rules += _slice_rules(slices, thresholds, thresholds.max_slice_auc_drop)
    rules.sort(key=lambda rule: OUTCOMES.index(rule.outcome))
    return Decision(
        approved=all(rule.outcome != "refused" for rule in rules),
        state="cold_start" if overall.live is None else "compared",
        reasons=tuple(rules),
        overall=overall,
        slices=tuple(slices),
        min_slice_examples=thresholds.min_slice_examples,
        constant=constant,
    )


def _value_rules(overall: Judgement, thresholds: GateThresholds) -> Iterator[Reason]:
    def value(name: str) -> float:
        return overall.candidate.get(name, math.nan)

    yield _rule(
        "min_examples",
        overall.num_rows >= thresholds.min_examples,
        f"{overall.num_rows:,.0f} evaluation rows, needed are "
        f"{thresholds.min_examples:,}",
    )
    clicks = value("click_count")
    others = overall.num_rows - clicks
    yield _rule(
        "min_clicks",
        clicks >= thresholds.min_clicks and others >= thresholds.min_clicks,
        f"{clicks:,.0f} clicks and {others:,.0f} impressions without one, needed are "
        f"{thresholds.min_clicks:,} of each",
    )
    yield from _entropy_rules(overall, thresholds)
    yield _rule(
        "min_auc",
        value("auc") >= thresholds.min_auc,
        f"{_value('auc', overall)}, needed is {thresholds.min_auc:.4f}",
    )
    if thresholds.min_gauc is not None:
        yield _rule(
            "min_gauc",
            value("gauc") >= thresholds.min_gauc,
            f"{_value('gauc', overall)}, needed is {thresholds.min_gauc:.4f}",
        )
    calibration = value("calibration")
    yield _rule(
        "min_calibration"
        if calibration < thresholds.min_calibration
        else "max_calibration",
        thresholds.min_calibration <= calibration <= thresholds.max_calibration,
        f"predicted / actual clicks {calibration:.3f}, allowed are "
        f"{thresholds.min_calibration:.2f} to {thresholds.max_calibration:.2f}",
    )


def _value(metric: str, overall: Judgement) -> str:
    """Returns a metric with its value; or why it has none."""
    value = overall.candidate.get(metric, math.nan)
    clicks = overall.candidate.get("click_count", math.nan)
    if math.isnan(value) and clicks == 0:
        lacking = "no click"
    elif math.isnan(value) and clicks == overall.num_rows:
        lacking = "no impression without a click"
    else:
        return f"{NAMES[metric]} {value:.4f}"
    return f"{lacking} in {overall.num_rows:,.0f} rows, so there is no {NAMES[metric]}"


def _entropy_rules(overall: Judgement, thresholds: GateThresholds) -> Iterator[Reason]:
    found = overall.candidate.get("normalized_entropy", math.nan)
    if thresholds.max_normalized_entropy is not None:
        yield _rule(
            "max_normalized_entropy",
            found < thresholds.max_normalized_entropy,
            f"normalized entropy {found:.4f}, needed is below "
            f"{thresholds.max_normalized_entropy:.4f}",
        )
    elif found >= 1:
        yield Reason(
            "max_normalized_entropy",
            "noted",
            f"normalized entropy {found:.4f} is no better than a constant click rate, "
            "and gate.max_normalized_entropy is null",
        )
    if thresholds.max_normalized_entropy_high is None:
        return
    high = overall.intervals.get("normalized_entropy", _NAN).high
    needed = f"needed is below {thresholds.max_normalized_entropy_high:.4f}"
    text = f"upper end of normalized entropy's interval {high:.4f}, {needed}"
    if math.isnan(high):
        text = (
            "normalized entropy has no interval, as fewer than ten users have "
            f"impressions or all labels are equal; its upper end counts, {needed}"
        )
    yield _rule(
        "max_normalized_entropy_high",
        high < thresholds.max_normalized_entropy_high,
        text,
    )


def _change_rules(overall: Judgement, thresholds: GateThresholds) -> Iterator[Reason]:
    for rule, metric, worse in (
        ("max_auc_drop", "auc", -1),
        ("max_gauc_drop", "gauc", -1),
        ("max_log_loss_rise", "log_loss", 1),
    ):
        allowed = getattr(thresholds, rule)
        if allowed is None:
            continue
        change = overall.changes.get(metric, _NAN)
        yield _rule(
            rule,
            worse * change.value <= allowed,
            f"{NAMES[metric]} {_signed(change)} against the live model, allowed is "
            f"{worse * allowed + 0.0:+.4f}",  # no minus before a zero
        )


def _slice_rules(
    slices: Sequence[Judgement], thresholds: GateThresholds, allowed: float
) -> Iterator[Reason]:
    few = [part for part in slices if part.num_rows < thresholds.min_slice_examples]
    judged = [
        part
        for part in slices
        if part.num_rows >= thresholds.min_slice_examples
        and not math.isnan(part.changes.get("auc", _NAN).value)
    ]
    bad = [part for part in judged if _regresses(part.changes["auc"], allowed)]
    for part in bad:
        yield Reason(
            "max_slice_auc_drop",
            "refused",
            f"slice {part.label} ({part.num_rows:,.0f} rows): AUC "
            f"{_signed(part.changes['auc'])} against the live model, allowed is "
            f"{-allowed:+.4f}",
        )
    if judged and not bad:
        worst = min(judged, key=lambda part: part.changes["auc"].value)
        yield Reason(
            "max_slice_auc_drop",
            "held",
            f"AUC in {len(judged)} slices, worst {worst.label} "
            f"{_signed(worst.changes['auc'])} against the live model, allowed is "
            f"{-allowed:+.4f} unless it is within chance",
        )
    if few:
        yield Reason(
            "min_slice_examples",
            "noted",
            f"{len(few)} of {len(slices)} slices have fewer than "
            f"{thresholds.min_slice_examples:,} rows and were not judged",
        )


def _regresses(change: Interval, allowed: float) -> bool:
    beyond_chance = math.isnan(change.high) or change.high < 0
    return change.value < -allowed and beyond_chance


def _rule(rule: str, held: bool, text: str) -> Reason:
    return Reason(rule, "held" if held else "refused", text)


def _signed(change: Interval) -> str:
    if math.isnan(change.low):
        return f"{change.value:+.4f}"
    return f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"
