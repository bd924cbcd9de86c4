"""Schemas: inferred from, compared with and relaxed to TFDV statistics.

Importing this module imports TFDV, which takes some 10 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_validator.logic import environment_of
from components.example_validator.logic import path_name
from components.guard.logic import describe_anomalies
from models.features.feature import Feature
from models.features.table import DAY
from models.features.table import LABEL
from pipeline.config.schema import Config

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
SERVING = "SERVING"
# Columns that serving requests lack.
_NOT_SERVED = (DAY, LABEL)


def infer(config: Config, statistics: Mapping[str, Statistics]) -> schema_pb2.Schema:
    """Returns a first schema of all domains' logs, to be curated by hand.

    TFDV infers each feature from every domain that has it according to the
    configuration's `columns`. What the configuration defines overrides inference: lists
    have up to `max_length` ids, rates lie in [0, 1], counts and days are not negative,
    labels are 0 or 1, and ids, whose vocabularies grow, have no fixed set of values.

    Args:
        config: The configuration.
        statistics: Statistics by domain, for every domain with rows.
    """
    lacking = lacking_features(config)
    requested = {feature.name for feature in config.table.requested}
    schema = schema_pb2.Schema(default_environment=[*config.domains, SERVING])
    declared = {feature.name: feature for feature in config.table.logged}
    for name in sorted([*declared, DAY, LABEL]):
        one = schema_pb2.Schema()
        for domain, described in statistics.items():
            if name not in lacking[domain]:
                one = tfdv.update_schema(one, _only(described, name))
        if not one.feature:
            continue
        feature = one.feature[0]
        _curate(feature, declared.get(name), config)
        feature.not_in_environment.extend(
            domain for domain in config.domains if name in lacking[domain]
        )
        if name in _NOT_SERVED or name not in requested:
            feature.not_in_environment.append(SERVING)
        schema.feature.append(feature)
        if feature.HasField("domain"):
            schema.string_domain.extend(one.string_domain)
    return schema


def _curate(
    feature: schema_pb2.Feature, declared: Feature | None, config: Config
) -> None:
    if feature.name == "domain":
        feature.string_domain.name = "domain"
        feature.string_domain.value[:] = config.domains
    elif declared is None:
        feature.int_domain.min = 0
        if feature.name == LABEL:
            feature.int_domain.max = 1
    else:
        declared.feature_kind.limit(feature, declared)


def lacking_features(config: Config) -> dict[str, set[str]]:
    """Returns, by domain, the features that it lacks according to the configuration."""
    return {
        domain: {
            name
            for name, source in config.domain_log(domain).columns.items()
            if source is None
        }
        for domain in config.domains
    }


def validate(
    schema: schema_pb2.Schema, statistics: Mapping[str, Statistics]
) -> dict[str, anomalies_pb2.Anomalies]:
    """Validates each domain's statistics in its environment, without comparisons."""
    return {
        domain: tfdv.validate_statistics(
            described,
            _without_comparators(schema),
            environment=environment_of(schema, domain),
        )
        for domain, described in statistics.items()
    }


def differences(
    config: Config, schema: schema_pb2.Schema, statistics: Mapping[str, Statistics]
) -> list[str]:
    """Returns in words how the logs violate the schema."""
    sentences = describe_anomalies(validate(schema, statistics))
    known = {feature.name for feature in schema.feature}
    return sentences + [
        f"{feature}: in the schema, but no feature of the configuration"
        for feature in sorted(known - {f.name for f in config.table.logged})
        if feature not in _NOT_SERVED
    ]


def relax(
    schema: schema_pb2.Schema,
    statistics: Mapping[str, Statistics],
    names: Iterable[str],
) -> tuple[schema_pb2.Schema, list[str]]:
    """Relaxes the entries of some features until the statistics are valid.

    A feature without any value in a domain is declared absent there; everything else
    (new values, ranges, numbers of values, presence, new features) is done by TFDV's
    `update_schema`. Other features are not changed.

    Returns:
        The new schema, and in words the changes that TFDV did not make.
    """
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    notes = []
    for name in names:
        for domain, described in statistics.items():
            found = validate(result, {domain: described})[domain]
            if name not in found.anomaly_info:
                continue
            feature = next((f for f in result.feature if f.name == name), None)
            if feature is not None and not _has_values(described, name):
                feature.not_in_environment.append(domain)
                notes.append(f"{name}: declared as lacking in {domain}")
                continue
            if feature is not None and domain in feature.not_in_environment:
                feature.not_in_environment.remove(domain)
                notes.append(f"{name}: no longer declared as lacking in {domain}")
            _update(result, described, name)
    return result, notes


def _update(schema: schema_pb2.Schema, statistics: Statistics, name: str) -> None:
    """Relaxes one feature of `schema` in place, by TFDV."""
    position = [feature.name for feature in schema.feature]
    one = schema_pb2.Schema(string_domain=schema.string_domain)
    if name in position:
        one.feature.append(schema.feature[position.index(name)])
    one = tfdv.update_schema(one, _only(statistics, name))
    del schema.string_domain[:]
    schema.string_domain.extend(one.string_domain)
    if name in position:
        schema.feature[position.index(name)].CopyFrom(one.feature[0])
    else:
        schema.feature.extend(one.feature)


def set_threshold(
    schema: schema_pb2.Schema,
    name: str,
    *,
    max_drift: float | None = None,
    max_domain_distance: float | None = None,
) -> schema_pb2.Schema:
    """Returns a copy of the schema with other thresholds for one feature.

    Distributions of integers and floats are compared by Jensen-Shannon divergence,
    those of text and ids by the L-infinity norm.

    Raises:
        KeyError: The schema has no such feature.
    """
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    feature = {feature.name: feature for feature in result.feature}[name]
    numeric = (
        feature.type in (schema_pb2.INT, schema_pb2.FLOAT)
        and not feature.int_domain.is_categorical
    )
    for key, threshold in (
        ("drift_comparator", max_drift),
        ("skew_comparator", max_domain_distance),
    ):
        if threshold is None:
            continue
        comparator = getattr(feature, key)
        comparator.Clear()
        norm = (
            comparator.jensen_shannon_divergence
            if numeric
            else comparator.infinity_norm
        )
        norm.threshold = threshold
    return result


def _without_comparators(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    for feature in result.feature:
        feature.ClearField("drift_comparator")
        feature.ClearField("skew_comparator")
    return result


def _of(statistics: Statistics, name: str) -> list[Any]:
    return [
        feature
        for feature in statistics.datasets[0].features
        if path_name(feature.path) == name
    ]


def _only(statistics: Statistics, name: str) -> Statistics:
    """Returns a copy of the statistics with one feature."""
    result = Statistics()
    dataset = result.datasets.add(num_examples=statistics.datasets[0].num_examples)
    dataset.features.extend(_of(statistics, name))
    return result


def _has_values(statistics: Statistics, name: str) -> bool:
    return any(
        getattr(feature, feature.WhichOneof("stats")).common_stats.num_non_missing
        for feature in _of(statistics, name)
    )
