"""Folders of artifacts that a killed command began and ML Metadata does not know."""

from __future__ import annotations

from pathlib import Path

from pipeline.store.lineage import makers
from pipeline.store.reader import Store


def known_folders(root: Path, store: Store) -> set[Path]:
    """Returns the folders of all artifacts, and the folders around them.

    Empty if the metadata is not this root's, so that it cannot say what is left over.

    Args:
        root: The configuration's `root`.
        store: Its store.
    """
    known = {Path(artifact.uri) for artifact, _ in makers(store)}
    known |= {parent for path in known for parent in path.parents}
    return known if root / "artifacts" in known else set()


def unfinished_folders(root: Path, known: set[Path]) -> list[Path]:
    """Returns the artifact folders that hold files and were never finished.

    Args:
        root: The configuration's `root`.
        known: See `known_folders`.
    """
    artifacts = root / "artifacts"
    if not known:
        return []
    return [
        folder
        for folder in sorted(artifacts.glob("*/*/*"))
        if folder.relative_to(artifacts).parts[1] != ".system"
        and folder.is_dir()
        and folder not in known
        and folder.name.isdigit()
        and any(path.is_file() for path in folder.rglob("*"))
    ]
