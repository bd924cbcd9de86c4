"""A version comes, is chosen or goes: the folders and their labels together.

The folder comes first, then the labels: a server is never told to load what is not
there. What is removed goes the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.publisher import labels
from components.publisher.labels import Labels
from components.publisher.logic import clear_leftovers
from components.publisher.logic import lineage_of
from components.publisher.logic import publish
from components.publisher.logic import remove
from components.publisher.logic import superfluous
from components.publisher.logic import versions_in
from models import durable_files

# The leading dot keeps servers from taking it for a version.
WITHDRAWN_FOLDER = ".withdrawn"


@dataclass(frozen=True)
class Release:
    """What `release` came to.

    Attributes:
        path: Version folder.
        labels: What servers are told from now on.
        removed: Old versions that were removed.
    """

    path: Path
    labels: Labels
    removed: tuple[int, ...]


@dataclass(frozen=True)
class Shelf:
    """Where a model's versions are, and how they are handled.

    Attributes:
        directory: The folder with a folder for each model.
        name: The model.
        server_path: Where servers see `directory`.
        keep: How many versions stay, at least.
    """

    directory: Path
    name: str
    server_path: str
    keep: int

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return self.directory / self.name

    def labels(self) -> Labels | None:
        """Returns the labels."""
        return labels.labels_in(self.directory, self.name, versions_in(self.folder))

    def release(
        self,
        source: Path,
        day: int,
        lineage: dict[str, Any],
        *,
        warmup: Path | None = None,
        as_canary: bool = False,
        force: bool = False,
    ) -> Release:
        """Publishes a model as the day's next version.

        Args:
            source: The SavedModel.
            day: The model's day, days since 1970-01-01.
            lineage: What it is made from.
            warmup: Requests that TF Serving replays when it loads it, if any.
            as_canary: Whether it gets the label `canary` instead of `stable`.
            force: Whether it becomes the stable one even if a later day's model is.
        """
        with labels.alone_in(self.directory):
            clear_leftovers(self.folder)
            before = self.labels()
            path = publish(source, self.folder, day, lineage, warmup)
            version = int(path.name)
            if force and not as_canary:
                after = labels.promoted(before, version)
            else:
                after = labels.published(before, version, as_canary=as_canary)
            self.write(after)
            removed = superfluous(versions_in(self.folder), self.keep, after.loaded)
            for old in removed:
                remove(self.folder, old)
        return Release(path, after, tuple(removed))

    def withdraw(self, version: int, when: str, after: Labels | None) -> Path:
        """Takes a version away from servers and keeps its files.

        The caller holds `labels.alone_in`, under which it has decided on `after`.

        Args:
            version: The version.
            when: Time in UTC, ISO 8601, which makes the kept folder's name unique.
            after: What servers are told from now on; None for no version at all.

        Returns:
            Where its files are now.
        """
        kept = self.withdrawn_folder(version, when)
        with durable_files.naming(self.folder):
            kept.parent.mkdir(exist_ok=True)
        # First: a server is not to be told to load what is gone.
        self.write(after)
        return durable_files.move_folder(self.folder / str(version), kept)

    def withdrawn_folder(self, version: int, when: str) -> Path:
        """Returns where the files of a version are once it was withdrawn."""
        stamp = "".join(letter for letter in when if letter.isdigit())
        return self.folder / WITHDRAWN_FOLDER / f"{version}-{stamp}"

    def withdrawn(self, model_fingerprint: str) -> int | None:
        """Returns the version as which this very model was withdrawn.

        None if it was not, or if it has been published again since.
        """

        def holds(path: Path) -> bool:
            return lineage_of(path).get("model_fingerprint") == model_fingerprint

        if any(holds(self.folder / str(v)) for v in versions_in(self.folder)):
            return None
        kept = self.folder / WITHDRAWN_FOLDER
        folders = kept.iterdir() if kept.is_dir() else ()
        versions = [int(path.name.partition("-")[0]) for path in folders if holds(path)]
        return max(versions, default=None)

    def write(self, after: Labels | None) -> None:
        """Tells servers what to load."""
        labels.write_labels(self.directory, self.name, after, self.server_path)


def describe(release: Release) -> str:
    """Says in words what servers are told."""
    version = int(release.path.name)
    words = [
        f"{label} is {number}" for label, number in release.labels.by_name().items()
    ]
    if version not in release.labels.loaded:
        words.append(f"{version} is of an earlier day and is not loaded")
    if release.removed:
        words.append(f"removed {', '.join(map(str, release.removed))}")
    return "; ".join(words)
