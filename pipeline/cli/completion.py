"""Values that the shell completes: configuration files and names of strategies.

Nothing here imports TensorFlow, TFX or Beam: a completion has to come at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from models.errors import ConfigError
from pipeline.config.local_paths import LocalPathArgument
from pipeline.config.yaml_file import read_yaml_file

_SUFFIXES = (".yaml", ".yml")


class ConfigFile(LocalPathArgument):
    """Configuration file; the shell completes YAML files, one folder deep."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Returns the YAML files that begin so; any file if there is none."""
        found = sorted(_yaml_files(incomplete))
        if not found:
            return super().shell_complete(ctx, param, incomplete)
        return [CompletionItem(path) for path in found]


class StrategyName(click.ParamType):  # type: ignore[type-arg]
    """An entry of the configuration's `strategies`, or a kind."""

    name = "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Returns the names that begin so."""
        del param
        names = strategy_names(ctx)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class StrategyNames(StrategyName):
    """Names with commas between."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Returns the names that the last one may be, each after those before it."""
        before, comma, last = incomplete.rpartition(",")
        items = super().shell_complete(ctx, param, last)
        return [CompletionItem(f"{before}{comma}{item.value}") for item in items]


def strategy_names(ctx: click.Context) -> list[str]:
    """Returns the entries of the configuration that was given, then all kinds."""
    # Late: it imports NumPy.
    from models.strategies.registry import kinds

    data: Any = None
    path = ctx.params.get("config_path")
    if path is not None:
        # Half a command line may name a file that is not there yet.
        with contextlib.suppress(ConfigError):
            data = read_yaml_file(Path(path), str(path))
    entries = data.get("strategies") if isinstance(data, dict) else None
    own = map(str, entries) if isinstance(entries, dict) else ()
    return list(dict.fromkeys([*own, *kinds()]))


def _yaml_files(begun: str) -> Iterator[str]:
    """Yields the YAML files whose path begins so, and those one folder deeper."""
    folder, slash, start = begun.rpartition("/")
    here = Path(f"{folder}{slash}" or ".")
    if not here.is_dir():
        return
    for path in here.iterdir():
        hidden = path.name.startswith(".") and not start.startswith(".")
        if hidden or not path.name.startswith(start):
            continue
        deeper = path.iterdir() if path.is_dir() else (path,)
        for one in deeper:
            if one.suffix in _SUFFIXES and one.is_file():
                yield f"{folder}{slash}{one.relative_to(here)}"
