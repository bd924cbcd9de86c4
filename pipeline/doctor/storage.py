"""Checks of what is stored: ML Metadata, the lock, remains, published versions."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from components.publisher.logic import holds_model
from components.publisher.logic import versions_in
from models.errors import listed
from pipeline.config.schema import Config
from pipeline.doctor.finding import Finding
from pipeline.doctor.finding import ok
from pipeline.doctor.finding import problem
from pipeline.doctor.finding import warning
from pipeline.execution.lock import holder
from pipeline.store.integrity import damaged_vocabularies
from pipeline.store.integrity import lost_artifacts
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.integrity import refuse_missing_versions
from pipeline.store.leftovers import known_folders
from pipeline.store.leftovers import unfinished_folders
from pipeline.store.metadata import METADATA_FILE
from pipeline.store.metadata import RESTORE
from pipeline.store.metadata import parse_server
from pipeline.store.reader import Store

_FORGET = (
    "restore the folder from a backup, or let `crossctr clean CONFIG --lost --yes` "
    "forget it, so that the next run makes it again"
)
_SECONDS = 5


def check_metadata(config: Config) -> Iterator[Finding]:
    """Checks that ML Metadata opens, is whole and is not locked."""
    server = parse_server(config.metadata)
    if server is not None:
        try:
            socket.create_connection((server.host, server.port), _SECONDS).close()
        except OSError as error:
            yield problem(
                "metadata",
                f"nothing answers at {server.host}:{server.port} ({error})",
                "start the database, or check `metadata`",
            )
        else:
            yield ok("metadata", f"{server.host}:{server.port} answers")
        return
    store = Store(config.root, config.metadata)
    refuse_lost_metadata(store)
    if store.is_empty():
        yield ok("metadata", "nothing has run yet")
        return
    yield _sqlite(config.root / METADATA_FILE)


def _sqlite(path: Path) -> Finding:
    """Returns what SQLite says of its file, into which nothing is written."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)
        try:
            connection.isolation_level = None
            # Takes the lock of a writer, and gives it back.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return warning(
                "metadata",
                f"{path} is locked: another process writes into it",
                "wait for it to end",
            )
        return problem("metadata", f"{path}: {error}", RESTORE)
    except sqlite3.DatabaseError as error:
        return problem("metadata", f"{path}: {error}", RESTORE)
    if answer != "ok":
        return problem("metadata", f"{path} is damaged: {answer}", RESTORE)
    return ok("metadata", f"{path} is whole and not locked")


def check_lock(root: Path) -> Iterator[Finding]:
    """Checks whether another command holds the root."""
    who = holder(root)
    if who is None:
        yield ok("lock", f"no command holds {root}")
    else:
        yield warning("lock", f"{who} holds {root}", "wait for it to end, or stop it")


def check_results(config: Config) -> Iterator[Finding]:
    """Checks that the files of stored results are there, and that none is half."""
    store = Store(config.root, config.metadata)
    if store.is_empty():
        return
    lost = [*lost_artifacts(store), *damaged_vocabularies(store)]
    if lost:
        named = listed(stored.uri for stored in lost)
        yield problem("results", f"missing, empty or damaged: {named}", _FORGET)
    else:
        yield ok("results", "the files of all results are there")
    left = unfinished_folders(config.root, known_folders(config.root, store))
    if left:
        yield warning(
            "results",
            f"folders that a stopped command left: {listed(left)}",
            "`crossctr clean CONFIG --yes` removes them",
        )


def check_versions(config: Config) -> Iterator[Finding]:
    """Checks that each published version has a model, and servers' versions are there.

    Raises:
        DataError: Servers are told to load a version that is not there, or the file of
            labels cannot be read.
    """
    folder = config.serving.directory / config.name
    versions = versions_in(folder)
    empty = [v for v in versions if not holds_model(folder / str(v))]
    if empty:
        yield problem(
            "versions",
            f"no SavedModel in {listed(folder / str(v) for v in empty)}",
            "restore it from a backup, or remove the folder",
        )
    elif versions:
        yield ok("versions", f"{len(versions)} published, each with a SavedModel")
    else:
        yield ok("versions", "nothing is published yet")
    half = [
        path
        for ending in ("writing", "removing")
        for path in sorted(folder.glob(f".*.{ending}"))
    ]
    if half:
        yield warning(
            "versions",
            f"half-written: {listed(half)}",
            "the next publication removes them; no server loads them",
        )
    refuse_missing_versions(config)


def check_records(root: Path) -> Iterator[Finding]:
    """Checks that the records of runs can be read."""
    bad = []
    for path in sorted((root / "runs").glob("*/*.json")):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            bad.append(path)
    if bad:
        yield problem(
            "records",
            f"not JSON: {listed(bad)}",
            "remove the folder; only what `plan` says of reasons is lost",
        )
