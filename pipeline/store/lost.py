"""Results whose files are lost: what has to be made again, and how it is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.store.integrity import damaged_vocabularies
from pipeline.store.integrity import lost_artifacts
from pipeline.store.lineage import makers
from pipeline.store.lineage import text_of
from pipeline.store.reader import Store
from pipeline.store.reader import Stored
from pipeline.store.reader import stored_of


def forgettable(store: Store) -> list[Stored]:
    """Returns what must be made again for what is lost or damaged.

    That is all that the same step made, and the judgement of a model that is lost. A
    step that read what is lost keeps its result: made again, it is the same.

    Args:
        store: The finished artifacts.
    """
    damaged = [*lost_artifacts(store), *damaged_vocabularies(store)]
    prints = {stored.fingerprint for stored in damaged if stored.fingerprint}
    if not damaged:
        return []
    made = makers(store)
    prints |= {
        text_of(output, "fingerprint")
        for output, inputs in made
        if output.type == "GateDecision"
        and any(
            one.type == "Model" and text_of(one, "fingerprint") in prints
            for one in inputs
        )
    }
    numbers = {stored.id for stored in damaged}
    found = {
        output.id: stored_of(output)
        for output, _ in made
        if output.id in numbers or text_of(output, "fingerprint") in prints
    }
    return sorted(found.values(), key=lambda stored: stored.id)


def forget(store: Store, found: Sequence[Stored]) -> None:
    """Takes results out of what counts as stored; their entries stay in ML Metadata."""
    from ml_metadata.proto import metadata_store_pb2

    metadata = store.connect()
    artifacts = metadata.get_artifacts_by_id([stored.id for stored in found])
    for artifact in artifacts:
        artifact.state = metadata_store_pb2.Artifact.DELETED
    metadata.put_artifacts(artifacts)
