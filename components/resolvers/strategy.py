"""The resolver strategy that every graph uses."""

from __future__ import annotations

import json
from typing import Any

import ml_metadata
from tfx import types
from tfx.dsl.components.common import resolver

from components.resolvers.logic import Candidate
from components.resolvers.logic import select


class ByFingerprint(resolver.ResolverStrategy):
    """Resolves each input to the artifacts with the fingerprints that were planned.

    Which fingerprints those are is decided from the calendar and the configuration
    (`pipeline.planning.planner`); here they are looked up, and held to the
    point-in-time rule.
    """

    def __init__(self, wanted: str) -> None:
        """Stores what to look up.

        Args:
            wanted: JSON; per input key the arguments of `select`: `fingerprints`,
                `before_day` and `role`. (TFX cannot carry a nested dictionary.)
        """
        self._wanted: dict[str, dict[str, Any]] = json.loads(wanted)

    def resolve_artifacts(
        self,
        store: ml_metadata.MetadataStore,  # noqa: ARG002 (TFX's signature)
        input_dict: dict[str, list[types.Artifact]],
    ) -> dict[str, list[types.Artifact]]:
        """Returns the planned artifacts, per key in the planned order."""
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
