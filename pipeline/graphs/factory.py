"""The graphs, one factory for each kind of step: plans become TFX pipelines.

All graphs of a configuration share one pipeline name, so that ML Metadata keeps their
artifacts in one context and a graph resolves what an earlier one has made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from components import arrow_coders
from components import artifacts
from components.evaluation_set.component import EvaluationSet
from components.evaluation_set.executor import EVAL_SPLIT
from components.evaluation_set.slices import PREFIX
from components.evaluation_set.slices import rules_to_json
from components.evaluator.config import evaluation_config
from components.example_validator.component import ExampleValidator
from components.gate.component import Gate
from components.guard.component import Guard
from components.infra_validator.component import InfraValidator
from components.log_example_gen.component import LogExampleGen
from components.publisher.component import Publisher
from components.resolvers.strategy import ByFingerprint
from components.snapshot_exporter.component import SnapshotExporter
from components.statistics_gen.component import StatisticsGen
from components.trainer.component import LevelTrainer
from components.transform.component import Transform
from components.vocabulary.component import Vocabulary
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.metadata import connection

arrow_coders.register()

# The in-memory runner: the multi-threaded one loses elements at GroupByKey.
_BEAM_ARGS = ("--direct_running_mode=in_memory", "--direct_num_workers=1")


def graph_for(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Returns the TFX pipeline of a planned step."""
    factories = {
        StepKind.INGEST: ingest_graph,
        StepKind.TPM: tpm_graph,
        StepKind.CPM: cpm_graph,
        StepKind.SOURCE: source_graph,
        StepKind.BASE: base_graph,
        StepKind.TARGET: target_graph,
    }
    return factories[step.kind](config, step)


