"""Thresholds of the ExampleValidator: the configuration's `validation`."""

from __future__ import annotations

from pydantic import Field

from models.strict_model import StrictModel


class ValidationThresholds(StrictModel):
    """Limits on the distance between blocks, and between sources and target.

    Distances are TFDV's: the Jensen-Shannon divergence of a numeric feature's
    histograms (base 2, in [0, 1]), and the largest change of one value's share (the
    L-infinity norm, in [0, 1]) of text and ids. They are measured for every feature;
    a `drift_comparator` (yesterday) or `skew_comparator` (target) in the schema
    replaces the threshold for its feature.

    Attributes:
        max_drift: Distance from the previous block of the same domain above which the
            block is stopped; null only reports it. Healthy blocks of the shipped data
            are up to 0.59 apart (a growing counter, months against years), a feature
            that lost its meaning near 1.
        max_domain_distance: Distance of a source from the target above which the block
            is stopped; null (the default) only reports it, since domains differ for
            good reasons.
        min_rows: Number of impressions that both sides need before a distance can stop
            a block; with fewer, chance alone produces such distances.
    """

    max_drift: float | None = Field(default=0.8, gt=0, le=1)
    max_domain_distance: float | None = Field(default=None, gt=0, le=1)
    min_rows: int = Field(default=1000, gt=0)
