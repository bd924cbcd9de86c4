"""Labels of model versions, in TF Serving's `<directory>/models.config`.

    stable    answers requests; clients can request it by this label
    canary    a newer version that receives part of the requests, if any
    (none)    the version before the stable one stays loaded for an instant rollback

A request without a label goes to the highest loaded version: the stable one if there is
no canary.

The file is TF Serving's own (`ModelServerConfig` as text), has an entry for each model
of the directory and is replaced by a rename, so that a polling server never reads an
incomplete file.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from models import durable_files
from models.errors import DataError

LABELS_FILE = "models.config"
_LOCK_FILE = ".models.config.lock"
STABLE, CANARY = "stable", "canary"

_WAY_BACK = (
    "Restore it from a backup; or remove it and label a version with `crossctr promote "
    "CONFIG --day D --reason WHY` for every model of this directory, which writes it "
    "anew"
)

_HEADER = """\
# Written by crossctr with every version that is published, promoted or rolled back.
# tensorflow_model_server --model_config_file=... polls it with
# --model_config_file_poll_wait_seconds=10.
"""


@dataclass(frozen=True)
class Labels:
    """Versions of a model that a server loads.

    Attributes:
        stable: The version that answers requests.
        canary: A newer version on trial, if any.
        previous: The version before the stable one, if any.
    """

    stable: int
    canary: int | None = None
    previous: int | None = None

    @property
    def loaded(self) -> tuple[int, ...]:
        """All loaded versions, ascending."""
        versions = {self.stable, self.canary, self.previous} - {None}
        return tuple(sorted(v for v in versions if v is not None))

    def by_name(self) -> dict[str, int]:
        """Returns the versions by label."""
        named = {STABLE: self.stable}
        return named if self.canary is None else {**named, CANARY: self.canary}


def published(labels: Labels | None, version: int, *, as_canary: bool) -> Labels:
    """Returns the labels after the publication of a version.

    A version below the stable one changes nothing, so that a backfilled or retrained
    day is never promoted automatically. The first version is always stable.
    """
    if labels is None:
        return Labels(stable=version)
    if version < labels.stable:
        return labels
    if as_canary and version != labels.stable:
        return Labels(labels.stable, version, labels.previous)
    return promoted(labels, version)


def promoted(labels: Labels | None, version: int) -> Labels:
    """Returns the labels after the promotion of any version to the stable one.

    The former stable version stays loaded if it is lower, because requests without a
    label go to the highest loaded version.
    """
    if labels is None:
        return Labels(stable=version)
    canary = labels.canary if (labels.canary or 0) > version else None
    if version == labels.stable:
        return Labels(version, canary, labels.previous)
    below = [v for v in (labels.stable, labels.previous) if v and v < version]
    return Labels(version, canary, below[0] if below else None)


def without(labels: Labels | None, version: int, left: Sequence[int]) -> Labels | None:
    """Returns the labels after the withdrawal of a version.

    Args:
        labels: The labels before.
        version: The withdrawn version.
        left: The remaining versions, ascending.

    Returns:
        Labels in which the stable version, if withdrawn, is replaced by the highest
        remaining one below it; None without remaining versions.
    """
    if labels is None or not left:
        return None
    canary = None if labels.canary == version else labels.canary
    stable, previous = labels.stable, labels.previous
    if previous not in left:
        previous = None
    if stable == version:
        below = [v for v in left if v < version and v != canary]
        stable = previous or (below[-1] if below else left[-1])
        previous = None
    if previous is None:
        below = [v for v in left if v < stable and v != canary]
        previous = below[-1] if below else None
    if canary == stable:
        canary = None
    return Labels(stable, canary, previous)


def read_labels(directory: Path, name: str) -> Labels | None:
    """Returns a model's labels; None if the file has no entry for it.

    Raises:
        DataError: The file cannot be read as TF Serving reads it.
    """
    for entry in _read(directory).model_config_list.config:
        if entry.name == name:
            versions = list(entry.model_version_policy.specific.versions)
            named = dict(entry.version_labels)
            if STABLE not in named:
                return None
            stable, canary = named[STABLE], named.get(CANARY)
            rest = [v for v in versions if v not in (stable, canary)]
            return Labels(stable, canary, rest[-1] if rest else None)
    return None


def labels_in(directory: Path, name: str, versions: Sequence[int]) -> Labels | None:
    """Returns a model's labels, also for versions older than the file.

    Args:
        directory: Folder with a subfolder per model.
        name: Name of the model.
        versions: The published versions, ascending.

    Returns:
        The entry's labels; without an entry, labels with the highest version as the
        stable one; None without versions.
    """
    known = read_labels(directory, name)
    if known is not None or not versions:
        return known
    return Labels(versions[-1], None, versions[-2] if len(versions) > 1 else None)


def is_taken_offline(directory: Path, name: str, versions: Sequence[int]) -> bool:
    """Returns whether servers must load no version of a model.

    True after the withdrawal of the only version; False if neither versions nor
    `models.config` are visible, as with a lost mount, or if no labels were written yet.

    Args:
        directory: Folder with a subfolder per model.
        name: Name of the model.
        versions: The versions that are published.
    """
    has_labels = (directory / LABELS_FILE).is_file()
    return has_labels and not versions and read_labels(directory, name) is None


def write_labels(
    directory: Path, name: str, labels: Labels | None, server_path: str
) -> Path:
    """Writes a model's entry and keeps the others.

    Args:
        directory: Folder with a subfolder per model.
        name: Name of the model.
        labels: Labels of the entry; None removes it.
        server_path: Path under which the server sees `directory`.

    Returns:
        The file.
    """
    config = _read(directory)
    others = [e for e in config.model_config_list.config if e.name != name]
    del config.model_config_list.config[:]
    # A file without models must contain an empty list: TF Serving rejects an empty
    # file, and a withdrawn version would go on answering.
    config.model_config_list.SetInParent()
    config.model_config_list.config.extend(others)
    if labels is not None:
        entry = config.model_config_list.config.add(
            name=name,
            base_path=f"{server_path.rstrip('/')}/{name}",
            model_platform="tensorflow",
        )
        entry.model_version_policy.specific.versions.extend(labels.loaded)
        for label, version in labels.by_name().items():
            entry.version_labels[label] = version
    path = directory / LABELS_FILE
    durable_files.write_text(path, _HEADER + text_format.MessageToString(config))
    return path


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Locks the versions and labels in `directory` against other commands.

    Pipelines with different roots may publish into one directory and share its file of
    labels. The operating system releases the lock when the process ends.

    Raises:
        StorageError: The directory cannot be written.
    """
    with durable_files.naming(directory):
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / _LOCK_FILE).open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(directory: Path) -> Any:
    # Imported late: the protos take a second, and `crossctr --help` needs none.
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    path = directory / LABELS_FILE
    if not path.exists():
        return ModelServerConfig()
    try:
        config = text_format.Parse(path.read_text("utf-8"), ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError, OSError) as error:
        raise DataError(
            f"{path} is not a ModelServerConfig: {error}. {_WAY_BACK}"
        ) from error
    # Even without models the file contains the list, see `write_labels`.
    if config.WhichOneof("config") is None:
        raise DataError(
            f"{path} is empty ({path.stat().st_size} bytes), so which version is "
            f"stable is not known; expected a model_config_list. {_WAY_BACK}"
        )
    return config
