"""The files of a domain's log: what a block of days reads, and what is never read.

<folder>/date=YYYY-MM-DD/<name>.parquet|.csv|.jsonl|.tfrecord     (.gz may follow)
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.log_example_gen.content_hashes import ContentHashes
from models.days import to_day
from models.errors import DataError
from models.errors import listed
from models.short_hash import short_hash

FORMATS = (".parquet", ".csv", ".jsonl", ".tfrecord")

_DAY_FOLDER = re.compile(r"^date=(\d{4}-\d{2}-\d{2})$")
# In lower case, with the format that a file of this suffix may well have.
_ALMOST = {
    ".json": ".jsonl",
    ".ndjson": ".jsonl",
    ".pq": ".parquet",
    ".parq": ".parquet",
    ".tfrecords": ".tfrecord",
    ".tfr": ".tfrecord",
}
# Packed in a way that is not read.
_PACKED = (".gz", ".zst", ".zstd", ".bz2", ".xz", ".lz4", ".snappy", ".zip")


@dataclass(frozen=True)
class LogFile:
    """One file of a domain's log."""

    path: str
    day: int


@dataclass(frozen=True)
class UnreadFile:
    """Something in a day's folder that no ingest reads.

    Attributes:
        path: Where it is.
        day: Days since 1970-01-01.
        advice: Why it is not read, and what to do.
    """

    path: str
    day: int
    advice: str

    def __str__(self) -> str:
        path = Path(self.path)
        return f"{path.parent.name}/{path.name} ({self.advice})"


def format_of(path: str) -> str | None:
    """Returns the format of a log file, by its name; None if it is none.

    Example:
        >>> format_of("part-0.csv.gz"), format_of("_SUCCESS")
        ('.csv', None)
    """
    name = Path(path).name
    if _is_bookkeeping(name):
        return None
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix == ".parquet" and name.endswith(".gz"):
        return None
    return suffix if suffix in FORMATS else None


def _is_bookkeeping(name: str) -> bool:
    """Whether Spark, Hadoop or an editor keeps a file of this name for itself."""
    return name.startswith((".", "_")) or name.endswith((".crc", "~"))


def is_log_file(path: Path) -> bool:
    """Whether an entry of a day's folder is a file that is read."""
    return format_of(path.name) is not None and path.is_file()


def list_log_files(folder: Path, first_day: int, last_day: int) -> list[LogFile]:
    """Returns the log files of the days `first_day` to `last_day`, oldest first.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.

    Raises:
        DataError: The folder is missing or holds no dated partition.
    """
    return [
        LogFile(str(path), day)
        for day, entries in _partitions(folder, first_day, last_day)
        for path in entries
        if is_log_file(path)
    ]


def list_unread_files(
    folder: Path, first_day: int, last_day: int, marker: str | None = None
) -> list[UnreadFile]:
    """Returns what lies in the days' folders and is no log file, oldest first.

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
    return [
        UnreadFile(str(path), day, _advice(path))
        for day, entries in _partitions(folder, first_day, last_day)
        for path in entries
        if not is_log_file(path)
        and not _is_bookkeeping(path.name)
        and path.name != marker
    ]


def _advice(path: Path) -> str:
    """Returns why an entry of a day's folder is not read, and what to do."""
    if path.is_dir():
        return "a folder; move its files up into the day's folder"
    if not path.is_file():
        return "no file; remove the link"
    name = path.name.lower()
    packed = next((end for end in _PACKED if name.endswith(end)), "")
    bare = name.removesuffix(packed)
    suffix = Path(bare).suffix
    meant = _ALMOST.get(suffix, suffix)
    if meant == ".tsv":
        return "tab-separated; write it with commas and name it .csv"
    if meant not in FORMATS:
        return f"none of {', '.join(FORMATS)}; convert it, or move it away"
    if meant == ".parquet" and packed:
        return "packed; unpack it, as Parquet compresses by itself"
    if packed not in ("", ".gz"):
        return f"packed as {packed}; unpack it, or pack it with gzip"
    return f"rename it to end in {meant}{packed}"


