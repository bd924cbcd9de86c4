"""JSON files of artifacts, and the folders of pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.errors import DataError


def run_folder(root: Path, days: str) -> Path:
    """Returns the folder of the page of a day, or of a range of days."""
    return root / "reports" / days


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file, or None if there is no such file.

    Raises:
        DataError: The file is not valid JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{str(path)!r} is not valid JSON ({error}); run the day again to replace "
            "it"
        ) from error
