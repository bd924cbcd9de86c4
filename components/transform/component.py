"""Component spec of Transform."""

from __future__ import annotations

import json

from tfx import types
from tfx.components.transform import component as tfx_component
from tfx.dsl.components.base import executor_spec
from tfx.proto import transform_pb2
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs
from tfx.types.component_spec import ChannelParameter

from components import artifacts
from components.compat import declare
from components.transform import executor


class TransformSpec(standard_component_specs.TransformSpec):
    """TFX's spec plus the vocabulary."""

    INPUTS = {
        **standard_component_specs.TransformSpec.INPUTS,
        "vocabulary": ChannelParameter(type=artifacts.Vocabulary),
    }


class Transform(tfx_component.Transform):
    """Transform of a block's raw Examples, once for all levels and later days."""

    SPEC_CLASS = TransformSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        vocabulary: types.BaseChannel,
        features: str,
        domains: tuple[str, ...],
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            examples: The block's raw Examples.
            schema: The curated schema.
            vocabulary: The vocabulary as of the block's last day.
            features: JSON of the `FeatureTable`.
            domains: Splits to transform.
            fingerprint: Hash of configuration, code and log files.
        """
        transformed = types.Channel(type=standard_artifacts.Examples)
        transformed.matching_channel_name = "examples"
        spec = TransformSpec(
            examples=examples,
            schema=schema,
            vocabulary=vocabulary,
            preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
            # There is nothing to analyze; TFX requires at least one split here.
            splits_config=transform_pb2.SplitsConfig(
                analyze=[domains[0]], transform=list(domains)
            ),
            custom_config=json.dumps(
                {"features": features, "fingerprint": fingerprint}
            ),
            # StatisticsGen has already computed statistics of these impressions.
            disable_statistics=1,
            force_tf_compat_v1=0,
            transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
            transformed_examples=transformed,
        )
        declare(self, spec)
