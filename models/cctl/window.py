"""Window of a CCTL training: source impressions beside the target's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from models.data.mixing import MixedRows
from models.progress import PROGRESS
from models.settings import CctlConfig
from models.settings import TrainingConfig
from models.training.window import LevelWindow
from models.training.window import check_domains_known


def beside_target(window: LevelWindow, cctl: CctlConfig) -> LevelWindow:
    """Returns the window with source impressions beside the target's, at a ratio.

    Raises:
        DataError: An impression is of no known domain, or a required domain has none.
    """
    check_domains_known(window, sources=True)
    inputs = window.inputs
    counts = window.known if window.before.num_rows else window.counts
    found = with_ratio_of(cctl, counts.rows, inputs.domains[-1])
    if found.source_ratio < cctl.source_ratio:
        PROGRESS.info(
            f"cctl · {found.source_ratio:.2f} source impressions per target "
            f"impression, all there are, not source_ratio's {cctl.source_ratio:g}; "
            "repeat_sources: true would use each several times"
        )
    window = window.target_alone()
    sources = window.sources().between(
        inputs.first_trained_day, inputs.last_trained_day
    )
    return dataclasses.replace(
        window,
        training=target_share(window.training, found),
        normalised=MixedRows(window.reader, sources, found.source_ratio),
        source_ratio=found.source_ratio,
    )


def with_ratio_of(cctl: CctlConfig, rows: Mapping[str, int], target: str) -> CctlConfig:
    """Returns the settings with a ratio at which no source impression repeats.

    Args:
        cctl: The settings.
        rows: Number of impressions by domain.
        target: The target.
    """
    own, others = rows[target], sum(rows.values()) - rows[target]
    if cctl.repeat_sources or not own or not others:
        return cctl
    ratio = min(cctl.source_ratio, others / own)
    return cctl.model_copy(update={"source_ratio": ratio})


def target_share(training: TrainingConfig, cctl: CctlConfig) -> TrainingConfig:
    """Returns the settings with the target's impressions per step as batch size."""
    own = max(2, round(training.batch_size / (1 + cctl.source_ratio)))
    return training.model_copy(update={"batch_size": own})
