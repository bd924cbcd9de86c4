"""Buckets of logged ids by hash: parts small enough for one worker's memory.

What a vocabulary holds does not depend on the number of buckets (tested): they only
say which ids are counted and looked up together.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]

# Logged ids of a bucket: their counts take up to 1 GB, and the known ids are read once
# for each bucket. Arrow 10 groups at most 2 GiB of ids.
IDS_PER_BUCKET = 1 << 24

_PIECE = 1 << 20  # ids whose bytes are spread out at a time
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def number_of_buckets(ids: int) -> int:
    """Returns how many buckets `ids` logged ids are split into; at least 1."""
    return max(1, -(-ids // IDS_PER_BUCKET))


def bucket_of(ids: pa.Array, buckets: int) -> Ints:
    """Returns the bucket of each id, from 0; shape (N,).

    Args:
        ids: `large_binary` without nulls, (N,).
        buckets: How many there are.
    """
    pieces = [
        _bucket_of(ids.slice(start, _PIECE), buckets)
        for start in range(0, len(ids), _PIECE)
    ]
    return np.concatenate([np.empty(0, np.int64), *pieces])


def split_by_bucket(table: pa.Table, buckets: int) -> Iterator[tuple[int, pa.Table]]:
    """Yields the rows of each bucket that has some, in their order.

    A table without rows is bucket 0's, so that who has it still counts as there.

    Args:
        table: With a column `id`, `large_binary`.
        buckets: How many there are.
    """
    if buckets == 1 or len(table) == 0:
        yield 0, table
        return
    found = bucket_of(table.column("id").combine_chunks(), buckets)
    order = np.argsort(found, kind="stable")
    ends = np.cumsum(np.bincount(found, minlength=buckets))
    for bucket, rows in enumerate(np.split(order, ends[:-1])):
        if len(rows):
            yield bucket, table.take(pa.array(rows))


@dataclass(frozen=True)
class BucketedCounts:
    """Counts of one id space, read one bucket at a time.

    Attributes:
        buckets: How many there are.
        read: Returns the counts of a bucket by domain, each of `COUNTS_SCHEMA`.
    """

    buckets: int
    read: Callable[[int], Mapping[str, pa.Table]]

    def __iter__(self) -> Iterator[Mapping[str, pa.Table]]:
        """Yields the counts by domain of one bucket after the other."""
        return map(self.read, range(self.buckets))


def _bucket_of(ids: pa.Array, buckets: int) -> Ints:
    _, offsets, data = ids.buffers()
    ends = np.frombuffer(offsets, np.int64)[ids.offset : ids.offset + len(ids) + 1]
    first = ends[0]
    ends = ends - first
    content = np.frombuffer(data or b"", np.uint8)[first : first + ends[-1]]
    lengths = np.diff(ends)
    # A polynomial in a factor, modulo 2^64: the sum of each id's bytes times powers of
    # the factor by their place in the id.
    powers = np.cumprod(np.full(int(lengths.max(initial=0)), _FACTOR, np.uint64))
    place = np.arange(len(content)) - np.repeat(ends[:-1], lengths)
    terms = (content + np.uint64(1)) * powers[place]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    hashed = sums[ends[1:]] - sums[ends[:-1]]
    # The high half depends on all bytes, the lowest bit on their parity alone.
    hashed = (hashed * _FACTOR) >> _SHIFT
    found: Ints = (hashed % np.uint64(buckets)).astype(np.int64)
    return found
