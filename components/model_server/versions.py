"""Loaded versions of a model, and the requests that still use one."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.publisher.labels import Labels
from components.publisher.labels import is_taken_offline
from components.publisher.labels import labels_in
from components.publisher.logic import versions_in
from models.serving.saved_scorer import SavedScorer

_log = logging.getLogger("crossctr.serve")


class NoSuchVersionError(LookupError):
    """A request names a version or label that is not loaded."""


class Loaded:
    """A loaded version, and the requests that it is answering."""

    def __init__(self, version: int, folder: Path) -> None:
        """Loads the version."""
        self.version = version
        self.scorer = SavedScorer(folder)
        self.users = 0
        self.retired = False


class ModelVersions:
    """The versions of one model that a server answers from.

    A new version is loaded beside the old ones and taken up when it is whole; one that
    is no longer wanted is closed after its last request. A request is answered by one
    version from beginning to end.

    Attributes:
        name: The model's name.
        failed: Versions that could not be loaded, with the reason.
    """

    def __init__(self, folder: Path) -> None:
        """Remembers the folder; `refresh` loads.

        Args:
            folder: `<directory>/<name>`, with a folder for each version.
                `<directory>/models.config` says which are loaded (`labels`).
        """
        self.name = folder.name
        self.failed: dict[int, str] = {}
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: dict[int, Loaded] = {}
        self._labels: Labels | None = None

    def refresh(self) -> None:
        """Loads and drops versions until they are those that are wanted."""
        there = versions_in(self._folder)
        labels = labels_in(self._folder.parent, self.name, there)
        offline = is_taken_offline(self._folder.parent, self.name, there)
        wanted = [v for v in there if labels is not None and v in labels.loaded]
        for version in wanted:
            if version not in self._loaded and version not in self.failed:
                self._load(version)
        with self._lock:
            # Together: no request sees a label without its version.
            self._labels = labels
            dropped = [v for v in self._loaded if v not in wanted]
            if len(dropped) == len(self._loaded) and not offline:
                dropped = []  # what was published last goes on answering
            gone = [self._loaded.pop(version) for version in dropped]
            for loaded in gone:
                loaded.retired = True
            idle = [loaded for loaded in gone if loaded.users == 0]
        for loaded in idle:
            self._close(loaded)

    def _load(self, version: int) -> None:
        try:
            loaded = Loaded(version, self._folder / str(version))
        except Exception as error:  # noqa: BLE001 (TensorFlow raises what it likes)
            self.failed[version] = str(error)
            _log.exception(f"{self.name} version {version} cannot be loaded")
            return
        with self._lock:
            self._loaded[version] = loaded
        _log.info(f"{self.name} version {version} is loaded")

    def _close(self, loaded: Loaded) -> None:
        loaded.scorer.close()
        _log.info(f"{self.name} version {loaded.version} is unloaded")

    @property
    def loaded(self) -> list[int]:
        """The versions that answer, ascending."""
        with self._lock:
            return sorted(self._loaded)

    @property
    def labels(self) -> dict[str, int]:
        """The versions by label, as far as they are loaded."""
        with self._lock:
            named = self._labels.by_name() if self._labels else {}
            return {label: v for label, v in named.items() if v in self._loaded}

    @contextlib.contextmanager
    def use(self, version: int | None = None, label: str = "") -> Iterator[Loaded]:
        """Gives a loaded version and keeps it loaded meanwhile.

        Args:
            version: The one that is wanted; None for the highest.
            label: Its label instead, such as `stable`.

        Raises:
            NoSuchVersionError: It is not loaded.
        """
        with self._lock:
            loaded = self._loaded[self._find(version, label)]
            loaded.users += 1
        try:
            yield loaded
        finally:
            with self._lock:
                loaded.users -= 1
                last = loaded.retired and loaded.users == 0
            if last:
                self._close(loaded)

    def _find(self, version: int | None, label: str) -> int:
        if not self._loaded:
            raise NoSuchVersionError(f"no version of {self.name!r} is loaded")
        versions = ", ".join(str(v) for v in sorted(self._loaded))
        if label:
            named: dict[str, Any] = self._labels.by_name() if self._labels else {}
            if named.get(label) not in self._loaded:
                known = ", ".join(sorted(named)) or "none"
                raise NoSuchVersionError(
                    f"{self.name!r} has no loaded version labelled {label!r}; labels: "
                    f"{known}; loaded: {versions}"
                )
            return int(named[label])
        if version is None:
            return max(self._loaded)
        if version not in self._loaded:
            raise NoSuchVersionError(
                f"{self.name!r} has no loaded version {version}; loaded: {versions}"
            )
        return version

    def close(self) -> None:
        """Unloads everything; no request may be running."""
        for loaded in self._loaded.values():
            loaded.scorer.close()
        self._loaded = {}
