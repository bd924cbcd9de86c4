"""Component spec of Vocabulary."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_beam_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.vocabulary import executor


class VocabularySpec(types.ComponentSpec):
    """A block's Examples and yesterday's vocabulary in, the grown vocabulary out."""

    PARAMETERS = {
        "features": ExecutionParameter(type=str),
        "target": ExecutionParameter(type=str),
        "separate_ids": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "guard_report": ChannelParameter(type=artifacts.GuardReport),
        "previous": ChannelParameter(type=artifacts.Vocabulary, optional=True),
    }
    OUTPUTS = {"vocabulary": ChannelParameter(type=artifacts.Vocabulary)}


class Vocabulary(base_beam_component.BaseBeamComponent):
    """Grows the append-only vocabularies by one block of days.

    The first block's statistics of numbers are kept for all later ones.
    """

    SPEC_CLASS = VocabularySpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        guard_report: types.BaseChannel,
        previous: types.BaseChannel | None,
        features: str,
        target: str,
        separate_ids: str,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            examples: The block's raw Examples.
            guard_report: The Guard's word; nothing grows on a bad block.
            previous: The newest vocabulary that ends before the block.
            features: JSON of the `FeatureTable`.
            target: The target domain, whose ids the sources may know.
            separate_ids: JSON of the configuration's `separate_ids`.
            fingerprint: Hash of configuration, code and log files.
        """
        super().__init__(
            VocabularySpec(
                examples=examples,
                guard_report=guard_report,
                previous=previous,
                features=features,
                target=target,
                separate_ids=separate_ids,
                fingerprint=fingerprint,
                vocabulary=types.Channel(type=artifacts.Vocabulary),
            )
        )
