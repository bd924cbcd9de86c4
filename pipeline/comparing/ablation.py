"""The parts of a method, left out one at a time, on one data set."""

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
        ConfigError: No strategy states parts to leave out.
    """
    variants = ablation_variants(config)
    return Question(config, day, variants, num_seeds, WHOLE, command, STEM)


def ablation_variants(config: Config) -> dict[str, StrategyConfig]:
    """Returns a strategy as a whole, without each of its parts, and the baseline.

    The whole is the configured strategy if it states ablations, else the first one
    that does.

    Raises:
        ConfigError: No strategy states any.
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
