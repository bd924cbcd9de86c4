"""Private names of TFX, TFT and Beam that crossctr replaces, for want of a switch.

The locks of `requirements/` pin two lines, TFX 1.16 and TFX 1.21; the code is the same
for both, and a name that only one of them has is looked up in this module alone.

* `in_process_patches`: Beam steps skip packaging that only remote workers need. For
  every step TFX packs its own sources, which takes two seconds; Beam compresses all
  code for a worker with bz2, and inspects a function again at every place of its use.
* `literal_folders`: Beam takes folder names literally, such as `team [ads] x`.
* `bounded_reads`: TFX resolves inputs without reading every execution of the pipeline.
* `launched_by`: LocalDagRunner starts nodes with another launcher.
* `transform_with`: TFX's Transform writes with another processor.
* `declare`: a component takes its own spec in place of the one that its TFX
  constructor would build.

TFX's modules are imported where they are needed: some commands need Beam alone.
`tests/components/test_private_names.py` has a canary for each name, and for the private
methods that our executors override: it fails if a release has renamed one, changed its
arguments or looks it up elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import io
import os
import re
import weakref
from collections.abc import Callable
from collections.abc import Iterable
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
from apache_beam.io.filesystem import MatchResult
from apache_beam.io.localfilesystem import LocalFileSystem
from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.transforms import core
from apache_beam.typehints import decorators
from tfx.utils import dependency_utils

from models import compat as tensorflow_compat
from models.data import file_patterns
from models.errors import ConfigError
from models.errors import shortened

_LOCAL_RUNNERS = (None, "DirectRunner")

# Stand-in for the module `bz2`: the code is unpacked in this same process.
_UNCOMPRESSED = SimpleNamespace(
    compress=lambda data, compresslevel=9: data,  # noqa: ARG005 (bz2's signature)
    decompress=lambda data: data,
)
_build_package_once = functools.cache(dependency_utils.build_ephemeral_package)


_inspect_arguments = core.get_function_args_defaults
_known: weakref.WeakKeyDictionary[Callable[..., Any], Any] = weakref.WeakKeyDictionary()


def _arguments(function: Callable[..., Any]) -> tuple[list[str], list[Any]]:
    """Returns names and defaults of a function's arguments, like Beam's function.

    Beam inspects each of a DoFn's 25 methods, most of them Beam's own, six times for
    every use of a DoFn in a pipeline.
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
    """Whether Beam's only worker is a thread of this process.

    Raises:
        ConfigError: A flag has a value that Beam cannot read.
    """
    options = PipelineOptions(list(beam_args))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options.get_all_options()
    except SystemExit as error:
        problem = said.getvalue().strip().rpartition("error: ")[2]
        raise ConfigError(
            f"beam_args: Beam does not take these flags: {shortened(problem)}; correct "
            "or remove the flag"
        ) from error
    return (
        options.view_as(StandardOptions).runner in _LOCAL_RUNNERS
        and options.view_as(DirectOptions).direct_running_mode == "in_memory"
    )


@contextlib.contextmanager
def in_process_patches(beam_args: Sequence[str]) -> Iterator[None]:
    """Skips packaging that only remote Beam workers need.

    Args:
        beam_args: Flags of the steps' Beam pipelines.
    """
    # Beam builds a parser of all its flags dozens of times per step, and each searches
    # the disk for a translation of its messages; there is none for the locale C.
    with mock.patch.dict(os.environ, LANGUAGE="C"), contextlib.ExitStack() as patches:
        replaced: list[tuple[Any, str, Any]] = [
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
            # Help for pipeline authors: Beam reads the source of each function, and
            # keeps the stack of each type hint for error messages.
            (core, "_check_fn_use_yield_and_return", lambda _: False),
            (decorators, "TRACEBACK_LIMIT", -2),  # Beam adds two frames of its own
            (core, "get_function_args_defaults", _arguments),
        ]
        # Counters of every value in a tenth of the batches, which nobody reads.
        from tfx_bsl.tfxio import telemetry

        profile = telemetry._ProfileRecordBatchDoFn  # noqa: SLF001
        for name in ("_UpdateNumColumnsDist", "_UpdateNumValuesDist"):
            replaced.append((profile, name, lambda _self, _batch: None))
        for module, name, by in replaced:
            patches.enter_context(mock.patch.object(module, name, by))
        yield


_beam_match = LocalFileSystem.match


def _match(
    self: LocalFileSystem,
    patterns: Sequence[str],
    limits: Sequence[int | None] | None = None,
) -> list[Any]:
    """Returns Beam's metadata of the files that match each pattern."""
    found: list[Any] = []
    for pattern, limit in zip(patterns, limits or [None] * len(patterns), strict=True):
        if not file_patterns.is_literal(pattern):
            found += _beam_match(self, [pattern], [limit])
            continue
        folder, name = os.path.split(pattern)
        # As in Beam: a pattern matches files, including hidden ones; a plain name any
        # path.
        if name and not glob.has_magic(name):
            paths = [pattern] if os.path.exists(pattern) else []
        else:
            wanted = re.compile(self.translate_pattern(name or "*"))
            names = [n for n in sorted(os.listdir(folder)) if wanted.match(n)]
            paths = [os.path.join(folder, n) for n in names]
            paths = [path for path in paths if os.path.isfile(path)][:limit]
        found.append(MatchResult(pattern, [self.metadata(path) for path in paths]))
    return found


