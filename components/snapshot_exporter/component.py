"""Component spec of SnapshotExporter."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.snapshot_exporter import executor


class SnapshotExporterSpec(types.ComponentSpec):
    """A tiny pretraining model in, its period's EmbeddingSnapshot out."""

    PARAMETERS = {
        "features": ExecutionParameter(type=str),
        "period_day": ExecutionParameter(type=int),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "vocabulary": ChannelParameter(type=artifacts.Vocabulary),
    }
    OUTPUTS = {"snapshot": ChannelParameter(type=artifacts.EmbeddingSnapshot)}


class SnapshotExporter(base_component.BaseComponent):
    """Exports user and item embeddings of one TPM period (E-CDCTR, TPM)."""

    SPEC_CLASS = SnapshotExporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        vocabulary: types.BaseChannel,
        features: str,
        period_day: int,
    ) -> None:
        """Declares the component.

        Args:
            model: The trained TPM.
            vocabulary: The vocabulary it was trained with.
            features: JSON of the `FeatureTable`.
            period_day: The TPM's run day; its rows end the day before.
        """
        super().__init__(
            SnapshotExporterSpec(
                model=model,
                vocabulary=vocabulary,
                features=features,
                period_day=period_day,
                snapshot=types.Channel(type=artifacts.EmbeddingSnapshot),
            )
        )
