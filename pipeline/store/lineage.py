"""Lineage of artifacts, from ML Metadata."""

from __future__ import annotations

from ml_metadata.proto import metadata_store_pb2

from pipeline.store.reader import Store

Made = tuple[metadata_store_pb2.Artifact, list[metadata_store_pb2.Artifact]]


def makers(store: Store) -> list[Made]:
    """Returns every finished artifact with what the execution that made it read."""
    if store.is_empty():
        return []
    metadata = store.connect()
    artifacts = {artifact.id: artifact for artifact in metadata.get_artifacts()}
    done = {
        execution.id
        for execution in metadata.get_executions()
        if execution.last_known_state == metadata_store_pb2.Execution.COMPLETE
    }
    read: dict[int, list[int]] = {}
    made: list[tuple[int, int]] = []
    for event in metadata.get_events_by_execution_ids(sorted(done)):
        if event.type == metadata_store_pb2.Event.INPUT:
            read.setdefault(event.execution_id, []).append(event.artifact_id)
        elif event.type == metadata_store_pb2.Event.OUTPUT:
            made.append((event.artifact_id, event.execution_id))
    return [
        (artifacts[output], [artifacts[i] for i in read.get(execution, [])])
        for output, execution in made
        if artifacts[output].state == metadata_store_pb2.Artifact.LIVE
    ]


def text_of(artifact: metadata_store_pb2.Artifact, name: str) -> str:
    """Returns a custom property; empty if the artifact has none of that name."""
    return str(artifact.custom_properties[name].string_value)
