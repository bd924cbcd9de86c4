"""Inputs of the graphs: stored artifacts that a resolver selects by fingerprint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts

from components import artifacts
from components.resolvers.strategy import ByFingerprint
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step

# By the name of an input, the type of its artifacts and their selection.
Inputs = dict[str, tuple[type, dict[str, Any]]]


def selection(
    fingerprints: Sequence[str], *, before_day: int | None, role: str = ""
) -> dict[str, Any]:
    """Returns the selection of an input's artifacts, see `components.resolvers`.

    Args:
        fingerprints: The artifacts' fingerprints.
        before_day: Artifacts with data of this day or later are refused, days since
            1970-01-01; None takes them all.
        role: Role of an Examples artifact, `raw` or `transformed`; any by default.
    """
    return {
        "fingerprints": list(fingerprints),
        "before_day": before_day,
        "role": role,
    }


def resolver_of(inputs: Inputs) -> BaseNode:
    """Returns the node that finds the artifacts of all `inputs` in ML Metadata."""
    channels = {key: types.Channel(type=kind) for key, (kind, _) in inputs.items()}
    return Resolver(
        strategy_class=ByFingerprint,
        config={
            "wanted": json.dumps({key: wanted for key, (_, wanted) in inputs.items()})
        },
        **channels,
    ).with_id("PointInTimeResolver")


def previous_block(step: Step) -> tuple[dict[str, types.BaseChannel], list[BaseNode]]:
    """Returns the channels of the block before, and the node that resolves them."""
    if not step.blocks:
        return {}, []
    wanted = selection([step.blocks[0].fingerprint], before_day=step.days.first)
    resolver = resolver_of(
        {
            "vocabulary": (artifacts.Vocabulary, wanted),
            "statistics": (standard_artifacts.ExampleStatistics, wanted),
        }
    )
    return {key: resolver.outputs[key] for key in ("vocabulary", "statistics")}, [
        resolver
    ]


def training_inputs(step: Step) -> Inputs:
    """Returns the inputs of a step's trainer, all from before the run's day."""
    blocks = [block.fingerprint for block in step.blocks]
    day = step.run_day
    inputs: Inputs = {
        "examples": (
            standard_artifacts.Examples,
            selection(blocks, before_day=day, role="transformed"),
        ),
        "transform_graph": (
            standard_artifacts.TransformGraph,
            selection(blocks[-1:], before_day=day),
        ),
        "vocabulary": (artifacts.Vocabulary, selection(blocks[-1:], before_day=day)),
    }
    if step.kind in (StepKind.TARGET, StepKind.BASE):
        inputs["raw_examples"] = (
            standard_artifacts.Examples,
            selection(blocks, before_day=day, role="raw"),
        )
    if step.warm_start:
        inputs["base_model"] = (
            standard_artifacts.Model,
            selection([step.warm_start], before_day=day),
        )
    if step.source:
        # A day earlier than elsewhere: the source model of the step's own day was
        # trained on the day of the impressions that the step trains on.
        inputs["source_model"] = (
            standard_artifacts.Model,
            selection([step.source], before_day=step.day - 1),
        )
    if step.snapshots:
        inputs["snapshots"] = (
            artifacts.EmbeddingSnapshot,
            selection(step.snapshots, before_day=day),
        )
    return inputs
