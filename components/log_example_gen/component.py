"""Component spec of LogExampleGen."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_beam_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components.log_example_gen import executor


class LogExampleGenSpec(types.ComponentSpec):
    """Days of logs in, Parquet Examples with one split per domain out."""

    PARAMETERS = {
        "logs": ExecutionParameter(type=str),
        "features": ExecutionParameter(type=str),
        "first_day": ExecutionParameter(type=int),
        "last_day": ExecutionParameter(type=int),
        "quarantine": ExecutionParameter(type=str),
        "log_hashes": ExecutionParameter(type=str),
        "max_bad_share": ExecutionParameter(type=float),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class LogExampleGen(base_beam_component.BaseBeamComponent):
    """Reads the logs of a block of days.

    TFX's ExampleGens take one span per run and go through row dictionaries; this one
    takes any range of days, keeps columns as columns and accounts for every row.
    """

    SPEC_CLASS = LogExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        logs: str,
        features: str,
        first_day: int,
        last_day: int,
        quarantine: str,
        log_hashes: str,
        max_bad_share: float,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            logs: JSON list of `DomainLog`.
            features: JSON of the `FeatureTable`.
            first_day: First day read, days since 1970-01-01.
            last_day: Last day read.
            quarantine: Folder for rows that cannot be read.
            log_hashes: File of the hashes that planning kept, see `ContentHashes`.
            max_bad_share: Share of a domain's rows that may be bad.
            fingerprint: Hash of configuration, code and log files.
        """
        super().__init__(
            LogExampleGenSpec(
                logs=logs,
                features=features,
                first_day=first_day,
                last_day=last_day,
                quarantine=quarantine,
                log_hashes=log_hashes,
                max_bad_share=max_bad_share,
                fingerprint=fingerprint,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
