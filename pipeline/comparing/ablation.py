"""The parts of a method, left out one at a time, on one data set."""

from __future__ import annotations

from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.config.sections import StrategyConfig

WHOLE = "whole"
PERIODS = (1, 3, 6)


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
