"""Releases of versions: published, withdrawn and labelled, folders and labels together.

The folder is written before the labels, so that a server is never told to load a
missing version; a removal happens in the opposite order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.publisher import labels
from components.publisher.card_files import card_of
from components.publisher.labels import Labels
from components.publisher.logic import clear_leftovers
from components.publisher.logic import lineage_of
from components.publisher.logic import publish
from components.publisher.logic import remove
from components.publisher.logic import superfluous
from components.publisher.logic import versions_in
from components.publisher.model_card import Card
from components.publisher.model_card import Event
from models import durable_files

# With a leading dot servers do not take the folder for a version.
WITHDRAWN_FOLDER = ".withdrawn"


@dataclass(frozen=True)
class Release:
    """Result of a release.

    Attributes:
        path: Folder of the version.
        labels: The new labels.
        removed: Old versions that were removed.
    """

    path: Path
    labels: Labels
    removed: tuple[int, ...]


@dataclass(frozen=True)
class ModelRepository:
    """Published versions of a model, with their labels.

    Attributes:
        directory: Folder with a subfolder per model.
        name: Name of the model.
        server_path: Path under which servers see `directory`.
        keep: Smallest number of versions that are kept.
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
        """Returns the current labels; None without versions."""
        return labels.labels_in(self.directory, self.name, versions_in(self.folder))

    def release(
        self,
        source: Path,
        day: int,
        lineage: dict[str, Any],
        card: Card,
        events: Sequence[Event],
        *,
        warmup: Path | None = None,
        as_canary: bool = False,
        force: bool = False,
    ) -> Release:
        """Publishes a model as the day's next version.

        Args:
            source: The SavedModel.
            day: The model's day, days since 1970-01-01.
            lineage: Inputs of the model.
            card: Card of the judged model.
            events: Events of the model so far, the publication last.
            warmup: Requests that TF Serving replays when it loads the version, if any.
            as_canary: Whether the version gets the label `canary` instead of `stable`.
            force: Whether the version becomes stable even if the stable one is of a
                later day.
        """
        with labels.alone_in(self.directory):
            clear_leftovers(self.folder)
            before = self.labels()
            path = publish(source, self.folder, day, lineage, card, events, warmup)
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
        """Withdraws a version from servers and keeps its files.

        The caller holds `labels.alone_in`, and has held it since it determined `after`.

        Args:
            version: The version.
            when: Time in UTC, ISO 8601, which makes the kept folder's name unique.
            after: The new labels; None for no version.

        Returns:
            The folder of its files.
        """
        kept = self.withdrawn_folder(version, when)
        with durable_files.naming(self.folder):
            kept.parent.mkdir(exist_ok=True)
        # Written first, so that no server is told to load a missing version.
        self.write(after)
        return durable_files.move_folder(self.folder / str(version), kept)

    def withdrawn_folder(self, version: int, when: str) -> Path:
        """Returns where the files of a version are once it was withdrawn."""
        stamp = "".join(letter for letter in when if letter.isdigit())
        return self.folder / WITHDRAWN_FOLDER / f"{version}-{stamp}"

    def withdrawn(self, model_fingerprint: str) -> int | None:
        """Returns the version under which a model was withdrawn.

        None if it was not withdrawn, or has been published again since.
        """

        def holds(path: Path) -> bool:
            return lineage_of(path).get("model_fingerprint") == model_fingerprint

        if any(holds(self.folder / str(v)) for v in versions_in(self.folder)):
            return None
        folders = [path for path in self._withdrawn_folders() if holds(path)]
        return _version_withdrawn(folders[-1]) if folders else None

    def former_events(self, model_fingerprint: str) -> list[Event]:
        """Returns the events of a model's withdrawn versions, oldest first."""
        return [
            Event(**event)
            for path in self._withdrawn_folders()
            if lineage_of(path).get("model_fingerprint") == model_fingerprint
            for event in (card_of(path) or {"events": ()})["events"]
        ]

    def _withdrawn_folders(self) -> list[Path]:
        """Returns the folders of withdrawn versions, by version and time."""
        kept = self.folder / WITHDRAWN_FOLDER
        return sorted(kept.iterdir()) if kept.is_dir() else []

    def write(self, after: Labels | None) -> None:
        """Writes the labels, which servers follow."""
        labels.write_labels(self.directory, self.name, after, self.server_path)


def _version_withdrawn(folder: Path) -> int:
    return int(folder.name.partition("-")[0])


def describe(release: Release) -> str:
    """Returns a sentence about the labels after a release."""
    version = int(release.path.name)
    words = [
        f"{label} is {number}" for label, number in release.labels.by_name().items()
    ]
    if version not in release.labels.loaded:
        words.append(f"{version} is of an earlier day and is not loaded")
    if release.removed:
        words.append(f"removed {', '.join(map(str, release.removed))}")
    return "; ".join(words)
