"""The files of a domain's log: what a block of days reads.

<folder>/date=YYYY-MM-DD/<name>             dt=... is the same
<folder>/date=YYYY-MM-DD/hour=HH/<name>     hr=HH, h=HH and HH are the same
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from components.log_example_gen.content_hashes import ContentHashes
from components.log_example_gen.file_names import EXPECTED_SUFFIXES
from components.log_example_gen.file_names import format_of
from components.log_example_gen.file_names import unpacked_name
from components.storage.files import size_of
from components.storage.places import Info
from components.storage.places import ObjectPath
from components.storage.places import Place
from components.storage.places import each
from components.storage.places import entries
from components.storage.places import name_below
from components.storage.places import place
from models.days import to_date
from models.days import to_day
from models.errors import DataError
from models.errors import listed
from models.short_hash import short_hash

_DAY_FOLDER = re.compile(r"^(?:date|dt)=(\d{4})(-?)(\d{2})\2(\d{2})$")
_HOUR_FOLDER = re.compile(r"^(?:(?:hour|hr|h)=)?(?:[01]?\d|2[0-3])$")


@dataclass(frozen=True)
class LogFile:
    """One file of a domain's log.

    Attributes:
        path: Its path, or its address in an object store.
        day: Days since 1970-01-01, by its folder.
        info: What the store's listing said of it; None of a local file.
    """

    path: str
    day: int
    info: Info | None = field(default=None, compare=False)


def is_log_file(path: Place) -> bool:
    """Whether an entry of a day's folder is a file that is read.

    Raises:
        DataError: The operating system does not let one look.
    """
    try:
        return format_of(path.name) is not None and path.is_file()
    except OSError as error:
        raise _inaccessible(path, error) from error


def is_hour_folder(name: str) -> bool:
    """Whether a folder inside a day's is the folder of an hour."""
    return _HOUR_FOLDER.match(name) is not None


def day_of(name: str) -> int | None:
    """Returns the day that a folder is named after; None if it is no day's folder.

    Raises:
        ValueError: The calendar has no such day.
    """
    match = _DAY_FOLDER.match(name)
    if match is None:
        return None
    year, _, month, day = match.groups()
    return to_day(datetime.date(int(year), int(month), int(day)))


def list_log_files(folder: Place, first_day: int, last_day: int) -> list[LogFile]:
    """Returns the log files of the days `first_day` to `last_day`, oldest first.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.

    Raises:
        DataError: The folder is missing or holds no dated partition.
    """
    return [
        log_file(path, day)
        for day, paths in entries_by_day(folder, first_day, last_day)
        for path in paths
        if is_log_file(path)
    ]


def entries_by_day(
    folder: Place, first_day: int, last_day: int
) -> list[tuple[int, list[Place]]]:
    """Returns what lies in each day's folder; for arguments see `list_log_files`."""
    partitions = list(day_folders(folder, first_day, last_day))
    found = each(folder, lambda one: list(entries_of(one[1])), partitions)
    return [(day, paths) for (day, _), paths in zip(partitions, found, strict=True)]


def log_file(path: Place, day: int) -> LogFile:
    """Returns a log file as it was listed.

    Args:
        path: The file.
        day: Days since 1970-01-01.
    """
    return LogFile(str(path), day, path.info if isinstance(path, ObjectPath) else None)


def refuse_twins(files: Iterable[LogFile]) -> None:
    """Raises `DataError` if a file lies beside its own packed form.

    Both would be read, and every impression would count twice.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for file in files:
        alike[unpacked_name(file.path)].append(file.path)
    twins = [paths for paths in alike.values() if len(paths) > 1]
    if twins:
        names = [
            " and ".join([first, *(place(path).name for path in others)])
            for first, *others in twins
        ]
        raise DataError(
            f"{listed(names)} lie side by side; expected one of them, as reading "
            "both counts every impression twice; remove one, or rename it if it holds "
            "other impressions"
        )


def day_folders(
    folder: Place, first_day: int, last_day: int
) -> Iterator[tuple[int, Place]]:
    """Yields the days wanted with their folders, oldest first.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.

    Raises:
        DataError: The folder is missing, holds no dated partition, or two of one day.
    """
    if not folder.is_dir():
        raise DataError(
            f"there is no log folder {str(folder)!r}; expected "
            "<logs>/<domain>/date=YYYY-MM-DD/ with Parquet, CSV, JSON Lines or "
            "TFRecord files; run `crossctr import` or `crossctr simulate`, or set "
            "`logs` in the configuration"
        )
    found: dict[int, Place] = {}
    for partition in _listed(folder):
        try:
            day = day_of(partition.name)
        except ValueError as error:
            raise DataError(
                f"{str(partition)!r} is named after no day ({error}); expected "
                "date=YYYY-MM-DD; rename the folder or move it away"
            ) from error
        if day is None:
            continue
        if day in found:
            raise DataError(
                f"{str(partition)!r} and {found[day].name!r} are both folders of "
                f"{to_date(day)}; expected one, as impressions in both would count "
                "twice; move the files of one into the other, or away"
            )
        found[day] = partition
    if not found:
        raise DataError(
            f"{str(folder)!r} holds no folder named date=YYYY-MM-DD; expected one per "
            f"day with files inside that end in {EXPECTED_SUFFIXES}"
        )
    yield from ((d, p) for d, p in sorted(found.items()) if first_day <= d <= last_day)


def existing_day_folders(
    folder: Place, first_day: int, last_day: int
) -> dict[int, Place]:
    """Returns the folders of days that exist already, by day.

    Args:
        folder: A domain's folder, which may not exist yet, either.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.

    Raises:
        DataError: There are two of one day.
    """
    if not folder.is_dir() or not any(map(is_day_folder, _listed(folder))):
        return {}
    return dict(day_folders(folder, first_day, last_day))


def is_day_folder(path: Place) -> bool:
    """Whether a folder of a domain is named like a day's."""
    return _DAY_FOLDER.match(path.name) is not None


