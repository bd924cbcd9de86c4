"""What was lost is told from what was never made, and named with what to do."""

import shutil

import pytest

from components.publisher.labels import LABELS_FILE
from components.publisher.labels import Labels
from components.publisher.labels import write_labels
from models.days import DayRange
from models.errors import DataError
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Step
from pipeline.store.integrity import lost_artifacts
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.integrity import refuse_lost_results
from pipeline.store.integrity import refuse_lost_versions
from pipeline.store.reader import METADATA_FILE
from pipeline.store.reader import REMOVED
from pipeline.store.reader import Store
from tests.pipeline.store.whole_root import Stored

DAYS = DayRange(17895, 17896)
BLOCK = Block(DAYS, "block", None)
INGEST = Step(StepKind.INGEST, "ingest", 17897, 17895, DAYS, "block", True)
TARGET = Step(
    StepKind.TARGET,
    "ads",
    17897,
    17897,
    DAYS,
    "step",
    True,
    blocks=(BLOCK,),
    training="training",
)


@pytest.fixture
def world(tmp_path):
    return Stored(tmp_path)


def test_a_whole_root_passes(world):
    refuse_lost_metadata(world.store)
    refuse_lost_results(world.store, [INGEST, TARGET])
    refuse_lost_versions(world.config, world.store)


def test_a_root_that_has_run_nothing_passes(tmp_path):
    store = Store(tmp_path)
    refuse_lost_metadata(store)
    (tmp_path / METADATA_FILE).touch()  # as SQLite begins
    refuse_lost_metadata(store)
    assert store.is_empty()
    assert store.artifacts("Examples") == []
    assert (tmp_path / METADATA_FILE).stat().st_size == 0


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        pytest.param(lambda path: path.unlink(), "is missing, though 4 art", id="gone"),
        pytest.param(lambda path: path.write_bytes(b""), r"is empty \(0 b", id="empty"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes()[:50_000]),
            r"is cut off: 50,000 of [\d,]+ bytes are left",
            id="cut off",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"x" * 9999), "is not a SQLite", id="else"
        ),
    ],
)
def test_lost_metadata_is_not_an_empty_root(world, damage, what):
    damage(world.config.root / METADATA_FILE)
    with pytest.raises(DataError, match=f"metadata.sqlite' {what}.*backup"):
        refuse_lost_metadata(world.store)


def test_metadata_that_a_killed_command_left_is_sqlites_to_mend(world):
    path = world.config.root / METADATA_FILE
    path.with_name(f"{METADATA_FILE}-journal").write_bytes(b"journal")
    path.write_bytes(path.read_bytes()[:50_000])
    refuse_lost_metadata(world.store)


@pytest.mark.parametrize("kind", ["Examples", "Vocabulary", "Model", "GateDecision"])
@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_missing_artifact_is_named_before_its_step_counts_as_done(world, kind, left):
    folder = world.folder_of(kind)
    shutil.rmtree(folder)
    if left != "nothing":
        folder.mkdir()
    with pytest.raises(DataError, match=f"{folder}.* missing or empty.*clean .*--lost"):
        refuse_lost_results(world.store, [INGEST, TARGET])
    assert [stored.uri for stored in lost_artifacts(world.store)] == [str(folder)]


def test_what_no_step_of_the_plan_needs_may_be_gone(world):
    shutil.rmtree(world.folder_of("Model"))
    refuse_lost_results(world.store, [INGEST])


def test_what_clean_has_removed_is_not_lost(world):
    shutil.rmtree(world.folder_of("Model"))
    metadata = world.store.connect()
    (model,) = metadata.get_artifacts_by_type("Model")
    model.custom_properties[REMOVED].int_value = 1
    metadata.put_artifacts([model])
    refuse_lost_results(world.store, [INGEST, TARGET])


@pytest.mark.parametrize("content", [b"", b"u1\n"])
def test_a_vocabulary_that_lost_ids_is_found_though_all_is_done(world, content):
    (world.folder_of("Vocabulary") / "user.txt").write_bytes(content)
    for steps in ([INGEST], [INGEST, TARGET]):
        with pytest.raises(DataError, match=r"user\.txt holds \d ids"):
            refuse_lost_results(world.store, steps)


def published(world):
    """Publishes a version and returns its folder."""
    version = world.serving / "2019010200"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("m")
    write_labels(world.serving.parent, "xmarket", Labels(2019010200), "/models")
    world.add("PublishedModel", version, pushed=1, path=str(version), day=17898)
    refuse_lost_versions(world.config, world.store)
    return version


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        pytest.param(
            lambda version: shutil.rmtree(version.parents[1]),
            "holds no version, and 2019010200 was published there",
            id="no serving folder",
        ),
        pytest.param(
            lambda version: (version.parents[1] / LABELS_FILE).write_text(""),
            r"models.config is empty \(0 bytes\)",
            id="empty labels",
        ),
        pytest.param(
            lambda version: (version.parents[1] / LABELS_FILE).unlink(),
            "models.config' does not name 'xmarket'",
            id="no labels",
        ),
        pytest.param(
            lambda version: version.rename(version.with_name("2019010100")),
            "tells servers to load 2019010200, and there is no SavedModel",
            id="another version",
        ),
        pytest.param(
            lambda version: (version / "saved_model.pb").unlink(),
            "no SavedModel in .*2019010200'",
            id="no model in it",
        ),
    ],
)
def test_a_lost_publication_is_named_with_the_way_back(world, damage, what):
    damage(published(world))
    with pytest.raises(DataError, match=f"{what}.*crossctr promote"):
        refuse_lost_versions(world.config, world.store)


def test_a_model_that_was_taken_offline_is_not_lost(world):
    shutil.rmtree(published(world))
    write_labels(world.serving.parent, "xmarket", None, "/models")
    refuse_lost_versions(world.config, world.store)


def test_versions_of_another_directory_are_not_missed_in_this_one(world, tmp_path):
    world.add("PublishedModel", "x", pushed=1, path=str(tmp_path / "old" / "1"), day=1)
    refuse_lost_versions(world.config, world.store)


def test_a_metadata_server_that_does_not_answer_is_named(tmp_path):
    store = Store(tmp_path, "mysql://ann@127.0.0.1:1/ctr")
    with pytest.raises(DataError, match=r"metadata server 127.0.0.1:1 cannot be read"):
        store.artifacts("Examples")
