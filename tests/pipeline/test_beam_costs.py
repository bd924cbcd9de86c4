"""What Beam steps leave out when their only worker is a thread of this process."""

import base64
import bz2
import functools

import pytest
from apache_beam.internal import pickler
from tfx.utils import dependency_utils

from pipeline import beam_costs

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
    assert beam_costs.in_this_process(flags) == expected


def test_no_package_is_built_for_a_worker_in_this_process(monkeypatch):
    def build():
        raise AssertionError("a package was built")

    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", build)
    with beam_costs.spared(LOCAL):
        assert dependency_utils.make_beam_dependency_flags(LOCAL) == LOCAL
    with pytest.raises(AssertionError, match="built"):
        dependency_utils.make_beam_dependency_flags(LOCAL)


def test_workers_elsewhere_get_one_package_of_each_process(monkeypatch):
    built = []

    def build():
        built.append("tfx.tar.gz")
        return built[-1]

    once = functools.cache(build)
    monkeypatch.setattr(beam_costs, "_build_package_once", once)
    for _ in range(2):
        with beam_costs.spared(PORTABLE):
            flags = dependency_utils.make_beam_dependency_flags(PORTABLE)
            assert flags == [*PORTABLE, "--extra_package=tfx.tar.gz"]
    assert built == ["tfx.tar.gz"]


@pytest.mark.parametrize("flags", [LOCAL, PORTABLE])
def test_what_is_packed_can_be_unpacked(flags):
    with beam_costs.spared(flags):
        packed = pickler.dumps({"x": 1})
        assert pickler.loads(packed) == {"x": 1}
    assert pickler.loads(pickler.dumps([2])) == [2]


def test_workers_elsewhere_get_beams_own_packing():
    with beam_costs.spared(PORTABLE):
        packed = base64.b64decode(pickler.dumps(1))
    assert bz2.decompress(packed)
