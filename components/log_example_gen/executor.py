"""Reads dated logs with Beam, writes Parquet Examples and accounts for every row."""

from __future__ import annotations

import datetime
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.log_example_gen.conversion import WriteShard
from components.log_example_gen.log_files import Shard
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import log_days
from components.log_example_gen.log_files import plan_shards
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.log_files import refuse_unread_days
from components.log_example_gen.logic import DomainLog
from models.artifact_files import ACCOUNTING_FILE
from models.artifact_files import LOG_DAYS_FILE
from models.artifact_files import split_folder
from models.data.arrow_files import pq
from models.days import DayRange
from models.days import to_date
from models.days import to_day
from models.errors import DataError
from models.errors import listed
from models.progress import PROGRESS

# Large enough that a shard's start-up does not show, small enough that a block of days
# feeds several workers.
_SHARD_BYTES = 64 << 20


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `LogExampleGen`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Converts the logs of `first_day` to `last_day`.

        Raises:
            DataError: A domain has no rows, too many rows are bad, or the rows written
                are not the rows read less the quarantined ones.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        first_day = exec_properties["first_day"]
        last_day = exec_properties["last_day"]
        logs = [
            DomainLog.model_validate(log) for log in json.loads(exec_properties["logs"])
        ]
        shards = _shards(logs, first_day, last_day)
        # Before the rows are read: files that change meanwhile show as changed later.
        read_files = _read_files(logs, first_day, last_day)
        counts_path = Path(examples.uri) / ACCOUNTING_FILE
        counts_path.parent.mkdir(parents=True, exist_ok=True)
        _clear_quarantine(
            Path(exec_properties["quarantine"]), logs, DayRange(first_day, last_day)
        )
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "SpreadShards" >> beam.Reshuffle()
                | "WriteShards"
                >> beam.ParDo(
                    WriteShard(
                        examples.uri,
                        exec_properties["quarantine"],
                        {log.domain: log for log in logs},
                        exec_properties["features"],
                    )
                )
                | "CollectCounts" >> beam.combiners.ToList()
                | "WriteCounts" >> beam.Map(_write_counts, str(counts_path))
            )
        counts = json.loads(counts_path.read_text(encoding="utf-8"))
        num_rows = check_accounts(
            counts, shards, Path(examples.uri), exec_properties["max_bad_share"]
        )
        (Path(examples.uri) / LOG_DAYS_FILE).write_text(
            json.dumps(read_files, indent=1, sort_keys=True), encoding="utf-8"
        )
        examples.split_names = artifact_utils.encode_split_names(
            [log.domain for log in logs]
        )
        examples_utils.set_payload_format(
            examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET
        )
        examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")
        examples.span = last_day
        stamp(
            examples,
            first_day=first_day,
            last_day=last_day,
            fingerprint=exec_properties["fingerprint"],
            num_rows=num_rows,
            role="raw",
        )


def _read_files(
    logs: list[DomainLog], first_day: int, last_day: int
) -> dict[str, dict[str, str]]:
    return {
        log.domain: {
            str(to_date(day)): found
            for day, found in log_days(Path(log.folder), first_day, last_day).items()
        }
        for log in logs
    }


def _clear_quarantine(folder: Path, logs: list[DomainLog], days: DayRange) -> None:
    """Removes what an earlier attempt at these days had set aside."""
    for log in logs:
        for path in (folder / log.domain).glob("*-*-*"):
            if to_day(datetime.date.fromisoformat(path.name)) in days:
                shutil.rmtree(path)


def _shards(logs: list[DomainLog], first_day: int, last_day: int) -> list[Shard]:
    shards: list[Shard] = []
    for log in logs:
        files = list_log_files(Path(log.folder), first_day, last_day)
        refuse_twins(files)
        refuse_unread_days(Path(log.folder), first_day, last_day, log.marker)
        present = {file.day for file in files}
        missing = [d for d in range(first_day, last_day + 1) if d not in present]
        if missing and log.missing_days != "skip":
            raise DataError(
                f"domain {log.domain!r} has no log file in {log.folder!r} for "
                f"{listed(map(to_date, missing))}; expected files in date=YYYY-MM-DD/ "
                f"for every day of {DayRange(first_day, last_day)}; add the missing "
                "days, choose other days, or let the domain skip days: "
                f"`missing_days: {{{log.domain}: skip}}`"
            )
        if not files:
            # An empty file keeps the split, which every later component expects.
            shards.append(Shard(log.domain, 0, ()))
            continue
        sizes = [Path(file.path).stat().st_size for file in files]
        shards += plan_shards(log.domain, files, sizes, _SHARD_BYTES)
    return shards


def _write_counts(counts: list[dict[str, Any]], path: str) -> None:
    ordered = sorted(counts, key=lambda c: (c["domain"], c["day"], c["shard"]))
    Path(path).write_text(json.dumps(ordered), encoding="utf-8")


def check_accounts(
    counts: list[dict[str, Any]], shards: list[Shard], uri: Path, max_bad_share: float
) -> int:
    """Checks that read = written + quarantined and returns the rows written.

    The counts come through the Beam pipeline; the number of rows in the files does not,
    so a runner that loses elements is found out.

    Raises:
        DataError: Rows are unaccounted for, a domain is empty, or more than
            `max_bad_share` of a domain's rows are bad.
    """
    reported = {(count["domain"], count["shard"]) for count in counts}
    lost = [s for s in shards if (s.domain, s.index) not in reported]
    empty = {shard.domain for shard in shards if not shard.files}
    read: Counter[str] = Counter()
    written: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for count in counts:
        read[count["domain"]] += count["read"]
        written[count["domain"]] += count["written"]
        bad[count["domain"]] += count["quarantined"]
    for domain in dict.fromkeys(shard.domain for shard in shards):
        on_disk = sum(
            pq.read_metadata(path).num_rows
            for path in sorted((uri / split_folder(domain)).glob("*.parquet"))
        )
        lost_here = [s.file_name for s in lost if s.domain == domain and s.files]
        if on_disk != written[domain] or read[domain] != written[domain] + bad[domain]:
            raise DataError(
                f"domain {domain!r}: {read[domain]:,} rows read, {on_disk:,} on disk, "
                f"{bad[domain]:,} quarantined; the three do not add up"
                f"{' (no report of ' + ', '.join(lost_here) + ')' if lost_here else ''}"
                "; the Beam runner lost rows: use direct_running_mode=in_memory"
            )
        if domain in empty:
            PROGRESS.info(f"{domain}: no log file on these days, skipped")
            continue
        if read[domain] == 0:
            raise DataError(
                f"domain {domain!r} has log files but no row in them; expected at "
                "least one impression; check what writes the log"
            )
        share = bad[domain] / read[domain]
        here = [count for count in counts if count["domain"] == domain]
        cut = sum(count["cut"] for count in here)
        breaks = sum(count["line_breaks"] for count in here)
        PROGRESS.info(
            f"{domain}: {read[domain]:,} rows read, {bad[domain]:,} quarantined"
            f"{f', lists cut to max_length in {cut:,}' if cut else ''}"
            f"{f', {breaks:,} line breaks inside quoted values' if breaks else ''}"
        )
        if share > max_bad_share:
            raise DataError(
                f"domain {domain!r}: {bad[domain]:,} of {read[domain]:,} rows "
                f"({share:.1%}) cannot be read, allowed are {max_bad_share:.1%}; see "
                "the reasons in the quarantine folder, mend the log or raise "
                "`max_bad_share`"
            )
    return sum(written.values())
