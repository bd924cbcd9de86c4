"""Reads the evaluation, decides and writes `decision.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.evaluation.constant import constant_metrics
from components.evaluator.reading import read_judgements
from components.gate.logic import decide
from components.gate.thresholds import GateThresholds
from models.artifact_files import DECISION_FILE
from models.artifact_files import model_report


class Executor(base_executor.BaseExecutor):
    """Executor of `Gate`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the decision; a refusal is a result, not an error."""
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        output = artifact_utils.get_single_instance(output_dict["decision"])
        overall, *slices = read_judgements(
            artifact_utils.get_single_uri(input_dict["evaluation"]),
            level=exec_properties["level"],
        )
        thresholds = GateThresholds.model_validate_json(exec_properties["thresholds"])
        rate = training_click_rate(Path(model.uri))
        constant = None if rate is None else constant_metrics(rate, overall.candidate)
        decision = decide(overall, thresholds, slices, constant=constant)
        content = {"strategy": exec_properties["strategy"], **decision.to_json()}
        folder = Path(output.uri)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, allow_nan=False)
        (folder / DECISION_FILE).write_text(text + "\n", encoding="utf-8")
        stamp(
            output,
            first_day=model.get_int_custom_property("first_day"),
            last_day=model.get_int_custom_property("last_day"),
            fingerprint=exec_properties["fingerprint"],
            strategy=exec_properties["strategy"],
            approved=int(decision.approved),
        )


def training_click_rate(model: Path) -> float | None:
    """Returns the click rate of the target's impressions that a model trained on.

    From the trainer's report, so that the constant knows no evaluation impression.

    Args:
        model: Folder of the Model artifact.

    Returns:
        None if the trainer did not note it.
    """
    text = model_report(model).read_text(encoding="utf-8")
    rate: float | None = json.loads(text).get("target_click_rate")
    return rate
