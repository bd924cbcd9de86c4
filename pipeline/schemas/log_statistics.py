"""TFDV statistics of logs before their ingest.

Importing this module imports TFDV and Beam, which takes some 10 to 20 s.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import apache_beam as beam
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx_bsl.tfxio import parquet_tfxio

from components.compat import literal_folders
from components.example_validator.logic import empty_as_missing
from components.log_example_gen.conversion import WriteShard
from components.log_example_gen.log_files import file_size
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import plan_shards
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.unread_files import refuse_unread_days
from components.storage.places import place
from models.artifact_files import split_folder
from models.days import DayRange
from models.errors import DataError
from pipeline.config.schema import Config
from pipeline.execution.arrivals import unread_lines

_SHARD_BYTES = 64 << 20
# The in-memory runner, as in `pipeline.graphs.factory`.
_BEAM_ARGS = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]


@dataclass(frozen=True)
class LogStatistics:
    """Row counts and statistics of a domain's logs.

    Attributes:
        rows: Rows that could be converted.
        bad_rows: Rows that an ingest would write into the quarantine.
        statistics: TFDV's statistics of the converted rows, see `empty_as_missing`.
    """

    rows: int
    bad_rows: int
    statistics: statistics_pb2.DatasetFeatureStatisticsList


def log_statistics(
    config: Config, days: DayRange, on_progress: Callable[[str], None]
) -> dict[str, LogStatistics]:
    """Computes the statistics of every domain as an ingest of `days` would.

    Args:
        config: The configuration.
        days: Days of logs to read.
        on_progress: Called with a message about the current domain.

    Returns:
        Statistics by domain, in the configuration's order, without domains that have
        no rows.

    Raises:
        DataError: No domain has a row on these days, or a log cannot be read at all.
    """
    found = {}
    for domain in config.domains:
        on_progress(f"{domain}: reading the logs of {days}")
        for line in unread_lines(config, [days], [domain]):
            on_progress(line)
        described = _describe(config, domain, days)
        if described is None:
            on_progress(f"{domain}: no row on these days, left out")
            continue
        bad = f", {described.bad_rows:,} more cannot be read" * bool(described.bad_rows)
        on_progress(f"{domain}: {described.rows:,} rows{bad}")
        found[domain] = described
    if not found:
        raise DataError(
            f"no domain has a row of {days} in {str(config.logs)!r}; choose days with "
            "logs: `--day <last day> --days <number of days>`"
        )
    return found


def _describe(config: Config, domain: str, days: DayRange) -> LogStatistics | None:
    log = config.domain_log(domain)
    refuse_unread_days(place(log.folder), days.first, days.last, log.marker)
    files = list_log_files(place(log.folder), days.first, days.last)
    refuse_twins(files)
    sizes = [file_size(file) for file in files]
    with tempfile.TemporaryDirectory(prefix="crossctr-schema-") as folder:
        write = WriteShard(
            folder, f"{folder}/quarantine", {domain: log}, config.table.to_json()
        )
        counts = [
            count
            for shard in plan_shards(domain, files, sizes, _SHARD_BYTES)
            for count in write.process(shard)
        ]
        rows = sum(count["written"] for count in counts)
        bad_rows = sum(count["quarantined"] for count in counts)
        if not rows:
            return None
        path = f"{folder}/statistics.pb"
        # The same reader and options as the ingest's StatisticsGen.
        source = parquet_tfxio.ParquetTFXIO(
            f"{folder}/{split_folder(domain)}/*.parquet"
        )
        options = tfdv.StatsOptions(use_sketch_based_topk_uniques=True)
        with (
            literal_folders(),
            beam.Pipeline(options=PipelineOptions(_BEAM_ARGS)) as pipeline,
        ):
            _ = (
                pipeline
                | "Read" >> source.BeamSource()
                | "Describe" >> tfdv.GenerateStatistics(options)
                | "Write" >> tfdv.WriteStatisticsToBinaryFile(path)
            )
        found = empty_as_missing(tfdv.load_stats_binary(path))
        return LogStatistics(rows, bad_rows, found)
