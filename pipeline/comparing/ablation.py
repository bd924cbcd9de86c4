"""Ablation: a strategy without each of its parts, as variants to compare."""

from __future__ import annotations

from models.errors import ConfigError
from models.strategies.base import StrategyConfig
from models.strategies.registry import BASELINE_KIND
from models.strategies.registry import DEFAULT_KIND
from pipeline.comparing.run import Question
from pipeline.config.entries import entry_config
from pipeline.config.schema import Config

WHOLE = "whole"
STEM = "ablation"


def ablation(config: Config, day: int, num_seeds: int, command: str) -> Question:
    """Returns the comparison of a strategy without each of its parts to the whole.

    Raises:
        ConfigError: No strategy declares ablations.
    """
    variants = ablation_variants(config)
    return Question(
        config, day, variants, num_seeds, WHOLE, command, STEM, controls=False
    )


def ablation_variants(config: Config) -> dict[str, StrategyConfig]:
    """Returns the whole strategy, a variant without each of its parts, and a baseline.

    The strategy is the configured one if it declares ablations, else the first entry
    that does.

    Raises:
        ConfigError: No strategy declares ablations.
    """
    periods = config.levels.tpm.snapshots
    for name in (config.strategy, *config.strategies):
        changes = config.strategy_of(name).ablations(periods)
        if changes:
            break
    else:
        raise ConfigError(
            "no strategy has parts to leave out; the configuration has "
            f"{', '.join(config.strategies)}. Add `{DEFAULT_KIND}: {{}}` to "
            "`strategies`"
        )
    whole = {**config.entry_of(name)}
    variants = {WHOLE: whole} | {
        variant: {**whole, **change} for variant, change in changes.items()
    }
    entries = {**variants, BASELINE_KIND: {"kind": BASELINE_KIND}}
    return {name: entry_config(name, keys) for name, keys in entries.items()}
