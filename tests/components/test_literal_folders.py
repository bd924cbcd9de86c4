"""Folders whose names look like glob patterns, read by TFX's libraries."""

import apache_beam as beam
import pyarrow as pa
import pytest
import tensorflow as tf
from apache_beam.testing.util import assert_that
from apache_beam.testing.util import equal_to

from components.compat import literal_folders
from models.data.file_patterns import files_of
from models.training.checkpoints import restore
from models.training.checkpoints import save_variables
from models.training.checkpoints import variable_shapes

pytestmark = pytest.mark.slow  # imports Beam and TensorFlow

NAMES = ["team [ads] x", "50% *", "what?", "[!a]", "{a,b}", "plain"]


@pytest.fixture(params=NAMES)
def folder(request, tmp_path):
    made = tmp_path / request.param / "Split-de"
    made.mkdir(parents=True)
    return made


def test_our_readers_take_the_folder_as_it_is(folder):
    for name in ("b.parquet", "a.parquet", "c.json"):
        (folder / name).touch()
    found = [str(folder / name) for name in ("a.parquet", "b.parquet")]
    assert files_of(f"{folder}/*.parquet") == found
    assert files_of(str(folder / "c.json")) == [str(folder / "c.json")]
    assert files_of(f"{folder}/none*") == []


def test_beam_writes_and_reads_there(folder):
    schema = pa.schema([("n", pa.int64())])
    with literal_folders():
        with beam.Pipeline() as pipeline:
            _ = (
                pipeline
                | beam.Create([pa.table({"n": [3, 4]})])
                | beam.io.WriteToParquetBatched(
                    str(folder / "data"), schema, file_name_suffix=".parquet"
                )
            )
        with beam.Pipeline() as pipeline:
            read = (
                pipeline
                | beam.io.ReadFromParquetBatched(f"{folder}/*")
                | beam.FlatMap(lambda table: table["n"].to_pylist())
            )
            assert_that(read, equal_to([3, 4]))
    assert len(list(folder.iterdir())) == 1


def test_tensorflow_lists_what_is_there(folder):
    (folder / "metrics-00000-of-00001.tfrecord").touch()
    with literal_folders():
        found = tf.io.gfile.glob(f"{folder}/metrics-*-of-*.tfrecord")
    assert found == [str(folder / "metrics-00000-of-00001.tfrecord")]


def test_a_saved_model_and_a_checkpoint_are_read_from_there(folder):
    module = tf.Module()
    module.weight = tf.Variable([[2.0], [3.0]])
    module.f = tf.function(lambda: module.weight, input_signature=[])
    with literal_folders():
        tf.saved_model.save(module, str(folder / "model"))
        loaded = tf.saved_model.load(str(folder / "model"))
    assert loaded.f().numpy().tolist() == [[2.0], [3.0]]
    assert (folder / "model" / "variables" / "variables.index").is_file()
    prefix = folder / "weights"
    save_variables(prefix, {"w": module.weight})
    assert variable_shapes(prefix) == {"w": (2, 1)}
    read = tf.Variable([[0.0], [0.0]])
    restore(prefix, "w", read, 2)
    assert read.numpy().tolist() == [[2.0], [3.0]]


def test_a_pattern_of_folders_stays_one(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    with literal_folders():
        assert sorted(tf.io.gfile.glob(f"{tmp_path}/[ab]/x")) == [
            str(tmp_path / "a" / "x"),
            str(tmp_path / "b" / "x"),
        ]


def test_afterwards_all_is_as_before(tmp_path):
    folder = tmp_path / "[a]"
    folder.mkdir()
    (folder / "x").touch()
    with literal_folders():
        assert tf.io.gfile.glob(f"{folder}/*")
    assert tf.io.gfile.glob(f"{folder}/*") == []
