"""Counts of ids in buckets, from tables in memory."""

from collections.abc import Mapping

import pyarrow as pa

from components.vocabulary.buckets import BucketedCounts
from components.vocabulary.buckets import split_by_bucket


def in_buckets(counts: Mapping[str, pa.Table], buckets: int = 1) -> BucketedCounts:
    """Returns counts by domain in buckets."""
    parts = {
        domain: dict(split_by_bucket(table, buckets))
        for domain, table in counts.items()
    }
    return BucketedCounts(
        buckets,
        lambda bucket: {
            domain: of_bucket[bucket]
            for domain, of_bucket in parts.items()
            if bucket in of_bucket
        },
    )
