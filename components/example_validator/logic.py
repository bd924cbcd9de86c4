"""Schema with comparators for a domain's statistics: pure functions on TFMD."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import path_pb2
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_validator.thresholds import ValidationThresholds
from models.errors import DataError
from models.features.table import DAY

# Both distances lie in [0, 1], so with this threshold TFDV reports no anomaly.
REPORT_ONLY = 2.0
# These always differ: every block has its own days, every domain its name.
NOT_COMPARED = (DAY, "domain")
# Spread, as a share of its declared range, up to which a feature counts as constant.
_SAME_SHARE = 0.01


def environment_of(schema: schema_pb2.Schema, domain: str) -> str | None:
    """Returns the schema's environment of `domain`; None if it has no environments.

    Raises:
        DataError: The schema has environments, but none for this domain.
    """
    environments = list(schema.default_environment)
    if not environments:
        return None
    if domain not in environments:
        raise DataError(
            f"the schema has no environment {domain!r}, only "
            f"{', '.join(environments)}; add the line `default_environment: "
            f'"{domain}"` to it'
        )
    return domain


def num_rows(statistics: statistics_pb2.DatasetFeatureStatisticsList | None) -> int:
    """Returns the number of impressions in TFDV's statistics; 0 without statistics."""
    if statistics is None or not statistics.datasets:
        return 0
    return int(statistics.datasets[0].num_examples)


def empty_as_missing(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Returns a copy in which a feature without any value counts as missing.

    In raw Examples a missing value is an empty list, which TFDV counts as present, so
    that a domain without a feature would appear to have it.
    """
    result = statistics_pb2.DatasetFeatureStatisticsList()
    result.CopyFrom(statistics)
    for dataset in result.datasets:
        for feature in dataset.features:
            kind = feature.WhichOneof("stats")
            if kind is None:
                continue
            common = getattr(feature, kind).common_stats
            if not common.tot_num_values:
                common.Clear()
                common.num_missing = dataset.num_examples
    return result


def with_comparators(
    schema: schema_pb2.Schema,
    thresholds: ValidationThresholds,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    *,
    previous: statistics_pb2.DatasetFeatureStatisticsList | None = None,
    target: statistics_pb2.DatasetFeatureStatisticsList | None = None,
) -> schema_pb2.Schema:
    """Returns a copy of `schema` with comparators for every comparable feature.

    A feature is comparable if it has values on both sides that are not the same
    constant. If either side has fewer than `min_rows` impressions, distances are
    measured without a threshold.

    Args:
        schema: The curated schema.
        thresholds: The general thresholds.
        statistics: A domain's statistics.
        previous: Statistics of the previous block, if any.
        target: Statistics of the target, if the domain is a source.
    """
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    kinds = _kinds(statistics)
    for key, control, limit in (
        ("drift_comparator", previous, thresholds.max_drift),
        ("skew_comparator", target, thresholds.max_domain_distance),
    ):
        others = _kinds(control)
        rows = min(num_rows(statistics), num_rows(control))
        for feature in result.feature:
            name = feature.name
            kind = kinds.get(name)
            if (
                name in NOT_COMPARED
                or kind is None
                or others.get(name) != kind
                or _same_value(feature, statistics, control)
            ):
                feature.ClearField(key)
                continue
            _set_comparator(
                getattr(feature, key), kind, limit, enough=rows >= thresholds.min_rows
            )
    return result


def _set_comparator(
    comparator: schema_pb2.FeatureComparator,
    kind: str,
    limit: float | None,
    *,
    enough: bool,
) -> None:
    own = [norm for norm, _ in comparator.ListFields()]
    if not own:
        norm = (
            comparator.jensen_shannon_divergence
            if kind == "num_stats"
            else comparator.infinity_norm
        )
        norm.threshold = REPORT_ONLY if limit is None else limit
    if not enough:
        for _, norm in comparator.ListFields():
            norm.threshold = REPORT_ONLY


def _same_value(
    feature: schema_pb2.Feature, *sides: statistics_pb2.DatasetFeatureStatisticsList
) -> bool:
    """Whether a feature has the same constant value on both sides, up to tolerance.

    The histograms of 0.2000001 and 0.2000002 have no common bucket, so that their
    divergence is 1 and meaningless.
    """
    if not feature.float_domain.HasField("max"):
        return False
    span = feature.float_domain.max - feature.float_domain.min
    described = [
        entry.num_stats
        for side in sides
        for entry in side.datasets[0].features
        if path_name(entry.path) == feature.name
    ]
    means = [stats.mean for stats in described]
    spread = max(stats.std_dev for stats in described)
    return max(means) - min(means) + spread < _SAME_SHARE * span


def _kinds(
    statistics: statistics_pb2.DatasetFeatureStatisticsList | None,
) -> dict[str, str]:
    """Returns the kind of statistics of every feature that has a value."""
    if not num_rows(statistics) or statistics is None:
        return {}
    kinds = {}
    for feature in statistics.datasets[0].features:
        kind = feature.WhichOneof("stats")
        if kind in ("num_stats", "string_stats"):
            common = getattr(feature, kind).common_stats
            if common.tot_num_values:
                kinds[path_name(feature.path)] = kind
    return kinds


def path_name(path: path_pb2.Path) -> str:
    """Returns a TFMD path as text; our paths have one step."""
    return ".".join(path.step)
