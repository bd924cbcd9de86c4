"""Source rows for a training on the target's: as many a step as a ratio says.

The target's rows decide how long a training is; the sources' come beside them, however
many there are. What is not needed is not read, and nothing is read again before all has
been read once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.batches import Batch
from models.batches import ExampleReader
from models.errors import DataError


class SourceStream:
    """Shuffled source rows without an end, taken some at a time.

    It stands still between two calls and begins a new pass only when one is over, so
    after `n` rows of a window of `N` no row was read more than `ceil(n / N)` times.

    Args:
        reader: The sources' rows.
        rows_per_step: Rows of a step.
        shuffle_rows: Rows of the buffer in which the order is mixed.
        seed: Decides the order.

    Attributes:
        rows_read: Rows given out so far.
        passes: Passes begun so far.
    """

    def __init__(
        self, reader: ExampleReader, *, rows_per_step: int, shuffle_rows: int, seed: int
    ) -> None:
        if rows_per_step < 1:
            raise ValueError(
                f"`rows_per_step` must be positive. Received: {rows_per_step}"
            )
        self._reader = reader
        self._rows_per_step = rows_per_step
        self._shuffle_rows = shuffle_rows
        self._seed = seed
        self._batches: Iterator[Batch] = iter(())
        self._rest: Batch | None = None
        self.rows_read = 0
        self.passes = 0

    def take(self, steps: int) -> Batch:
        """Returns the rows of the next `steps` steps.

        Raises:
            DataError: There are no source rows at all.
        """
        wanted = steps * self._rows_per_step
        parts, found = [], 0
        if self._rest is not None:
            parts, found = [self._rest], len(self._rest.labels)
        while found < wanted:
            batch = self._next()
            parts.append(batch)
            found += len(batch.labels)
        whole = join(parts)
        self._rest = cut(whole, wanted, found) if found > wanted else None
        self.rows_read += wanted
        return cut(whole, 0, wanted)

    def peek(self, most: int) -> Batch | None:
        """Returns at most `most` of the next rows, which `take` gives out later.

        Never more than are left of one pass; None if there are no rows at all.
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
        """Ends the thread that reads ahead."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()

    def _next(self) -> Batch:
        batch = self._next_or_none()
        if batch is None:
            raise DataError(
                "the sources have no rows to learn from in the target's window; "
                "expected at least one. Ingest these days of the sources, lengthen "
                "levels.target.window_days, or choose a strategy that reads the target "
                "alone"
            )
        return batch

    def _next_or_none(self) -> Batch | None:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = self._reader.prefetched(
                batch_size=self._rows_per_step,
                shuffle_rows=self._shuffle_rows,
                seed=self._seed,
                epoch=self.passes,
            )
            self.passes += 1
            batch = next(self._batches, None)
        return batch


def join(parts: list[Batch]) -> Batch:
    """Returns the rows of all parts, in order."""
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
    """Returns rows `start` to `stop` of a batch."""
    return Batch(
        rows={name: values[start:stop] for name, values in batch.rows.items()},
        labels=batch.labels[start:stop],
        days=batch.days[start:stop],
    )
