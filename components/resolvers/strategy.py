"""Resolver strategy of every graph."""

from __future__ import annotations

import json
from typing import Any

import ml_metadata
from tfx import types
from tfx.dsl.components.common import resolver

from components.resolvers.logic import Candidate
from components.resolvers.logic import select


class ByFingerprint(resolver.ResolverStrategy):
    """Resolver of inputs to the artifacts with the planned fingerprints.

    The planner (`pipeline.planning.planner`) determines the fingerprints from calendar
    and configuration; this class looks them up and enforces the point-in-time rule.
    """

    def __init__(self, wanted: str) -> None:
        """Stores the requested fingerprints.

        Args:
            wanted: JSON with the arguments of `select` for each input key:
                `fingerprints`, `before_day` and `role`. TFX cannot pass a nested
                dictionary.
        """
        self._wanted: dict[str, dict[str, Any]] = json.loads(wanted)

    def resolve_artifacts(
        self,
        store: ml_metadata.MetadataStore,  # noqa: ARG002 (TFX's signature)
        input_dict: dict[str, list[types.Artifact]],
    ) -> dict[str, list[types.Artifact]]:
        """Returns the planned artifacts of each key, in the planned order."""
        resolved = {}
        for key, artifacts in input_dict.items():
            by_id = {artifact.id: artifact for artifact in artifacts}
            chosen = select(map(_candidate, artifacts), **self._wanted[key])
            resolved[key] = [by_id[candidate.id] for candidate in chosen]
        return resolved


def _candidate(artifact: types.Artifact) -> Candidate:
    return Candidate(
        id=artifact.id,
        fingerprint=artifact.get_string_custom_property("fingerprint"),
        last_day=artifact.get_int_custom_property("last_day"),
        role=artifact.get_string_custom_property("role"),
    )
