"""What is lost is forgotten with all that its step made, and nothing else is."""

import shutil

import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.cli.group import main
from pipeline.store.lost import forgettable
from pipeline.store.results import known_state
from tests.pipeline.store.whole_root import Stored


def connect(world, kind, number, made_from):
    """Stores the execution that made an artifact from others."""
    metadata = world.store.connect()
    execution = pb.Execution(
        type_id=metadata.put_execution_type(pb.ExecutionType(name=f"Make{kind}")),
        last_known_state=pb.Execution.COMPLETE,
    )
    (by,) = metadata.put_executions([execution])
    inputs = [
        pb.Event(type=pb.Event.INPUT, artifact_id=one, execution_id=by)
        for one in made_from
    ]
    output = pb.Event(type=pb.Event.OUTPUT, artifact_id=number, execution_id=by)
    metadata.put_events([*inputs, output])


@pytest.fixture
def world(tmp_path):
    """Numbers of the artifacts: 1 rows, 2 vocabulary, 3 model, 4 its decision."""
    world = Stored(tmp_path)
    connect(world, "Examples", 1, [])
    connect(world, "Vocabulary", 2, [1])
    connect(world, "Model", 3, [1, 2])
    connect(world, "GateDecision", 4, [3])
    return world


def numbers(world):
    return [stored.id for stored in forgettable(world.store)]


def test_nothing_is_forgotten_of_a_whole_root(world):
    assert numbers(world) == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Examples", [1, 2]),
        ("Vocabulary", [1, 2]),
        ("Model", [3, 4]),
        ("GateDecision", [4]),
    ],
)
def test_all_that_the_step_made_is_made_again(world, kind, expected):
    shutil.rmtree(world.folder_of(kind))
    assert numbers(world) == expected


def test_a_damaged_vocabulary_counts_as_lost(world):
    (world.folder_of("Vocabulary") / "user.txt").write_bytes(b"u1\n")
    assert numbers(world) == [1, 2]


def test_the_command_says_it_first_and_then_makes_the_steps_due_again(world):
    shutil.rmtree(world.folder_of("Model"))

    def clean(*options):
        result = CliRunner().invoke(main, ["clean", str(world.path), *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert "Nothing was forgotten" in clean("--lost")
    assert known_state(world.store).results == {"step"}
    assert "Forgot 2 results" in clean("--lost", "--yes")
    assert known_state(world.store).results == set()
    assert len(world.store.artifacts("Examples")) == 1
    assert "Every stored result is whole" in clean("--lost")
