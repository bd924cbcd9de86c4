"""Artifacts that no later day needs: rules on literal items, then the command."""

import dataclasses

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components.publisher.labels import Labels
from components.publisher.labels import write_labels
from models.errors import DataError
from pipeline.cli.clean import items_of
from pipeline.cli.clean import leftovers
from pipeline.cli.clean import old_records
from pipeline.cli.clean import removals
from pipeline.cli.clean import remove
from pipeline.execution.run_records import RunRecorder
from pipeline.planning.planner import Planner
from pipeline.planning.retention import Item
from pipeline.planning.retention import reach
from pipeline.planning.retention import refuse_removed
from pipeline.planning.retention import superfluous
from pipeline.planning.steps import Known
from pipeline.store.lineage import makers
from pipeline.store.metadata import SQLITE
from pipeline.store.metadata import connection
from pipeline.store.reader import Store
from pipeline.store.results import known_state
from pipeline.store.results import removed_fingerprints
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import planner


def block(number, last_day):
    return Item(number, "Examples", "", frozenset(), last_day, ())


def model(number, last_day, *made_from, level="target", strategies=()):
    judged = frozenset(strategies)
    return Item(number, "Model", level, judged, last_day, made_from)


def goes(*items, live=(), newest_day=100, days=20):
    return set(superfluous(items, live, newest_day, days))


def test_rows_go_once_no_window_reaches_them():
    assert goes(block(1, 79), block(2, 80), block(3, 99)) == {1}


def test_the_newest_of_its_kind_stays_however_old_it_is():
    assert goes(block(1, 3)) == set()


def test_a_model_goes_once_newer_ones_continue():
    assert goes(model(1, 60), model(2, 70), model(3, 99)) == {1, 2}


def test_every_level_and_strategy_keeps_its_newest():
    models = [
        model(1, 60, level="cpm"),
        model(2, 61, strategies=["a"]),
        model(3, 62, strategies=["a", "b"]),
        model(4, 63, level="cpm"),
    ]
    assert goes(*models) == {1, 2}


def test_a_live_model_keeps_its_ancestors_and_the_rows_it_read_itself():
    period = dataclasses.replace(model(2, 50), kind="EmbeddingSnapshot", made_from=(1,))
    items = [
        block(10, 40),
        block(11, 60),
        model(1, 40, 10, level="tpm"),
        period,
        model(3, 55, 10, level="cpm"),
        model(4, 60, 11, 2, 3),
        model(5, 61, 11, 3),
        # Newer ones of everything, so that nothing stays as the newest.
        block(12, 99),
        model(6, 99, level="tpm"),
        dataclasses.replace(period, id=7, last_day=99, made_from=()),
        model(8, 99, level="cpm"),
        model(9, 99),
    ]
    assert goes(*items, live=[4]) == {10, 5}
    assert goes(*items) == {10, 11, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("strategy", "levels"),
    [
        ("ecdctr", {}),
        ("ecdctr", {"tpm": {"trains_on": "window"}, "cpm": {"continues": True}}),
        ("target_only", {}),
        ("ctnet", {}),
    ],
)
def test_no_later_day_reads_beyond_the_reach(strategy, levels):
    changes = {"strategies": {strategy: {}}, "strategy": strategy}
    if levels:
        plain = make_config().levels.model_dump()
        changes["levels"] = {name: plain[name] | levels.get(name, {}) for name in plain}
    config = make_config(**changes)
    days, known = reach(config), Known()
    for day in range(60, 60 + 2 * config.levels.tpm.every_days):
        steps = planner(config, known).run(day, [strategy])
        due = [s for s in steps if not s.done and s.kind != "ingest"]
        oldest = min(step.days.first for step in due) if due else day
        # The first day trains everything; from then on runs are daily.
        assert oldest >= day - days
        known = merged(known, completed(steps))


def test_a_step_that_reads_what_is_gone_is_refused():
    steps = Planner(make_config(), Known(), str, "code").run(38, ["target_only"])
    refuse_removed(steps, {"other"})
    with pytest.raises(DataError, match=r"target_only for ads.*crossctr clean"):
        refuse_removed(steps, {steps[0].fingerprint})
    done = [dataclasses.replace(step, done=True) for step in steps]
    refuse_removed(done, {steps[0].fingerprint})


