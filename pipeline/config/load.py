"""Loading of a configuration file, with errors in words for all that is wrong in it."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic import ValidationError

from components.beam_flags import known_flags
from components.beam_flags import unknown_flags
from models.errors import ConfigError
from models.errors import listed
from models.errors import shortened
from models.errors import shown
from pipeline.config.explain import explained
from pipeline.config.schema import Config
from pipeline.config.tuned import with_tuned
from pipeline.config.wording import closest
from pipeline.config.yaml_file import read_yaml_file

# What JSON may hold as it is and YAML refuses or takes for a line's end.
_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

# By type; a boolean is neither.
_LARGEST: dict[type, float] = {int: 2**63 - 1, float: 3e38}

# With these flags Beam's workers may be other processes, which `literal_folders` does
# not reach.
_BEAM_WORKERS = ("--runner", "--direct_running_mode")


def load_config(path: Path | str) -> Config:
    """Reads and checks the configuration at `path`.

    Args:
        path: YAML file; relative paths inside it are relative to its folder.

    Returns:
        The configuration with absolute paths.

    Raises:
        ConfigError: The file is missing, no YAML, or not a valid configuration. The
            message names every offending key with its value and what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f"there is no file {str(path)!r}; expected a YAML configuration such as "
            "configs/xmarket.yaml"
        )
    data = read_yaml_file(path, str(path))
    if not isinstance(data, dict):
        held = "nothing" if data is None else f"one value: {shown(data)}"
        raise ConfigError(
            f"{path} holds {held}; expected keys with values, such as "
            "configs/xmarket.yaml has them"
        )
    try:
        config = Config.model_validate(with_tuned(data, path.resolve().parent))
        _refuse_huge_numbers(config)
        resolved: Config = _absolute(config, path.resolve().parent)
        _refuse_unreachable_root(resolved)
        _refuse_unknown_flags(resolved)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explained(Config, error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {shortened(str(error))}") from error
    return resolved


def dump(config: Config) -> str:
    """Returns every key of `config` as JSON, which `load_config` reads, too."""
    text = config.model_dump_json(by_alias=True, indent=2)
    return _NO_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _absolute(value: Any, base: Path) -> Any:
    """Returns `value` with every path inside it resolved against `base`."""
    if isinstance(value, Path):
        # Of a link to itself `Path.resolve` makes an error on some versions of Python.
        return Path(os.path.realpath(base / value))
    if isinstance(value, dict):
        return {key: _absolute(entry, base) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_absolute(entry, base) for entry in value)
    if isinstance(value, BaseModel):
        resolved = {name: _absolute(entry, base) for name, entry in value}
        # Only what was given may count as given, see `Config.training_of`.
        given = {name: resolved[name] for name in value.model_fields_set}
        return value.model_copy(update=given)
    return value


def _refuse_huge_numbers(config: Config) -> None:
    """Raises unless integers fit into 64 bits and other numbers into a 32-bit float.

    What keys of their own do not bound would fail in the middle of a run. JSON, and so
    `show`, has no infinity.
    """
    for key, value in _leaves(config.model_dump(by_alias=True)):
        most = _LARGEST.get(type(value))
        if most is not None and not -most <= value <= most:
            raise ConfigError(
                f"{'.'.join(key)}: expected a number of at most {most:.10g}; received "
                f"{shown(value)}"
            )


def _refuse_unreachable_root(config: Config) -> None:
    """Raises unless Beam's workers find what they write below `root`."""
    flags = [flag for flag in config.beam_args if flag.startswith(_BEAM_WORKERS)]
    if flags and glob.has_magic(str(config.root)):
        raise ConfigError(
            f"root {str(config.root)!r} has one of *, ? and [ in it, which Beam's "
            f"workers in other processes ({' '.join(flags)}) take for a pattern; "
            "choose another folder, or remove these beam_args"
        )


def _refuse_unknown_flags(config: Config) -> None:
    """Raises if Beam would drop one of the flags without a word."""
    unknown = unknown_flags(config.beam_args)
    if unknown:
        dashed = f"--{unknown[0].lstrip('-')}"
        raise ConfigError(
            f"beam_args: Beam does not know {listed(map(shown, unknown))}"
            f"{closest(dashed, known_flags())}; correct or remove the flag, as Beam "
            "would ignore it"
        )


def _leaves(
    value: Any, key: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields every single value inside `value` with its keys."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _leaves(entry, (*key, str(name)))
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from _leaves(entry, (*key, str(index)))
    else:
        yield key, value
