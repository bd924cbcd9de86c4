"""Flags that Beam would drop are found without importing it."""

import subprocess
import sys

import pytest

from components import beam_flags


@pytest.mark.parametrize(
    ("flags", "unknown"),
    [
        ([], []),
        (["--direct_num_workers=2"], []),
        (["--direct_num_workers", "2"], []),
        # The beginning of one flag alone, as argparse takes it.
        (["--direct_num_work=2"], []),
        (["--direct_num_wrokers=2"], ["--direct_num_wrokers"]),
        # The beginning of two flags.
        (["--direct=2"], ["--direct"]),
        (["direct_num_workers=2"], ["direct_num_workers=2"]),
        (["--direct_num_workers", "2", "3"], ["3"]),
        (["--runner=DirectRunner", "--paralelism=2"], ["--paralelism"]),
        (["--runner", "FnApiRunner", "--paralelism=2"], ["--paralelism"]),
        # A job service knows flags that Beam does not declare.
        (["--runner=FlinkRunner", "--parallelism=2"], []),
        (["--runner", "PortableRunner", "--anything=2"], []),
    ],
)
def test_what_beam_would_drop_is_found(flags, unknown):
    assert beam_flags.unknown_flags(flags) == unknown


def test_beam_is_not_imported():
    code = (
        "import sys; from components.beam_flags import known_flags; "
        "print(len(known_flags()) > 50, 'apache_beam' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.slow
def test_the_flags_are_those_of_beams_own_parser():
    from apache_beam.options import pipeline_options

    parser = pipeline_options._BeamArgumentParser()
    declaring = {
        str(one): one
        for one in pipeline_options.PipelineOptions.__subclasses__()
        if one.__module__ == pipeline_options.__name__
    }
    for one in declaring.values():
        one._add_argparse_args(parser)
    flags = {flag for action in parser._actions for flag in action.option_strings}
    # Each parser has `-h` and `--help` of its own.
    assert set(beam_flags.known_flags()) == flags - {"-h", "--help"}
