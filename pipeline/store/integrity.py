"""Checks that what was stored is still there: a loss does not pass for a first run."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from components.publisher.labels import LABELS_FILE
from components.publisher.labels import read_labels
from components.publisher.logic import holds_model
from components.publisher.logic import versions_in
from models.errors import DataError
from models.errors import listed
from models.statistics_files import read_statistics
from models.vocabulary_files import check_vocabulary
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.metadata import RESTORE
from pipeline.store.metadata import SQLITE
from pipeline.store.reader import METADATA_FILE
from pipeline.store.reader import REMOVED
from pipeline.store.reader import Store
from pipeline.store.reader import Stored

_VOCABULARY = "Vocabulary"
# What later steps, the Gate and the page read of a step's results.
_READ = (
    "Examples",
    "ExampleStatistics",
    _VOCABULARY,
    "TransformGraph",
    "EmbeddingSnapshot",
    "Model",
    "GateDecision",
)
_REPUBLISH = (
    "restore it from a backup, or publish the model of a day again with "
    "`crossctr promote CONFIG --day D --reason WHY`"
)
_SQLITE_MAGIC = b"SQLite format 3\0"


def refuse_lost_metadata(store: Store) -> None:
    """Raises if SQLite's file is missing, empty or cut off although runs wrote to it.

    Raises:
        DataError: It is.
    """
    if store.metadata != SQLITE:
        return
    path = store.root / METADATA_FILE
    if path.exists() and not path.is_file() and not path.is_dir():
        # SQLite would wait for whoever writes into a pipe.
        raise DataError(f"{str(path)!r} is a pipe or a device, not a file; {RESTORE}")
    size = path.stat().st_size if path.exists() else 0
    if not size:
        made = sorted((store.root / "artifacts").glob("*/*/[0-9]*"))
        if made:
            what = "is empty (0 bytes)" if path.exists() else "is missing"
            raise DataError(
                f"{str(path)!r} {what}, though {len(made):,} artifacts are stored, "
                f"such as {str(made[0])!r}, and it is what says what they are; "
                f"{RESTORE}"
            )
        return
    # A killed command's journal says what SQLite has to take back first.
    if path.with_name(f"{METADATA_FILE}-journal").exists():
        return
    with path.open("rb") as file:
        head = file.read(100)
    # SQLite's file format: size of a page (1 stands for 64 KiB), number of pages.
    page = int.from_bytes(head[16:18], "big")
    expected = (65_536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
    if not head.startswith(_SQLITE_MAGIC):
        raise DataError(f"{str(path)!r} is not a SQLite database; {RESTORE}")
    if size < expected:
        raise DataError(
            f"{str(path)!r} is cut off: {size:,} of {expected:,} bytes are left; "
            f"{RESTORE}"
        )


def refuse_lost_results(store: Store, steps: Sequence[Step]) -> None:
    """Raises if a plan rests on results whose files are gone or damaged.

    Args:
        store: The finished artifacts.
        steps: The plan: results of the steps that are done, and what the others read.

    Raises:
        DataError: An artifact's folder is missing or empty, or a vocabulary is not the
            one that was written.
    """
    wanted: set[str] = set()
    vocabularies: set[str] = set()
    for step in steps:
        wanted |= {step.fingerprint, step.training} if step.done else step.reads
        # The vocabulary of the last block holds all ids of those before.
        vocabularies |= {block.fingerprint for block in step.blocks[-1:]}
    done = [step for step in steps if step.kind == StepKind.INGEST and step.done]
    vocabularies |= {step.fingerprint for step in done[-1:]}
    lost = lost_artifacts(store, wanted - {""})
    if lost:
        raise DataError(
            f"{listed(stored.uri for stored in lost)} "
            f"{'is' if len(lost) == 1 else 'are'} missing or empty, and what is stored "
            "there is needed; restore the folder from a backup, or let "
            "`crossctr clean CONFIG --lost --yes` forget it and what was made with it, "
            "which the next run then makes again from the logs"
        )
    for stored in _of(store.artifacts(_VOCABULARY), vocabularies):
        check_vocabulary(stored.uri)
        read_statistics(stored.uri)


def lost_artifacts(store: Store, wanted: Collection[str] | None = None) -> list[Stored]:
    """Returns the artifacts whose folder is missing or empty.

    What `crossctr clean` has removed is not lost.

    Args:
        store: The finished artifacts.
        wanted: Fingerprints to look at; None for all.
    """
    return [
        stored
        for kind in _READ
        for stored in _of(store.artifacts(kind), wanted)
        if not _holds_files(Path(stored.uri))
    ]


def damaged_vocabularies(store: Store) -> list[Stored]:
    """Returns the vocabularies that are there and are not what was written."""
    damaged = []
    for stored in _of(store.artifacts(_VOCABULARY), None):
        if not _holds_files(Path(stored.uri)):
            continue
        try:
            check_vocabulary(stored.uri)
            read_statistics(stored.uri)
        except DataError:
            damaged.append(stored)
    return damaged


def refuse_lost_versions(config: Config, store: Store) -> None:
    """Raises if versions were published that servers no longer find.

    Raises:
        DataError: The folder of versions or the file of labels is gone, empty or
            damaged, or a version that servers are told to load is not there.
    """
    directory = config.serving.directory
    folder = directory / config.name
    known = read_labels(directory, config.name)
    pushed = [
        Path(str(stored.properties["path"]))
        for stored in store.artifacts("PublishedModel")
        if stored.properties.get("pushed")
    ]
    # Another directory's versions say nothing of this one.
    here = [path for path in pushed if path.parent.resolve() == folder.resolve()]
    versions, labels_file = versions_in(folder), directory / LABELS_FILE
    # Without versions, a file that does not name the model says that it was taken
    # offline; records of versions that newer ones have superseded stay.
    offline = not versions and known is None and labels_file.is_file()
    if not here or offline:
        return
    if not versions:
        raise DataError(
            f"{str(folder)!r} holds no version, and {here[-1].name} was published "
            f"there; {_REPUBLISH}"
        )
    if known is None:
        raise DataError(
            f"{str(labels_file)!r} does not name {config.name!r}, of which "
            f"{here[-1].name} was published; {_REPUBLISH}"
        )
    refuse_missing_versions(config)


def refuse_missing_versions(config: Config) -> None:
    """Raises if servers are told to load a version that is not there.

    Raises:
        DataError: They are, or the file of labels cannot be read.
    """
    directory = config.serving.directory
    folder = directory / config.name
    known = read_labels(directory, config.name)
    for version in known.loaded if known else ():
        if not holds_model(folder / str(version)):
            raise DataError(
                f"{str(directory / LABELS_FILE)!r} tells servers to load {version}, "
                f"and there is no SavedModel in {str(folder / str(version))!r}; "
                f"{_REPUBLISH}"
            )


def _of(found: Iterable[Stored], wanted: Collection[str] | None) -> list[Stored]:
    """Returns the artifacts with a wanted fingerprint that nobody has removed."""
    return [
        stored
        for stored in found
        if (wanted is None or stored.fingerprint in wanted)
        and not stored.properties.get(REMOVED)
    ]


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
