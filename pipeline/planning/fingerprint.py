"""Fingerprints: hashes of all that a result is made from.

That is configuration, code, logs and parent artifacts. Equal fingerprints mean equal
inputs, so a step whose fingerprint is stored need not run again; a changed key, line of
code or log file makes a step due.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from components.log_example_gen.content_hashes import ContentHashes
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import day_hashes
from components.log_example_gen.log_files import files_by_day
from models.days import DayRange
from models.short_hash import short_hash
from models.source_hash import hash_of_sources
from pipeline.config.schema import Config
from pipeline.planning.accepted import AcceptedLogs

# Under the root: hashes of the contents of log files.
HASHES_FILE = "log_hashes.json"
# Days are counted from 1970; the end lies far beyond any log.
_ANY_DAY = (0, 10**6)


def digest(*parts: Any) -> str:
    """Returns a hash of JSON-able `parts`, 16 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return short_hash(text.encode())


def training_settings(
    config: Config, code: str, level: str, strategy: str = ""
) -> list[object]:
    """Returns what a training is made from besides impressions and other models.

    Args:
        config: The configuration.
        code: Hash of the code that makes artifacts.
        level: The level that is trained.
        strategy: The entry of `strategies` that it is trained for, whose network and
            training it has; none for a level that all share.
    """
    network = config.network_of(strategy) if strategy else config.network
    return [
        code,
        level,
        network.model_dump(),
        config.training_of(level, strategy).model_dump(),
        config.masked_of(level),
    ]


@functools.cache
def code_fingerprint() -> str:
    """Returns a hash of the sources that make artifacts (components and models)."""
    return hash_of_sources("components", "models")


class LogFingerprints:
    """Hashes of log files by range of days; lists each domain's folder once.

    Attributes:
        hashes: Hashes of the files' contents; whoever holds the root saves them.
    """

    def __init__(self, config: Config) -> None:
        """Stores the configuration; no log is read yet.

        Raises:
            DataError: The list of accepted logs cannot be read.
        """
        self._config = config
        self._accepted = AcceptedLogs(config.root)
        self._files: dict[str, dict[int, list[LogFile]]] = {}
        self._found: dict[str, dict[int, str]] = {}
        self.hashes = ContentHashes(config.root / HASHES_FILE)

    def __call__(self, days: DayRange) -> str:
        """Returns a hash of names and contents of the log files of `days`.

        Raises:
            DataError: A domain has no log folder, it holds no dated partition, or a
                file cannot be read.
        """
        return digest(
            [
                [domain, day, found]
                for domain, by_day in sorted(self.by_domain(days).items())
                for day, found in sorted(by_day.items())
            ]
        )

    def by_domain(
        self, days: DayRange, *, as_ingested: bool = True
    ) -> dict[str, dict[int, str]]:
        """Returns, by domain and day, the hash of that day's log files.

        Args:
            days: The days of interest; those without files are left out.
            as_ingested: Whether files that were accepted have the hash of those that
                were ingested.

        Raises:
            DataError: As above.
        """
        found: dict[str, dict[int, str]] = {}
        for domain in self._config.domains:
            hashed = self._hashes(domain, days)
            if as_ingested:
                # Also of a day without files, as they may have gone away.
                hashed = {
                    day: self._accepted.as_ingested(domain, day, text)
                    for day, text in hashed.items()
                }
            found[domain] = {day: text for day, text in hashed.items() if text}
        return found

    def _hashes(self, domain: str, days: DayRange) -> dict[int, str]:
        """Returns the hash of each day's log files; empty for a day without any."""
        folder = self._config.logs / domain
        if domain not in self._files:
            self._files[domain] = dict(files_by_day(folder, *_ANY_DAY))
        files, known = self._files[domain], self._found.setdefault(domain, {})
        wanted = range(days.first, days.last + 1)
        new = [(d, files[d]) for d in wanted if d in files and d not in known]
        known |= day_hashes(folder, new, self.hashes)
        return {day: known.get(day, "") for day in wanted}
