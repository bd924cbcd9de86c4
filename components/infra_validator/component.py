"""Component spec of InfraValidator."""

from __future__ import annotations

from tfx import types
from tfx.components.infra_validator import component as tfx_component
from tfx.dsl.components.base import executor_spec
from tfx.proto import infra_validator_pb2
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from components.compat import declare
from components.infra_validator import executor

# Loading takes seconds; an answer that takes a minute is none.
LOADING_SECONDS = 300


class InfraValidatorSpec(standard_component_specs.InfraValidatorSpec):
    """TFX's spec plus the inputs that requests are built from."""

    PARAMETERS = {
        **standard_component_specs.InfraValidatorSpec.PARAMETERS,
        "features": ExecutionParameter(type=str),
        "domain": ExecutionParameter(type=str),
        "first_day": ExecutionParameter(type=int),
        "last_day": ExecutionParameter(type=int),
        "fingerprint": ExecutionParameter(type=str),
    }


class InfraValidator(tfx_component.InfraValidator):
    """InfraValidator that loads a model in a local server and sends it requests.

    TFX's component starts a container or a pod. Here the server is
    `components.model_server`, in this process, which loads a model and speaks gRPC as
    TensorFlow Serving does. The requests are kept for warming up.
    """

    SPEC_CLASS = InfraValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        features: str,
        domain: str,
        first_day: int,
        last_day: int,
        name: str,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            model: The candidate.
            examples: Raw Examples that contain the evaluation days.
            features: JSON of the FeatureTable.
            domain: The target, whose impressions become requests.
            first_day: First evaluation day.
            last_day: Last evaluation day.
            name: Name of the model in requests.
            fingerprint: Hash of all inputs of the step's result.
        """
        spec = InfraValidatorSpec(
            model=model,
            examples=examples,
            blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            serving_spec=infra_validator_pb2.ServingSpec(
                tensorflow_serving=infra_validator_pb2.TensorFlowServing(
                    tags=["latest"]
                ),
                model_name=name,
            ),
            validation_spec=infra_validator_pb2.ValidationSpec(
                max_loading_time_seconds=LOADING_SECONDS, num_tries=1
            ),
            features=features,
            domain=domain,
            first_day=first_day,
            last_day=last_day,
            fingerprint=fingerprint,
        )
        declare(self, spec)
