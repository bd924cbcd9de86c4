"""Executor of StatisticsGen: stamps days and fingerprint on the statistics."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.statistics_gen import executor as tfx_executor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs

from components.artifacts import stamp


class Executor(tfx_executor.Executor):
    """Executor of `StatisticsGen`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Computes the statistics of every split."""
        properties = dict(exec_properties)
        fingerprint = properties.pop("fingerprint")
        super().Do(input_dict, output_dict, properties)
        examples = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.EXAMPLES_KEY]
        )
        stamp(
            artifact_utils.get_single_instance(
                output_dict[standard_component_specs.STATISTICS_KEY]
            ),
            first_day=examples.get_int_custom_property("first_day"),
            last_day=examples.get_int_custom_property("last_day"),
            fingerprint=fingerprint,
        )
