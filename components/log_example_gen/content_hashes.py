"""Hashes of files' content, remembered as long as size and times of a file stay.

A log is what its files hold: a copy with other times is the same log. Reading every
file for each plan would take minutes, so a file is read again only if its size or one
of its times differs. The time of its last change of any kind (`ctime`) is among them,
which no command can set back.

A file of an object store is not read: the store's own hash of it (`ETag`, `md5Hash`) is
taken, and asked for again only if size or time of upload in the listing differ.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from components.storage.addresses import is_uri
from components.storage.places import Info
from components.storage.places import ObjectPath
from components.storage.places import place
from models import durable_files
from models.errors import DataError
from models.short_hash import short_hash_of_file

# A file changed so recently may change again without another time stamp.
_SETTLED_SECONDS = 2
# Likewise, by the clock of another machine.
_SETTLED_SECONDS_IN_STORE = 60

Known = tuple[int, int, int, str]


class ContentHashes:
    """Hashes of files by path."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads what is remembered.

        Args:
            path: Where hashes are kept; None to keep none. A file that cannot be parsed
                counts as none.
        """
        self._path = path
        self._known: dict[str, Known] = {}
        self._changed = False
        if path is not None and path.is_file():
            try:
                self._known = {
                    name: (size, modified, changed, found)
                    for name, (size, modified, changed, found) in json.loads(
                        path.read_bytes()
                    ).items()
                }
            except (ValueError, TypeError, AttributeError):
                # Files are read again.
                self._known = {}

    def of(self, path: str, info: Info | None = None) -> str:
        """Returns the hash of a file's content, 16 hexadecimal digits.

        Args:
            path: The file.
            info: What the listing said of a file of an object store, if it is known.

        Raises:
            DataError: The file cannot be read.
            StoreError: The object store refuses.
        """
        there = place(path)
        if isinstance(there, ObjectPath):
            return self._of_object(there, info or there.look() or Info(is_dir=False))
        try:
            stat = Path(path).stat()
            times = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[:3] == times:
                return known[3]
            found = short_hash_of_file(Path(path))
        except OSError as error:
            raise DataError(
                f"the log file {path!r} cannot be read ({error.strerror}); make it "
                "readable for this user, or move it away"
            ) from error
        if time.time_ns() - stat.st_ctime_ns > _SETTLED_SECONDS * 10**9:
            self._known[path] = (*times, found)
            self._changed = True
        return found

    def _of_object(self, path: ObjectPath, info: Info) -> str:
        times = (info.size, info.modified, 0)
        known = self._known.get(path.uri)
        if known is not None and known[:3] == times:
            return known[3]
        found = path.content_name()
        if time.time_ns() - info.modified > _SETTLED_SECONDS_IN_STORE * 10**9:
            self._known[path.uri] = (*times, found)
            self._changed = True
        return found

    def save(self) -> None:
        """Keeps the hashes of files that are still there.

        Of an object store all are kept, as asking for each would cost a request.

        Raises:
            StorageError: The file cannot be written.
        """
        if self._path is None or not self._changed:
            return
        present = {
            name: known
            for name, known in self._known.items()
            if is_uri(name) or Path(name).is_file()
        }
        durable_files.write_text(self._path, json.dumps(present))
        self._changed = False
