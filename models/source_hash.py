"""Hash of Python sources, by which a change in code makes results due again."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path


def hash_of_sources(*names: str) -> str:
    """Returns a hash of all Python files of packages or modules, 16 hex digits.

    Args:
        names: Top-level packages or modules, which need not be imported yet.
    """
    hashed = hashlib.sha256()
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        if spec.submodule_search_locations is None and spec.origin is not None:
            hashed.update(Path(spec.origin).read_bytes())
        for folder in spec.submodule_search_locations or ():
            for path in sorted(Path(folder).rglob("*.py")):
                hashed.update(path.relative_to(folder).as_posix().encode())
                hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]
