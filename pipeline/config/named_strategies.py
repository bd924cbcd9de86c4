"""Strategies named on the command line: entries of the configuration, or kinds."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from models.errors import ConfigError
from models.errors import shown
from models.strategies.registry import kinds
from pipeline.config.entries import entry_config
from pipeline.config.schema import Config
from pipeline.config.wording import closest


def asked(config: Config, names: Iterable[str]) -> tuple[Config, list[str]]:
    """Returns the strategies that a user asks for.

    Args:
        config: The configuration.
        names: See `with_strategies`; none for the configuration's `strategy`. Repeated
            names count once.

    Returns:
        The configuration with an entry for each, and their names.

    Raises:
        ConfigError: A name is neither an entry of `strategies` nor a kind.
    """
    distinct = list(dict.fromkeys(names)) or [config.strategy]
    return with_strategies(config, distinct), distinct


def with_strategies(config: Config, names: Iterable[str]) -> Config:
    """Returns `config` with an entry for every name.

    Args:
        config: The configuration.
        names: Names of entries of `strategies`, or of kinds; a kind without an entry
            gets one with its defaults.

    Raises:
        ConfigError: A name is neither, or the kind does not fit the configuration.
    """
    known = dict.fromkeys([*config.strategies, *kinds()])
    entries = dict(config.strategies)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"strategy {shown(name)} is neither in the configuration nor a kind; "
                f"expected one of {', '.join(known)}{closest(name, known)}"
            )
        if name not in entries:
            entries[name] = entry_config(name, {"kind": name})
    if entries.keys() == config.strategies.keys():
        return config
    data = config.model_dump(by_alias=True)
    data["strategies"] = {name: entry.model_dump() for name, entry in entries.items()}
    try:
        Config.model_validate(data)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise ConfigError(reason) from error
    return config.model_copy(update={"strategies": entries})
