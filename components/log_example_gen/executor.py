"""Executor that reads dated logs with Beam, writes Examples and counts every row."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.attempts import remove_attempts
from components.attempts import replacing
from components.log_example_gen.accounts import Limits
from components.log_example_gen.accounts import check_accounts
from components.log_example_gen.content_hashes import ContentHashes
from components.log_example_gen.conversion import WriteShard
from components.log_example_gen.log_files import Shard
from components.log_example_gen.log_files import file_size
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import log_days
from components.log_example_gen.log_files import plan_shards
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.unread_files import refuse_unread_days
from components.storage.places import place
from models.artifact_files import ACCOUNTING_FILE
from models.artifact_files import LOG_DAYS_FILE
from models.days import DayRange
from models.days import to_date
from models.days import to_day
from models.errors import DataError
from models.errors import listed

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
        days = DayRange(exec_properties["first_day"], exec_properties["last_day"])
        logs = [
            DomainLog.model_validate(log) for log in json.loads(exec_properties["logs"])
        ]
        uri, quarantine = Path(examples.uri), Path(exec_properties["quarantine"])
        shards = _shards(logs, days.first, days.last)
        # Before the rows are read: files that change meanwhile show as changed later.
        # Planning has read them: only those that were touched since are read again.
        hashes = ContentHashes(Path(exec_properties["log_hashes"]))
        read_files = _read_files(logs, days, hashes)
        uri.mkdir(parents=True, exist_ok=True)
        _clear_quarantine(quarantine, logs, days)
        write = WriteShard(
            str(uri),
            str(quarantine),
            {log.domain: log for log in logs},
            exec_properties["features"],
        )
        counts = self._write(shards, write, uri / ACCOUNTING_FILE)
        for folder in (uri, quarantine):
            remove_attempts(folder)
        limits = Limits(exec_properties["max_bad_share"], quarantine)
        num_rows = check_accounts(counts, shards, logs, uri, limits)
        (uri / LOG_DAYS_FILE).write_text(
            json.dumps(read_files, indent=1, sort_keys=True), encoding="utf-8"
        )
        _describe(examples, [log.domain for log in logs], days)
        stamp(
            examples,
            first_day=days.first,
            last_day=days.last,
            fingerprint=exec_properties["fingerprint"],
            num_rows=num_rows,
            role="raw",
        )

    def _write(
        self, shards: list[Shard], write: WriteShard, counts_path: Path
    ) -> list[dict[str, Any]]:
        """Writes the Examples of all shards and returns what was reported of them."""
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "SpreadShards" >> beam.Reshuffle()
                | "WriteShards" >> beam.ParDo(write)
                | "CollectCounts" >> beam.combiners.ToList()
                | "WriteCounts" >> beam.Map(_write_counts, str(counts_path))
            )
        counts: list[dict[str, Any]] = json.loads(
            counts_path.read_text(encoding="utf-8")
        )
        return counts


def _describe(examples: types.Artifact, domains: list[str], days: DayRange) -> None:
    """Says in the artifact what its files are."""
    examples.split_names = artifact_utils.encode_split_names(domains)
    examples_utils.set_payload_format(
        examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET
    )
    examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")
    examples.span = days.last


def _read_files(
    logs: list[DomainLog], days: DayRange, hashes: ContentHashes
) -> dict[str, dict[str, str]]:
    return {
        log.domain: {
            str(to_date(day)): found
            for day, found in log_days(
                place(log.folder), days.first, days.last, hashes
            ).items()
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
        files = list_log_files(place(log.folder), first_day, last_day)
        refuse_twins(files)
        refuse_unread_days(place(log.folder), first_day, last_day, log.marker)
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
        sizes = [file_size(file) for file in files]
        shards += plan_shards(log.domain, files, sizes, _SHARD_BYTES)
    return shards


def _write_counts(counts: list[dict[str, Any]], path: str) -> None:
    ordered = sorted(counts, key=lambda c: (c["domain"], c["day"], c["shard"]))
    with replacing(Path(path)) as beside:
        beside.write_text(json.dumps(ordered), encoding="utf-8")
