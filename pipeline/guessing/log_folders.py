"""Where the logs of each domain lie, from what a user names on the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from components.log_example_gen.file_names import EXPECTED_SUFFIXES
from components.log_example_gen.file_names import SUFFIXES
from components.log_example_gen.file_names import format_of
from components.log_example_gen.file_names import is_bookkeeping
from components.log_example_gen.file_names import suffix_of
from components.log_example_gen.file_names import unpacked_name
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import is_day_folder
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import log_file
from components.log_example_gen.log_files import refuse_twins
from components.storage.addresses import checked_address
from components.storage.addresses import is_uri
from components.storage.places import Place
from components.storage.places import entries
from components.storage.places import place
from models.errors import ConfigError
from models.errors import DataError
from models.errors import listed
from pipeline.config.names import check_name

_FIRST, _LAST = -(10**6), 10**6


@dataclass(frozen=True)
class DomainLogs:
    """The log files of a domain.

    Attributes:
        name: The domain.
        path: The file or folder that the user named, or found in it.
        files: Its files; the `day` of those without a folder for each day is 0.
        dated: Whether they lie in folders `date=YYYY-MM-DD`.
    """

    name: str
    path: Place
    files: tuple[LogFile, ...]
    dated: bool


def find_domains(given: Sequence[str]) -> list[DomainLogs]:
    """Returns the logs of every domain, in the order of their names.

    Args:
        given: One folder with a file or folder for each domain; or the file or folder
            of each, as a path or as `name=path`.

    Raises:
        ConfigError: A path leads nowhere, two domains have one name, or there is only
            one domain.
        DataError: A folder holds no log file.
    """
    named = [_named(text) for text in given]
    if len(named) == 1 and not named[0][0] and named[0][1].is_dir():
        parts = _children(named[0][1])
    else:
        parts = [(name or _stem(path), path) for name, path in named]
    found: dict[str, DomainLogs] = {}
    for name, path in parts:
        try:
            check_name(name)
        except ValueError as error:
            raise ConfigError(
                f"{name!r} cannot name a domain: {error}; give the log a name, "
                f"`ads={path}`"
            ) from error
        if name in found:
            raise ConfigError(
                f"{str(found[name].path)!r} and {str(path)!r} would both be the domain "
                f"{name!r}; name them, `first={found[name].path} second={path}`"
            )
        found[name] = find_logs(name, path)
    if len(found) < 2:
        raise ConfigError(
            f"{listed(given)} has the logs of {listed(found) or 'no domain'} alone; "
            "expected a target and at least one source; name a file or folder for "
            "each, such as `crossctr init feeds.csv ads.csv`"
        )
    return [found[name] for name in sorted(found)]


def _named(text: str) -> tuple[str, Place]:
    """Splits `name=path`; a path that exists as it stands has no name."""
    name, equals, rest = text.partition("=")
    if not equals or "/" in name or os.path.lexists(text):
        name, rest = "", text
    address = checked_address(rest) if is_uri(rest) else os.path.expanduser(rest)
    path = place(address)
    if not path.exists():
        raise ConfigError(
            f"there is no file or folder {str(path)!r}; expected a folder with a file "
            "or folder for each domain, or several files, each as PATH or NAME=PATH"
        )
    return name, path


def _children(folder: Place) -> list[tuple[str, Place]]:
    found = [
        path
        for path in entries(folder)
        if not is_bookkeeping(path.name)
        and (_has_logs(path) if path.is_dir() else format_of(path.name))
    ]
    if any(is_day_folder(path) for path in folder.iterdir()):
        raise ConfigError(
            f"{str(folder)!r} holds folders of days, so it is the log of one domain; "
            "give the folder above it, or a folder for each domain"
        )
    return [(_stem(path), path) for path in found]


def _has_logs(folder: Place) -> bool:
    return any(
        is_day_folder(path) or format_of(path.name) is not None
        for path in folder.iterdir()
    )


def _stem(path: Place) -> str:
    name = path.resolve().name
    if path.is_dir():
        return name
    return unpacked_name(name).removesuffix(suffix_of(name))


def find_logs(name: str, path: Place) -> DomainLogs:
    """Returns the logs of a domain.

    Args:
        name: The domain.
        path: Its file, or the folder of its files or days.

    Raises:
        DataError: There is no log file, or one outside the folder of its day that
            cannot be laid out by day.
    """
    if path.is_file():
        if format_of(path.name) is None:
            raise DataError(
                f"{str(path)!r} is not a log file; expected a name that ends in "
                f"{EXPECTED_SUFFIXES}; rename it"
            )
        _refuse_many_days(str(path))
        return DomainLogs(name, path, (log_file(path, 0),), dated=False)
    if any(is_day_folder(entry) for entry in path.iterdir()):
        files = list_log_files(path, _FIRST, _LAST)
        dated = True
    else:
        files = [
            log_file(entry, 0)
            for entry in entries(path)
            if format_of(entry.name) is not None and entry.is_file()
        ]
        dated = False
        for file in files:
            _refuse_many_days(file.path)
    refuse_twins(files)
    if not files:
        raise DataError(
            f"{str(path)!r} holds no log file; expected files that end in "
            f"{', '.join(SUFFIXES)}, or folders date=YYYY-MM-DD with such files"
        )
    return DomainLogs(name, path, tuple(files), dated=dated)


def _refuse_many_days(path: str) -> None:
    if format_of(path) == ".tfrecord":
        raise DataError(
            f"{path!r} is a TFRecord file and lies in no folder of its day; CSV, JSON "
            "Lines and Parquet files of many days are laid out by day, TFRecord files "
            "are not; write a file for each day, <domain>/date=YYYY-MM-DD/*.tfrecord, "
            "and name the folder <domain>, or write the log in one of the other formats"
        )
