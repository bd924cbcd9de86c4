"""Hash of Python sources; results are recomputed when the code changes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from models.short_hash import short_hash


def hash_of_sources(*names: str) -> str:
    """Returns a short hash of all Python files of packages or modules.

    Args:
        names: Top-level packages or modules; they need not be imported.
    """
    contents: list[bytes] = []
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        if spec.submodule_search_locations is None and spec.origin is not None:
            contents.append(Path(spec.origin).read_bytes())
        for folder in spec.submodule_search_locations or ():
            for path in sorted(Path(folder).rglob("*.py")):
                contents.append(path.relative_to(folder).as_posix().encode())
                contents.append(path.read_bytes())
    return short_hash(b"".join(contents))
