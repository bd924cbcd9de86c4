"""What a day must give on any Beam runner: rows, vocabularies, statistics, metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.kill_ingest import read_result
from components.evaluator.reading import read_judgements
from models.artifact_files import split_folder
from pipeline.store.reader import Store


@dataclass(frozen=True)
class DayResult:
    """Results of a day.

    Attributes:
        rows: Number of raw and transformed Examples, by role and domain.
        contents: Hash of the transformed Examples, by domain.
        vocabularies: Hash of the vocabulary's files, by name.
        quarantine: Lines in quarantine, by file.
        statistics: By split, what TFDV counted exactly.
        evaluation_rows: Impressions that the Evaluator scored.
    """

    rows: dict[str, int]
    contents: dict[str, str]
    vocabularies: dict[str, str]
    quarantine: dict[str, int]
    statistics: dict[str, Any]
    evaluation_rows: int

    def differences(self, other: DayResult) -> list[str]:
        """Returns the names of the parts that differ."""
        return [n for n in vars(self) if getattr(self, n) != getattr(other, n)]


def read_day(root: Path) -> DayResult:
    """Reads the results of the day below `root`."""
    ingested = read_result(root)
    store = Store(root)
    (decision,) = store.artifacts("GateDecision")
    judged = json.loads(Path(decision.uri, "decision.json").read_bytes())["candidate"]
    statistics = {
        f"{index} {split.name}": dict(_exact(split / "FeatureStats.pb"))
        for index, stored in enumerate(store.artifacts("ExampleStatistics"))
        for split in sorted(Path(stored.uri).glob(split_folder("*")))
    }
    return DayResult(
        rows=ingested.rows,
        contents=ingested.contents,
        vocabularies=ingested.vocabularies,
        quarantine=ingested.quarantine,
        statistics=statistics,
        evaluation_rows=judged["example_count"],
    )


def evaluator_differences(root: Path, folder: Path) -> list[str]:
    """Returns the metrics that the Evaluator gives otherwise than TFMA in memory.

    Args:
        root: Where a day was run; its model and evaluation impressions are used.
        folder: Receives what TFMA writes; not there yet.
    """
    store = Store(root)
    (evaluation,) = store.artifacts("ModelEvaluation")
    (model,) = (
        stored
        for stored in store.artifacts("Model")
        if Path(stored.uri, "Format-Serving").is_dir()
    )
    (impressions,) = (
        stored
        for stored in store.artifacts("Examples")
        if stored.properties["role"] == "evaluation"
    )
    config = tfma.load_eval_result(evaluation.uri).config
    tfma.run_model_analysis(
        eval_shared_model=tfma.default_eval_shared_model(
            str(Path(model.uri, "Format-Serving")), eval_config=config
        ),
        eval_config=config,
        data_location=str(Path(impressions.uri, split_folder("eval"), "*")),
        output_path=str(folder),
        pipeline_options=PipelineOptions(["--direct_running_mode=in_memory"]),
    )
    expected = {j.label: j for j in read_judgements(str(folder))}
    found = {j.label: j for j in read_judgements(evaluation.uri)}
    if expected.keys() != found.keys():
        return [f"slices {sorted(expected.keys() ^ found.keys())}"]
    return [
        f"{label}: {name} {found[label].candidate.get(name)} instead of {value}"
        for label, judgement in expected.items()
        for name, value in judgement.candidate.items()
        # Sums are added in another order.
        if not np.isclose(
            found[label].candidate.get(name, np.inf), value, rtol=1e-9, equal_nan=True
        )
    ]


def _exact(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields each feature with the statistics that do not depend on an order.

    Quantiles and most frequent values come from sketches, whose result depends on the
    order in which they are merged.
    """
    (dataset,) = tfdv.load_stats_binary(str(path)).datasets
    yield "rows", dataset.num_examples
    for feature in dataset.features:
        kind = feature.WhichOneof("stats")
        stats = getattr(feature, kind)
        common = stats.common_stats
        found: dict[str, Any] = {
            "present": common.num_non_missing,
            "missing": common.num_missing,
            "values": common.tot_num_values,
        }
        if kind == "num_stats":
            # Sums are added in another order.
            found |= {
                "zeros": stats.num_zeros,
                "min": stats.min,
                "max": stats.max,
                "mean": f"{stats.mean:.9g}",
                "deviation": f"{stats.std_dev:.6g}",
            }
        yield feature.path.step[0] or feature.name, found
