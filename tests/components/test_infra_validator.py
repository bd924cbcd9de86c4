"""Check in a server: models that fail to load or to answer are not published."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from models.days import to_day
from models.errors import DataError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.serving.saved_scorer import SavedScorer

pytestmark = pytest.mark.slow

DAY = to_day(datetime.date(2024, 1, 5))
FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="shown", kind="count"),
    ),
    vocabularies={"user": IdSpace(capacity=4)},
)


class Scores(tf.Module):
    """Gives every row the same number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = tf.Variable(value)

    @tf.function
    def by_item(self, raw: Any) -> dict[str, Any]:
        return {"ctr": self.value + 0.0 * tf.cast(raw["shown"], tf.float32)}

    @tf.function
    def serialized(self, examples: Any) -> dict[str, Any]:
        return {"ctr": tf.fill(tf.shape(examples), self.value)}


@pytest.fixture
def validate(tmp_path: Path):
    """Returns a function that validates a model which scores every row `value`."""
    # Late: TFX takes seconds to import, and the fast tests do without.
    from tfx.proto import infra_validator_pb2
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    from components.infra_validator.executor import Executor

    def run(value: float, *, break_it: bool = False, day: int = DAY) -> Any:
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "model")
        module = Scores(value)
        users = tf.TensorSpec([None], tf.string, name="user_id")
        one = tf.TensorSpec([1], tf.string, name="user_id")
        shown = tf.TensorSpec([None], tf.int64, name="shown")
        examples = tf.TensorSpec([None], tf.string, name="examples")
        tf.saved_model.save(
            module,
            str(tmp_path / "model" / "Format-Serving"),
            signatures={
                "predict": module.by_item.get_concrete_function(
                    {"user_id": users, "shown": shown}
                ),
                "rank": module.by_item.get_concrete_function(
                    {"user_id": one, "shown": shown}
                ),
                "serving_default": module.serialized.get_concrete_function(examples),
            },
        )
        if break_it:
            for path in (tmp_path / "model" / "Format-Serving").rglob("variables.*"):
                path.unlink()
        split = tmp_path / "examples" / "Split-ads"
        split.mkdir(parents=True)
        rows = {
            "user_id": pa.array([[b"u"], []], pa.large_list(pa.large_binary())),
            "shown": pa.array([[3], [4]], pa.large_list(pa.int64())),
            "day": pa.array([[DAY], [DAY]], pa.large_list(pa.int64())),
        }
        pq.write_table(pa.table(rows), split / "part.parquet")
        raw = standard_artifacts.Examples()
        raw.uri = str(tmp_path / "examples")
        raw.split_names = '["ads"]'
        blessing = standard_artifacts.InfraBlessing()
        blessing.uri = str(tmp_path / "blessing")
        spec = infra_validator_pb2.ServingSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=["latest"]),
            model_name="ads",
        )
        context = Executor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1")
        Executor(context).Do(
            {"model": [model], "examples": [raw]},
            {"blessing": [blessing]},
            {
                "serving_spec": proto_utils.proto_to_json(spec),
                "features": FEATURES.to_json(),
                "domain": "ads",
                "first_day": day,
                "last_day": day,
                "fingerprint": "f",
            },
        )
        assert (tmp_path / "model" / "Format-Serving" / "saved_model.pb").is_file()
        return blessing

    return run


def test_a_model_that_answers_is_blessed_and_its_requests_warm_it_up(validate):
    blessing = validate(0.25)
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_string_custom_property("fingerprint") == "f"
    folder = Path(blessing.uri)
    assert (folder / "INFRA_BLESSED").is_file()
    # As TF Serving reads and replays them.
    records = tf.data.TFRecordDataset(str(folder / "tf_serving_warmup_requests"))
    logs = [PredictionLog.FromString(record.numpy()) for record in records]
    asked = [log.predict_log.request for log in logs]
    assert [(r.model_spec.name, r.model_spec.signature_name) for r in asked] == [
        ("ads", name) for name in ("predict", "rank", "serving_default") for _ in "12"
    ]
    scorer = SavedScorer(folder.parent / "model" / "Format-Serving")
    for request, rows in zip(asked, [1, 2] * 3, strict=True):
        inputs = {key: tf.make_ndarray(v) for key, v in request.inputs.items()}
        ctr = scorer(request.model_spec.signature_name, inputs)["ctr"]
        assert ctr.tolist() == [0.25] * rows
    scorer.close()


@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_what_is_no_probability_is_not_published(validate, value):
    blessing = validate(value)
    assert blessing.get_int_custom_property("blessed") == 0
    reason = blessing.get_string_custom_property("reason")
    assert "predict of 1 row(s) answered" in reason
    assert "expected a probability for each row" in reason
    assert (Path(blessing.uri) / "reason.txt").read_text().strip() == reason
    assert not (Path(blessing.uri) / "tf_serving_warmup_requests").exists()


def test_a_model_that_cannot_be_loaded_is_not_published(validate):
    blessing = validate(0.5, break_it=True)
    assert blessing.get_int_custom_property("blessed") == 0
    assert "cannot be loaded" in blessing.get_string_custom_property("reason")


def test_a_day_without_rows_is_an_error(validate):
    with pytest.raises(DataError, match=r"'ads' has no row of 2024-01-06"):
        validate(0.5, day=DAY + 1)
