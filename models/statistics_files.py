"""File of the numbers' frozen statistics in a Vocabulary artifact.

`numbers.json` holds the statistics by feature, and their hash, which is verified
whenever they are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import durable_files
from models.artifact_files import NUMBERS_FILE
from models.features.number_statistics import NumberStatistics
from models.short_hash import short_hash
from models.vocabulary_files import damaged


def write_statistics(
    folder: str | Path, statistics: Mapping[str, NumberStatistics]
) -> None:
    """Writes statistics by feature into the artifact in `folder`."""
    content = {name: found.model_dump() for name, found in sorted(statistics.items())}
    text = json.dumps({"statistics": content, "hash": _hash_of(content)}, indent=1)
    durable_files.write_text(Path(folder) / NUMBERS_FILE, text)


def read_statistics(folder: str | Path) -> dict[str, NumberStatistics]:
    """Returns the statistics by feature of the artifact in `folder`.

    Raises:
        DataError: The file is missing or is not what was written.
    """
    try:
        content = json.loads((Path(folder) / NUMBERS_FILE).read_bytes())
    except FileNotFoundError as error:
        raise damaged(folder, f"{NUMBERS_FILE} is missing") from error
    except ValueError as error:
        raise damaged(folder, f"{NUMBERS_FILE} is not JSON ({error})") from error
    known = content.get("statistics") if isinstance(content, dict) else None
    if not isinstance(known, dict) or _hash_of(known) != content.get("hash"):
        raise damaged(folder, f"{NUMBERS_FILE} is not the file that was written")
    return {
        name: NumberStatistics.model_validate(found) for name, found in known.items()
    }


def _hash_of(content: Mapping[str, Any]) -> str:
    return short_hash(json.dumps(content, sort_keys=True).encode())
