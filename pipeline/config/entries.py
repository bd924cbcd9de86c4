"""Entries of `strategies`, each validated against the keys of its kind."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from models.errors import ConfigError
from models.errors import shown
from models.strategies.base import StrategyConfig
from models.strategies.registry import kinds
from models.strategies.registry import strategy_class
from pipeline.config.explain import explained
from pipeline.config.wording import closest


def read_entries(entries: Any) -> Any:
    """Returns the entries with their keys validated.

    Args:
        entries: Keys by name of the entry, or what was validated already.

    Raises:
        ValueError: An entry has an unknown kind, or a key that its kind does not have.
    """
    if not isinstance(entries, dict):
        return entries
    return {
        name: keys if isinstance(keys, StrategyConfig) else entry_config(name, keys)
        for name, keys in entries.items()
    }


def entry_config(name: str, keys: Any) -> StrategyConfig:
    """Returns the validated keys of one entry.

    Args:
        name: The entry's name, which is its kind unless `kind` says otherwise.
        keys: A mapping, or None for no keys at all.

    Raises:
        ValueError: The kind or a key is unknown, or a value is not allowed.
    """
    keys = {} if keys is None else keys
    if not isinstance(keys, dict):
        raise ValueError(
            f"strategies.{name} is {shown(keys)}; expected keys and values, such as "
            f"`{name}: {{kind: {kinds()[0]}}}`"
        )
    kind = str(keys.get("kind") or name)
    try:
        config = strategy_class(kind).Config
    except ConfigError as error:
        hint = closest(kind, kinds())
        raise ValueError(f"strategies.{name}.kind: {error}{hint}") from error
    try:
        return config.model_validate(keys)
    except ValidationError as error:
        raise ValueError(explained(config, error, f"strategies.{name}.")) from error
