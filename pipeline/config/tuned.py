"""Tuned settings: a second file with values that `crossctr tune` found.

A configuration names the file by its key `tuned`, relative to its own folder:

    tuned: tuned/xmarket.yaml

The file has two of the configuration's keys, `strategies` and `references`. What the
configuration itself says of an entry comes first; an entry that only the file has is
an entry all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import ConfigError
from models.errors import shown
from pipeline.config.yaml_file import read_yaml_file

KEY = "tuned"
KEYS = ("strategies", "references")


def with_tuned(data: Mapping[Any, Any], folder: Path) -> dict[Any, Any]:
    """Returns a configuration's keys with those of its file of tuned settings.

    Args:
        data: Keys and values as they were read; not changed.
        folder: The configuration's folder.

    Raises:
        ConfigError: The file cannot be read, or has other keys.
    """
    merged = dict(data)
    named = merged.pop(KEY, None)
    if named is None:
        return merged
    if not isinstance(named, str) or not named.strip():
        raise ConfigError(
            f"{KEY}: expected the path of a file such as `tuned/xmarket.yaml`; "
            f"received {shown(named)}"
        )
    return over(read_tuned(folder / Path(named).expanduser()), merged)


def read_tuned(path: Path) -> dict[str, dict[str, Any]]:
    """Returns the tuned settings in a file: `strategies`, `references`, or both.

    Raises:
        ConfigError: It cannot be read, or has other keys.
    """
    if not path.is_file():
        raise ConfigError(
            f"{KEY}: there is no file {str(path)!r}; make it with `crossctr tune`, or "
            "remove the key"
        )
    found = read_yaml_file(path, f"{KEY}: {str(path)!r}")
    if not isinstance(found, dict) or not all(
        key in KEYS and isinstance(value, dict) for key, value in found.items()
    ):
        keys = list(found) if isinstance(found, dict) else found
        raise ConfigError(
            f"{KEY}: {str(path)!r} holds {shown(keys)}; expected the keys "
            f"{' and '.join(KEYS)} with mappings, as `crossctr tune` writes them"
        )
    return found


def over(below: Mapping[Any, Any], above: Mapping[Any, Any]) -> dict[Any, Any]:
    """Returns `above`, with what only `below` has, mapping by mapping.

    A value, null included, replaces the one below. Null stands for an empty mapping
    where there is a mapping below, as in an entry without keys.

    Example:
        >>> over({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
        {'a': {'c': 3, 'b': 1}}
    """
    merged = dict(above)
    for key, value in below.items():
        own = above.get(key)
        if key not in above:
            merged[key] = value
        elif isinstance(value, Mapping) and (own is None or isinstance(own, Mapping)):
            merged[key] = over(value, own or {})
    return merged
