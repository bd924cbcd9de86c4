"""`<directory>/models.config`: which versions TF Serving loads, and their labels.

    stable    answers; what a client asks for by this label
    canary    a newer version that a part of the requests is sent to, if any
    (none)    the version before the stable one stays loaded: the way back costs nothing

A request without a label goes to the highest version that is loaded: to the stable one
while there is no canary.

The file is TF Serving's own (`ModelServerConfig` as text), has an entry for each model
of the directory and is replaced by a rename, so that a server that polls it never reads
half of it.
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
    """The versions of a model that a server loads.

    Attributes:
        stable: The one that answers.
        canary: A newer one on trial, if any.
        previous: The one before the stable one, if any.
    """

    stable: int
    canary: int | None = None
    previous: int | None = None

    @property
    def loaded(self) -> tuple[int, ...]:
        """All of them, ascending."""
        versions = {self.stable, self.canary, self.previous} - {None}
        return tuple(sorted(v for v in versions if v is not None))

    def by_name(self) -> dict[str, int]:
        """Returns version by label."""
        named = {STABLE: self.stable}
        return named if self.canary is None else {**named, CANARY: self.canary}


def published(labels: Labels | None, version: int, *, as_canary: bool) -> Labels:
    """Returns the labels after a new version was published.

    A version below the stable one changes nothing: a day that is backfilled or trained
    again never takes over by itself. The first version of all is stable in any case.
    """
    if labels is None:
        return Labels(stable=version)
    if version < labels.stable:
        return labels
    if as_canary and version != labels.stable:
        return Labels(labels.stable, version, labels.previous)
    return promoted(labels, version)


def promoted(labels: Labels | None, version: int) -> Labels:
    """Returns the labels after a version was made the stable one, whichever it is.

    The former stable version stays loaded if it is lower: requests without a label go
    to the highest version that is loaded.
    """
    if labels is None:
        return Labels(stable=version)
    canary = labels.canary if (labels.canary or 0) > version else None
    if version == labels.stable:
        return Labels(version, canary, labels.previous)
    below = [v for v in (labels.stable, labels.previous) if v and v < version]
    return Labels(version, canary, below[0] if below else None)


def without(labels: Labels | None, version: int, left: Sequence[int]) -> Labels | None:
    """Returns the labels after a version was withdrawn.

    Args:
        labels: Those before.
        version: The one that is gone.
        left: The versions that are left, ascending.

    Returns:
        The stable version falls back to the one before it, which is the highest one
        below it that is left; None if nothing is.
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
    """Returns a model's labels; None if the file does not speak of it.

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
    """Returns a model's labels, also of versions of before there was the file.

    Args:
        directory: The folder with a folder for each model.
        name: The model.
        versions: The versions that are published, ascending.

    Returns:
        Without an entry, the highest version is the stable one; None if nothing is
        published.
    """
    known = read_labels(directory, name)
    if known is not None or not versions:
        return known
    return Labels(versions[-1], None, versions[-2] if len(versions) > 1 else None)


def nothing_is_wanted(directory: Path, name: str, versions: Sequence[int]) -> bool:
    """Returns whether a server is told to load no version of a model at all.

    True once its only version was withdrawn; false where neither versions nor
    `models.config` can be seen, as when a mount is gone, or where nobody has written
    labels yet.

    Args:
        directory: The folder with a folder for each model.
        name: The model.
        versions: The versions that are published.
    """
    there = (directory / LABELS_FILE).is_file()
    return there and not versions and read_labels(directory, name) is None


def write_labels(
    directory: Path, name: str, labels: Labels | None, server_path: str
) -> Path:
    """Writes a model's entry and leaves the others as they are.

    Args:
        directory: The folder with a folder for each model.
        name: The model.
        labels: What its entry says; None takes it out.
        server_path: Where the server sees `directory`.

    Returns:
        The file.
    """
    config = _read(directory)
    others = [e for e in config.model_config_list.config if e.name != name]
    del config.model_config_list.config[:]
    # A file without models must say so: TF Serving refuses one that says nothing, and
    # what was withdrawn would go on answering.
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
    """Waits until no other command changes versions or labels in `directory`.

    Pipelines with roots of their own may publish in one directory, whose file of labels
    is theirs together. The operating system lets go of the lock when the process ends.

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
    # Late: its protos cost a second, and `crossctr --help` needs none.
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    path = directory / LABELS_FILE
    if not path.is_file():
        return ModelServerConfig()
    try:
        config = text_format.Parse(path.read_text("utf-8"), ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is no ModelServerConfig: {error}. {_WAY_BACK}"
        ) from error
    # Written without a model, too, it names the list: see `write_labels`.
    if config.WhichOneof("config") is None:
        raise DataError(
            f"{path} says nothing ({path.stat().st_size} bytes), so which version is "
            f"stable is not known; expected a model_config_list. {_WAY_BACK}"
        )
    return config
