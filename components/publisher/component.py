"""Component spec of Publisher."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.publisher import executor


class PublisherSpec(types.ComponentSpec):
    """A model, the Gate's decision and a server's in, a version folder out."""

    PARAMETERS = {
        "name": ExecutionParameter(type=str),
        "directory": ExecutionParameter(type=str),
        "day": ExecutionParameter(type=int),
        "fingerprint": ExecutionParameter(type=str),
        "keep": ExecutionParameter(type=int),
        "rollout": ExecutionParameter(type=str),
        "server_path": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "decision": ChannelParameter(type=artifacts.GateDecision),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
    }
    OUTPUTS = {"published": ChannelParameter(type=artifacts.PublishedModel)}


class Publisher(base_component.BaseComponent):
    """Publishes an approved model under a version made of its day.

    TFX's Pusher takes versions from the wall clock, so a backfilled day would become
    the newest.
    """

    SPEC_CLASS = PublisherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        decision: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        name: str,
        directory: str,
        day: int,
        fingerprint: str,
        keep: int,
        rollout: str,
        server_path: str,
    ) -> None:
        """Declares the component.

        Args:
            model: The candidate.
            decision: The Gate's decision on it.
            infra_blessing: Whether a server could load it, and its warmup requests.
            name: Name of the model.
            directory: Folder that a server watches.
            day: The run's day; the version's date.
            fingerprint: Hash of everything the result is made from.
            keep: Versions that are kept; older ones are removed.
            rollout: `stable` or `canary`, the label of a new version.
            server_path: Where servers see `directory`.
        """
        super().__init__(
            PublisherSpec(
                model=model,
                decision=decision,
                infra_blessing=infra_blessing,
                name=name,
                directory=directory,
                day=day,
                fingerprint=fingerprint,
                keep=keep,
                rollout=rollout,
                server_path=server_path,
                published=types.Channel(type=artifacts.PublishedModel),
            )
        )
