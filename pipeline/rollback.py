"""Takes a published version away, on a person's word, and records it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.publisher.labels import Labels
from components.publisher.labels import without
from components.publisher.logic import versions_in
from models.errors import DataError
from pipeline.config import Config
from pipeline.promotion import Override
from pipeline.promotion import set_properties
from pipeline.promotion import shelf_of
from pipeline.store import Store

_NONE: dict[str, Any] = {}
# The leading dot keeps servers from taking it for a version.
WITHDRAWN_FOLDER = ".withdrawn"


@dataclass(frozen=True)
class Withdrawal:
    """What `roll_back` came to.

    Attributes:
        version: The version that was taken away.
        kept: Where its files are now.
        labels: What servers are told now.
    """

    version: int
    kept: Path
    labels: Labels


def roll_back(config: Config, override: Override) -> Withdrawal:
    """Withdraws the canary or, without one, the stable version.

    Servers fall back to the stable version, or to the one before it. ML Metadata is
    told first: the next run then compares with the version that is left, and a command
    that was killed in between is finished by repeating it. The files move in one rename
    and are kept.

    Args:
        config: The configuration.
        override: Who does it, and why.

    Raises:
        DataError: There is no other version to fall back to.
    """
    shelf = shelf_of(config)
    folder = shelf.folder
    versions = versions_in(folder)
    if len(versions) < 2:
        there = f"only {versions[0]} is" if versions else "nothing is"
        raise DataError(
            f"{there} published in {str(folder)!r}; expected an older version to fall "
            "back to. Publish one with `crossctr promote CONFIG --day D --reason WHY`"
        )
    store = Store(config.root, config.metadata)
    before = shelf.labels()
    version = versions[-1]
    if before is not None:
        version = before.canary or before.stable
    known = _published_at(store, folder)
    # Withdrawn, and still there: a command was killed in between.
    unfinished = [v for v in versions if "withdrawn_at" in known.get(v, _NONE)]
    version = unfinished[0] if unfinished else version
    after = without(before, version, [v for v in versions if v != version])
    if after is None or version not in versions:
        raise DataError(
            f"models.config of {str(folder.parent)!r} names version {version}, which "
            f"is not published; published: {', '.join(map(str, versions))}. Make one "
            "the stable one with `crossctr promote CONFIG --day D --reason WHY`"
        )
    if version in known:
        metadata = store.connect()
        (artifact,) = metadata.get_artifacts_by_id([known[version]["id"]])
        who = {"by": override.who, "at": override.when, "reason": override.why}
        set_properties(
            artifact, {f"withdrawn_{key}": text for key, text in who.items()}
        )
        set_properties(artifact, {"pushed": 0})
        metadata.put_artifacts([artifact])
    stamp = "".join(letter for letter in override.when if letter.isdigit())
    kept = folder / WITHDRAWN_FOLDER / f"{version}-{stamp}"
    kept.parent.mkdir(exist_ok=True)
    # First: a server is not to be told to load what is gone.
    shelf.write(after)
    (folder / str(version)).rename(kept)
    return Withdrawal(version, kept, after)


def _published_at(store: Store, folder: Path) -> dict[int, dict[str, Any]]:
    """Returns by version what ML Metadata says of it last, with the artifact's `id`."""
    found = {}
    for stored in store.artifacts("PublishedModel"):
        path = Path(str(stored.properties.get("path", "")))
        if path.name.isdigit() and path.parent.resolve() == folder.resolve():
            found[int(path.name)] = {**stored.properties, "id": stored.id}
    return found
