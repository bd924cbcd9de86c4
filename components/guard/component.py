"""Guard component: reads a block's anomalies and stops the run if there are any.

No postponed annotations here: TFX reads those of the function itself.
"""

import json
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies
from tfx.types.standard_artifacts import ExampleStatistics

from components.artifacts import GuardReport
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


@component
def Guard(  # noqa: N802 (the name of the node and of its type)
    anomalies: InputArtifact[ExampleAnomalies],
    statistics: InputArtifact[ExampleStatistics],
    report: OutputArtifact[GuardReport],
    first_day: Parameter[int],
    last_day: Parameter[int],
    may_be_empty: Parameter[str],
    target: Parameter[str],
    min_rows: Parameter[int],
    previous_statistics: InputArtifact[ExampleStatistics] = None,
) -> None:
    """Stops a block of days with anomalies; TFX's ExampleValidator only marks them.

    Args:
        anomalies: ExampleValidator's output.
        statistics: StatisticsGen's output.
        report: The report that is written.
        first_day: First day of the block, days since 1970-01-01.
        last_day: Last day of the block.
        may_be_empty: JSON list of the domains that may have no impression on some days.
        target: The domain that the sources are compared with.
        min_rows: Number of impressions that both sides of a comparison need.
        previous_statistics: Statistics of the previous block; None for the first block.

    Raises:
        DataError: ExampleValidator found an anomaly.
    """
    found = _read_anomalies(anomalies)
    days = DayRange(first_day, last_day)
    content = _report(days, found, statistics, previous_statistics, target)
    measured = summary(content, min_rows)
    if measured:
        PROGRESS.info(measured)
    sentences = describe_anomalies(found, json.loads(may_be_empty))
    if sentences:
        raise DataError(
            f"the logs of {days} do not fit the schema: "
            + " | ".join(sentences)
            + " | Nothing was trained on them and the live model stays; "
            + how_to_go_on(found.values())
        )
    path = Path(report.uri) / GUARD_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    stamp(report, first_day=first_day, last_day=last_day)


def _read_anomalies(artifact: types.Artifact) -> dict[str, anomalies_pb2.Anomalies]:
    """Returns TFDV's anomalies by domain."""
    anomalies = {}
    for split in artifact_utils.decode_split_names(artifact.split_names):
        folder = Path(artifact_utils.get_split_uri([artifact], split))
        content = (folder / DEFAULT_FILE_NAME).read_bytes()
        anomalies[split] = anomalies_pb2.Anomalies.FromString(content)
    return anomalies


def _report(
    days: DayRange,
    anomalies: dict[str, anomalies_pb2.Anomalies],
    statistics: types.Artifact,
    previous: types.Artifact | None,
    target: str,
) -> dict[str, Any]:
    """Returns the content of `report.json`; docs/reference/ingest.md describes it."""
    rows = statistics_by_domain([statistics])
    earlier = {} if previous is None else statistics_by_domain([previous])
    previous_days = None
    if previous is not None:
        first = previous.get_int_custom_property("first_day")
        last = previous.get_int_custom_property("last_day")
        previous_days = str(DayRange(first, last))
    return {
        "days": str(days),
        "previous_days": previous_days,
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
