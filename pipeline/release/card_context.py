"""What the configuration and the plan say on a model card."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from components.publisher.card_context import CardContext
from components.publisher.card_context import CardFeature
from models.days import to_date
from models.short_hash import short_hash
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.steps import Block
from pipeline.planning.steps import Step

_PACKAGES = ("crossctr", "tensorflow", "tf-keras", "tfx")


def card_context(config: Config, step: Step) -> CardContext:
    """Returns the facts that a judged target step puts on its model's card.

    Raises:
        ValueError: The step has no evaluation days.
    """
    if step.evaluation is None:
        raise ValueError(f"a model card needs evaluation days; received {step}")
    days = step.evaluation
    return CardContext(
        name=config.name,
        purpose=config.model_card.purpose,
        owner=config.model_card.owner,
        limits=config.model_card.limits,
        target=config.target,
        sources=config.sources,
        kind=config.kind_of(step.strategy),
        evaluation=(str(to_date(days.first)), str(to_date(days.last))),
        level=config.intervals.level,
        features=tuple(
            CardFeature(
                name=feature.name,
                kind=feature.kind,
                side=feature.served_side,
                of=feature.of,
            )
            for feature in config.table.of_target().features
        ),
        provenance=_provenance(config, step),
    )


def configuration_digest(config: Config) -> str:
    """Returns a hash of all keys of a configuration, its paths among them."""
    return short_hash(dump(config).encode())


def _provenance(config: Config, step: Step) -> dict[str, Any]:
    return {
        "configuration": configuration_digest(config),
        "code": code_fingerprint(),
        "packages": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "fingerprints": {
            "judgement": step.fingerprint,
            "model": step.training,
            "blocks": _days(step.blocks),
            "evaluation_blocks": _days(step.evaluation_blocks),
            "warm_start": step.warm_start,
            "source_model": step.source,
            "snapshots": list(step.snapshots),
            "live_model": step.live,
            "references": step.references,
        },
    }


def _days(blocks: Sequence[Block]) -> dict[str, str]:
    return {str(block.days): block.fingerprint for block in blocks}