def ingest_graph(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Logs of a block of days to transformed Examples, validated and guarded."""
    features = config.table.to_json()
    example_gen = LogExampleGen(
        logs=json.dumps([config.domain_log(d).model_dump() for d in config.domains]),
        features=features,
        first_day=step.days.first,
        last_day=step.days.last,
        quarantine=str(config.root / "quarantine"),
        max_bad_share=config.max_bad_share,
        fingerprint=step.fingerprint,
    )
    schema = _schema(config)
    statistics = StatisticsGen(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        fingerprint=step.fingerprint,
    )
    previous, nodes = _previous_block(step)
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        previous_statistics=previous.get("statistics"),
        target=config.target,
        thresholds=config.validation.model_dump_json(),
    )
    guard = Guard(
        anomalies=validator.outputs["anomalies"],
        statistics=statistics.outputs["statistics"],
        previous_statistics=previous.get("statistics"),
        first_day=step.days.first,
        last_day=step.days.last,
        may_be_empty=json.dumps(
            [name for name, policy in config.missing_days.items() if policy == "skip"]
        ),
        target=config.target,
        min_rows=config.validation.min_rows,
    )
    nodes += [example_gen, schema, statistics, validator, guard]
    vocabulary = Vocabulary(
        examples=example_gen.outputs["examples"],
        guard_report=guard.outputs["report"],
        previous=previous.get("vocabulary"),
        features=features,
        fingerprint=step.fingerprint,
    )
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        vocabulary=vocabulary.outputs["vocabulary"],
        features=features,
        domains=config.domains,
        fingerprint=step.fingerprint,
    )
    return _pipeline(config, [*nodes, vocabulary, transform])


def tpm_graph(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Source rows to one period's embedding snapshot."""
    resolver = _resolver(**_training_inputs(step))
    trainer = _trainer(config, step, resolver, "TinyTrainer")
    exporter = SnapshotExporter(
        model=trainer.outputs["model"],
        vocabulary=resolver.outputs["vocabulary"],
        features=config.table.to_json(),
        period_day=step.day,
    )
    return _pipeline(config, [resolver, trainer, exporter])


def cpm_graph(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Source rows and snapshots to the complete pretraining model."""
    resolver = _resolver(**_training_inputs(step))
    trainer = _trainer(config, step, resolver, "CompleteTrainer")
    return _pipeline(config, [resolver, trainer])


def source_graph(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """New source rows and the source model before to the next one."""
    resolver = _resolver(**_training_inputs(step))
    trainer = _trainer(config, step, resolver, "SourceTrainer")
    return _pipeline(config, [resolver, trainer])


def base_graph(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Target rows to the model that CTNet starts from, which is not judged."""
    resolver = _resolver(**_training_inputs(step))
    trainer = _trainer(config, step, resolver, "TargetTrainer")
    return _pipeline(config, [resolver, trainer])


def target_graph(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Target rows to a judged and, for the chosen strategy, published model.

    A step that is not judged ends with the trained model.
    """
    if step.evaluation is None:
        raise ValueError(f"a target step needs evaluation days; received {step}")
    inputs = _training_inputs(step)
    if not step.judged:
        resolver = _resolver(**inputs)
        trainer = _trainer(config, step, resolver, "TargetTrainer")
        return _pipeline(config, [resolver, trainer])
    inputs["evaluation_examples"] = (
        standard_artifacts.Examples,
        _wanted(
            [block.fingerprint for block in step.evaluation_blocks],
            before_day=None,
            role="raw",
        ),
    )
    if step.live:
        inputs["live_model"] = (
            standard_artifacts.Model,
            _wanted([step.live], before_day=step.run_day),
        )
    resolver = _resolver(**inputs)
    trainer = _trainer(config, step, resolver, "TargetTrainer")
    evaluation_set = EvaluationSet(
        examples=resolver.outputs["evaluation_examples"],
        domain=config.target,
        first_day=step.evaluation.first,
        last_day=step.evaluation.last,
        slices=rules_to_json(config.slice_rules),
    )
    evaluator = tfx.components.Evaluator(
        examples=evaluation_set.outputs["evaluation_examples"],
        model=trainer.outputs["model"],
        baseline_model=resolver.outputs["live_model"] if step.live else None,
        eval_config=evaluation_config(
            with_baseline=step.live is not None,
            slices=[f"{PREFIX}{name}" for name in config.slice_rules],
            num_draws=config.intervals.draws,
        ),
        example_splits=[EVAL_SPLIT],
    )
    gate = Gate(
        model=trainer.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
        thresholds=config.gate.model_dump_json(),
        level=config.intervals.level,
        strategy=step.strategy,
        fingerprint=step.fingerprint,
    )
    nodes = [resolver, trainer, evaluation_set, evaluator, gate]
    if step.strategy == config.strategy:
        infra_validator = InfraValidator(
            model=trainer.outputs["model"],
            examples=resolver.outputs["evaluation_examples"],
            features=config.table.to_json(),
            domain=config.target,
            first_day=step.evaluation.first,
            last_day=step.evaluation.last,
            name=config.name,
            fingerprint=step.fingerprint,
        )
        publisher = Publisher(
            model=trainer.outputs["model"],
            decision=gate.outputs["decision"],
            infra_blessing=infra_validator.outputs["blessing"],
            name=config.name,
            directory=str(config.serving.directory),
            day=step.run_day,
            fingerprint=step.fingerprint,
            keep=config.serving.keep,
            rollout=config.serving.rollout,
            server_path=config.serving.server_path,
        )
        nodes += [infra_validator, publisher]
    return _pipeline(config, nodes)


def _pipeline(config: Config, nodes: Sequence[BaseNode]) -> tfx_pipeline.Pipeline:
    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(config.root / "artifacts"),
        components=list(nodes),
        # TFX writes it into its log; `run_graph` adds the password.
        metadata_connection_config=connection(
            config.root, config.metadata, with_password=False
        ),
        # A graph that was killed takes up where it stopped.
        enable_cache=True,
        beam_pipeline_args=[*_BEAM_ARGS, *config.beam_args],
    )


def _schema(config: Config) -> BaseNode:
    # TFX's cache knows an imported file by its path alone, so each content has its own.
    content = config.schema_path.read_bytes()
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.pbtxt"
    path = config.root / "schemas" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return tfx.components.ImportSchemaGen(schema_file=str(path))


def _wanted(
    fingerprints: Sequence[str], *, before_day: int | None, role: str = ""
) -> dict[str, Any]:
    return {
        "fingerprints": list(fingerprints),
        "before_day": before_day,
        "role": role,
    }


def _resolver(**inputs: tuple[type, dict[str, Any]]) -> BaseNode:
    channels = {key: tfx.dsl.Channel(type=kind) for key, (kind, _) in inputs.items()}
    return tfx.dsl.Resolver(
        strategy_class=ByFingerprint,
        config={
            "wanted": json.dumps({key: wanted for key, (_, wanted) in inputs.items()})
        },
        **channels,
    ).with_id("PointInTimeResolver")


def _previous_block(step: Step) -> tuple[dict[str, types.BaseChannel], list[BaseNode]]:
    """Returns what an ingest reads of the block before, and the node that finds it."""
    if not step.blocks:
        return {}, []
    wanted = _wanted([step.blocks[0].fingerprint], before_day=step.days.first)
    resolver = _resolver(
        vocabulary=(artifacts.Vocabulary, wanted),
        statistics=(standard_artifacts.ExampleStatistics, wanted),
    )
    return {key: resolver.outputs[key] for key in ("vocabulary", "statistics")}, [
        resolver
    ]


def _training_inputs(step: Step) -> dict[str, tuple[type, dict[str, Any]]]:
    blocks = [block.fingerprint for block in step.blocks]
    day = step.run_day
    inputs = {
        "examples": (
            standard_artifacts.Examples,
            _wanted(blocks, before_day=day, role="transformed"),
        ),
        "transform_graph": (
            standard_artifacts.TransformGraph,
            _wanted(blocks[-1:], before_day=day),
        ),
        "vocabulary": (artifacts.Vocabulary, _wanted(blocks[-1:], before_day=day)),
    }
    if step.kind in (StepKind.TARGET, StepKind.BASE):
        inputs["raw_examples"] = (
            standard_artifacts.Examples,
            _wanted(blocks, before_day=day, role="raw"),
        )
    if step.warm_start:
        inputs["base_model"] = (
            standard_artifacts.Model,
            _wanted([step.warm_start], before_day=day),
        )
    if step.source:
        # A day earlier than the rule asks: the source of the step's own day would have
        # seen the day of the rows that are trained on.
        inputs["source_model"] = (
            standard_artifacts.Model,
            _wanted([step.source], before_day=step.day - 1),
        )
    if step.snapshots:
        inputs["snapshots"] = (
            artifacts.EmbeddingSnapshot,
            _wanted(step.snapshots, before_day=day),
        )
    return inputs


def _trainer(
    config: Config, step: Step, resolver: BaseNode, node_id: str
) -> LevelTrainer:
    domains = config.sources
    level = "target" if step.kind == StepKind.BASE else str(step.kind)
    if level == "target":
        domains = config.domains_of(step.strategy)
    settings: dict[str, Any] = {
        "level": level,
        "domains": list(domains),
        "first_day": step.days.first,
        "last_day": step.days.last,
        "features": config.table.model_dump(),
        "network": (
            config.network_of(step.strategy) if step.strategy else config.network
        ).model_dump(),
        "training": config.training_of(level).model_dump(),
        "continues": step.continues,
    }
    if step.source:
        settings["begins"] = step.begins
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
