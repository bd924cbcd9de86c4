"""Gate component: reads the evaluation, decides and writes `decision.json`.

No postponed annotations here: TFX reads those of the function itself.
"""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Model
from tfx.types.standard_artifacts import ModelEvaluation

from components.artifacts import GateDecision
from components.artifacts import stamp
from components.evaluation.constant import constant_metrics
from components.evaluation.replicates import write_replicates
from components.evaluator.reading import read_judgements
from components.gate.logic import decide
from components.gate.thresholds import GateThresholds
from models.artifact_files import DECISION_FILE
from models.artifact_files import model_report


@component
def Gate(  # noqa: N802 (the name of the node and of its type)
    model: InputArtifact[Model],
    evaluation: InputArtifact[ModelEvaluation],
    decision: OutputArtifact[GateDecision],
    thresholds: Parameter[str],
    level: Parameter[float],
    strategy: Parameter[str],
    fingerprint: Parameter[str],
) -> None:
    """Decides whether a candidate may be published, and records the reasons.

    A refusal is a result, not an error. TFX's Evaluator approves any model without a
    baseline; here a cold start is a state of its own, in which the value thresholds
    must hold.

    Args:
        model: The candidate.
        evaluation: Evaluator's output, with the live model as baseline if any.
        decision: The decision that is written.
        thresholds: JSON of `GateThresholds`.
        level: Share of the bootstrap draws inside an interval.
        strategy: Entry of the configuration's `strategies`, for the record.
        fingerprint: Hash of all inputs of the decision.
    """
    overall, *slices = read_judgements(evaluation.uri, level=level)
    rate = training_click_rate(Path(model.uri))
    constant = None if rate is None else constant_metrics(rate, overall.candidate)
    found = decide(
        overall,
        GateThresholds.model_validate_json(thresholds),
        slices,
        constant=constant,
    )
    folder = Path(decision.uri)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"strategy": strategy, **found.to_json()}
    text = json.dumps(content, indent=1, allow_nan=False)
    (folder / DECISION_FILE).write_text(text + "\n", encoding="utf-8")
    if overall.replicates is not None:
        write_replicates(folder, {strategy: overall.replicates})
    stamp(
        decision,
        first_day=model.get_int_custom_property("first_day"),
        last_day=model.get_int_custom_property("last_day"),
        fingerprint=fingerprint,
        strategy=strategy,
        approved=int(found.approved),
    )


def training_click_rate(model: Path) -> float | None:
    """Returns the click rate of the target's impressions in a model's training window.

    It is read from the trainer's report, so that the constant model is independent of
    the evaluation impressions.

    Args:
        model: Folder of the Model artifact.

    Returns:
        None if the report does not have it.
    """
    text = model_report(model).read_text(encoding="utf-8")
    rate: float | None = json.loads(text).get("target_click_rate")
    return rate
