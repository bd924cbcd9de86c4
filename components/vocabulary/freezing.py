"""Freezing of numbers' statistics: measured once, then carried from block to block."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam

from models.days import DayRange
from models.features.number_statistics import NumberStatistics
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.statistics_files import read_statistics
from models.statistics_files import write_statistics


def freeze(
    make_pipeline: Callable[[], beam.Pipeline],
    shards: Sequence[str],
    features: FeatureTable,
    days: DayRange,
    parent: str | None,
    folder: Path,
) -> None:
    """Writes the statistics of numbers: the parent's, and those that it lacks.

    A number is measured on the first block that has a value of it, usually the very
    first. Its statistics never change afterwards, so that it means the same on all
    days.

    Args:
        make_pipeline: Makes the Beam pipeline of a measurement.
        shards: Paths of the block's raw Examples.
        features: The feature table.
        days: The block's days.
        parent: The Vocabulary artifact of the block before; None for the first block.
        folder: The Vocabulary artifact that is written.

    Raises:
        DataError: The parent's statistics are not those that were written.
    """
    known = read_statistics(parent) if parent else {}
    names = [feature.name for feature in features.with_values]
    frozen = {name: known[name] for name in names if name in known}
    lacking = [f for f in features.with_values if f.name not in frozen]
    if lacking:
        # Imported late: it takes seconds, and most blocks have nothing to measure.
        from components.vocabulary import statistics

        with tempfile.TemporaryDirectory(dir=folder) as measured:
            with make_pipeline() as pipeline:
                statistics.measure(pipeline, shards, lacking, measured)
            found = statistics.read_measured(measured, lacking, days)
        for name, of_number in found.items():
            PROGRESS.info(f"{name}: {describe_frozen(of_number)}")
        frozen |= found
    write_statistics(folder, frozen)


def describe_frozen(found: NumberStatistics) -> str:
    """Returns the line of an ingest that freezes statistics."""
    buckets = f", {len(found.shares)} buckets" if found.shares else ""
    return (
        f"statistics of {found.values:,} values frozen{buckets}, "
        f"{found.missing:.1%} of impressions without"
    )
