"""Rollback: withdrawal of a published version by a person, and its record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.publisher.card_files import add_event
from components.publisher.labels import Labels
from components.publisher.labels import alone_in
from components.publisher.labels import without
from components.publisher.logic import versions_in
from components.publisher.model_card import Event
from models import durable_files
from models.errors import DataError
from pipeline.config.schema import Config
from pipeline.release.promotion import Override
from pipeline.release.promotion import repository_of
from pipeline.release.promotion import set_properties
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.reader import Store
from pipeline.store.reader import Stored

# In the model's folder while a rollback runs; the leading dot hides it from servers.
_BEGUN_FILE = ".rollback.json"


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
    they unload the model. Which version goes is noted first, so that a command that was
    killed in between is finished by repeating it, and takes no other away. Then ML
    Metadata is told: the next run compares with the version that is left. The files
    move in one rename and are kept.

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
    repository = repository_of(config)
    folder = repository.folder
    versions = versions_in(folder)
    before = repository.labels()
    begun = _begun(folder)
    if begun is not None and begun[0] not in versions:
        # All was done but to say so.
        (folder / _BEGUN_FILE).unlink()
        return Withdrawal(begun[0], repository.withdrawn_folder(*begun), before)
    if not versions or before is None:
        raise DataError(
            f"nothing is published in {str(folder)!r}, so there is nothing to withdraw"
        )
    store = Store(config.root, config.metadata)
    known = _published_at(store, folder)
    version, when = begun or (before.canary or before.stable, override.when)
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
    note = json.dumps({"version": version, "when": when})
    durable_files.write_text(folder / _BEGUN_FILE, note)
    _record(store, known.get(version, []), override)
    add_event(
        folder / str(version),
        Event("withdrawn", version, when, override.who, override.why),
    )
    kept = repository.withdraw(version, when, after)
    (folder / _BEGUN_FILE).unlink()
    return Withdrawal(version, kept, after)


def _begun(folder: Path) -> tuple[int, str] | None:
    """Returns version and time of a rollback that was begun and not finished."""
    path = folder / _BEGUN_FILE
    if not path.is_file():
        return None
    try:
        note = json.loads(path.read_bytes())
        return int(note["version"]), str(note["when"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(path)!r}, the note of a rollback that was not finished, cannot be "
            f"read ({error}); look at `crossctr versions CONFIG`, remove the file, and "
            "repeat the command if the version is still there"
        ) from error


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
