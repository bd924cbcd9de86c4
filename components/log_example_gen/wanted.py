"""Columns of a log that are read, and their purpose."""

from __future__ import annotations

from dataclasses import dataclass

from components.log_example_gen.logic import ColumnSource
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import parse_label_rule
from models.errors import ConfigError
from models.features.feature import DOMAIN_FEATURE
from models.features.feature import Feature
from models.features.table import FeatureTable


@dataclass
class Wanted:
    """Purpose of one column of a log.

    Attributes:
        is_list: Whether a list; else a single value.
        is_vector: Whether a list is one of numbers; else of ids.
        separator: What stands between the values of a list that is written as one text.
        is_id: Whether a single value is an id.
        is_time: Whether a single value is a time.
        is_rate: Whether a single value is a number that is seldom whole.
    """

    is_list: bool = False
    is_vector: bool = False
    separator: str | None = None
    is_id: bool = False
    is_time: bool = False
    is_rate: bool = False


WantedColumns = dict[str, Wanted]


def source_of(log: DomainLog, feature: Feature) -> ColumnSource | None:
    """Returns where a feature comes from; None if the domain lacks it."""
    if feature.name == DOMAIN_FEATURE and feature.name not in log.columns:
        return ColumnSource(constant=log.domain)
    return log.columns[feature.name]


def wanted_columns(log: DomainLog, features: FeatureTable) -> WantedColumns:
    """Returns the columns that a domain's log is read for.

    Args:
        log: The domain's column mapping.
        features: The features to keep.

    Raises:
        ConfigError: One column is wanted both as a list and as a single value, or cut
            at two different separators.
    """
    found: WantedColumns = {parse_label_rule(log.label).column: Wanted()}
    if log.timestamp is not None:
        found.setdefault(log.timestamp.column, Wanted()).is_time = True
    singles = set(found)
    for feature in features.logged:
        source = source_of(log, feature)
        if source is None or source.column is None:
            continue
        before = found.get(source.column)
        wanted = found.setdefault(source.column, Wanted())
        if feature.is_list or feature.is_vector:
            if source.column in singles:
                raise _used_twice(log, source.column, "a list and as a single value")
            if before is not None and before.separator != source.separator:
                raise _used_twice(log, source.column, "lists with two separators")
            if before is not None and before.is_vector != feature.is_vector:
                raise _used_twice(log, source.column, "a list of ids and as a vector")
            wanted.is_list, wanted.separator = True, source.separator
            wanted.is_vector = feature.is_vector
            continue
        if wanted.is_list:
            raise _used_twice(log, source.column, "a list and as a single value")
        singles.add(source.column)
        wanted.is_time |= source.hour_of is not None
        if source.hour_of is None:
            wanted.is_id |= feature.is_id
            wanted.is_rate |= feature.feature_kind.tensor_type == "float32"
    return found


def _used_twice(log: DomainLog, column: str, ways: str) -> ConfigError:
    return ConfigError(
        f"column {column!r} of domain {log.domain!r} is read as {ways}; expected one "
        "way to read a column; give one of the features a column of its own in "
        f"`domain_columns.{log.domain}`"
    )