def entries_of(partition: Place) -> Iterator[Place]:
    """Yields what lies in a day's folder, and in the folders of its hours.

    Raises:
        DataError: It cannot be listed, or an hour has two folders.
    """
    hours: dict[int, str] = {}
    for path in _listed(partition):
        if is_hour_folder(path.name) and path.is_dir():
            hour = int(path.name.rpartition("=")[2])
            if hour in hours:
                raise DataError(
                    f"{str(path)!r} and {hours[hour]!r} are both folders of one hour; "
                    "expected one, as impressions in both would count twice; move the "
                    "files of one into the other, or away"
                )
            hours[hour] = path.name
            yield from _listed(path)
        else:
            yield path


def _listed(folder: Place) -> list[Place]:
    try:
        return entries(folder)
    except OSError as error:
        raise _inaccessible(folder, error) from error


def file_size(file: LogFile) -> int:
    """Returns the bytes of a log file.

    Raises:
        DataError: It is gone, or the operating system does not let one look.
    """
    if file.info is not None:
        return file.info.size
    try:
        return size_of(file.path)
    except OSError as error:
        raise _inaccessible(place(file.path), error) from error


def _inaccessible(path: Place, error: OSError) -> DataError:
    return DataError(
        f"{str(path)!r} cannot be read ({error.strerror or error}); expected a log "
        "that stays as it is while it is read; look at who moves or protects it, and "
        "run the command again"
    )


def log_days(
    folder: Place, first_day: int, last_day: int, hashes: ContentHashes
) -> dict[int, str]:
    """Returns the hash of each day's log files, see `day_hashes`.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.
        hashes: Knows or reads the files' contents.

    Raises:
        DataError: The folder is missing or holds no dated partition, or a file cannot
            be read.
    """
    return day_hashes(folder, files_by_day(folder, first_day, last_day), hashes)


def files_by_day(
    folder: Place, first_day: int, last_day: int
) -> list[tuple[int, list[LogFile]]]:
    """Returns each day's log files, for the arguments see `list_log_files`."""
    files = list_log_files(folder, first_day, last_day)
    return [
        (day, list(of_day))
        for day, of_day in itertools.groupby(files, key=lambda file: file.day)
    ]


def day_hashes(
    folder: Place, by_day: Iterable[tuple[int, list[LogFile]]], hashes: ContentHashes
) -> dict[int, str]:
    """Returns, by day, a hash of the names and contents of its log files.

    Args:
        folder: The domain's folder, from which names count.
        by_day: Files of each day, in any order.
        hashes: Knows or reads the files' contents.

    Raises:
        DataError: A file cannot be read.
    """

    def line(file: LogFile) -> str:
        name = name_below(place(file.path), folder)
        return f"{name} {hashes.of(file.path, file.info)}"

    # Of all days together, since those of a store are asked for at the same time.
    files = [file for _, of_day in by_day for file in of_day]
    lines: dict[int, list[str]] = defaultdict(list)
    for file, text in zip(files, each(folder, line, files), strict=True):
        lines[file.day].append(text)
    return {
        day: short_hash("\n".join(sorted(of)).encode()) for day, of in lines.items()
    }


@dataclass(frozen=True)
class Shard:
    """A domain's log files that become one Parquet file of Examples."""

    domain: str
    index: int
    files: tuple[LogFile, ...]

    @property
    def file_name(self) -> str:
        """Name of the shard's Parquet file; the same at every attempt."""
        return f"data-{self.index:05d}.parquet"


def plan_shards(
    domain: str, files: Sequence[LogFile], sizes: Sequence[int], shard_bytes: int
) -> Iterator[Shard]:
    """Cuts a domain's files, in order, into shards of about `shard_bytes`."""
    group: list[LogFile] = []
    total = index = 0
    for file, size in zip(files, sizes, strict=True):
        if group and total + size > shard_bytes:
            yield Shard(domain, index, tuple(group))
            group, total, index = [], 0, index + 1
        group.append(file)
        total += size
    if group:
        yield Shard(domain, index, tuple(group))
