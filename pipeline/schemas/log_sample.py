"""Some rows of each domain's log on one day, and everything that is wrong with them.

Nothing is written, and neither TFX nor TensorFlow is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.accounts import click_rate
from components.log_example_gen.chunks import Chunk
from components.log_example_gen.chunks import read_chunks
from components.log_example_gen.columns import examine
from components.log_example_gen.columns import raw_schema
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.problems import Reason
from components.log_example_gen.problems import columns_in
from components.log_example_gen.unread_files import list_unread_files
from components.log_example_gen.unread_files import refuse_unread_days
from components.log_example_gen.wanted import wanted_columns
from components.storage.places import place
from models.days import to_date
from models.errors import ConfigError
from models.errors import DataError
from models.errors import listed
from models.features.table import LABEL
from pipeline.config.schema import Config
from pipeline.schemas.files import read_schema
from pipeline.schemas.sample_check import schema_problems

# Rows of a domain that are looked at, spread over its first files.
SAMPLE_ROWS = 10_000
_MOST_FILES = 20
# Characters of a value that are shown.
_SHOWN = 60


@dataclass
class DomainSample:
    """Findings in a sample of a domain's log.

    Attributes:
        domain: The domain.
        rows: Rows that were looked at.
        line: What was read, in words.
        stops: Problems that would stop an ingest.
        notes: Problems that would not, such as a few bad rows.
    """

    domain: str
    rows: int = 0
    line: str = ""
    stops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sample_logs(config: Config, day: int) -> Iterator[DomainSample]:
    """Yields what some rows of each domain show.

    Args:
        config: The configuration.
        day: Days since 1970-01-01.
    """
    try:
        schema = read_schema(config.schema_path)
    except ConfigError as error:
        yield DomainSample("schema", stops=[str(error)])
        schema = None
    for domain in config.domains:
        log = config.domain_log(domain)
        sample = DomainSample(domain)
        try:
            files = _files(log, day, sample)
            rows = _Sampler(config, log, sample).read(files)
            if schema is not None and len(rows):
                sample.stops += schema_problems(schema, domain, rows)
        except (DataError, ConfigError) as error:
            sample.stops.append(str(error))
        yield sample


def _files(log: DomainLog, day: int, sample: DomainSample) -> list[LogFile]:
    """Returns the day's log files; notes what is wrong with the folder."""
    folder = place(log.folder)
    files = list_log_files(folder, day, day)
    unread = list_unread_files(folder, day, day, log.marker)
    if unread:
        sample.notes.append(f"not read: {listed(unread)}")
    refuse_twins(files)
    refuse_unread_days(folder, day, day, log.marker)
    if not files:
        policy = f"missing_days of it is {log.missing_days!r}"
        text = f"no log file in {log.folder!r} on {to_date(day)}; {policy}"
        (sample.notes if log.missing_days == "skip" else sample.stops).append(text)
    return files


class _Sampler:
    """Reads some rows of each file of a domain and collects what is wrong."""

    def __init__(self, config: Config, log: DomainLog, sample: DomainSample) -> None:
        self._features = config.table
        self._max_bad_share = config.max_bad_share
        self._log = log
        self._sample = sample
        self._bad: Counter[str] = Counter()
        self._example: dict[str, str] = {}
        self._good: list[pa.Table] = []

    def read(self, files: list[LogFile]) -> pa.Table:
        """Returns the rows that could be converted, as raw Examples."""
        looked_at = files[:_MOST_FILES]
        for file in looked_at:
            try:
                self._read_file(file, SAMPLE_ROWS // len(looked_at))
            except DataError as error:
                self._sample.stops.append(str(error))
        rows = pa.concat_tables([raw_schema(self._features).empty_table(), *self._good])
        self._report(rows, len(looked_at), len(files))
        return rows

    def _read_file(self, file: LogFile, num_rows: int) -> None:
        wanted = wanted_columns(self._log, self._features)
        shard = Shard(self._log.domain, 0, (file,))
        seen = 0
        for chunk in read_chunks(shard, self._log, wanted, num_rows):
            for _, (number, values, reason) in chunk.unparsed[:num_rows]:
                self._count(reason, f"{_place(file, number)}: {_shown(values)}")
            seen += len(chunk.unparsed[:num_rows])
            if chunk.files:
                seen += self._convert(file, chunk, num_rows)
            if seen >= num_rows:
                break
        self._sample.rows += seen

    def _convert(self, file: LogFile, chunk: Chunk, num_rows: int) -> int:
        table = chunk.table.slice(0, num_rows)
        days = pa.array(chunk.days[: len(table)], pa.int64())
        found = examine(table, self._log, self._features, days, file.path)
        for sentence in found.unreadable:
            if sentence not in self._sample.stops:
                self._sample.stops.append(sentence)
        for column in found.lacking:
            sentence = (
                f"{file.path} has no column {column!r}; it has "
                f"{columns_in(table.column_names)}; name one of these in `columns`, or "
                "write `since` or `until` if the log has it on other days"
            )
            if sentence not in self._sample.stops:
                self._sample.stops.append(sentence)
        if not found.unreadable:
            self._good.append(found.rows)
        for row, reason in zip(found.bad_rows, found.reasons, strict=True):
            if str(reason) not in self._example:
                _, number = chunk.origin(row)
                value = _value(chunk.values(row), reason)
                self._count(str(reason), f"{_place(file, number)}: {value}")
            else:
                self._bad[str(reason)] += 1
        return len(table)

    def _count(self, reason: str, example: str) -> None:
        self._bad[reason] += 1
        self._example.setdefault(reason, example)

    def _report(self, rows: pa.Table, looked_at: int, files: int) -> None:
        sample = self._sample
        labels = pc.list_flatten(rows.column(LABEL))
        rate = click_rate(pc.sum(labels).as_py() or 0, len(rows))
        sample.line = f"{sample.rows:,} rows of {looked_at:,} of {files:,} files"
        sample.line += f", {rate}" * bool(rate)
        if files and not sample.rows and not sample.stops:
            where = sample.notes if self._log.missing_days == "skip" else sample.stops
            where.append("no row in the day's log files")
        number = sum(self._bad.values())
        stops = sample.rows and number / sample.rows > self._max_bad_share
        reasons = [
            f"{reason}: {count:,} of {sample.rows:,} rows ({self._example[reason]})"
            for reason, count in self._bad.most_common()
        ]
        (sample.stops if stops else sample.notes).extend(reasons)


def _place(file: LogFile, row: int) -> str:
    return f"{place(file.path).name} row {row}"


def _value(values: Any, reason: Reason) -> str:
    if isinstance(values, dict):
        return _shown(values.get(reason.column))
    return _shown(values)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
