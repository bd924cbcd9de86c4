"""The parts of a method, left out one at a time, on one data set."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.metrics.bootstrap import Difference
from components.metrics.bootstrap import paired_bootstrap
from components.metrics.logic import auc
from components.metrics.logic import grouped_auc
from components.metrics.logic import log_losses
from models.errors import ConfigError
from pipeline.config import Config
from pipeline.config_sections import StrategyConfig
from pipeline.scoring import Scored

WHOLE = "whole"
PERIODS = (1, 3, 6)


@dataclass(frozen=True)
class VariantResult:
    """A variant's metrics, means over seeds, and how it compares with the whole.

    Attributes:
        name: The variant.
        metrics: `auc`, `gauc` and `log_loss`.
        differences: Variant minus whole, by metric; empty for the whole itself.
    """

    name: str
    metrics: Mapping[str, float]
    differences: Mapping[str, Difference]


def ecdctr_variants(config: Config) -> dict[str, StrategyConfig]:
    """Returns E-CDCTR, its ablations and `target_only`.

    The whole is the configured strategy if that is of kind `ecdctr`, else the first
    one that is.

    Raises:
        ConfigError: No strategy is of that kind.
    """
    names = [config.strategy, *config.strategies]
    base = next((name for name in names if config.kind_of(name) == "ecdctr"), None)
    if base is None:
        raise ConfigError(
            f"no strategy is of kind 'ecdctr'; the configuration has "
            f"{', '.join(config.strategies)}. Add `ecdctr: {{}}` to `strategies`"
        )
    whole = config.strategies[base].model_copy(update={"kind": "ecdctr"})
    changes: dict[str, dict[str, object]] = {
        WHOLE: {},
        "no_tpm": {"snapshots": 0},
        "no_cpm": {"warm_start": False},
        "batch_norm_too": {"load_batch_norm": True},
        "mean_pooling": {"pooling": "mean"},
    }
    for count in PERIODS:
        if count != config.snapshots_of(base):
            changes[f"{count}_snapshots"] = {"snapshots": count}
    variants = {name: whole.model_copy(update=c) for name, c in changes.items()}
    return {**variants, "target_only": StrategyConfig(kind="target_only")}


def with_variants(
    config: Config, variants: Mapping[str, StrategyConfig], seed: int
) -> Config:
    """Returns `config` with these strategies, none published, trained on `seed`."""
    seeded = {"seed": seed}
    levels = {
        name: level.model_copy(
            update={"training": level.training.model_copy(update=seeded)}
        )
        for name in ("tpm", "cpm", "target")
        if (level := getattr(config.levels, name)).training is not None
    }
    return config.model_copy(
        update={
            "strategies": dict(variants),
            "strategy": "",
            "training": config.training.model_copy(update=seeded),
            "levels": config.levels.model_copy(update=levels),
        }
    )


def compare(
    scored: Mapping[str, Sequence[Scored]], baseline: str = WHOLE
) -> list[VariantResult]:
    """Measures each variant and its difference to `baseline`.

    Args:
        scored: Scores on the same rows, by variant and then by seed.
        baseline: The variant that the others are compared with.
    """
    users, labels, _ = scored[baseline][0]
    results = []
    for name, by_seed in scored.items():
        by_metric = [_metrics(users, labels, one.scores) for one in by_seed]
        differences = {}
        if name != baseline:
            differences = paired_bootstrap(
                users,
                labels,
                [one.scores for one in by_seed],
                [one.scores for one in scored[baseline]],
            )
        means = {
            metric: float(np.mean([values[metric] for values in by_metric]))
            for metric in by_metric[0]
        }
        results.append(VariantResult(name, means, differences))
    return results


def _metrics(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    return {
        "auc": auc(scores, labels),
        "gauc": grouped_auc(users, scores, labels).gauc,
        "log_loss": float(log_losses(scores, labels).mean()),
    }


def verdict(results: Sequence[VariantResult], metric: str = "gauc") -> str:
    """Returns in words which parts help, and which variants are better without."""
    compared = [r for r in results if r.differences]
    better = [r.name for r in compared if r.differences[metric].low > 0]
    worse = [r.name for r in compared if r.differences[metric].high < 0]
    open_ = [r.name for r in compared if r.name not in (*better, *worse)]
    parts = [
        f"{words}: {', '.join(names)}"
        for words, names in (
            ("better than the whole", better),
            ("worse than the whole", worse),
            ("not told apart from the whole", open_),
        )
        if names
    ]
    return f"By {metric.upper()}, {'; '.join(parts)}."
