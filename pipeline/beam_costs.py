"""Leaves out what TFX and Beam do for workers elsewhere when there are none.

For every Beam step TFX packs its own sources, which workers are to install: two seconds
a step, and a package is left in the folder for temporary files. Beam compresses all
code that it hands to a worker, with bz2. A worker in this process needs neither.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from collections.abc import Sequence
from types import ModuleType
from types import SimpleNamespace
from typing import Any
from unittest import mock

from apache_beam.internal import cloudpickle_pickler
from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options import StandardOptions
from tfx.utils import dependency_utils

_LOCAL_RUNNERS = (None, "DirectRunner")

# In place of the module `bz2`: what is packed is unpacked in this process.
_UNCOMPRESSED = SimpleNamespace(
    compress=lambda data, compresslevel=9: data,  # noqa: ARG005 (bz2's signature)
    decompress=lambda data: data,
)
_build_package_once = functools.cache(dependency_utils.build_ephemeral_package)


def in_this_process(beam_args: Sequence[str]) -> bool:
    """Whether Beam's only worker is a thread of this process."""
    options = PipelineOptions(list(beam_args))
    return (
        options.view_as(StandardOptions).runner in _LOCAL_RUNNERS
        and options.view_as(DirectOptions).direct_running_mode == "in_memory"
    )


@contextlib.contextmanager
def spared(beam_args: Sequence[str]) -> Iterator[None]:
    """Runs Beam steps of TFX without what only other machines' workers need.

    Args:
        beam_args: Flags of the steps' Beam pipelines.
    """
    # Beam makes a parser of all its flags dozens of times a step, and each looks on the
    # disk for a translation of its messages; of C there is none.
    with mock.patch.dict(os.environ, LANGUAGE="C"), contextlib.ExitStack() as patches:
        replaced: list[tuple[ModuleType, str, Any]] = [
            (dependency_utils, "build_ephemeral_package", _build_package_once)
        ]
        if in_this_process(beam_args):
            replaced = [
                (dependency_utils, "make_beam_dependency_flags", lambda flags: flags),
                (cloudpickle_pickler, "bz2", _UNCOMPRESSED),
            ]
        for module, name, by in replaced:
            patches.enter_context(mock.patch.object(module, name, by))
        yield
