"""Files in a domain's log folder that are never read, with advice for each."""

from __future__ import annotations

from dataclasses import dataclass

from components.log_example_gen.file_names import EXPECTED_SUFFIXES
from components.log_example_gen.file_names import is_bookkeeping
from components.log_example_gen.file_names import naming_advice
from components.log_example_gen.log_files import day_of
from components.log_example_gen.log_files import entries_by_day
from components.log_example_gen.log_files import is_hour_folder
from components.log_example_gen.log_files import is_log_file
from components.log_example_gen.log_files import list_log_files
from components.storage.places import Place
from components.storage.places import entries
from components.storage.places import name_below
from models.errors import DataError
from models.errors import listed


@dataclass(frozen=True)
class UnreadFile:
    """Something in a domain's folder that no ingest reads.

    Attributes:
        name: Where it is, relative to the domain's folder.
        day: Days since 1970-01-01; None beside the days' folders.
        advice: Why it is not read, and what to do.
    """

    name: str
    day: int | None
    advice: str

    def __str__(self) -> str:
        name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in self.name)
        return f"{name} ({self.advice})"


def list_unread_files(
    folder: Place, first_day: int, last_day: int, marker: str | None = None
) -> list[UnreadFile]:
    """Returns what lies in and beside the days' folders and is not a log file.

    Files that Spark, Hadoop and editors keep for themselves are left out: `_SUCCESS`,
    `.crc`, hidden files.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.
        marker: Name of the file that says a day is complete.

    Raises:
        DataError: The folder is missing or holds no dated partition.
    """
    found = [
        UnreadFile(name_below(path, folder), day, _advice(path))
        for day, paths in entries_by_day(folder, first_day, last_day)
        for path in paths
        if not is_log_file(path)
        and not is_bookkeeping(path.name)
        and path.name != marker
    ]
    beside = [
        UnreadFile(path.name, None, _advice_beside(path))
        for path in entries(folder)
        if day_of(path.name) is None
        and not is_bookkeeping(path.name)
        and path.name != marker
    ]
    return found + beside


def _advice(path: Place) -> str:
    """Returns why an entry of a day's folder is not read, and what to do."""
    if path.is_dir():
        if is_hour_folder(path.name):
            return "a folder inside an hour's; move its files up"
        return "a folder; move its files up into the day's folder"
    if path.is_symlink() and not path.exists():
        return "a link to no file; remove it"
    if not path.is_file():
        return "no file but a pipe or a device; remove it"
    return naming_advice(path.name)


def _advice_beside(path: Place) -> str:
    """Returns why an entry beside the days' folders is not read, and what to do."""
    if path.is_dir():
        return "a folder of no day; name it date=YYYY-MM-DD, or move it away"
    return "beside the days' folders; move it into the folder of its day, or away"


def refuse_unread_days(
    folder: Place, first_day: int, last_day: int, marker: str | None = None
) -> None:
    """Raises `DataError` if a day's folder holds files, but none that is read.

    Such a day has a log, so no policy for missing days can say what it means. For the
    arguments see `list_unread_files`.
    """
    read = {file.day for file in list_log_files(folder, first_day, last_day)}
    unread = list_unread_files(folder, first_day, last_day, marker)
    alone = [file for file in unread if file.day not in {*read, None}]
    if alone:
        raise DataError(
            f"{str(folder)!r} has days with nothing that is read: {listed(alone)}; "
            f"expected files that end in {EXPECTED_SUFFIXES}; do as the brackets say, "
            "or remove the files if the day has no log"
        )
