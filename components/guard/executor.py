"""Reads the anomalies of a block and stops the run if there is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.guard.logic import describe_anomalies
from models.days import DayRange
from models.errors import DataError


class Executor(base_executor.BaseExecutor):
    """Executor of `Guard`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Passes the block or stops it.

        Raises:
            DataError: ExampleValidator found an anomaly.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        found = artifact_utils.get_single_instance(input_dict["anomalies"])
        report = artifact_utils.get_single_instance(output_dict["report"])
        anomalies = {}
        for split in artifact_utils.decode_split_names(found.split_names):
            folder = Path(artifact_utils.get_split_uri([found], split))
            content = (folder / DEFAULT_FILE_NAME).read_bytes()
            anomalies[split] = anomalies_pb2.Anomalies.FromString(content)
        sentences = describe_anomalies(
            anomalies, json.loads(exec_properties["may_be_empty"])
        )
        days = DayRange(exec_properties["first_day"], exec_properties["last_day"])
        if sentences:
            raise DataError(
                f"the logs of {days} do not fit the schema: "
                + " | ".join(sentences)
                + " | Nothing was trained on them and the live model stays; mend the "
                "logs, or change the schema if the new values are right"
            )
        folder = Path(report.uri)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"days": str(days), "domains": sorted(anomalies)})
        (folder / "report.json").write_text(text, encoding="utf-8")
        stamp(report, first_day=days.first, last_day=days.last)
