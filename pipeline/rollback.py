"""Takes the newest published version away, on a person's word, and records it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.publisher.logic import versions_in
from models.errors import DataError
from pipeline.config import Config
from pipeline.promotion import Override
from pipeline.promotion import set_properties
from pipeline.store import Store

# The leading dot keeps servers from taking it for a version.
WITHDRAWN_FOLDER = ".withdrawn"


@dataclass(frozen=True)
class Withdrawal:
    """What `roll_back` came to.

    Attributes:
        version: The version that was taken away.
        kept: Where its files are now.
        serves: The newest version that is left.
    """

    version: int
    kept: Path
    serves: int


def roll_back(config: Config, override: Override) -> Withdrawal:
    """Withdraws the newest version, so that servers fall back to the one before it.

    ML Metadata is told first: the next run then compares with the version that is left,
    and a command that was killed in between is finished by repeating it. The files move
    in one rename and are kept.

    Args:
        config: The configuration.
        override: Who does it, and why.

    Raises:
        DataError: There is no other version to fall back to.
    """
    folder = config.serving.directory / config.name
    versions = versions_in(folder)
    if len(versions) < 2:
        there = f"only {versions[0]} is" if versions else "nothing is"
        raise DataError(
            f"{there} published in {str(folder)!r}; expected an older version to fall "
            "back to. Publish one with `crossctr promote CONFIG --day D --reason WHY`"
        )
    version, serves = versions[-1], versions[-2]
    path = folder / str(version)
    store = Store(config.root, config.metadata)
    metadata = store.connect()
    found = [
        stored.id
        for stored in store.artifacts("PublishedModel")
        if stored.properties.get("pushed")
        and Path(str(stored.properties["path"])).resolve() == path.resolve()
    ]
    artifacts = metadata.get_artifacts_by_id(found)
    for artifact in artifacts:
        who = {"by": override.who, "at": override.when, "reason": override.why}
        set_properties(
            artifact, {f"withdrawn_{key}": text for key, text in who.items()}
        )
        set_properties(artifact, {"pushed": 0})
    if artifacts:
        metadata.put_artifacts(artifacts)
    stamp = "".join(letter for letter in override.when if letter.isdigit())
    kept = folder / WITHDRAWN_FOLDER / f"{version}-{stamp}"
    kept.parent.mkdir(exist_ok=True)
    path.rename(kept)
    return Withdrawal(version, kept, serves)
