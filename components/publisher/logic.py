"""Versions of a model and their atomic copy; imports no TFX.

    <directory>/<name>/<version>/        version = YYYYMMDD * 100 + attempt

A server that polls `<directory>/<name>` sees a complete version or none, and the
highest version is that of the latest day, whenever it was published.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.publisher.card_files import write_card
from components.publisher.model_card import Card
from components.publisher.model_card import Event
from components.publisher.model_card import of_version
from models import durable_files
from models.artifact_files import LINEAGE_FILE
from models.artifact_files import SAVED_MODEL_FILE
from models.artifact_files import WARMUP_FILE
from models.days import to_date
from models.errors import DataError

_ATTEMPTS = 100


def version_of(day: int, attempt: int) -> int:
    """Returns the version of a day's attempt.

    Example:
        >>> version_of(17897, 0)
        2019010100
    """
    return int(f"{to_date(day):%Y%m%d}") * _ATTEMPTS + attempt


def next_version(day: int, taken: Iterable[int]) -> int:
    """Returns the version of the day's next attempt.

    Args:
        day: The model's day, days since 1970-01-01.
        taken: Versions that exist.

    Raises:
        DataError: All attempts of the day are used.
    """
    first = version_of(day, 0)
    last = max((v for v in taken if first <= v < first + _ATTEMPTS), default=first - 1)
    if last + 1 == first + _ATTEMPTS:
        raise DataError(
            f"{to_date(day)} has {_ATTEMPTS} published attempts already, the newest "
            f"being version {last}; remove old versions of that day"
        )
    return last + 1


# As a number is written, so that its folder is found by it.
_VERSION = re.compile(r"[1-9][0-9]{0,18}")
_WAY_BACK = (
    "restore it from a backup, or remove this version's folder and publish another one "
    "with `crossctr promote`"
)


def versions_in(folder: Path) -> list[int]:
    """Returns the versions in a model's folder, ascending."""
    if not folder.is_dir():
        return []
    return sorted(
        int(path.name)
        for path in folder.iterdir()
        if _VERSION.fullmatch(path.name) and path.is_dir()
    )


def holds_model(version: Path) -> bool:
    """Returns whether a version's folder has a SavedModel in it."""
    return (version / SAVED_MODEL_FILE).is_file()


def publish(
    source: Path,
    folder: Path,
    day: int,
    lineage: dict[str, Any],
    card: Card,
    events: Sequence[Event],
    warmup: Path | None = None,
) -> Path:
    """Copies a SavedModel to its version folder.

    A killed attempt leaves nothing that a server would load, and a repeated command
    finds the version written before.

    Args:
        source: The SavedModel.
        folder: The model's folder, `<directory>/<name>`.
        day: The model's day.
        lineage: Inputs of the model, written beside it; a model whose
            `model_fingerprint` is published already is not copied again.
        card: Card of the judged model, which is written beside it, too.
        events: Events for the card, see `of_version`.
        warmup: Requests that TF Serving replays when it loads the version, if any.

    Returns:
        The version's folder.

    Raises:
        StorageError: `folder` cannot be written: full, read-only or another user's.
    """
    versions = versions_in(folder)
    for version in versions:
        known = lineage_of(folder / str(version))
        if known.get("model_fingerprint") == lineage["model_fingerprint"]:
            return folder / str(version)
    version = next_version(day, versions)
    # With a leading dot the folder is no version until it is complete.
    temporary = folder / f".{version}.writing"
    if temporary.exists():
        shutil.rmtree(temporary)
    durable_files.copy_tree(source, temporary)
    path = temporary / LINEAGE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    if warmup is not None:
        durable_files.write_bytes(temporary / WARMUP_FILE, warmup.read_bytes())
    text = json.dumps({"version": version, **lineage}, indent=1)
    durable_files.write_text(path, text + "\n")
    write_card(temporary, of_version(card, version, events))
    return durable_files.move_folder(temporary, folder / str(version))


def lineage_of(version: Path) -> dict[str, Any]:
    """Returns the inputs of a version's model; empty if they are not stored.

    Raises:
        DataError: The stored inputs cannot be read.
    """
    path = version / LINEAGE_FILE
    if not path.is_file():
        return {}
    try:
        lineage: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}; {_WAY_BACK}") from error
    decision = lineage.get("decision", {}) if isinstance(lineage, dict) else None
    if not isinstance(decision, dict):
        raise DataError(
            f"{path} is not what a publication writes: expected an object whose "
            f"`decision` is one, too; {_WAY_BACK}"
        )
    return lineage


def superfluous(versions: Sequence[int], keep: int, in_use: Iterable[int]) -> list[int]:
    """Returns the versions to remove, oldest first.

    Args:
        versions: All versions, ascending.
        keep: Number of newest versions to keep.
        in_use: Loaded versions, which are kept too.
    """
    used = set(in_use)
    return [version for version in versions[:-keep] if version not in used]


def remove(folder: Path, version: int) -> None:
    """Removes a version; a server sees it complete or not at all."""
    leaving = folder / f".{version}.removing"
    (folder / str(version)).rename(leaving)
    shutil.rmtree(leaving)


def clear_leftovers(folder: Path) -> None:
    """Removes incomplete versions that killed commands left behind.

    No other process may write into `folder`.
    """
    for ending in ("writing", "removing"):
        for left in folder.glob(f".*.{ending}"):
            shutil.rmtree(left)
