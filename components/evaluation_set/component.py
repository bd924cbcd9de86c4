"""Component spec of EvaluationSet."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components.evaluation_set import executor


class EvaluationSetSpec(types.ComponentSpec):
    """Spec: raw Parquet Examples of some blocks in, tf.Examples of some days out."""

    PARAMETERS = {
        "domain": ExecutionParameter(type=str),
        "first_day": ExecutionParameter(type=int),
        "last_day": ExecutionParameter(type=int),
        "slices": ExecutionParameter(type=str),
    }
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {
        "evaluation_examples": ChannelParameter(type=standard_artifacts.Examples)
    }


class EvaluationSet(base_component.BaseComponent):
    """Component that extracts the evaluation impressions from their blocks.

    Other components read Parquet; TFMA's Evaluator calls a model's signature with
    serialized tf.Examples, as TF Serving does.
    """

    SPEC_CLASS = EvaluationSetSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        domain: str,
        first_day: int,
        last_day: int,
        slices: str = "{}",
    ) -> None:
        """Declares the component.

        Args:
            examples: Raw Examples of every block that overlaps the days.
            domain: The domain whose impressions are kept.
            first_day: First day kept, days since 1970-01-01.
            last_day: Last day kept.
            slices: JSON of `SliceRule` by name; each adds a column `slice_<name>`.
        """
        super().__init__(
            EvaluationSetSpec(
                examples=examples,
                domain=domain,
                first_day=first_day,
                last_day=last_day,
                slices=slices,
                evaluation_examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
