"""The Beam step that writes one shard of Examples, and what it reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import LogFile
from components.log_example_gen.logic import Shard
from components.log_example_gen.logic import convert
from components.log_example_gen.logic import raw_schema
from models.days import to_date
from models.errors import DataError
from models.features import FeatureTable

# Rows converted and written at once: enough for Arrow's kernels to matter and for row
# groups to read well, few enough (some 20 MB) not to show in the memory.
_CHUNK_ROWS = 65_536


class WriteShard(beam.DoFn):
    """Converts a `Shard` and writes it to `<output>/Split-<domain>/`.

    Emits one dictionary per (domain, day) with the rows read, written and quarantined.
    A repeated attempt writes the same file names, so nothing is ever doubled.
    """

    def __init__(
        self, output: str, quarantine: str, logs: dict[str, DomainLog], features: str
    ) -> None:
        self._output = output
        self._quarantine = quarantine
        self._logs = logs
        self._features = FeatureTable.from_json(features)

    def process(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """Writes `shard` and yields its counts."""
        folder = Path(self._output) / f"Split-{shard.domain}"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / shard.file_name
        temporary = folder / f".{shard.file_name}.writing"
        read: Counter[int] = Counter()
        rejected: list[dict[str, Any]] = []
        schema = raw_schema(self._features)
        log = self._logs[shard.domain]
        with pq.ParquetWriter(temporary, schema, compression="snappy") as writer:
            for table, files, lengths in _chunks(shard):
                days = np.repeat([file.day for file in files], lengths)
                present, counts = np.unique(days, return_counts=True)
                read.update(dict(zip(present, counts, strict=True)))
                where = files[0].path if len(files) == 1 else f"{log.folder}/*"
                converted = convert(
                    table, log, self._features, pa.array(days, pa.int64()), where
                )
                writer.write_table(converted.rows, row_group_size=_CHUNK_ROWS)
                starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
                for row, reason in zip(
                    converted.bad_rows, converted.reasons, strict=True
                ):
                    at = int(np.searchsorted(starts, row, side="right")) - 1
                    rejected.append(
                        {
                            "file": files[at].path,
                            "row": row - int(starts[at]),
                            "day": files[at].day,
                            "reason": reason,
                            "values": table.slice(row, 1).to_pylist()[0],
                        }
                    )
        temporary.rename(target)
        self._write_quarantine(shard, rejected)
        bad = Counter(row["day"] for row in rejected)
        for day, count in sorted(read.items()):
            yield {
                "domain": shard.domain,
                "shard": shard.index,
                "day": int(day),
                "read": int(count),
                "written": int(count) - bad[day],
                "quarantined": bad[day],
            }

    def _write_quarantine(self, shard: Shard, rejected: list[dict[str, Any]]) -> None:
        by_day: dict[int, list[str]] = {}
        for row in rejected:
            by_day.setdefault(row["day"], []).append(json.dumps(row, default=str))
        for day, lines in by_day.items():
            folder = Path(self._quarantine) / shard.domain / str(to_date(day))
            folder.mkdir(parents=True, exist_ok=True)
            text = "\n".join(lines) + "\n"
            (folder / f"{shard.index:05d}.jsonl").write_text(text, encoding="utf-8")


def _chunks(shard: Shard) -> Iterator[tuple[pa.Table, list[LogFile], list[int]]]:
    """Yields the shard's rows in chunks, small files joined, with their origin."""
    tables: list[pa.Table] = []
    files: list[LogFile] = []
    for file in shard.files:
        table = _read(file)
        differs = tables and not table.schema.equals(tables[0].schema)
        if tables and (differs or sum(map(len, tables)) + len(table) > _CHUNK_ROWS):
            yield pa.concat_tables(tables), files, [len(t) for t in tables]
            tables, files = [], []
        tables.append(table)
        files.append(file)
    if tables:
        yield pa.concat_tables(tables), files, [len(table) for table in tables]


def _read(file: LogFile) -> pa.Table:
    try:
        # Daily files are small: starting threads costs more than they save.
        table = pq.ParquetFile(file.path).read(use_threads=False)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{file.path} cannot be read as Parquet ({error}); replace the file, or "
            "move it away and run the day again"
        ) from error
    return table.replace_schema_metadata(None)
