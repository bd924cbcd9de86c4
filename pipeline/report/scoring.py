"""Scores of models on their evaluation impressions.

They are stored as `<root>/scores/<step>.parquet`, so that models can be compared again
at no cost. The interval of a difference needs scores by impression, which TFMA does not
store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.artifact_files import SERVING_FOLDER
from models.artifact_files import split_folder
from models.compat import read_table
from models.data.arrow_files import pq
from models.data.raw_rows import rows_of_days
from models.errors import DataError
from models.features.feature import ITEM_FEATURE
from models.features.feature import USER_FEATURE
from models.features.table import LABEL
from pipeline.config.schema import Config
from pipeline.planning.steps import Step
from pipeline.store.reader import Store

# Folder of the SavedModel in the artifact of TFX's Trainer.

_BATCH_ROWS = 4_096
# Candidates of a request, and number of timed requests. The fastest counts, because
# other work of the machine only adds time.
_CANDIDATES, _WARM_UP, _TIMED = 100, 5, 50
_MILLISECONDS = b"crossctr.milliseconds_per_100"


class Scored(NamedTuple):
    """Scores of a model on its evaluation impressions, in the order of the logs.

    Attributes:
        users: Raw user ids, None where missing, shape (N,).
        labels: 0 or 1, shape (N,).
        scores: Click probabilities, shape (N,).
        milliseconds: Duration of the fastest of 50 in-process requests with 100 of
            these impressions, from serialized Examples to probabilities; None if not
            measured.
        items: Raw item ids, None where missing, shape (N,); None if the impressions
            have no item.
    """

    users: npt.NDArray[np.object_]
    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    milliseconds: float | None = None
    items: npt.NDArray[np.object_] | None = None


def score_step(config: Config, store: Store, step: Step) -> Scored:
    """Returns the scores of a finished target step's model; computes and stores them.

    They come from `serving_default` of the stored SavedModel, as they would be served.

    Raises:
        DataError: The model or the evaluation Examples are not stored.
    """
    path = _path(config, step)
    if not is_scored(config, step):
        _write(_compute(config, store, step), path)
    with pq.ParquetFile(path) as file:
        table = read_table(file)
    measured = (table.schema.metadata or {}).get(_MILLISECONDS)
    return Scored(
        table.column("user").to_numpy(),
        table.column("label").to_numpy(),
        table.column("score").to_numpy(),
        None if measured is None else float(measured),
        table.column("item").to_numpy() if "item" in table.column_names else None,
    )


def is_scored(config: Config, step: Step) -> bool:
    """Whether the scores of a target step's model are stored."""
    return _path(config, step).is_file()


def _path(config: Config, step: Step) -> Path:
    return config.root / "scores" / f"{step.fingerprint}.parquet"


def _compute(config: Config, store: Store, step: Step) -> Scored:
    # Late: TensorFlow and TFX's coders take seconds to import.
    import tensorflow as tf

    from models.compat import literal_folders

    model = store.newest("Model", step.training)
    if model is None:
        raise DataError(
            f"the model of {step.label!r} is not stored; expected fingerprint "
            f"{step.training}. Run that day first"
        )
    examples, users, items, labels = _evaluation_rows(config, store, step)
    with literal_folders():
        loaded = tf.saved_model.load(str(Path(model.uri) / SERVING_FOLDER))
    serve = loaded.signatures["serving_default"]
    scores = [
        serve(tf.constant(examples[start : start + _BATCH_ROWS]))["ctr"].numpy()
        for start in range(0, len(examples), _BATCH_ROWS)
    ]
    candidates = [examples[i % len(examples)] for i in range(_CANDIDATES)]
    request = tf.constant(candidates)
    milliseconds = _milliseconds(lambda: serve(request)["ctr"].numpy())
    return Scored(users, labels, np.concatenate(scores), milliseconds, items)


def _milliseconds(call: Callable[[], Any]) -> float:
    """Returns the duration of the fastest call after some warm-up calls."""
    times = []
    for _ in range(_WARM_UP + _TIMED):
        started = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - started))
    return min(times[_WARM_UP:])


def _evaluation_rows(
    config: Config, store: Store, step: Step
) -> tuple[
    list[bytes],
    npt.NDArray[np.object_],
    npt.NDArray[np.object_] | None,
    npt.NDArray[np.int64],
]:
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    if step.evaluation is None:
        raise ValueError(f"only target steps have evaluation rows; received {step}")
    encoder = RecordBatchToExamplesEncoder()
    examples: list[bytes] = []
    users: list[bytes | None] = []
    items: list[bytes | None] = []
    labels: list[int] = []
    folders = list(_raw_folders(config, store, step))
    for batch in rows_of_days(folders, step.evaluation):
        examples += encoder.encode(batch)
        users += _first_ids(batch, USER_FEATURE)
        items += _first_ids(batch, ITEM_FEATURE)
        labels += [value[0] for value in batch[LABEL].to_pylist()]
    return (
        examples,
        np.array(users, object),
        np.array(items, object) if len(items) == len(users) else None,
        np.array(labels, np.int64),
    )


def _first_ids(batch: pa.RecordBatch, name: str) -> list[bytes | None]:
    """Returns the id of each row; nothing if there is no such column."""
    if name not in batch.schema.names:
        return []
    return [ids[0] if ids else None for ids in batch[name].to_pylist()]


def _raw_folders(config: Config, store: Store, step: Step) -> Iterable[str]:
    raw = {
        stored.fingerprint: stored.uri
        for stored in store.artifacts("Examples")
        if stored.properties.get("role") == "raw"
    }
    for block in step.evaluation_blocks:
        if block.fingerprint not in raw:
            raise DataError(
                f"the Examples of {block.days} are not stored; run the day of "
                f"{step.label!r} again"
            )
        yield f"{raw[block.fingerprint]}/{split_folder(config.target)}"


def _write(scored: Scored, path: Path) -> None:
    columns = {
        "user": pa.array(scored.users, pa.binary()),
        "label": pa.array(scored.labels, pa.int64()),
        "score": pa.array(scored.scores, pa.float32()),
    }
    if scored.items is not None:
        columns["item"] = pa.array(scored.items, pa.binary())
    table = pa.table(columns)
    if scored.milliseconds is not None:
        told = {_MILLISECONDS: repr(scored.milliseconds).encode()}
        table = table.replace_schema_metadata(told)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed at the end, so that a partial file is never found.
    temporary = path.with_suffix(".writing")
    pq.write_table(table, temporary)
    temporary.rename(path)
