"""Checks of a configuration's paths: there, writable, on the right disk, with room."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from components.log_example_gen.log_files import existing_day_folders
from components.log_example_gen.log_files import file_size
from components.log_example_gen.log_files import files_by_day
from components.publisher.releases import WITHDRAWN_FOLDER
from models.errors import StorageError
from pipeline.config.schema import Config
from pipeline.config.sections import MAX_DAYS
from pipeline.doctor.finding import Finding
from pipeline.doctor.finding import ok
from pipeline.doctor.finding import problem
from pipeline.doctor.finding import refused
from pipeline.doctor.finding import warning
from pipeline.execution.preflight import check_writable
from pipeline.execution.preflight import mebibytes
from pipeline.execution.preflight import model_bytes
from pipeline.execution.preflight import table_bytes
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.step_kinds import kinds_of
from pipeline.store.reader import Store


def check_paths(config: Config) -> Iterator[Finding]:
    """Checks that what is read is there, and that what is written can be."""
    for folder, key in (
        (config.root, "root"),
        (config.serving.directory, "serving.directory"),
    ):
        try:
            check_writable(folder, key)
        except StorageError as error:
            yield refused("paths", error)
        else:
            yield ok("paths", f"{key} {folder} can be written")
    if config.schema_path.is_file():
        yield ok("paths", f"schema {config.schema_path} is there")
    else:
        yield problem(
            "paths",
            f"there is no schema file {config.schema_path}",
            "write a first one with `crossctr schema infer CONFIG --day D`",
        )
    yield from _check_logs(config)


def _check_logs(config: Config) -> Iterator[Finding]:
    how = "put logs there as <domain>/date=YYYY-MM-DD/*, or set `logs`"
    if config.imports is not None:
        how = "`crossctr import CONFIG` writes them"
    if config.simulate is not None:
        how = "`crossctr simulate CONFIG` writes them"
    days: dict[str, int] = {}
    for domain in config.domains:
        folder = config.logs / domain
        if (
            isinstance(folder, Path)
            and folder.is_dir()
            and not os.access(folder, os.R_OK | os.X_OK)
        ):
            fix = "make it readable for this user"
            yield problem("paths", f"log folder {folder} cannot be read", fix)
        else:
            days[domain] = len(existing_day_folders(folder, 0, MAX_DAYS))
    missing = [domain for domain, count in days.items() if not count]
    if missing:
        names = ", ".join(missing)
        yield problem("paths", f"no day of logs of {names} in {config.logs}", how)
    counts = [f"{domain} {count:,}" for domain, count in days.items() if count]
    if counts:
        yield ok("paths", f"days of logs in {config.logs}: {', '.join(counts)}")


def check_file_systems(config: Config) -> Iterator[Finding]:
    """Checks that folders between which versions are renamed are on one file system."""
    folder = config.serving.directory / config.name
    kept = folder / WITHDRAWN_FOLDER
    if not (folder.is_dir() and kept.is_dir()):
        return
    if folder.stat().st_dev == kept.stat().st_dev:
        yield ok("paths", f"{folder} and {WITHDRAWN_FOLDER} are on one file system")
    else:
        yield problem(
            "paths",
            f"{kept} is on another file system than {folder}, and a rollback renames "
            "a version from one to the other",
            f"move {WITHDRAWN_FOLDER} into the model's folder",
        )


def check_room(config: Config) -> Iterator[Finding]:
    """Checks the free space against what the next run writes at least.

    If nothing is ingested yet, that is all logs.
    """
    is_new = Store(config.root, config.metadata).is_empty()
    kinds = kinds_of(config.needs(config.strategy), references=False)
    models = sum(kind != StepKind.INGEST for kind in kinds) * model_bytes(config)
    logs = sum(_log_bytes(config, domain, all_days=is_new) for domain in config.domains)
    what = f"{'all logs' if is_new else 'a day of logs'} and models"
    for folder, key, needed, written in (
        (config.root, "root", logs + models, what),
        (config.serving.directory, "serving.directory", table_bytes(config), "a model"),
    ):
        present = next(path for path in (folder, *folder.parents) if path.is_dir())
        free = shutil.disk_usage(present).free
        text = (
            f"{key}: {mebibytes(free)} free, and the next run writes "
            f"{mebibytes(needed)} or more ({written})"
        )
        if free < needed:
            fix = "make room; `crossctr clean CONFIG` says what no later day needs"
            yield problem("disk", text, fix)
        else:
            yield ok("disk", text)


def check_ports(ports: dict[str, int], host: str = "127.0.0.1") -> Iterator[Finding]:
    """Checks that the model server can listen.

    Args:
        ports: Port by option of `crossctr serve`.
        host: The address.
    """
    for option, port in ports.items():
        try:
            # As the server does: a port whose connections are closing is free.
            socket.create_server((host, port)).close()
        except OSError as error:
            what = f"cannot be used ({error.strerror})"
            if error.errno == errno.EADDRINUSE:
                what = f"is taken ({error.strerror}), maybe by a model server"
            yield warning(
                "ports",
                f"{host}:{port} {what}",
                f"free the port, or give `crossctr serve` another {option}",
            )
        else:
            yield ok("ports", f"{host}:{port} is free")


def _log_bytes(config: Config, domain: str, *, all_days: bool) -> int:
    """Returns the bytes of a domain's logs, of all days or of the newest."""
    folder = config.logs / domain
    if not folder.is_dir():
        return 0
    by_day = files_by_day(folder, config.first, config.first + MAX_DAYS)
    days = by_day if all_days else by_day[-1:]
    return sum(file_size(file) for _, files in days for file in files)
