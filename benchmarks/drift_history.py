"""Drift and domain distances between healthy blocks of dated logs.

    python -m benchmarks.drift_history CONFIG 2014-01-01 2015-01-01 2015-07-01 ...

Each pair of consecutive dates bounds a block, the second date excluded. Prints the
largest distances by feature where both sides have `validation.min_rows` impressions: a
default threshold must lie above them. Reads logs and ingests nothing.
"""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv

from components.example_validator.logic import environment_of
from components.example_validator.logic import num_rows
from components.example_validator.logic import with_comparators
from components.guard.logic import distances
from models.days import DayRange
from models.days import to_day
from pipeline.config.load import load_config
from pipeline.schemas.files import read_schema
from pipeline.schemas.log_statistics import log_statistics


def main(config_path: str, *dates: str) -> None:
    """Prints the largest distances between the blocks bounded by `dates`."""
    config = load_config(Path(config_path))
    schema = read_schema(config.schema_path)
    bounds = [to_day(datetime.date.fromisoformat(date)) for date in dates]
    before: dict[str, Any] = {}
    largest: dict[tuple[str, str], tuple[float, str]] = {}
    for first, end in zip(bounds, bounds[1:], strict=False):
        days = DayRange(first, end - 1)
        found = log_statistics(config, days, print)
        block = {domain: described.statistics for domain, described in found.items()}
        for domain, statistics in block.items():
            target = block.get(config.target) if domain != config.target else None
            sides = {"drift": before.get(domain), "domain_distance": target}
            anomalies = tfdv.validate_statistics(
                statistics,
                with_comparators(
                    schema,
                    config.validation,
                    statistics,
                    previous=sides["drift"],
                    target=target,
                ),
                environment=environment_of(schema, domain),
                previous_statistics=sides["drift"],
                serving_statistics=target,
            )
            for key, measured in distances(anomalies).items():
                rows = min(num_rows(statistics), num_rows(sides[key]))
                if rows < config.validation.min_rows:
                    continue
                for feature, distance in measured.items():
                    seen = (float(distance["value"]), f"{domain} in {days}")
                    entry = key, feature
                    largest[entry] = max(largest.get(entry, (0.0, "")), seen)
        before = block
    for (key, feature), (value, where) in sorted(
        largest.items(), key=lambda item: (item[0][0], -item[1][0])
    ):
        print(f"{key:<16} {feature:<20} {value:.2f}  {where}")


if __name__ == "__main__":
    main(*sys.argv[1:])
