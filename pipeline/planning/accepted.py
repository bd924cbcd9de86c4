"""Changed logs that a person took as they were ingested: `accepted_logs.json`.

Some changes mean nothing for the models: a column nobody reads, a file packed anew, old
logs that were moved away. Accepting one lets the plan take the domain-day for the one
that was ingested; whatever changes after that is late again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models import durable_files
from models.days import to_date
from models.errors import DataError

ACCEPTED_FILE = "accepted_logs.json"


@dataclass(frozen=True)
class Accepted:
    """One domain-day that was accepted.

    Attributes:
        domain: The domain.
        date: The day, YYYY-MM-DD.
        found: Hash of its log files; empty if there are none.
        ingested: Hash of those that were ingested; empty if there were none.
        by: Who accepted it.
        at: When, in UTC, ISO 8601.
        reason: Why.
    """

    domain: str
    date: str
    found: str
    ingested: str
    by: str
    at: str
    reason: str


class AcceptedLogs:
    """Changed logs that were accepted under a root."""

    def __init__(self, root: Path) -> None:
        """Reads it; nothing if nothing was accepted.

        Raises:
            DataError: The file cannot be parsed.
        """
        self._path = root / ACCEPTED_FILE
        self.entries: list[Accepted] = []
        if self._path.is_file():
            try:
                self.entries = [
                    Accepted(**entry) for entry in json.loads(self._path.read_bytes())
                ]
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"{str(self._path)!r} is not a list of accepted logs ({error}); "
                    "restore it from a backup, or delete it: what was accepted then "
                    "counts as changed"
                ) from error
        self._ingested = {
            (entry.domain, entry.date, entry.found): entry.ingested
            for entry in self.entries
        }

    def as_ingested(self, domain: str, day: int, found: str) -> str:
        """Returns the hash that a domain-day's files count as.

        Args:
            domain: The domain.
            day: Days since 1970-01-01.
            found: Hash of its log files; empty if there are none.

        Returns:
            `found`, unless these very files were accepted in place of others.
        """
        if not self._ingested:
            return found
        return self._ingested.get((domain, str(to_date(day)), found), found)

    def add(self, entries: Sequence[Accepted]) -> None:
        """Accepts more, which counts from now on.

        Raises:
            StorageError: The root cannot be written.
        """
        self.entries = [*self.entries, *entries]
        content = [dataclasses.asdict(entry) for entry in self.entries]
        durable_files.write_text(self._path, json.dumps(content, indent=1))
        self._ingested |= {(e.domain, e.date, e.found): e.ingested for e in entries}
