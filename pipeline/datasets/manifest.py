"""Manifest of an imported log: what it was made from, and its counts of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.errors import DataError

MANIFEST_FILE = "_import.json"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of an earlier import, `None` if there is none.

    An import counts as absent if some of its day folders were removed.

    Raises:
        DataError: The manifest is damaged, or the folder has content that no import
            wrote and that a new import would delete.
    """
    if not folder.exists():
        return None
    path = folder / MANIFEST_FILE
    if not path.is_file():
        if not any(folder.iterdir()):
            return None
        raise DataError(
            f"{str(folder)!r} has no {MANIFEST_FILE}, so no import wrote it; importing "
            "would delete its content; move the folder away, or set `logs` to "
            "another one"
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); expected the manifest of an import; "
            f"remove the folder {str(folder)!r} to import it again"
        ) from error
    num_files = manifest["counts"]["num_files"]
    num_days = sum(1 for _ in folder.glob("date=*"))
    if num_days > num_files:
        raise DataError(
            f"{str(folder)!r} has {num_days:,} days, of which an import wrote "
            f"{num_files:,}; importing would delete the others; move the folder away, "
            "or set `logs` to another one"
        )
    return manifest if num_days == num_files else None


def write_manifest(
    folder: Path, origin: dict[str, Any], counts: dict[str, int]
) -> None:
    """Writes the manifest into a new log's folder."""
    text = json.dumps({"origin": origin, "counts": counts}, indent=2)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
