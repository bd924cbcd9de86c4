"""Registry of the strategies: built in, from installed packages, and by class path.

A package provides strategies by entry points of the group `crossctr.strategies`, such
as `mine = "my_package.my_module:MyStrategy"`, selected by `kind: mine`. Without a
package, `kind: my_package.my_module:MyStrategy` selects the class directly.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from models.errors import ConfigError
from models.errors import shown
from models.source_hash import hash_of_sources
from models.strategies.base import Strategy
from models.strategies.base import StrategyConfig
from models.strategies.cctl import Cctl
from models.strategies.composed import Composed
from models.strategies.ctnet import CtnetStrategy
from models.strategies.ecdctr import Ecdctr
from models.strategies.finetune import Finetune
from models.strategies.joint import Joint
from models.strategies.linear import Linear
from models.strategies.mmoe import MmoeStrategy
from models.strategies.ple import PleStrategy
from models.strategies.shared_bottom import SharedBottomStrategy
from models.strategies.star import StarStrategy
from models.strategies.target_only import TargetOnly

ENTRY_POINTS = "crossctr.strategies"

_OURS: dict[str, type[Strategy[Any]]] = {
    strategy.name: strategy
    for strategy in (
        Ecdctr,
        TargetOnly,
        Linear,
        Joint,
        Finetune,
        SharedBottomStrategy,
        MmoeStrategy,
        PleStrategy,
        StarStrategy,
        CtnetStrategy,
        Cctl,
        Composed,
    )
}
# Defaults of every configuration.
DEFAULT_KIND = Ecdctr.name
BASELINE_KIND = TargetOnly.name


def kinds() -> tuple[str, ...]:
    """Returns all available kinds, built-in ones first."""
    return (*_OURS, *(point.name for point in _entry_points()))


def strategy_class(kind: str) -> type[Strategy[Any]]:
    """Returns the strategy of a kind.

    Args:
        kind: Name of a built-in strategy or an entry point, or `module:Class`.

    Raises:
        ConfigError: There is no such strategy, or it cannot be imported.
    """
    if kind in _OURS:
        return _OURS[kind]
    if ":" in kind:
        return _imported(kind, kind)
    for point in _entry_points():
        if point.name == kind:
            return _imported(kind, point.value)
    raise ConfigError(
        f"strategy {shown(kind)} is not known; expected one of {', '.join(kinds())}, "
        "or `package.module:Class` for one of your own"
    )


def create(kind: str, config: Mapping[str, Any] | StrategyConfig) -> Strategy[Any]:
    """Returns the strategy of an entry of `strategies`.

    Args:
        kind: The entry's kind.
        config: The entry's keys.
    """
    chosen = strategy_class(kind)
    if not isinstance(config, StrategyConfig):
        config = chosen.Config.model_validate(config)
    return chosen(config)


def origin(kind: str) -> list[str]:
    """Returns the identity of a strategy that is not built in, for fingerprints.

    Name and version of the package with the entry point, or a hash of the sources of
    the class's package (or module); empty for built-in strategies, whose code is hashed
    with the rest.
    """
    if kind in _OURS:
        return []
    for point in _entry_points():
        if point.name == kind and point.dist is not None:
            return [point.value, point.dist.name, point.dist.version]
    package = strategy_class(kind).__module__.split(".")[0]
    return [kind, hash_of_sources(package)]


def _entry_points() -> list[metadata.EntryPoint]:
    return sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name)


def _imported(kind: str, path: str) -> type[Strategy[Any]]:
    """Returns the class that `path`, `package.module:Class`, names."""
    module, _, name = path.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise ConfigError(
            f"strategy {shown(kind)} is {shown(path)}; expected `package.module:Class`"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ConfigError(
            f"strategy {shown(kind)} cannot be imported: {error}. Install its package, "
            "or put its folder on PYTHONPATH"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigError(
            f"strategy {shown(kind)} names something else; expected a subclass of "
            "models.strategies.base.Strategy"
        )
    if not isinstance(getattr(found, "name", None), str):
        raise ConfigError(
            f'strategy {shown(kind)} has no name; add `name = "..."` to the class '
            f"{name}, by which messages and fingerprints call it"
        )
    return found
