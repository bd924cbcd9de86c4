"""Replacements in Beam and TFX when the only worker is a thread of this process."""

import base64
import bz2
import functools
import gc
import json
import types
import weakref

import apache_beam as beam
import pytest
from apache_beam.internal import pickler
from apache_beam.transforms import core
from tfx.utils import dependency_utils

from components import compat
from models.errors import ConfigError

LOCAL = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]
PORTABLE = [*LOCAL, "--runner=PortableRunner", "--job_endpoint=localhost:1"]

pytestmark = pytest.mark.slow  # imports Beam and TFX


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (LOCAL, True),
        ([*LOCAL, "--runner=DirectRunner"], True),
        ([*LOCAL, "--direct_running_mode=multi_processing"], False),
        (PORTABLE, False),
        ([*LOCAL, "--runner=FlinkRunner"], False),
    ],
)
def test_only_the_in_memory_runner_works_in_this_process(flags, expected):
    assert compat.in_this_process(flags) == expected


@pytest.mark.parametrize("digits", [1, 5_000])
def test_a_flag_that_beam_cannot_read_is_one_line(capsys, digits):
    with pytest.raises(ConfigError, match="beam_args.*direct_num_workers") as caught:
        compat.in_this_process([*LOCAL, f"--direct_num_workers={'x' * digits}"])
    assert len(str(caught.value)) < 1_000
    assert capsys.readouterr().err == ""


def test_no_package_is_built_for_a_worker_in_this_process(monkeypatch):
    def build():
        raise AssertionError("a package was built")

    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", build)
    with compat.in_process_patches(LOCAL):
        assert dependency_utils.make_beam_dependency_flags(LOCAL) == LOCAL
    with pytest.raises(AssertionError, match="built"):
        dependency_utils.make_beam_dependency_flags(LOCAL)


def test_values_are_not_counted_one_by_one_while_a_graph_runs():
    from tfx_bsl.tfxio import telemetry

    count = telemetry._ProfileRecordBatchDoFn._UpdateNumValuesDist
    with compat.in_process_patches(LOCAL):
        replaced = telemetry._ProfileRecordBatchDoFn._UpdateNumValuesDist
        assert replaced is not count
        assert replaced(None, None) is None
    assert telemetry._ProfileRecordBatchDoFn._UpdateNumValuesDist is count


def test_workers_elsewhere_get_one_package_of_each_process(monkeypatch):
    built = []

    def build():
        built.append("tfx.tar.gz")
        return built[-1]

    once = functools.cache(build)
    monkeypatch.setattr(compat, "_build_package_once", once)
    for _ in range(2):
        with compat.in_process_patches(PORTABLE):
            flags = dependency_utils.make_beam_dependency_flags(PORTABLE)
            assert flags == [*PORTABLE, "--extra_package=tfx.tar.gz"]
    assert built == ["tfx.tar.gz"]


@pytest.mark.parametrize("flags", [LOCAL, PORTABLE])
def test_what_is_packed_can_be_unpacked(flags):
    with compat.in_process_patches(flags):
        packed = pickler.dumps({"x": 1})
        assert pickler.loads(packed) == {"x": 1}
    assert pickler.loads(pickler.dumps([2])) == [2]


def test_workers_elsewhere_get_beams_own_packing():
    with compat.in_process_patches(PORTABLE):
        packed = base64.b64decode(pickler.dumps(1))
    assert bz2.decompress(packed)


class _Doubled(beam.DoFn):
    def process(self, element, factor=2, at=beam.DoFn.TimestampParam):
        """Yields one number."""
        yield element * factor, at


@pytest.mark.parametrize(
    "function", [_Doubled().process, _Doubled().setup, max, lambda x, y=1: x + y]
)
def test_a_functions_arguments_are_those_that_beam_finds(function):
    expected = core.get_function_args_defaults(function)
    with compat.in_process_patches(LOCAL):
        for _ in range(2):
            assert core.get_function_args_defaults(function) == expected


def test_a_known_function_is_not_kept_alive():
    def process(owner, element):
        return owner, element

    method = types.MethodType(process, object())
    with compat.in_process_patches(LOCAL):
        core.get_function_args_defaults(method)
    gone = weakref.ref(process)
    del method, process
    gc.collect()
    assert gone() is None


def test_a_pipeline_runs_as_without(tmp_path):
    with compat.in_process_patches(LOCAL), beam.Pipeline(argv=LOCAL) as pipeline:
        _ = (
            pipeline
            | beam.Create([1, 2])
            | beam.ParDo(_Doubled(), 3)
            | beam.Map(lambda pair: json.dumps(pair[0]))
            | beam.io.WriteToText(str(tmp_path / "out"), shard_name_template="")
        )
    assert sorted((tmp_path / "out").read_text().split()) == ["3", "6"]
