"""Copies the model if Gate and server approved it, and records either outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import stamp
from components.publisher.labels import CANARY
from components.publisher.releases import Shelf
from components.publisher.releases import describe
from models.artifact_files import DECISION_FILE
from models.artifact_files import REQUESTS_FILE
from models.days import to_date
from models.progress import PROGRESS


class Executor(base_executor.BaseExecutor):
    """Executor of `Publisher`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publishes the model, or records that it was refused."""
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        published = artifact_utils.get_single_instance(output_dict["published"])
        uri = artifact_utils.get_single_uri(input_dict["decision"])
        decision = json.loads((Path(uri) / DECISION_FILE).read_text(encoding="utf-8"))
        day = exec_properties["day"]
        blessing = artifact_utils.get_single_instance(input_dict["infra_blessing"])
        shelf = Shelf(
            Path(exec_properties["directory"]),
            exec_properties["name"],
            exec_properties["server_path"],
            exec_properties["keep"],
        )
        reason = ""
        if blessing.get_int_custom_property("blessed") != 1:
            reason = blessing.get_string_custom_property("reason") or "not checked"
        model_fingerprint = model.get_string_custom_property("fingerprint")
        # A day between two ticks of the target's clock judges the tick's model again.
        withdrawn = shelf.withdrawn(model_fingerprint)
        if not reason and withdrawn is not None:
            reason = (
                f"version {withdrawn} of this model was withdrawn by a person; "
                f"`crossctr promote CONFIG --day {to_date(day)} --reason WHY` brings "
                "it back"
            )
        path = ""
        if decision["approved"] and not reason:
            lineage = {
                "day": str(to_date(day)),
                "strategy": decision["strategy"],
                "fingerprint": exec_properties["fingerprint"],
                "model_fingerprint": model_fingerprint,
                "decision": decision,
            }
            source = Path(path_utils.serving_model_path(model.uri))
            released = shelf.release(
                source,
                day,
                lineage,
                warmup=Path(blessing.uri) / REQUESTS_FILE,
                as_canary=exec_properties["rollout"] == CANARY,
            )
            path = str(released.path)
            PROGRESS.info(f"published {path}")
            PROGRESS.info(describe(released))
        Path(published.uri).mkdir(parents=True, exist_ok=True)
        stamp(
            published,
            day=day,
            first_day=model.get_int_custom_property("first_day"),
            last_day=model.get_int_custom_property("last_day"),
            fingerprint=exec_properties["fingerprint"],
            model_fingerprint=model_fingerprint,
            pushed=int(bool(path)),
            path=path,
            infra_reason=reason,
        )
