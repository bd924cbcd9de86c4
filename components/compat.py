"""What TFX, TFMA and Beam call differently in two releases, or do for remote workers.

The locks of `requirements/` pin two lines, TFX 1.16 and TFX 1.21; the code is the same
for both, and a name that only one of them has is looked up here and nowhere else.

Skips packaging that only remote Beam workers need. For every Beam step TFX packs its
own sources, which workers are to install: two seconds a step, and a package is left in
the folder for temporary files. Beam compresses all code that it hands to a worker, with
bz2. A worker in this process needs neither. Besides, Beam inspects every function anew
at every place where it stands.
"""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from types import FunctionType
from types import MethodType
from types import ModuleType
from types import SimpleNamespace
from typing import Any
from unittest import mock

from apache_beam.internal import cloudpickle_pickler
from apache_beam.internal.cloudpickle import cloudpickle
from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.transforms import core
from apache_beam.typehints import decorators
from tensorflow_model_analysis.proto.config_pb2 import EvalConfig
from tensorflow_model_analysis.proto.config_pb2 import MetricConfig
from tensorflow_model_analysis.proto.config_pb2 import MetricsSpec
from tensorflow_model_analysis.proto.config_pb2 import ModelSpec
from tensorflow_model_analysis.proto.config_pb2 import SlicingSpec
from tfx.utils import dependency_utils

__all__ = [
    "EvalConfig",
    "MetricConfig",
    "MetricsSpec",
    "ModelSpec",
    "SlicingSpec",
    "in_this_process",
    "spared",
]

_LOCAL_RUNNERS = (None, "DirectRunner")

# In place of the module `bz2`: what is packed is unpacked in this process.
_UNCOMPRESSED = SimpleNamespace(
    compress=lambda data, compresslevel=9: data,  # noqa: ARG005 (bz2's signature)
    decompress=lambda data: data,
)
_build_package_once = functools.cache(dependency_utils.build_ephemeral_package)


_inspect_arguments = core.get_function_args_defaults
_known: weakref.WeakKeyDictionary[Callable[..., Any], Any] = weakref.WeakKeyDictionary()


def _arguments(function: Callable[..., Any]) -> tuple[list[str], list[Any]]:
    """Returns names and defaults of a function's arguments, as Beam's function does.

    Beam asks for those of each of a DoFn's 25 methods, most of which are Beam's own,
    six times for each place where a DoFn stands in a pipeline.
    """
    if not isinstance(function, MethodType) or not isinstance(
        function.__func__, FunctionType
    ):
        found: tuple[list[str], list[Any]] = _inspect_arguments(function)
        return found
    names, defaults = _known.get(function.__func__) or _known.setdefault(
        function.__func__, _inspect_arguments(function)
    )
    return list(names), list(defaults)


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
                # A new process would have to import them; this one has.
                (cloudpickle, "_find_imported_submodules", lambda *_: []),
            ]
        replaced += [
            # Hints to who writes a pipeline: of each function the source is read, and
            # of each type hint the stack is kept for an error's message.
            (core, "_check_fn_use_yield_and_return", lambda _: False),
            (decorators, "TRACEBACK_LIMIT", -2),  # Beam adds two frames of its own
            (core, "get_function_args_defaults", _arguments),
        ]
        for module, name, by in replaced:
            patches.enter_context(mock.patch.object(module, name, by))
        yield
