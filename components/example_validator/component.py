"""Component spec of ExampleValidator."""

from __future__ import annotations

from tfx import types
from tfx.components.example_validator import component as tfx_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components.compat import declare
from components.example_validator import executor


class ExampleValidatorSpec(standard_component_specs.ExampleValidatorSpec):
    """TFX's spec plus the previous block's statistics, the target and thresholds."""

    PARAMETERS = {
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        "target": ExecutionParameter(type=str),
        "thresholds": ExecutionParameter(type=str),
    }
    INPUTS = {
        **standard_component_specs.ExampleValidatorSpec.INPUTS,
        "previous_statistics": ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
    }


class ExampleValidator(tfx_component.ExampleValidator):
    """ExampleValidator with an environment per domain, drift and domain distance.

    TFX's component validates every split against the whole schema, without comparisons.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        previous_statistics: types.BaseChannel | None,
        target: str,
        thresholds: str,
    ) -> None:
        """Declares the component.

        Args:
            statistics: StatisticsGen's output, one split per domain.
            schema: The curated schema, with one environment per domain.
            previous_statistics: Statistics of the block before; None for the first.
            target: The domain that the sources are compared with.
            thresholds: JSON of `ValidationThresholds`.
        """
        spec = ExampleValidatorSpec(
            statistics=statistics,
            schema=schema,
            previous_statistics=previous_statistics,
            target=target,
            thresholds=thresholds,
            exclude_splits="[]",
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
        )
        declare(self, spec)