def refuse_unread_days(
    folder: Path, first_day: int, last_day: int, marker: str | None = None
) -> None:
    """Raises `DataError` if a day's folder holds files, but none that is read.

    Such a day has a log, so no policy for missing days can say what it means. For the
    arguments see `list_unread_files`.
    """
    read = {file.day for file in list_log_files(folder, first_day, last_day)}
    unread = list_unread_files(folder, first_day, last_day, marker)
    alone = [file for file in unread if file.day not in read]
    if alone:
        raise DataError(
            f"{str(folder)!r} has days with nothing that is read: {listed(alone)}; "
            f"expected files that end in {', '.join(FORMATS)}; do as the brackets say, "
            "or remove the files if the day has no log"
        )


def refuse_twins(files: Iterable[LogFile]) -> None:
    """Raises `DataError` if a file lies beside its own packed form.

    Both would be read, and every impression would count twice.
    """
    paths = [file.path for file in files]
    present = set(paths)
    twins = [path for path in paths if f"{path}.gz" in present]
    if twins:
        names = [f"{path} and {Path(path).name}.gz" for path in twins]
        raise DataError(
            f"{listed(names)} lie side by side; expected one of the two, as reading "
            "both counts every impression twice; remove one, or rename it if it holds "
            "other impressions"
        )


def _partitions(
    folder: Path, first_day: int, last_day: int
) -> Iterator[tuple[int, list[Path]]]:
    """Yields the days' folders with their entries, oldest first."""
    if not folder.is_dir():
        raise DataError(
            f"there is no log folder {str(folder)!r}; expected "
            "<logs>/<domain>/date=YYYY-MM-DD/ with Parquet, CSV, JSON Lines or "
            "TFRecord files; run `crossctr import` or `crossctr simulate`, or set "
            "`logs` in the configuration"
        )
    dated = False
    for partition in sorted(folder.iterdir()):
        match = _DAY_FOLDER.match(partition.name)
        if match is None:
            continue
        dated = True
        try:
            day = to_day(datetime.date.fromisoformat(match.group(1)))
        except ValueError as error:
            raise DataError(
                f"{str(partition)!r} is named after no day ({error}); expected "
                "date=YYYY-MM-DD; rename the folder or move it away"
            ) from error
        if first_day <= day <= last_day:
            yield day, sorted(partition.iterdir())
    if not dated:
        raise DataError(
            f"{str(folder)!r} holds no folder named date=YYYY-MM-DD; expected one per "
            f"day with files inside that end in {', '.join(FORMATS)}"
        )


def log_days(folder: Path, first_day: int, last_day: int) -> dict[int, str]:
    """Returns the hash of each day's log files, see `day_hash`.

    Args:
        folder: A domain's folder of `date=YYYY-MM-DD/` partitions.
        first_day: First day wanted, days since 1970-01-01.
        last_day: Last day wanted.

    Raises:
        DataError: The folder is missing or holds no dated partition, or a file cannot
            be read.
    """
    by_day = files_by_day(folder, first_day, last_day)
    return {day: day_hash(folder, files, ContentHashes()) for day, files in by_day}


def files_by_day(
    folder: Path, first_day: int, last_day: int
) -> list[tuple[int, list[LogFile]]]:
    """Returns each day's log files, for the arguments see `list_log_files`."""
    files = list_log_files(folder, first_day, last_day)
    return [
        (day, list(of_day))
        for day, of_day in itertools.groupby(files, key=lambda file: file.day)
    ]


def day_hash(folder: Path, files: Iterable[LogFile], hashes: ContentHashes) -> str:
    """Returns a hash of the names and contents of a day's log files.

    Args:
        folder: The domain's folder, from which names count.
        files: The files, in any order.
        hashes: Knows or reads the files' contents.

    Raises:
        DataError: A file cannot be read.
    """
    lines = [
        f"{Path(file.path).relative_to(folder).as_posix()} {hashes.of(file.path)}"
        for file in files
    ]
    return short_hash("\n".join(sorted(lines)).encode())


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
