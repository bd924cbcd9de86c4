"""Executor of ExampleValidator: sets schema and comparisons for each split."""

from __future__ import annotations

import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.components.example_validator import executor as tfx_executor
from tfx.components.example_validator import labels
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import artifact_utils
from tfx.types import standard_component_specs
from tfx.utils import writer_utils

from components.example_validator.logic import empty_as_missing
from components.example_validator.logic import environment_of
from components.example_validator.logic import num_rows
from components.example_validator.logic import with_comparators
from components.example_validator.thresholds import ValidationThresholds
from models.artifact_files import split_of


def statistics_by_domain(
    artifacts: list[types.Artifact],
) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Returns the statistics of every split, see `empty_as_missing`."""
    found = {}
    for artifact in artifacts:
        for split in artifact_utils.decode_split_names(artifact.split_names):
            view = stats_artifact_utils.load_statistics(artifact, split)
            found[split] = empty_as_missing(view.proto())
    return found


class Executor(tfx_executor.Executor):
    """Executor of `ExampleValidator`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> Any:
        """Validates every split; TFX's loop calls `_Validate` for each."""
        inputs = dict(input_dict)
        self._previous = statistics_by_domain(inputs.pop("previous_statistics", []))
        self._current = statistics_by_domain(
            inputs[standard_component_specs.STATISTICS_KEY]
        )
        self._target = exec_properties["target"]
        self._thresholds = ValidationThresholds.model_validate_json(
            exec_properties["thresholds"]
        )
        return super().Do(inputs, output_dict, exec_properties)

    def _Validate(  # noqa: N802 (TFX's name)
        self, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> anomalies_pb2.Anomalies:
        folder = outputs[labels.SCHEMA_DIFF_PATH]
        # TFX passes the statistics and the output path, which alone contains the split.
        domain = split_of(folder)
        schema = inputs[standard_component_specs.SCHEMA_KEY]
        statistics = self._current[domain]
        previous = self._previous.get(domain)
        target = None if domain == self._target else self._current.get(self._target)
        anomalies = tfdv.validate_statistics(
            statistics,
            with_comparators(
                schema, self._thresholds, statistics, previous=previous, target=target
            ),
            environment=environment_of(schema, domain),
            previous_statistics=previous if num_rows(previous) else None,
            serving_statistics=target if num_rows(target) else None,
        )
        path = os.path.join(folder, tfx_executor.DEFAULT_FILE_NAME)
        writer_utils.write_anomalies(path, anomalies)
        return anomalies
