"""Shuffle buffer: impressions are collected in it and drawn from it as batches.

NumPy alone is used; impressions are copied and drawn in whole arrays, never singly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

# Table rows are int64, values float32.
Columns = dict[str, npt.NDArray[Any]]


def split_sizes(num_rows: int, batch_size: int) -> list[int]:
    """Returns the sizes of the batches that `num_rows` impressions are split into.

    Example:
        >>> split_sizes(10, 4)
        [4, 4, 2]
        >>> split_sizes(9, 4)
        [4, 5]
    """
    full, rest = divmod(num_rows, batch_size)
    sizes = [batch_size] * full
    if rest and full and 2 * rest < batch_size:
        sizes[-1] += rest
    elif rest:
        sizes.append(rest)
    return sizes


class ShuffleBuffer:
    """Fixed arrays that collect impressions and yield them in random order.

    Args:
        capacity: Impressions that the buffer holds.
        batch_size: Impressions of a batch.
        span: Number of batches that are yielded together.
        rng: Generator that determines the order.
    """

    def __init__(
        self, capacity: int, batch_size: int, span: int, rng: np.random.Generator
    ) -> None:
        self._capacity = capacity
        self._batch_size = batch_size
        self._span = span
        self._rng = rng
        self._arrays: Columns = {}
        self._size = 0

    def draw(self, chunks: Iterator[Columns]) -> Iterator[Columns]:
        """Yields the impressions of `chunks` as shuffled batches."""
        for chunk in chunks:
            taken, length = 0, _length(chunk)
            while taken < length:
                taken += self._fill(chunk, taken)
                if self._size == self._capacity:
                    # The last full batch is kept, so that a short remainder can be
                    # added to it.
                    kept = self._batch_size + self._size % self._batch_size
                    yield from self._drain(kept)
        yield from self._drain(0)

    def _fill(self, chunk: Columns, start: int) -> int:
        length = min(_length(chunk) - start, self._capacity - self._size)
        for name, values in chunk.items():
            if name not in self._arrays:
                shape = (self._capacity, *values.shape[1:])
                self._arrays[name] = np.empty(shape, values.dtype)
            into = self._arrays[name][self._size : self._size + length]
            into[:] = values[start : start + length]
        self._size += length
        return length

    def _drain(self, kept: int) -> Iterator[Columns]:
        order = self._rng.permutation(self._size)
        start = 0
        sizes = split_sizes(self._size - kept, self._batch_size)
        for index in range(0, len(sizes), self._span):
            size = sum(sizes[index : index + self._span])
            chosen = order[start : start + size]
            yield {name: array[chosen] for name, array in self._arrays.items()}
            start += size
        rest = order[start:]
        for array in self._arrays.values():
            array[: len(rest)] = array[rest]
        self._size = len(rest)


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))