@pytest.fixture
def world(tmp_path):
    """A root whose metadata has old and new rows, models and a decision."""
    root = tmp_path / "runs"
    root.mkdir()
    serving = {"directory": tmp_path / "serving"}
    config = make_config(root=root, serving=serving)
    metadata = ml_metadata.MetadataStore(connection(root, SQLITE))
    kind = metadata.put_execution_type(pb.ExecutionType(name="made"))
    count = iter(range(1, 99))

    def add(type_name, last_day, *inputs, **properties):
        folder = root / "artifacts" / "Node" / "output" / str(next(count))
        for name in ("Split-ads/data.parquet", "report.json"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x" * 100)
        artifact = pb.Artifact(
            type_id=metadata.put_artifact_type(pb.ArtifactType(name=type_name)),
            uri=str(folder),
            state=pb.Artifact.LIVE,
        )
        artifact.custom_properties["last_day"].int_value = last_day
        for name, text in properties.items():
            artifact.custom_properties[name].string_value = text
        state = pb.Execution.COMPLETE
        done = pb.Execution(type_id=kind, last_known_state=state)
        read = [(one, pb.Event(type=pb.Event.INPUT)) for one in inputs]
        made = (artifact, pb.Event(type=pb.Event.OUTPUT))
        _, (*_, number), _ = metadata.put_execution(done, [*read, made], [])
        (stored,) = metadata.get_artifacts_by_id([number])
        return stored

    for last_day in (10, 900):
        rows = add("Examples", last_day, fingerprint=f"rows{last_day}")
        level = {"level": "target", "fingerprint": f"model{last_day}"}
        trained = add("Model", last_day, rows, **level)
        add("GateDecision", last_day, trained, strategy="ecdctr", fingerprint="g")
    return config


def _store(config):
    return Store(config.root)


def test_the_command_keeps_reports_and_entries_and_marks_what_is_gone(world):
    store = _store(world)
    found = removals(world, store, 3)
    assert sorted(one.artifact for one in found) == [1, 2]
    assert [one.size for one in found] == [100, 100]
    remove(store, found)
    folder = world.root / "artifacts" / "Node" / "output"
    assert [path.name for path in (folder / "1").iterdir()] == ["report.json"]
    assert (folder / "4" / "Split-ads" / "data.parquet").exists()
    assert removed_fingerprints(store) == {"rows10", "model10"}
    assert known_state(store).removed == {"rows10", "model10"}
    assert len(items_of(makers(store))) == 4
    assert removals(world, store, 3) == []


def test_a_published_version_keeps_the_model_it_was_made_from(world):
    store = _store(world)
    version = world.serving.directory / world.name / "1970011200"
    version.mkdir(parents=True)
    metadata = store.connect()
    kind = metadata.put_artifact_type(pb.ArtifactType(name="PublishedModel"))
    live = pb.Artifact(type_id=kind, uri=str(version), state=pb.Artifact.LIVE)
    live.custom_properties["model_fingerprint"].string_value = "model10"
    live.custom_properties["path"].string_value = str(version)
    live.custom_properties["pushed"].int_value = 1
    metadata.put_artifacts([live])
    assert removals(world, store, 1) == []
    # The newest one is loaded, and the one before it.
    for newer in ("1970011300", "1970011400"):
        version.with_name(newer).mkdir()
    assert len(removals(world, store, 1)) == 2
    labels = Labels(stable=1970011400, previous=1970011200)
    write_labels(world.serving.directory, world.name, labels, "/models")
    assert removals(world, store, 1) == []


def test_records_of_runs_that_no_later_run_reads_go(world):
    horizon = 901 - reach(world)
    for name, run_day in (("old", horizon - 1), ("new", horizon), ("newest", 901)):
        folder = world.root / "runs" / name
        folder.mkdir(parents=True)
        (folder / "libraries.log").write_text("x" * 50)
        steps = planner(world).run(38, ["target_only"])
        steps = [dataclasses.replace(step, run_day=run_day) for step in steps]
        RunRecorder(folder, steps, run_day)
    found = old_records(world, _store(world))
    assert [one.what for one in found] == ["record old"]
    remove(_store(world), found)
    assert not (world.root / "runs" / "old").exists()
    assert (world.root / "runs" / "new" / "libraries.log").exists()
    assert old_records(world, _store(world)) == []


def test_what_a_killed_command_left_goes(world):
    artifacts = world.root / "artifacts"
    for name in ("Node/output/77/half", "Node/.system/executor/1/notes"):
        path = artifacts / name
        path.parent.mkdir(parents=True)
        path.write_text("left")
    store = _store(world)
    found = leftovers(world, store)
    assert [one.what for one in found] == ["Node/output/77", "Node/.system"]
    remove(store, found)
    assert leftovers(world, store) == []
    assert (artifacts / "Node" / "output" / "1" / "report.json").exists()


def test_an_empty_metadata_store_has_nothing_to_remove(world):
    (world.root / "metadata.sqlite").unlink()
    assert removals(world, _store(world), 3) == []
    assert leftovers(world, _store(world)) == []
