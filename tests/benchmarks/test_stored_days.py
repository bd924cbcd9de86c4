"""Copies of a step in ML Metadata, connected like the original, under new names."""

import ml_metadata
from ml_metadata.proto import metadata_store_pb2

from benchmarks.stored_days import copy_executions

IN, OUT = metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.OUTPUT


class World:
    """A store with one type of each kind."""

    def __init__(self, path):
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = 3
        self.store = ml_metadata.MetadataStore(config)
        self._contexts = {
            name: self.store.put_context_type(metadata_store_pb2.ContextType(name=name))
            for name in ("pipeline", "node", "pipeline_run")
        }
        self._execution = self.store.put_execution_type(
            metadata_store_pb2.ExecutionType(name="Step")
        )
        self._artifact = self.store.put_artifact_type(
            metadata_store_pb2.ArtifactType(name="Thing")
        )

    def run(self, name, inputs):
        """Stores an execution; returns its number and what it made."""
        made = metadata_store_pb2.Artifact(type_id=self._artifact, name=f"{name}-out")
        made.custom_properties["fingerprint"].string_value = name
        pairs = [(a, metadata_store_pb2.Event(type=IN)) for a in inputs]
        pairs.append((made, metadata_store_pb2.Event(type=OUT)))
        contexts = [
            metadata_store_pb2.Context(type_id=self._contexts[kind], name=value)
            for kind, value in [
                ("pipeline", "p"),
                ("node", name),
                ("pipeline_run", "r"),
            ]
        ]
        execution = metadata_store_pb2.Execution(type_id=self._execution, name=name)
        number, ids, _ = self.store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        made.id = ids[-1]
        return number, made


def test_copies_are_connected_like_the_original(tmp_path):
    world = World(tmp_path / "store.sqlite")
    _, earlier = world.run("earlier", [])
    first, middle = world.run("first", [earlier])
    second, _ = world.run("second", [earlier, middle])
    for copy in ("copy-0", "copy-1"):
        prints = {"first": f"first {copy}", "second": f"second {copy}"}
        copy_executions(world.store, [first, second], copy, prints, {"last_day": 9})

    names = {a.id: a.name for a in world.store.get_artifacts()}
    found = {}
    for execution in world.store.get_executions():
        events = world.store.get_events_by_execution_ids([execution.id])
        contexts = world.store.get_contexts_by_execution(execution.id)
        found[execution.name] = (
            {names[e.artifact_id] for e in events if e.type == IN},
            {names[e.artifact_id] for e in events if e.type == OUT},
            {context.name for context in contexts},
        )
    for copy in ("-copy-0", "-copy-1"):
        around = {"p", "first", "r" + copy}
        assert found["first" + copy] == ({"earlier-out"}, {"first-out" + copy}, around)
        assert found["second" + copy] == (
            {"earlier-out", "first-out" + copy},
            {"second-out" + copy},
            {"p", "second", "r" + copy},
        )
    assert len(found) == 3 + 4
    prints = {
        artifact.custom_properties["fingerprint"].string_value
        for artifact in world.store.get_artifacts()
    }
    assert len(prints) == len(names) == 3 + 4
