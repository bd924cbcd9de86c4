"""Executor that fits references on the window and scores the evaluation impressions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.references.logic import judge_references
from components.references.logic import resample_references
from components.references.logic import write_references
from models.days import DayRange
from models.errors import DataError
from models.features.table import FeatureTable
from models.references.fitting import fit_references
from models.references.rows import Columns
from models.references.rows import read_domains
from models.references.rows import read_rows
from models.references.settings import ReferenceSettings


class Executor(base_executor.BaseExecutor):
    """Executor of `References`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fits, scores, measures and writes.

        Raises:
            DataError: The target has no rows in the evaluation days.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        output = artifact_utils.get_single_instance(output_dict["references"])
        features = FeatureTable.from_json(exec_properties["features"])
        columns = Columns.of(features)
        *sources, target = json.loads(exec_properties["domains"])
        window = DayRange(exec_properties["first_day"], exec_properties["last_day"])
        days = DayRange(
            exec_properties["evaluation_first_day"],
            exec_properties["evaluation_last_day"],
        )
        by_domain = read_domains(
            {
                domain: artifact_utils.get_split_uris(input_dict["examples"], domain)
                for domain in (target, *sources)
            },
            window,
            columns,
            most_rows=exec_properties["most_rows"],
        )
        evaluation = read_rows(
            artifact_utils.get_split_uris(input_dict["evaluation_examples"], target),
            days,
            columns,
        )
        if not len(evaluation):
            raise DataError(
                f"{target!r} has no rows in the evaluation days {days}; expected at "
                "least one to judge on. Ingest these days, choose another --day, or "
                "raise `evaluation_days`"
            )
        found = fit_references(
            by_domain[target],
            [by_domain[domain] for domain in sources],
            evaluation,
            columns,
            ReferenceSettings.model_validate_json(exec_properties["settings"]),
        )
        judged = judge_references(found, evaluation, columns)
        resampled = resample_references(
            found, evaluation, columns, exec_properties["num_draws"]
        )
        write_references(Path(output.uri), judged, found, resampled)
        stamp(
            output,
            first_day=window.first,
            last_day=window.last,
            num_rows=sum(rows.seen for rows in by_domain.values()),
            fingerprint=exec_properties["fingerprint"],
        )
