"""The files of a Vocabulary artifact, verified whenever they are read.

`<space>.txt` holds one raw id a line, in row order, and `vocabulary.json` what was
written: the number of ids and their hash, the number and the hash of the ids of the
block before, which the list begins with, as rows never move.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.artifact_files import VOCABULARY_FILE
from models.errors import DataError
from models.short_hash import short_hash
from models.short_hash import short_hash_of_file


def ids_path(folder: str | Path, space: str) -> Path:
    """Returns the file of ids of `space`."""
    return Path(folder) / f"{space}.txt"


def pending_path(folder: str | Path, space: str) -> Path:
    """Returns the file of the ids of `space` that are still below `min_count`."""
    return Path(folder) / f"{space}.pending.parquet"


def sightings_path(folder: str | Path, space: str) -> Path:
    """Returns the file of the days on which domains first showed the ids of `space`."""
    return Path(folder) / f"{space}.sightings.parquet"


def read_summary(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Reads `vocabulary.json`, what the artifact in `folder` says of each id space.

    Raises:
        DataError: It is missing or is not JSON.
    """
    path = Path(folder) / VOCABULARY_FILE
    try:
        summary: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise damaged(folder, f"{VOCABULARY_FILE} is missing") from error
    except ValueError as error:
        raise damaged(folder, f"{VOCABULARY_FILE} is not JSON ({error})") from error
    if not summary:
        raise damaged(folder, f"{VOCABULARY_FILE} names no id space")
    return summary


def read_ids_file(folder: str | Path, space: str) -> bytes:
    """Returns the content of the file of ids of `space`, verified.

    Raises:
        DataError: The artifact has no such space, or the ids are not those that were
            written.
    """
    summary = read_summary(folder)
    if space not in summary:
        raise DataError(
            f"no ids of {space!r} in the vocabulary at {folder}; expected "
            f"{ids_path(folder, space).name}. Ingest at least one block of days with "
            "this id space first"
        )
    return _verified(folder, space, summary[space])


def check_vocabulary(folder: str | Path) -> None:
    """Verifies all files of the artifact in `folder`.

    Raises:
        DataError: A file is missing or is not what was written.
    """
    for space, about in read_summary(folder).items():
        _verified(folder, space, about)
        if about["encoding"] != "hash":
            check_pending(folder, space, about)
            check_sightings(folder, space, about)


def check_pending(folder: str | Path, space: str, about: Mapping[str, Any]) -> None:
    """Verifies the file of the ids that wait.

    Args:
        folder: The artifact.
        space: The id space.
        about: What `vocabulary.json` says of it.

    Raises:
        DataError: The file is missing or is not what was written.
    """
    _check_file(folder, pending_path(folder, space), about["pending_hash"])


def check_sightings(folder: str | Path, space: str, about: Mapping[str, Any]) -> None:
    """Verifies the file of sightings, if the space keeps them; see `check_pending`."""
    if "sightings_hash" in about:
        _check_file(folder, sightings_path(folder, space), about["sightings_hash"])


def _check_file(folder: str | Path, path: Path, wanted: str) -> None:
    if not path.is_file():
        raise damaged(folder, f"{path.name} is missing")
    if short_hash_of_file(path) != wanted:
        raise damaged(folder, f"{path.name} is not the file that was written")


def _verified(folder: str | Path, space: str, about: Mapping[str, Any]) -> bytes:
    path = ids_path(folder, space)
    if not path.is_file():
        raise damaged(folder, f"{path.name} is missing")
    content = path.read_bytes()
    # A hashed space lists no ids.
    hashed = about["encoding"] == "hash"
    ids, wanted = (0, short_hash(b"")) if hashed else (about["ids"], about["hash"])
    if short_hash(content) != wanted:
        raise damaged(
            folder,
            f"{path.name} holds {content.count(10):,} ids with the hash "
            f"{short_hash(content)}; written were {ids:,} with {wanted}",
        )
    parent = about.get("parent_hash")
    if parent is not None and short_hash(content[: about["parent_bytes"]]) != parent:
        raise damaged(
            folder,
            f"{path.name} does not begin with the {about['ids_before']:,} ids of the "
            f"block before, whose hash is {parent}",
        )
    return content


def damaged(folder: str | Path, what: str) -> DataError:
    """Returns the error about an artifact whose files are not those written."""
    return DataError(
        f"the vocabulary in {str(folder)!r} is damaged: {what}. Restore this folder "
        "from a backup, or let `crossctr clean CONFIG --lost --yes` forget it and what "
        "was made with it, which the next run then makes again from the logs"
    )
