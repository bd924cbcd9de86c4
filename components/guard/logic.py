"""Anomalies as sentences, distances as numbers, and advice on what to do."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.example_validator.logic import REPORT_ONLY
from components.example_validator.logic import path_name

_DRIFT = "previous"
# TFDV's wording for the two sides of a skew, here a source and the target.
_SKEW_WORDS = ("serving and training", "training and serving")
_MEASURES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "l_infinity",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "jensen_shannon",
    anomalies_pb2.DriftSkewInfo.Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: (
        "normalized_absolute_difference"
    ),
}


def describe_anomalies(
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    may_be_empty: Collection[str] = (),
) -> list[str]:
    """Returns one sentence per anomaly.

    Args:
        anomalies: TFDV's anomalies by domain.
        may_be_empty: Domains that may have no impression on some days.

    Returns:
        Sentences such as `de: item_id: Column dropped. ...`, by domain and feature;
        empty without anomalies.
    """
    sentences = []
    for domain, found in sorted(anomalies.items()):
        if found.data_missing and domain in may_be_empty:
            continue
        if found.HasField("dataset_anomaly_info"):
            info = found.dataset_anomaly_info
            sentences.append(f"{domain}: {info.short_description}. {info.description}")
        for feature, info in sorted(found.anomaly_info.items()):
            text = f"{domain}: {feature}: {info.short_description}. {info.description}"
            for words in _SKEW_WORDS:
                text = text.replace(words, f"{domain} and the target")
            sentences.append(text)
        if found.data_missing:
            sentences.append(f"{domain}: no row at all")
    return sentences


def how_to_go_on(anomalies: Iterable[anomalies_pb2.Anomalies]) -> str:
    """Returns advice for the anomalies of some domains."""
    features: dict[str, set[str]] = {"schema": set(), "drift": set(), "skew": set()}
    for found in anomalies:
        for name, info in found.anomaly_info.items():
            for reason in info.reason:
                kind = "schema"
                if "COMPARATOR" in anomalies_pb2.AnomalyInfo.Type.Name(reason.type):
                    kind = "drift" if _DRIFT in reason.description else "skew"
                features[kind].add(name)
    advice = ["mend the logs and run the same command again"]
    for kind, option in (
        ("schema", ""),
        ("drift", " --max-drift <threshold>"),
        ("skew", " --max-domain-distance <threshold>"),
    ):
        if features[kind]:
            named = " ".join(f"--feature {name}" for name in sorted(features[kind]))
            days = "" if option else " --day <last day> --days <number>"
            advice.append(f"`crossctr schema accept CONFIG {named}{days}{option}`")
    accept = "; or, if the new values are right, accept them: "
    return advice[0] + (accept + ", ".join(advice[1:]) if advice[1:] else "")


def distances(found: anomalies_pb2.Anomalies) -> dict[str, dict[str, Any]]:
    """Returns the distances that TFDV measured for one domain.

    Returns:
        `drift` (from the previous block) and `domain_distance` (from the target), each
        by feature: `measure`, `value` and `threshold`, None if the distance is only
        reported.
    """
    measured: dict[str, dict[str, Any]] = {"drift": {}, "domain_distance": {}}
    for info in found.drift_skew_info:
        for key, measurements in (
            ("drift", info.drift_measurements),
            ("domain_distance", info.skew_measurements),
        ):
            for one in measurements:
                measured[key][path_name(info.path)] = {
                    "measure": _MEASURES.get(one.type, "unknown"),
                    # Rounding can produce -1e-17.
                    "value": max(one.value, 0.0),
                    "threshold": one.threshold if one.threshold < REPORT_ONLY else None,
                }
    return measured


def largest(
    report: Mapping[str, Any], key: str, min_rows: int
) -> tuple[str, str, float] | None:
    """Returns domain, feature and value of the largest distance that is judged.

    Args:
        report: The Guard's report.
        key: `drift` or `domain_distance`.
        min_rows: Number of impressions that both sides need.
    """
    domains = report["domains"]
    others = {
        domain: entry["previous_rows"]
        if key == "drift"
        else domains.get(report["target"], {}).get("rows")
        for domain, entry in domains.items()
    }
    found = [
        (domain, feature, float(distance["value"]))
        for domain, entry in domains.items()
        for feature, distance in entry[key].items()
        if min(entry["rows"], others[domain] or 0) >= min_rows
    ]
    return max(found, key=lambda entry: entry[2], default=None)


def summary(report: Mapping[str, Any], min_rows: int) -> str:
    """Returns the report's largest distances in one line; empty without distances."""
    parts = []
    for key, words in (
        ("drift", "largest drift from the block before"),
        ("domain_distance", "largest distance from the target"),
    ):
        found = largest(report, key, min_rows)
        if found is not None:
            domain, feature, value = found
            parts.append(f"{words}: {domain} {feature} {value:.2f}")
        elif any(entry[key] for entry in report["domains"].values()):
            parts.append(f"{words}: not judged, fewer than {min_rows:,} rows")
    return "; ".join(parts)
