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
from components.example_validator.executor import statistics_by_domain
from components.example_validator.logic import num_rows
from components.guard.logic import describe_anomalies
from components.guard.logic import distances
from components.guard.logic import how_to_go_on
from components.guard.logic import summary
from models.artifact_files import GUARD_FILE
from models.days import DayRange
from models.errors import DataError
from models.progress import PROGRESS


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
        days = DayRange(exec_properties["first_day"], exec_properties["last_day"])
        content = _report(
            days,
            anomalies,
            input_dict["statistics"],
            input_dict.get("previous_statistics", []),
            exec_properties["target"],
        )
        measured = summary(content, exec_properties["min_rows"])
        if measured:
            PROGRESS.info(measured)
        sentences = describe_anomalies(
            anomalies, json.loads(exec_properties["may_be_empty"])
        )
        if sentences:
            raise DataError(
                f"the logs of {days} do not fit the schema: "
                + " | ".join(sentences)
                + " | Nothing was trained on them and the live model stays; "
                + how_to_go_on(anomalies.values())
            )
        target = Path(report.uri) / GUARD_FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content, indent=1), encoding="utf-8")
        stamp(report, first_day=days.first, last_day=days.last)


def _report(
    days: DayRange,
    anomalies: dict[str, anomalies_pb2.Anomalies],
    statistics: list[types.Artifact],
    previous: list[types.Artifact],
    target: str,
) -> dict[str, Any]:
    """Returns what `report.json` holds; docs/ingest.md describes it."""
    rows = statistics_by_domain(statistics)
    earlier = statistics_by_domain(previous)
    days_before = [
        DayRange(
            artifact.get_int_custom_property("first_day"),
            artifact.get_int_custom_property("last_day"),
        )
        for artifact in previous
    ]
    return {
        "days": str(days),
        "previous_days": str(days_before[0]) if days_before else None,
        "target": target,
        "domains": {
            domain: {
                "rows": num_rows(rows.get(domain)),
                "previous_rows": num_rows(earlier[domain])
                if domain in earlier
                else None,
                **distances(found),
            }
            for domain, found in sorted(anomalies.items())
        },
    }
