"""Executor of LevelTrainer: turns artifacts into paths of `LevelInputs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.trainer import executor as tfx_executor
from tfx.components.trainer import fn_args_utils
from tfx.types import artifact_utils

from components.artifacts import stamp
from models.artifact_files import REPORT_FILE
from models.artifact_files import TRAIN_FOLDER
from models.training.level import run_level
from models.training.level_inputs import LevelInputs
from models.training.level_inputs import LevelReport


class Executor(tfx_executor.GenericExecutor):
    """Executor of `LevelTrainer`."""

    def _GetFnArgs(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> fn_args_utils.FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        base_model = input_dict.get("base_model") or []
        source_model = input_dict.get("source_model") or []
        snapshots = input_dict.get("snapshots") or []
        settings = fn_args.custom_config["settings"]
        # The last domain is the target.
        raw = artifact_utils.get_split_uris(
            input_dict.get("raw_examples") or [], settings["domains"][-1]
        )
        model = artifact_utils.get_single_instance(output_dict["model"])
        fn_args.custom_config["paths"] = {
            "examples": fn_args.train_files,
            "transform_graph": fn_args.transform_graph_path,
            "vocabulary": artifact_utils.get_single_uri(input_dict["vocabulary"]),
            "raw_examples": [f"{uri}/*.parquet" for uri in raw],
            "warm_start": base_model[0].uri if base_model else None,
            "source_model": source_model[0].uri if source_model else None,
            "snapshots": [snapshot.uri for snapshot in snapshots],
            "serving_dir": fn_args.serving_model_dir,
            "train_dir": str(Path(model.uri) / TRAIN_FOLDER),
            "run_dir": fn_args.model_run_dir,
        }
        return fn_args

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains the level and stamps the model with its days."""
        super().Do(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict["model"])
        fn_args = self._GetFnArgs(input_dict, output_dict, exec_properties)
        inputs = _level_inputs(fn_args)
        report = (inputs.train_dir / REPORT_FILE).read_text(encoding="utf-8")
        stamp(
            model,
            level=inputs.level,
            num_rows=LevelReport.model_validate_json(report).rows,
            first_day=inputs.first_day,
            last_day=inputs.last_day,
            fingerprint=fn_args.custom_config["fingerprint"],
        )


def run_fn(fn_args: fn_args_utils.FnArgs) -> None:
    """TFX's entry point: trains the level that `fn_args.custom_config` describes."""
    run_level(_level_inputs(fn_args))


def _level_inputs(fn_args: fn_args_utils.FnArgs) -> LevelInputs:
    config = fn_args.custom_config
    return LevelInputs.model_validate({**config["settings"], **config["paths"]})
