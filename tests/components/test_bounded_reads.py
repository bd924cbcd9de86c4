"""TFX finds the same executions and artifacts as it does by itself, and reads fewer."""

from types import SimpleNamespace

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

pytestmark = pytest.mark.slow  # imports TFX

DAYS, NODES = 3, ("Gen", "Trainer")


class History:
    """ML Metadata of a pipeline that ran two nodes on each of some days.

    Attributes:
        read: Contexts whose executions were read, in order.
    """

    def __init__(self):
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self._store = ml_metadata.MetadataStore(config)
        self.read = []
        kinds = {
            name: self._store.put_context_type(pb.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }
        ran = self._store.put_execution_type(pb.ExecutionType(name="Step"))
        made = self._store.put_artifact_type(pb.ArtifactType(name="Thing"))

        def context(kind, name):
            return pb.Context(type_id=kinds[kind], name=name)

        for day in range(DAYS):
            for node in NODES:
                artifact = pb.Artifact(type_id=made, state=pb.Artifact.LIVE, uri=node)
                step = pb.Event.Path.Step(key="out")
                path = pb.Event.Path(steps=[step, pb.Event.Path.Step(index=0)])
                event = pb.Event(type=pb.Event.OUTPUT, path=path)
                around = [
                    context("pipeline", "p"),
                    context("pipeline_run", f"day{day}"),
                    context("node", node),
                ]
                self._store.put_execution(
                    pb.Execution(type_id=ran, name=f"{node}{day}"),
                    [(artifact, event)],
                    around,
                    reuse_context_if_already_exist=True,
                )

    def __getattr__(self, name):
        return getattr(self._store, name)

    def get_executions_by_context(self, context_id):
        self.read.append(context_id)
        return self._store.get_executions_by_context(context_id)

    def context(self, kind, name):
        return self._store.get_context_by_type_and_name(kind, name)


@pytest.fixture
def history():
    return History()


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        (["p", "day1", "Gen"], {"Gen1"}),
        (["Gen", "day2", "p"], {"Gen2"}),
        (["p", "day0"], {"Gen0", "Trainer0"}),
        (["p"], {f"{node}{day}" for node in NODES for day in range(DAYS)}),
        ([], set()),
    ],
)
def test_executions_of_a_run_are_those_in_all_contexts(history, around, expected):
    from tfx.orchestration.portable.mlmd import execution_lib

    from components.compat import bounded_reads

    kinds = {"p": "pipeline", "Gen": "node"}
    contexts = [history.context(kinds.get(n, "pipeline_run"), n) for n in around]
    with bounded_reads():
        found = execution_lib.get_executions_associated_with_all_contexts(
            SimpleNamespace(store=history), contexts
        )
    assert {execution.name for execution in found} == expected
    run = [c.id for c in contexts if c.name.startswith("day")]
    assert not run or history.read == run


def channel(**names):
    """Returns TFX's description of an input: an artifact `Thing` in some contexts."""
    from tfx.proto.orchestration import pipeline_pb2

    found = pipeline_pb2.InputSpec.Channel(output_key="out")
    found.artifact_query.type.name = "Thing"
    for kind, name in names.items():
        query = found.context_queries.add()
        query.type.name = kind
        query.name.field_value.string_value = name
    return found


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"pipeline": "p", "pipeline_run": "day1", "node": "Gen"}, ["Gen"]),
        ({"pipeline": "p", "pipeline_run": "day9", "node": "Gen"}, []),
        ({"pipeline": "p"}, ["Gen", "Trainer"] * DAYS),
    ],
)
def test_inputs_are_those_that_tfx_finds(history, names, expected, monkeypatch):
    from tfx.orchestration import mlmd_connection_manager
    from tfx.orchestration.portable.input_resolution import channel_resolver

    from components.compat import bounded_reads

    monkeypatch.setattr(
        mlmd_connection_manager, "get_handle", lambda _: SimpleNamespace(store=history)
    )
    by_itself = channel_resolver.resolve_union_channels(history, [channel(**names)])
    with bounded_reads():
        history.read.clear()
        bounded = channel_resolver.resolve_union_channels(history, [channel(**names)])
    assert sorted(a.uri for a in bounded) == sorted(expected)
    assert {a.id for a in bounded} == {a.id for a in by_itself}
    assert history.context("pipeline", "p").id not in history.read
