"""Component spec of Guard."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.guard import executor


class GuardSpec(types.ComponentSpec):
    """Statistics and ExampleValidator's anomalies in, the word to go on out."""

    PARAMETERS = {
        "first_day": ExecutionParameter(type=int),
        "last_day": ExecutionParameter(type=int),
        "may_be_empty": ExecutionParameter(type=str),
        "target": ExecutionParameter(type=str),
        "min_rows": ExecutionParameter(type=int),
    }
    INPUTS = {
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "previous_statistics": ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
    }
    OUTPUTS = {"report": ChannelParameter(type=artifacts.GuardReport)}


class Guard(base_component.BaseComponent):
    """Stops a block of days with anomalies; TFX's ExampleValidator only marks them."""

    SPEC_CLASS = GuardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        anomalies: types.BaseChannel,
        statistics: types.BaseChannel,
        previous_statistics: types.BaseChannel | None,
        first_day: int,
        last_day: int,
        may_be_empty: str,
        target: str,
        min_rows: int,
    ) -> None:
        """Declares the component.

        Args:
            anomalies: ExampleValidator's output.
            statistics: StatisticsGen's output.
            previous_statistics: Statistics of the block before; None for the first.
            first_day: First day of the block.
            last_day: Last day of the block.
            may_be_empty: JSON list of the domains that may have no row on some days.
            target: The domain that the others are compared with.
            min_rows: Rows that both sides of a comparison need to be judged.
        """
        super().__init__(
            GuardSpec(
                anomalies=anomalies,
                statistics=statistics,
                previous_statistics=previous_statistics,
                first_day=first_day,
                last_day=last_day,
                may_be_empty=may_be_empty,
                target=target,
                min_rows=min_rows,
                report=types.Channel(type=artifacts.GuardReport),
            )
        )
