"""Check of the packages `components` and `models`: crossctr's, not another's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_HOME = Path(__file__).resolve().parents[2]


def check_own_packages() -> None:
    """Ends the process with a one-line error if another package hides one of ours.

    The names are common: a folder on PYTHONPATH or the current one may contain them.
    Nothing of the other package is imported.
    """
    for name in ("components", "models"):
        ours = _HOME / name
        spec = importlib.util.find_spec(name)
        folders = spec.submodule_search_locations if spec is not None else None
        found = [Path(folder).resolve() for folder in folders or ()]
        if ours not in found:
            file = spec.origin if spec is not None else None
            shown = found[0] if found else file or "nowhere"
            sys.exit(
                f"Wrong package: Python finds the package {name!r} in {shown}; "
                f"expected crossctr's in {ours}. Start elsewhere, take that folder off "
                "PYTHONPATH, or rename the other package"
            )
