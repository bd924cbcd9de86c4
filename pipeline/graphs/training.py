"""Training graphs, which end with a model: pretraining, source and base model."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base.base_node import BaseNode

from components.snapshot_exporter.component import SnapshotExporter
from components.trainer.component import LevelTrainer
from pipeline.config.schema import Config
from pipeline.graphs.inputs import resolver_of
from pipeline.graphs.inputs import training_inputs
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step


def tpm_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that train a TPM period and export its embeddings."""
    resolver = resolver_of(training_inputs(step))
    trainer = level_trainer(config, step, resolver, "TinyTrainer")
    exporter = SnapshotExporter(
        model=trainer.outputs["model"],
        vocabulary=resolver.outputs["vocabulary"],
        features=config.table.to_json(),
        period_day=step.day,
    )
    return [resolver, trainer, exporter]


def cpm_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that train CPM on source impressions and snapshots."""
    resolver = resolver_of(training_inputs(step))
    trainer = level_trainer(config, step, resolver, "CompleteTrainer")
    return [resolver, trainer]


def source_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that continue the source model on new impressions."""
    resolver = resolver_of(training_inputs(step))
    trainer = level_trainer(config, step, resolver, "SourceTrainer")
    return [resolver, trainer]


def base_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that train the target model without a source model."""
    resolver = resolver_of(training_inputs(step))
    trainer = level_trainer(config, step, resolver, "TargetTrainer")
    return [resolver, trainer]


def level_trainer(
    config: Config, step: Step, resolver: BaseNode, node_id: str
) -> LevelTrainer:
    """Returns the trainer of a step's level, with the settings of its strategy."""
    domains = config.sources
    level = "target" if step.kind == StepKind.BASE else str(step.kind)
    if level == "target":
        domains = config.domains_of(step.strategy)
    training = config.training_of(level, step.strategy)
    settings: dict[str, Any] = {
        "level": level,
        "domains": list(domains),
        "first_day": step.days.first,
        "last_day": step.days.last,
        "features": config.table.model_dump(),
        "network": (
            config.network_of(step.strategy) if step.strategy else config.network
        ).model_dump(),
        "training": training.model_dump(),
        "continues": step.continues,
        **config.masked_of(level),
    }
    if step.source:
        settings["initialize_only"] = step.initialize_only
    if level == "target":
        settings |= config.target_settings(step.strategy)
    return LevelTrainer(
        examples=resolver.outputs["examples"],
        transform_graph=resolver.outputs["transform_graph"],
        vocabulary=resolver.outputs["vocabulary"],
        base_model=resolver.outputs["base_model"] if step.warm_start else None,
        source_model=resolver.outputs["source_model"] if step.source else None,
        snapshots=resolver.outputs["snapshots"] if step.snapshots else None,
        raw_examples=resolver.outputs["raw_examples"] if level == "target" else None,
        domains=domains,
        settings=settings,
        fingerprint=step.training or step.fingerprint,
    ).with_id(node_id)
