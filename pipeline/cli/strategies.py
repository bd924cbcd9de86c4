"""`crossctr strategies`: the kinds of strategy, their keys and what they read."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import click

from models.errors import ConfigError
from models.strategies.base import Needs
from models.strategies.base import Strategy
from models.strategies.base import StrategyConfig
from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.cli.command import Command
from pipeline.terminal.plain_text import visible

# Any number above zero, as only whether snapshots are read is printed.
_PERIODS = 1


@click.command(
    name="strategies",
    cls=Command,
    example="crossctr strategies ecdctr ctnet",
)
@click.argument("chosen", metavar="[KIND]...", nargs=-1)
def strategies_command(chosen: Sequence[str]) -> None:
    """List the kinds of strategy: their keys and inputs.

    Keys with their defaults. KIND is one of them, or `package.module:Class` for a class
    of your own.
    """
    for kind in chosen or kinds():
        try:
            lines = list(described(kind, strategy_class(kind)))
        except ConfigError as error:
            if chosen:
                raise
            # A broken package must not hide the other kinds.
            lines = [f"{kind}: {error}"]
        for line in lines:
            click.echo(visible(line))


def described(kind: str, strategy: type[Strategy[Any]]) -> Iterator[str]:
    """Yields the lines that describe a kind.

    Args:
        kind: Its value of `kind`.
        strategy: Its class.
    """
    about = inspect.getdoc(strategy) or ""
    yield f"{kind}: {about.splitlines()[0] if about else '(no docstring)'}"
    required = [
        k for k, field in strategy.Config.model_fields.items() if field.is_required()
    ]
    if required:
        yield f"  keys that an entry must give: {', '.join(required)}"
        return
    config = strategy.Config()
    yield f"  reads: {reads(strategy(config).needs(_PERIODS))}"
    for key, value in config.model_dump(mode="json").items():
        if key not in StrategyConfig.model_fields:
            yield f"  {key}: {json.dumps(value)}"


def reads(needs: Needs) -> str:
    """Returns what a target level reads, as a list in words."""
    found = {
        "impressions of the target": True,
        "impressions of the sources": needs.source_impressions,
        "snapshots of TPM": needs.tpm_periods > 0,
        "CPM with its BatchNorm": needs.cpm and needs.batch_norm,
        "CPM without its BatchNorm": needs.cpm and not needs.batch_norm,
        "a source model": needs.source_model,
    }
    return ", ".join(words for words, wanted in found.items() if wanted)
