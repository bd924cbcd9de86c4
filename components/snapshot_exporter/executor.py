"""Writes a TPM's user and item tables, keyed by raw id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import stamp
from models.artifact_files import TRAIN_FOLDER
from models.features.table import FeatureTable
from models.training.snapshot_export import export_snapshot


class Executor(base_executor.BaseExecutor):
    """Executor of `SnapshotExporter`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the snapshot of the period that ended with the model's last day."""
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        snapshot = artifact_utils.get_single_instance(output_dict["snapshot"])
        export_snapshot(
            Path(model.uri) / TRAIN_FOLDER,
            Path(artifact_utils.get_single_uri(input_dict["vocabulary"])),
            FeatureTable.from_json(exec_properties["features"]),
            Path(snapshot.uri),
            period_day=exec_properties["period_day"],
        )
        stamp(
            snapshot,
            first_day=model.get_int_custom_property("first_day"),
            last_day=model.get_int_custom_property("last_day"),
            fingerprint=model.get_string_custom_property("fingerprint"),
        )
