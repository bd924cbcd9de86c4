"""Component spec of StatisticsGen."""

from __future__ import annotations

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.statistics_gen import component as tfx_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from components.compat import declare
from components.statistics_gen import executor


class StatisticsGenSpec(standard_component_specs.StatisticsGenSpec):
    """TFX's spec plus the block's fingerprint."""

    PARAMETERS = {
        **standard_component_specs.StatisticsGenSpec.PARAMETERS,
        "fingerprint": ExecutionParameter(type=str),
    }


class StatisticsGen(tfx_component.StatisticsGen):
    """StatisticsGen of each domain; the next block is compared with its result."""

    SPEC_CLASS = StatisticsGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            examples: The block's raw Examples, one split per domain.
            schema: The curated schema.
            fingerprint: Hash of configuration, code and log files.
        """
        # TFDV's exact value counts pass one Python tuple per value through Beam; its
        # sketches are in C++ and still find a stray value among up to about 1,000.
        options = tfdv.StatsOptions(use_sketch_based_topk_uniques=True)
        spec = StatisticsGenSpec(
            examples=examples,
            schema=schema,
            stats_options_json=options.to_json(),
            exclude_splits="[]",
            fingerprint=fingerprint,
            statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        )
        declare(self, spec)
