"""Anomalies in words, and the decision to stop."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2


def describe_anomalies(
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    may_be_empty: Collection[str] = (),
) -> list[str]:
    """Returns one sentence per anomaly.

    Args:
        anomalies: TFDV's anomalies by domain.
        may_be_empty: Domains that may have no row at all on some days.

    Returns:
        Sentences such as `de: item_id: Column dropped. ...`, by domain and feature;
        empty when there is no anomaly.
    """
    sentences = []
    for domain, found in sorted(anomalies.items()):
        if found.data_missing and domain in may_be_empty:
            continue
        if found.HasField("dataset_anomaly_info"):
            info = found.dataset_anomaly_info
            sentences.append(f"{domain}: {info.short_description}. {info.description}")
        for feature, info in sorted(found.anomaly_info.items()):
            sentences.append(
                f"{domain}: {feature}: {info.short_description}. {info.description}"
            )
        if found.data_missing:
            sentences.append(f"{domain}: no row at all")
    return sentences
