"""Target graph: a model is trained, evaluated and, for one strategy, published."""

from __future__ import annotations

from tfx.components.evaluator.component import Evaluator
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts

from components import artifacts
from components.evaluation_set.component import EvaluationSet
from components.evaluation_set.executor import EVAL_SPLIT
from components.evaluation_set.slice_rules import PREFIX
from components.evaluation_set.slice_rules import rules_to_json
from components.evaluator.config import evaluation_config
from components.gate.component import Gate
from components.infra_validator.component import InfraValidator
from components.publisher.component import Publisher
from models.days import DayRange
from pipeline.config.schema import Config
from pipeline.graphs.inputs import Inputs
from pipeline.graphs.inputs import resolver_of
from pipeline.graphs.inputs import selection
from pipeline.graphs.inputs import training_inputs
from pipeline.graphs.training import level_trainer
from pipeline.planning.steps import Step
from pipeline.release.card_context import card_context


def target_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that train, evaluate and publish a target model.

    A step that is not judged ends with the trained model, and only the configured
    strategy's is published.

    Raises:
        ValueError: The step has no evaluation days.
    """
    days = step.evaluation
    if days is None:
        raise ValueError(f"a target step needs evaluation days; received {step}")
    inputs = training_inputs(step)
    if step.judged:
        inputs |= _evaluation_inputs(step)
    resolver = resolver_of(inputs)
    trainer = level_trainer(config, step, resolver, "TargetTrainer")
    if not step.judged:
        return [resolver, trainer]
    evaluation_set, evaluator = _evaluation(config, step, days, resolver, trainer)
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
        nodes += _publication(config, step, days, resolver, trainer, gate)
    return nodes


def _evaluation_inputs(step: Step) -> Inputs:
    """Returns the evaluation impressions, references and live model, if there are."""
    blocks = [block.fingerprint for block in step.evaluation_blocks]
    inputs: Inputs = {
        "evaluation_examples": (
            standard_artifacts.Examples,
            selection(blocks, before_day=None, role="raw"),
        )
    }
    if step.references:
        inputs["references"] = (
            artifacts.ReferenceScores,
            selection([step.references], before_day=step.run_day),
        )
    if step.live:
        inputs["live_model"] = (
            standard_artifacts.Model,
            selection([step.live], before_day=step.run_day),
        )
    return inputs


def _evaluation(
    config: Config, step: Step, days: DayRange, resolver: BaseNode, trainer: BaseNode
) -> tuple[BaseNode, BaseNode]:
    """Returns the evaluation set and the Evaluator on it."""
    evaluation_set = EvaluationSet(
        examples=resolver.outputs["evaluation_examples"],
        domain=config.target,
        first_day=days.first,
        last_day=days.last,
        slices=rules_to_json(config.slice_rules),
    )
    evaluator = Evaluator(
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
    return evaluation_set, evaluator


def _publication(
    config: Config,
    step: Step,
    days: DayRange,
    resolver: BaseNode,
    trainer: BaseNode,
    gate: BaseNode,
) -> list[BaseNode]:
    """Returns the InfraValidator and the Publisher that waits for it and the Gate."""
    infra_validator = InfraValidator(
        model=trainer.outputs["model"],
        examples=resolver.outputs["evaluation_examples"],
        features=config.table.to_json(),
        domain=config.target,
        first_day=days.first,
        last_day=days.last,
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
        card_context=card_context(config, step).model_dump_json(),
        # Only if there are any: TFX takes no empty channel for an optional input.
        **({"references": resolver.outputs["references"]} if step.references else {}),
    )
    return [infra_validator, publisher]
