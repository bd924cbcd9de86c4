"""A Vocabulary artifact on disk, as the component leaves it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from models.artifact_files import NUMBERS_FILE
from models.statistics_files import write_statistics


def write_ids(folder: Path, **content: bytes) -> None:
    """Writes the files of ids of some spaces and what `vocabulary.json` says of them.

    No number has statistics unless `write_statistics` has written some before.

    Args:
        folder: The artifact; what it holds of other spaces stays.
        **content: By space, one id a line.
    """
    summary = folder / "vocabulary.json"
    known = json.loads(summary.read_text()) if summary.exists() else {}
    for space, ids in content.items():
        (folder / f"{space}.txt").write_bytes(ids)
        known[space] = {
            "encoding": "append_only",
            "ids": ids.count(b"\n"),
            "hash": hashlib.sha256(ids).hexdigest()[:16],
        }
    summary.write_text(json.dumps(known))
    if not (folder / NUMBERS_FILE).exists():
        write_statistics(folder, {})
