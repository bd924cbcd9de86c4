"""Reader of transformed Parquet shards: shuffled batches, in bounded memory.

Row groups are read in random order, several at a time, and filtered to the window's
days. A buffer of `shuffle_rows` impressions collects them, and batches are drawn from
it in random order. No Python runs per impression. Memory depends on the buffer, the
open row groups and the number of files, not on the number of impressions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from models.compat import read_batches
from models.data.arrow_files import pq
from models.data.file_patterns import files_of
from models.data.prefetching import prefetched
from models.data.shuffling import Columns
from models.data.shuffling import ShuffleBuffer
from models.days import to_date
from models.errors import DataError
from models.features.feature import DOMAIN_FEATURE
from models.features.kind import EncodedColumn
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable

# Impressions decoded at once from one open row group.
_CHUNK_ROWS = 8_192
# Row groups read in parallel, so that the buffer mixes many files and days.
_OPEN_GROUPS = 16
# Read-ahead of a column in bytes; without it a whole column chunk stays in memory.
_READ_BYTES = 262_144
# Batches prepared while the network trains.
_PREFETCH_BATCHES = 8


@dataclass(frozen=True)
class Batch:
    """Some impressions of the window.

    Attributes:
        rows: Encoded features by column: table rows, int64 of shape (B,), or (B, L) for
            lists, and values, float32 of shape (B,), or (B, length) for vectors; with
            `FeatureTable.reads_days` also `day`, as in `days`.
        labels: Float32 0 or 1, shape (B,).
        days: Int64 days since 1970-01-01, shape (B,).
    """

    rows: Columns
    labels: npt.NDArray[np.float32]
    days: npt.NDArray[np.int64]


@dataclass(frozen=True)
class WindowSummary:
    """Counts of a window's impressions.

    Attributes:
        num_rows: Number of impressions.
        num_clicks: Number of impressions with label 1.
        impressions: Number of impressions per table row, for each embedding table of an
            `id` feature; int64 of shape (table rows,).
        rows_by_day: Number of impressions of each day that has any.
        domain_clicks: Clicks per table row of the feature `domain`, int64; empty
            without that feature.
    """

    num_rows: int
    num_clicks: int
    impressions: dict[str, npt.NDArray[np.int64]]
    rows_by_day: dict[int, int]
    domain_clicks: npt.NDArray[np.int64]


class ExampleReader:
    """Reader of the impressions of a window of days in Parquet shards.

    Args:
        patterns: Globs of transformed Examples; files that do not end in `.parquet`
            are ignored.
        features: Features to read.
        first_day: First day of the window, days since 1970-01-01.
        last_day: Last day of the window, included.
        masked: Features that are masked in batches, all on the same impressions.
        masked_share: Share of impressions, drawn at random, on which they are missing.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        features: FeatureTable,
        first_day: int,
        last_day: int,
        masked: Sequence[str] = (),
        masked_share: float = 0.0,
    ) -> None:
        self._patterns = patterns
        self._masked, self._masked_share = tuple(masked), masked_share
        self.features = features
        scalar = EncodedColumn("int64", [])
        self._columns = {**features.columns, LABEL: scalar, DAY: scalar}
        self.first_day = first_day
        self.last_day = last_day
        paths = {path for pattern in patterns for path in files_of(pattern)}
        self._groups = [
            (path, group)
            for path in sorted(paths)
            if path.endswith(".parquet")
            for group in _groups_of(path, first_day, last_day)
        ]

    def between(self, first_day: int, last_day: int) -> ExampleReader:
        """Returns a reader of the same shards for a window inside this one."""
        first_day, last_day = (
            max(first_day, self.first_day),
            min(last_day, self.last_day),
        )
        return ExampleReader(
            self._patterns,
            self.features,
            first_day,
            last_day,
            self._masked,
            self._masked_share,
        )

    def summarise(self) -> WindowSummary:
        """Counts the window's impressions and clicks in one pass."""
        counted = [f for f in self.features.features if f.is_single_id]
        impressions = {
            f.table: np.zeros(self.features.num_rows(f.table), np.int64)
            for f in counted
        }
        names = {f.name: f.table for f in counted}
        tell = names.get(DOMAIN_FEATURE)
        clicks = np.zeros(self.features.num_rows(tell) if tell else 0, np.int64)
        num_rows = num_clicks = 0
        rows_by_day: Counter[int] = Counter()
        for group in self._groups:
            for chunk in self._read(group, [f.name for f in counted]):
                num_rows += len(chunk[LABEL])
                num_clicks += int(chunk[LABEL].sum())
                days, counts = np.unique(chunk[DAY], return_counts=True)
                rows_by_day.update(
                    dict(zip(days.tolist(), counts.tolist(), strict=True))
                )
                for feature in counted:
                    total = impressions[feature.table]
                    total += np.bincount(chunk[feature.name], minlength=len(total))
                if tell:
                    clicked = chunk[DOMAIN_FEATURE][chunk[LABEL] == 1]
                    clicks += np.bincount(clicked, minlength=len(clicks))
        return WindowSummary(
            num_rows, num_clicks, impressions, dict(rows_by_day), clicks
        )

    def chunks(self) -> Iterator[Columns]:
        """Yields the impressions, with `label` and `day`, in the shards' order."""
        names = list(self.features.columns)
        for group in self._groups:
            yield from self._read(group, names)

    def batches(
        self,
        *,
        batch_size: int,
        shuffle_rows: int,
        seed: int,
        epoch: int = 0,
        span: int = 1,
    ) -> Iterator[Batch]:
        """Yields every impression of the window once, in random order.

        A remainder of less than half a batch is added to the last full batch, because
        BatchNorm statistics of a few impressions are noise (our choice).

        Args:
            batch_size: Impressions of a batch, `B`.
            shuffle_rows: Impressions of the shuffle buffer; a window that fits into it
                is shuffled perfectly.
            seed: Determines the order, together with `epoch`.
            epoch: Number of the pass; each pass has its own order.
            span: Number of batches that are yielded together; `split_sizes` separates
                them.
        """
        rng = np.random.default_rng([seed, epoch])
        names = list(self.features.columns)
        buffer = ShuffleBuffer(max(shuffle_rows, 4 * batch_size), batch_size, span, rng)
        read = [*names, DAY] if self.features.reads_days else names
        for columns in buffer.draw(self._interleave(names, rng)):
            self._mask(columns, rng)
            yield Batch(
                rows={name: columns[name] for name in read},
                labels=columns[LABEL].astype(np.float32),
                days=columns[DAY],
            )

    def prefetched(
        self,
        *,
        batch_size: int,
        shuffle_rows: int,
        seed: int,
        epoch: int = 0,
        span: int = 1,
    ) -> Iterator[Batch]:
        """Returns `batches`, read in a thread while the network trains."""
        batches = self.batches(
            batch_size=batch_size,
            shuffle_rows=shuffle_rows,
            seed=seed,
            epoch=epoch,
            span=span,
        )
        return prefetched(batches, max(_PREFETCH_BATCHES // span, 2))

    def _mask(self, columns: Columns, rng: np.random.Generator) -> None:
        """Replaces the masked features by missing ones on some of the impressions."""
        if not self._masked or not self._masked_share:
            return
        missing = rng.random(len(columns[DAY])) < self._masked_share
        for name in self._masked:
            feature = self.features[name]
            for column in feature.columns:
                is_rows = column == name
                values = columns[column].copy()
                values[missing] = feature.feature_kind.encoded_missing if is_rows else 0
                columns[column] = values

    def _interleave(
        self, names: list[str], rng: np.random.Generator
    ) -> Iterator[Columns]:
        """Yields chunks of several row groups at a time, all in random order."""
        waiting = deque(self._groups[i] for i in rng.permutation(len(self._groups)))
        reading: deque[Iterator[Columns]] = deque()
        while waiting or reading:
            while waiting and len(reading) < _OPEN_GROUPS:
                reading.append(self._read(waiting.popleft(), names))
            chunks = reading.popleft()
            chunk = next(chunks, None)
            if chunk is not None:
                yield chunk
                reading.append(chunks)

    def _read(self, group: tuple[str, int], names: list[str]) -> Iterator[Columns]:
        """Yields the impressions of one row group that lie in the window."""
        path, index = group
        wanted = {name: self._columns[name] for name in (*names, LABEL, DAY)}
        with pq.ParquetFile(path, buffer_size=_READ_BYTES) as file:
            missing = wanted.keys() - set(file.schema_arrow.names)
            if missing:
                raise DataError(
                    f"{path} lacks the column(s) {', '.join(sorted(missing))}; it was "
                    "written with another feature table. Ingest these days again"
                )
            for batch in read_batches(
                file, _CHUNK_ROWS, row_groups=[index], columns=list(wanted)
            ):
                columns = {
                    name: _to_numpy(batch.column(name), column, f"{name} of {path}")
                    for name, column in wanted.items()
                }
                days = columns[DAY]
                inside = (days >= self.first_day) & (days <= self.last_day)
                if not inside.all():
                    columns = {name: c[inside] for name, c in columns.items()}
                if len(columns[DAY]):
                    self._check_rows(columns, names, path)
                    yield columns

    def _check_rows(self, columns: Columns, names: list[str], path: str) -> None:
        for name in names:
            if columns[name].dtype != np.int64:
                continue
            num_rows = self.features.num_rows(self.features[name].table)
            low, high = int(columns[name].min()), int(columns[name].max())
            if low < 0 or high >= num_rows:
                raise DataError(
                    f"{name} of {path} has table row {low if low < 0 else high}; "
                    f"expected 0 to {num_rows - 1}. Has the vocabulary's capacity, "
                    "or the number of buckets, changed? Ingest these days again"
                )


def batch_signature(features: FeatureTable) -> tuple[Any, Any, Any]:
    """Returns the tensor specs of `(encoded features, labels, days)`."""
    rows = {
        name: tf.TensorSpec([None, *column.shape], column.dtype)
        for name, column in features.columns.items()
    }
    days = tf.TensorSpec([None], tf.int64)
    if features.reads_days:
        rows[DAY] = days
    return rows, tf.TensorSpec([None], tf.float32), days


def _groups_of(path: str, first_day: int, last_day: int) -> list[int]:
    """Returns the row groups of a file that may contain days of the window."""
    metadata = pq.read_metadata(path)
    groups = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        bounds = None
        for column in range(group.num_columns):
            chunk = group.column(column)
            if chunk.path_in_schema.split(".")[0] == DAY:
                bounds = chunk.statistics
        if (
            bounds is None
            or not bounds.has_min_max
            or (bounds.max >= first_day and bounds.min <= last_day)
        ):
            groups.append(index)
    return groups


def _to_numpy(column: pa.Array, expected: EncodedColumn, what: str) -> npt.NDArray[Any]:
    """Returns a column of shape (B,), or (B, length) of a list or vector."""
    values = column
    length = math.prod(expected.shape)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        counts = np.diff(column.offsets.to_numpy())
        values = column.flatten()
        if column.null_count or (counts != length).any():
            raise DataError(
                f"{what} must hold exactly {length} value(s) per impression; "
                f"received {counts.min()} to {counts.max()}, {column.null_count} null. "
                "Ingest these days again"
            )
    if values.null_count:
        raise DataError(f"{what} must have no nulls; received {values.null_count}")
    array = values.to_numpy(zero_copy_only=False).astype(expected.dtype, copy=False)
    return array.reshape(-1, *expected.shape)


def describe_days(days: npt.NDArray[np.int64]) -> str:
    """Returns the first and last of `days` as dates."""
    return f"{to_date(int(days.min()))}..{to_date(int(days.max()))}"
