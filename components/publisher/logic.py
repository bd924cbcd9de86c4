"""Versions and the atomic copy: no TFX.

    <directory>/<name>/<version>/        version = YYYYMMDD * 100 + attempt

A server that polls `<directory>/<name>` sees a version whole or not at all, and the
highest version is that of the latest day, whenever it was made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import durable_files
from models.artifact_files import LINEAGE_FILE
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
        DataError: The day has had all its attempts.
    """
    first = version_of(day, 0)
    last = max((v for v in taken if first <= v < first + _ATTEMPTS), default=first - 1)
    if last + 1 == first + _ATTEMPTS:
        raise DataError(
            f"{to_date(day)} has {_ATTEMPTS} published attempts already, the newest "
            f"being version {last}; remove old versions of that day"
        )
    return last + 1


def versions_in(folder: Path) -> list[int]:
    """Returns the versions in a model's folder, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def publish(
    source: Path,
    folder: Path,
    day: int,
    lineage: dict[str, Any],
    warmup: Path | None = None,
) -> Path:
    """Copies a SavedModel to its version folder.

    A killed attempt leaves nothing that a server would load, and the same command
    repeated finds the version that it had written.

    Args:
        source: The SavedModel.
        folder: The model's folder, `<directory>/<name>`.
        day: The model's day.
        lineage: What the model is made from, written beside it; `model_fingerprint`
            tells whether a version holds this very model, which is not copied again.
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
    # The leading dot keeps it from being a version until it is whole.
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
    return durable_files.move_folder(temporary, folder / str(version))


def lineage_of(version: Path) -> dict[str, Any]:
    """Returns what a version was made from; nothing if it does not say.

    Raises:
        DataError: What it says cannot be read.
    """
    path = version / LINEAGE_FILE
    if not path.is_file():
        return {}
    try:
        lineage: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path} is no JSON: {error}; restore it from a backup, or remove this "
            "version's folder and publish another one with `crossctr promote`"
        ) from error
    return lineage


def superfluous(versions: Sequence[int], keep: int, in_use: Iterable[int]) -> list[int]:
    """Returns the versions that may go, oldest first.

    Args:
        versions: All of them, ascending.
        keep: How many of the newest stay.
        in_use: Those that a server is told to load, which stay, too.
    """
    used = set(in_use)
    return [version for version in versions[:-keep] if version not in used]


def remove(folder: Path, version: int) -> None:
    """Removes a version; a server sees it whole or not at all."""
    leaving = folder / f".{version}.removing"
    (folder / str(version)).rename(leaving)
    shutil.rmtree(leaving)


def clear_leftovers(folder: Path) -> None:
    """Removes what commands that were killed have left of versions.

    Nothing else may be writing in `folder`.
    """
    for ending in ("writing", "removing"):
        for left in folder.glob(f".*.{ending}"):
            shutil.rmtree(left)
