"""Source impressions beside the target's, at a given ratio.

The number of target impressions determines the length of a training; source impressions
are added at a ratio, however many there are. No source impression is repeated before
all have been used once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.errors import DataError
from models.training.steps import SPAN


class SourceStream:
    """Endless stream of shuffled source impressions.

    A new pass starts only when the previous one is complete: after `n` impressions from
    a window of `N`, none was taken more than `ceil(n / N)` times.

    Args:
        reader: Reader of the source impressions.
        batch_rows: Impressions per batch; several batches are read at once.
        shuffle_rows: Impressions of the shuffle buffer.
        seed: Determines the order.

    Attributes:
        rows_taken: Impressions taken so far.
        passes: Passes started so far.
    """

    def __init__(
        self, reader: ExampleReader, *, batch_rows: int, shuffle_rows: int, seed: int
    ) -> None:
        if batch_rows < 1:
            raise ValueError(f"`batch_rows` must be positive. Received: {batch_rows}")
        self._reader = reader
        self._batch_rows = batch_rows
        self._shuffle_rows = shuffle_rows
        self._seed = seed
        self._batches: Iterator[Batch] = iter(())
        self._rest: Batch | None = None
        self.rows_taken = 0
        self.passes = 0

    def take(self, wanted: int) -> Batch:
        """Returns the next `wanted` impressions.

        Raises:
            DataError: There are no source impressions.
        """
        parts, found = [], 0
        if self._rest is not None:
            parts, found = [self._rest], len(self._rest.labels)
        while found < wanted or not parts:
            batch = self._next()
            parts.append(batch)
            found += len(batch.labels)
        whole = join(parts)
        self._rest = cut(whole, wanted, found) if found > wanted else None
        self.rows_taken += wanted
        return cut(whole, 0, wanted)

    def peek(self, most: int) -> Batch | None:
        """Returns up to `most` of the next impressions without consuming them.

        Limited to the rest of the current pass; None if there are no impressions.
        """
        parts = [] if self._rest is None else [self._rest]
        found = sum(len(part.labels) for part in parts)
        while found < most:
            batch = next(self._batches, None) if self.passes else self._next_or_none()
            if batch is None:
                break
            parts.append(batch)
            found += len(batch.labels)
        if not parts:
            return None
        self._rest = join(parts)
        return cut(self._rest, 0, most)

    def close(self) -> None:
        """Stops the thread that reads ahead."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()

    def _next(self) -> Batch:
        batch = self._next_or_none()
        if batch is None:
            raise DataError(
                "the sources have no impressions in the target's window; "
                "expected at least one. Ingest these days of the sources, lengthen "
                "levels.target.window_days, or choose a strategy that reads the target "
                "alone"
            )
        return batch

    def _next_or_none(self) -> Batch | None:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = self._reader.prefetched(
                batch_size=self._batch_rows,
                shuffle_rows=self._shuffle_rows,
                seed=self._seed,
                epoch=self.passes,
                span=SPAN,
            )
            self.passes += 1
            batch = next(self._batches, None)
        return batch


class MixedRows:
    """Read-only stream of mixed impressions, for recomputing BatchNorm statistics.

    Args:
        target: Reader of the target's impressions.
        sources: Reader of the source impressions.
        ratio: Source impressions per target impression.
    """

    def __init__(
        self, target: ExampleReader, sources: ExampleReader, ratio: float
    ) -> None:
        self._target = target
        self._sources = sources
        self._ratio = ratio

    def batches(
        self, *, batch_size: int, shuffle_rows: int, seed: int
    ) -> Iterator[Batch]:
        """Yields shuffled batches of about `batch_size` mixed impressions."""
        own = max(1, round(batch_size / (1 + self._ratio)))
        stream = SourceStream(
            self._sources,
            batch_rows=batch_size,
            shuffle_rows=shuffle_rows,
            seed=seed,
        )
        mixed = stream.peek(1) is not None
        try:
            for batch in self._target.batches(
                batch_size=own, shuffle_rows=shuffle_rows, seed=seed
            ):
                beside = rows_beside(len(batch.labels), self._ratio)
                yield join([batch, stream.take(beside)]) if mixed else batch
        finally:
            stream.close()


def rows_beside(num_rows: int, ratio: float) -> int:
    """Returns the number of source impressions for `num_rows` target impressions.

    Example:
        >>> rows_beside(10, 0.25), rows_beside(3, 8)
        (2, 24)
    """
    return round(num_rows * ratio)


def join(parts: list[Batch]) -> Batch:
    """Returns the impressions of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    return Batch(
        rows={
            name: np.concatenate([part.rows[name] for part in parts])
            for name in parts[0].rows
        },
        labels=np.concatenate([part.labels for part in parts]),
        days=np.concatenate([part.days for part in parts]),
    )


def cut(batch: Batch, start: int, stop: int) -> Batch:
    """Returns the impressions `start` to `stop` of a batch, `stop` excluded."""
    return Batch(
        rows={name: values[start:stop] for name, values in batch.rows.items()},
        labels=batch.labels[start:stop],
        days=batch.days[start:stop],
    )
