"""References graph: raw rows of window and evaluation to simple models' scores."""

from __future__ import annotations

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts

from components.references.component import References
from pipeline.config.schema import Config
from pipeline.graphs.inputs import resolver_of
from pipeline.graphs.inputs import selection
from pipeline.planning.steps import Step
from pipeline.planning.steps import prints


def references_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that fit the references and score the evaluation rows."""
    if step.evaluation is None:
        raise ValueError(f"a references step needs evaluation days; received {step}")
    resolver = resolver_of(
        {
            "examples": (
                standard_artifacts.Examples,
                selection(prints(step.blocks), before_day=step.run_day, role="raw"),
            ),
            "evaluation_examples": (
                standard_artifacts.Examples,
                selection(prints(step.evaluation_blocks), before_day=None, role="raw"),
            ),
        }
    )
    references = References(
        examples=resolver.outputs["examples"],
        evaluation_examples=resolver.outputs["evaluation_examples"],
        features=config.table.to_json(),
        domains=config.domains,
        first_day=step.days.first,
        last_day=step.days.last,
        evaluation_first_day=step.evaluation.first,
        evaluation_last_day=step.evaluation.last,
        most_rows=config.references.rows,
        settings=config.references.settings.model_dump_json(by_alias=True),
        num_draws=config.intervals.draws,
        fingerprint=step.fingerprint,
    )
    return [resolver, references]
