"""Rollback: withdrawal of a published version by a person, and its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.publisher.labels import Labels
from components.publisher.labels import alone_in
from components.publisher.labels import without
from components.publisher.logic import versions_in
from models.errors import DataError
from pipeline.config.schema import Config
from pipeline.release.promotion import Override
from pipeline.release.promotion import set_properties
from pipeline.release.promotion import shelf_of
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.reader import Store
from pipeline.store.reader import Stored


@dataclass(frozen=True)
class Withdrawal:
    """Result of `roll_back`.

    Attributes:
        version: The withdrawn version.
        kept: Folder of its files now.
        labels: The labels in `models.config`; None if no version is left to load.
    """

    version: int
    kept: Path
    labels: Labels | None


def roll_back(
    config: Config, override: Override, *, take_offline: bool = False
) -> Withdrawal:
    """Withdraws the canary or, without one, the stable version.

    Servers fall back to the stable version, or to the one before it; if none is left,
    they unload the model. ML Metadata is updated first: the next run then compares with
    the version that is left, and a command that was killed in between is completed by
    repeating it. The files move in one rename and are kept.

    Args:
        config: The configuration.
        override: Who decides, and why.
        take_offline: Whether the only version may be withdrawn.

    Raises:
        DataError: Nothing is published, or only this version and `take_offline` is not
            set.
        StorageError: The serving directory cannot be written.
    """
    refuse_lost_metadata(Store(config.root, config.metadata))
    with alone_in(config.serving.directory):
        return _roll_back(config, override, take_offline=take_offline)


def _roll_back(config: Config, override: Override, *, take_offline: bool) -> Withdrawal:
    shelf = shelf_of(config)
    folder = shelf.folder
    versions = versions_in(folder)
    before = shelf.labels()
    if not versions or before is None:
        raise DataError(
            f"nothing is published in {str(folder)!r}, so there is nothing to withdraw"
        )
    store = Store(config.root, config.metadata)
    known = _published_at(store, folder)
    # Withdrawn in ML Metadata, but still published: a command was killed in between.
    unfinished = [v for v in versions if v in known and _is_withdrawn(known[v])]
    version = unfinished[0] if unfinished else before.canary or before.stable
    if version not in versions:
        raise DataError(
            f"models.config of {str(folder.parent)!r} names version {version}, which "
            f"is not published; published: {', '.join(map(str, versions))}. Make one "
            "the stable one with `crossctr promote CONFIG --day D --reason WHY`"
        )
    left = [v for v in versions if v != version]
    if not left and not take_offline:
        raise DataError(
            f"{version} is the only version in {str(folder)!r}; without it servers "
            "unload the model and answer every request with NOT_FOUND. If that is "
            "meant, repeat the command with --take-offline; else publish another "
            "model first with `crossctr promote CONFIG --day D --reason WHY`"
        )
    after = without(before, version, left)
    _record(store, known.get(version, []), override)
    return Withdrawal(version, shelf.withdraw(version, override.when, after), after)


def _is_withdrawn(stored: Sequence[Stored]) -> bool:
    return "withdrawn_at" in stored[-1].properties


def _record(store: Store, published: Sequence[Stored], override: Override) -> None:
    """Records who withdrew a version on each of its artifacts in ML Metadata.

    Several days may share a version, as runs between two ticks of the target's clock
    evaluate the same model.
    """
    if not published:
        return
    metadata = store.connect()
    artifacts = metadata.get_artifacts_by_id([stored.id for stored in published])
    who = {"by": override.who, "at": override.when, "reason": override.why}
    for artifact in artifacts:
        set_properties(
            artifact, {f"withdrawn_{key}": text for key, text in who.items()}
        )
        set_properties(artifact, {"pushed": 0})
    metadata.put_artifacts(artifacts)


def _published_at(store: Store, folder: Path) -> dict[int, list[Stored]]:
    """Returns the artifacts of each version in ML Metadata, oldest first."""
    found: dict[int, list[Stored]] = {}
    for stored in store.artifacts("PublishedModel"):
        path = Path(str(stored.properties.get("path", "")))
        if path.name.isdigit() and path.parent.resolve() == folder.resolve():
            found.setdefault(int(path.name), []).append(stored)
    return found
