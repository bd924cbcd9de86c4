"""Canaries: private names of TFX, TFT and Beam that we replace or override.

A release that renames one, changes its arguments or looks it up elsewhere would leave
our replacement unused without an error. Arguments were read from tfx 1.16.0,
tensorflow-transform 1.16.0 and apache-beam 2.65.0.
"""

from __future__ import annotations

import importlib
import inspect
from functools import reduce
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # imports Beam and TFX

DEPENDENCIES = "tfx.utils.dependency_utils"
CLOUDPICKLE = "apache_beam.internal.cloudpickle.cloudpickle"
PICKLER = "apache_beam.internal.cloudpickle_pickler"
CORE = "apache_beam.transforms.core"
FILES = "apache_beam.io.localfilesystem"
LAUNCHER = "tfx.orchestration.portable.launcher"
CHANNELS = "tfx.orchestration.portable.input_resolution.channel_resolver"
EXECUTIONS = "tfx.orchestration.portable.mlmd.execution_lib"
TRANSFORM = "tfx.components.transform.executor"
VALIDATOR = "tfx.components.example_validator.executor"
INFRA = "tfx.components.infra_validator.executor"
TRAINER = "tfx.components.trainer.executor"
BASE = "tfx.dsl.components.base.base_component"
TELEMETRY = "tfx_bsl.tfxio.telemetry"

ARGUMENTS = {
    # Replaced by `components.compat`.
    f"{DEPENDENCIES}:build_ephemeral_package": "",
    f"{DEPENDENCIES}:make_beam_dependency_flags": "beam_pipeline_args",
    f"{CLOUDPICKLE}:_find_imported_submodules": "code top_level_dependencies",
    f"{CORE}:_check_fn_use_yield_and_return": "fn",
    f"{CORE}:get_function_args_defaults": "f",
    f"{FILES}:LocalFileSystem.match": "self patterns limits",
    f"{FILES}:LocalFileSystem.translate_pattern": "pattern",
    "tensorflow_transform.impl_helper:trace_preprocessing_function": (
        "preprocessing_fn input_specs use_tf_compat_v1 base_temp_dir"
    ),
    f"{TELEMETRY}:_ProfileRecordBatchDoFn._UpdateNumColumnsDist": "self record_batch",
    f"{TELEMETRY}:_ProfileRecordBatchDoFn._UpdateNumValuesDist": "self record_batch",
    f"{BASE}:BaseComponent.__init__": "self spec custom_executor_spec",
    f"{CHANNELS}:_get_executions_by_all_contexts": "store contexts",
    f"{CHANNELS}:resolve_single_channel": "handle_like channel",
    f"{EXECUTIONS}:get_executions_associated_with_all_contexts": (
        "metadata_handle contexts"
    ),
    # Overridden by our launcher.
    f"{LAUNCHER}:Launcher._publish_successful_execution": (
        "self execution_id contexts output_dict executor_output"
    ),
    # Overridden by our executors.
    f"{TRANSFORM}:TransformProcessor._EncodeAndWrite": "schema file_format output_path",
    f"{VALIDATOR}:Executor._Validate": "self inputs outputs",
    f"{INFRA}:Executor._Do": (
        "self model examples blessing serving_spec validation_spec request_spec"
    ),
    f"{INFRA}:Executor._ValidateOnce": (
        "self model_path serving_binary serving_spec validation_spec requests"
    ),
    f"{TRAINER}:GenericExecutor._GetFnArgs": (
        "self input_dict output_dict exec_properties"
    ),
}

# Who looks up a name that we replace or override, as an attribute or a global.
USERS = {
    f"{DEPENDENCIES}:make_beam_dependency_flags": "build_ephemeral_package",
    f"{PICKLER}:dumps": "bz2",
    f"{PICKLER}:loads": "bz2",
    f"{CLOUDPICKLE}:_function_getstate": "_find_imported_submodules",
    f"{CORE}:ParDo.__init__": "_check_fn_use_yield_and_return",
    f"{CORE}:get_function_arguments": "get_function_args_defaults",
    "apache_beam.typehints.decorators:IOTypeHints._make_origin": "TRACEBACK_LIMIT",
    "tfx.orchestration.local.local_dag_runner:LocalDagRunner.run_with_ir": "Launcher",
    f"{LAUNCHER}:Launcher.__init__": "_pipeline_node",
    f"{LAUNCHER}:Launcher.launch": "_publish_successful_execution",
    f"{LAUNCHER}:Launcher._register_or_reuse_execution": (
        "get_executions_associated_with_all_contexts"
    ),
    f"{CHANNELS}:resolve_union_channels": "resolve_single_channel",
    f"{CHANNELS}:resolve_single_channel": "_get_executions_by_all_contexts",
    f"{TRANSFORM}:Executor.Do": "TransformProcessor",
    "tensorflow_transform.beam.impl:_AnalyzeDatasetCommon.expand": (
        "trace_preprocessing_function"
    ),
    f"{TELEMETRY}:_ProfileRecordBatchDoFn.process": "_UpdateNumValuesDist",
    f"{VALIDATOR}:Executor.Do": "_Validate",
    f"{INFRA}:Executor.Do": "_Do",
    f"{TRAINER}:GenericExecutor.Do": "_GetFnArgs",
}


def named(path: str) -> Any:
    """Returns what `module:name.name` names."""
    module, _, names = path.partition(":")
    return reduce(getattr, names.split("."), importlib.import_module(module))


@pytest.mark.parametrize("path", ARGUMENTS)
def test_a_private_name_has_the_arguments_that_its_replacement_takes(path):
    assert list(inspect.signature(named(path)).parameters) == ARGUMENTS[path].split()


@pytest.mark.parametrize("path", USERS)
def test_a_replaced_name_is_looked_up_where_it_is_replaced(path):
    function = inspect.unwrap(named(path))
    code = getattr(function, "__func__", function).__code__
    assert USERS[path] in code.co_names


def test_a_launcher_gets_its_connection_by_name():
    parameters = inspect.signature(named(f"{LAUNCHER}:Launcher.__init__")).parameters
    assert "mlmd_connection" in parameters


@pytest.mark.parametrize("name", ["arguments changed", "not looked up"])
def test_a_canary_notices(name, monkeypatch):
    module = importlib.import_module(DEPENDENCIES)
    path = f"{DEPENDENCIES}:make_beam_dependency_flags"
    monkeypatch.setattr(module, "make_beam_dependency_flags", lambda _flags: [])
    check = {
        "arguments changed": (
            test_a_private_name_has_the_arguments_that_its_replacement_takes
        ),
        "not looked up": test_a_replaced_name_is_looked_up_where_it_is_replaced,
    }[name]
    with pytest.raises(AssertionError):
        check(path)