@contextlib.contextmanager
def literal_folders() -> Iterator[None]:
    """Makes Beam, TFX and TensorFlow take folder names literally.

    This affects the current process, not remote Beam workers; see
    `models.data.file_patterns`.
    """
    with (
        tensorflow_compat.literal_folders(),
        mock.patch.object(LocalFileSystem, "match", _match),
    ):
        yield


@contextlib.contextmanager
def bounded_reads() -> Iterator[None]:
    """Lets TFX look up what a run needs without reading the whole pipeline's history.

    Before each node TFX reads all executions of the pipeline, once for each input, and
    intersects them with those of the run: with 400 stored days that was two thirds of a
    day's time. Executions of a run are read by the run instead. An input that no node
    of the graph makes is any artifact of its type, of which our resolver takes those
    with the planned fingerprints.
    """
    from tfx.orchestration.portable.input_resolution import channel_resolver
    from tfx.orchestration.portable.mlmd import execution_lib

    resolve = channel_resolver.resolve_single_channel
    replaced: list[tuple[ModuleType, str, Any]] = [
        (channel_resolver, "_get_executions_by_all_contexts", _executions_of_all),
        (channel_resolver, "resolve_single_channel", _resolved_by_type(resolve)),
        (
            execution_lib,
            "get_executions_associated_with_all_contexts",
            _executions_of_all,
        ),
    ]
    with contextlib.ExitStack() as patches:
        for module, name, by in replaced:
            patches.enter_context(mock.patch.object(module, name, by))
        yield


def _executions_of_all(metadata_handle: Any, contexts: Iterable[Any]) -> list[Any]:
    """Returns the executions in all of `contexts`, those of the run looked up first.

    Args:
        metadata_handle: ML Metadata, or TFX's handle of it.
        contexts: Contexts of ML Metadata.
    """
    from tfx.dsl.compiler import constants

    store = getattr(metadata_handle, "store", metadata_handle)
    # A run has a dozen executions; its pipeline and its nodes have those of all days.
    run = store.get_context_type(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME).id
    ordered = sorted(contexts, key=lambda context: context.type_id != run)
    if not ordered:
        return []
    others = {context.id for context in ordered[1:]}
    return [
        execution
        for execution in store.get_executions_by_context(ordered[0].id)
        if not others
        or others <= {c.id for c in store.get_contexts_by_execution(execution.id)}
    ]


def _resolved_by_type(resolve: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Returns `resolve`, with a lookup by type for channels outside the run."""
    from ml_metadata import errors
    from ml_metadata.proto import metadata_store_pb2
    from tfx.dsl.compiler import constants
    from tfx.orchestration import mlmd_connection_manager
    from tfx.types import artifact_utils

    def resolved(handle_like: Any, channel: Any) -> list[Any]:
        run = constants.PIPELINE_RUN_CONTEXT_TYPE_NAME
        if any(query.type.name == run for query in channel.context_queries):
            return resolve(handle_like, channel)
        store = mlmd_connection_manager.get_handle(handle_like).store
        name = channel.artifact_query.type.name
        try:
            kind = store.get_artifact_type(name)
        except errors.NotFoundError:  # nothing of this type was ever made
            return []
        live = metadata_store_pb2.Artifact.LIVE
        found = [a for a in store.get_artifacts_by_type(name) if a.state == live]
        return artifact_utils.deserialize_artifacts(kind, found)

    return resolved


@contextlib.contextmanager
def launched_by(launcher_class: type) -> Iterator[None]:
    """Makes LocalDagRunner start every node with `launcher_class`.

    The runner hard-codes the class.

    Args:
        launcher_class: A subclass of TFX's `Launcher`.
    """
    from tfx.orchestration.portable import launcher

    with mock.patch.object(launcher, "Launcher", launcher_class):
        yield


@contextlib.contextmanager
def transform_with(processor_class: type) -> Iterator[None]:
    """Makes TFX's Transform write with `processor_class`, and trace less often.

    The executor hard-codes the class.

    Args:
        processor_class: A subclass of TFX's `TransformProcessor`.
    """
    from tensorflow_transform import impl_helper
    from tfx.components.transform import executor

    trace = _inspected_once(impl_helper.trace_preprocessing_function)
    with (
        mock.patch.object(executor, "TransformProcessor", processor_class),
        mock.patch.object(impl_helper, "trace_preprocessing_function", trace),
    ):
        yield


def _inspected_once(trace: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `trace` of `impl_helper`, with one trace for all inspections.

    TFX traces the preprocessing function four times to find the columns it reads and
    the analyzers it uses. A trace without a folder for assets is only such an
    inspection.
    """
    inspected: list[Any] = []

    def trace_once(
        preprocessing_fn: Any,
        input_specs: Any,
        use_tf_compat_v1: bool,
        base_temp_dir: str | None = None,
    ) -> Any:
        arguments = (preprocessing_fn, input_specs, use_tf_compat_v1, base_temp_dir)
        if base_temp_dir is not None:
            return trace(*arguments)
        if not inspected:
            inspected.append(trace(*arguments))
        return inspected[0]

    return trace_once


def declare(component: Any, spec: Any) -> None:
    """Initializes a TFX component with a spec that extends TFX's own.

    The component's own constructor would build TFX's spec, so the base class's
    constructor is called instead.

    Args:
        component: A subclass of a standard component, inside its `__init__`.
        spec: An instance of the component's `SPEC_CLASS`.
    """
    from tfx.dsl.components.base import base_component

    base_component.BaseComponent.__init__(component, spec=spec)
