"""Virtual environments of the peers, which `make` sets up from the lists here."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_of(peers: str) -> str:
    """Returns the interpreter of `deepctr`, `polars` or `torch`."""
    return str(ROOT / f".venv-peer-{peers}" / "bin" / "python")


def script_of(name: str) -> str:
    """Returns the path of a script of this folder."""
    return str(Path(__file__).with_name(name))
