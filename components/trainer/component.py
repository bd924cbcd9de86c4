"""Component spec of LevelTrainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.components.trainer import component as tfx_component
from tfx.dsl.components.base import executor_spec
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs
from tfx.types.component_spec import ChannelParameter
from tfx.utils import json_utils

from components import artifacts
from components.compat import declare
from components.trainer import executor


class LevelTrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's spec plus a level's inputs from other levels."""

    INPUTS = {
        **standard_component_specs.TrainerSpec.INPUTS,
        "vocabulary": ChannelParameter(type=artifacts.Vocabulary),
        "raw_examples": ChannelParameter(
            type=standard_artifacts.Examples, optional=True
        ),
        "source_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "snapshots": ChannelParameter(type=artifacts.EmbeddingSnapshot, optional=True),
    }


class LevelTrainer(tfx_component.Trainer):
    """Trainer of one level: TPM, CPM, the source's or the target's CTR model.

    `base_model` is the model it warm-starts from, `source_model` the one CTNet reads,
    `snapshots` the TPM periods it reads; all come through channels, so that lineage
    shows them.
    """

    SPEC_CLASS = LevelTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        vocabulary: types.BaseChannel,
        raw_examples: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None,
        source_model: types.BaseChannel | None = None,
        snapshots: types.BaseChannel | None,
        domains: tuple[str, ...],
        settings: Mapping[str, Any],
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            examples: Transformed Examples of every block that overlaps the window.
            transform_graph: TransformGraph of the newest block, for serving.
            vocabulary: The newest vocabulary before the run's day.
            raw_examples: Raw Examples of the same blocks, for the train/serve check;
                none for levels that are not served.
            base_model: Model of the warm start, if any.
            source_model: Source model to read, if any.
            snapshots: TPM periods to read, newest first, if any.
            domains: Splits to train on.
            settings: The fields of `LevelInputs` that are not paths.
            fingerprint: Hash of all inputs of the model.
        """
        spec = LevelTrainerSpec(
            examples=examples,
            transform_graph=transform_graph,
            vocabulary=vocabulary,
            raw_examples=raw_examples,
            base_model=base_model,
            source_model=source_model,
            snapshots=snapshots,
            train_args=trainer_pb2.TrainArgs(splits=list(domains)),
            # Trainer requires an evaluation split, which levels do not use.
            eval_args=trainer_pb2.EvalArgs(splits=list(domains)),
            run_fn="components.trainer.executor.run_fn",
            custom_config=json_utils.dumps(
                {"settings": dict(settings), "fingerprint": fingerprint}
            ),
            model=types.Channel(type=standard_artifacts.Model),
            model_run=types.Channel(type=standard_artifacts.ModelRun),
        )
        declare(self, spec)
