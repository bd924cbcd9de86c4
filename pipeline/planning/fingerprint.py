"""Fingerprints: hashes of all that a result is made from.

That is configuration, code, logs and parent artifacts. Equal fingerprints mean equal
inputs, so a step whose fingerprint is stored need not run again; a changed key, line of
code or log file makes a step due.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from components.log_example_gen.log_files import log_days
from models.days import DayRange
from models.settings import NetworkConfig
from models.short_hash import short_hash
from models.source_hash import hash_of_sources
from pipeline.config.schema import Config

# Days are counted from 1970; the end lies far beyond any log.
_ANY_DAY = (0, 10**6)


def digest(*parts: Any) -> str:
    """Returns a hash of JSON-able `parts`, 16 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return short_hash(text.encode())


def training_settings(
    config: Config, code: str, level: str, network: NetworkConfig | None = None
) -> list[object]:
    """Returns what a training is made from besides impressions and other models.

    Args:
        config: The configuration.
        code: Hash of the code that makes artifacts.
        level: The level that is trained.
        network: Its network, if a strategy changes the configuration's.
    """
    return [
        code,
        level,
        (network or config.network).model_dump(),
        config.training_of(level).model_dump(),
    ]


@functools.cache
def code_fingerprint() -> str:
    """Returns a hash of the sources that make artifacts (components and models)."""
    return hash_of_sources("components", "models")


class LogFingerprints:
    """Hashes of log files by range of days; lists each domain's folder once."""

    def __init__(self, config: Config) -> None:
        """Stores the configuration; nothing is read yet."""
        self._config = config
        self._found: dict[str, dict[int, str]] | None = None

    def __call__(self, days: DayRange) -> str:
        """Returns a hash of names, sizes and times of the log files of `days`.

        Raises:
            DataError: A domain has no log folder, or it holds no dated partition.
        """
        return digest(
            [
                [domain, day, found]
                for domain, by_day in sorted(self.by_domain().items())
                for day, found in sorted(by_day.items())
                if day in days
            ]
        )

    def by_domain(self) -> dict[str, dict[int, str]]:
        """Returns, by domain and day, the hash of that day's log files.

        Raises:
            DataError: A domain has no log folder, or it holds no dated partition.
        """
        if self._found is None:
            self._found = {
                domain: log_days(self._config.logs / domain, *_ANY_DAY)
                for domain in self._config.domains
            }
        return self._found
