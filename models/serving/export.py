"""SavedModel export for TF Serving: raw features to click probabilities."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.compat import saved_transform
from models.features.feature import Feature
from models.features.kind import FeatureKind
from models.features.table import FeatureTable
from models.networks.network import Network
from models.serving.contract import write_contract
from models.serving.requests import raw_type
from models.training.calibration import Calibrated


def export_saved_model(
    network: Network | Calibrated, transform_graph_dir: Path, serving_dir: Path
) -> None:
    """Writes `network` with its feature transformation as a SavedModel.

    | signature            | inputs                        | outputs                   |
    | -------------------- | ----------------------------- | ------------------------- |
    | `serving_default`    | `examples`: tf.Example, (B,)  | `ctr`: float32, (B,)      |
    | `predict`            | a raw tensor per feature      | `ctr`: float32, (B,)      |
    | `rank`               | the same; user and context of shape (1,), items (N,) | `ctr`: float32, (N,) |
    | `transform_features` | `examples`: tf.Example, (B,)  | encoded features by column |

    Raw tensors have shape (B,), (B, any) for lists or (B, length) for vectors. An empty
    string, NaN, infinity, or a negative count or rate means a missing value; so does
    NaN or infinity anywhere in a vector. Label, day and features that the target lacks
    are not inputs. The SavedModel has no optimizer, metrics or unfolded snapshots.
    Without item features there is no `rank`.

    Args:
        network: The trained network, with or without a calibrator.
        transform_graph_dir: Folder of the TransformGraph artifact.
        serving_dir: Folder of the SavedModel.
    """  # noqa: E501 (a table)
    # Imported late: it takes more than a second and only the export needs it.
    import tensorflow_transform as tft

    output = tft.TFTransformOutput(str(transform_graph_dir))
    transform, kept = saved_transform(output.transform_savedmodel_dir)
    form = network.serving_form()
    module = tf.Module()
    # These two attributes are all that is tracked and saved. The functions are left
    # out, because saving would trace each of them again.
    module.weights = form.variables
    module.transform = kept
    features = network.features.requested
    functions = _Functions(network.features, form.logits, transform)
    examples = tf.TensorSpec([None], tf.string, name="examples")
    predict = {f.name: _raw_tensor_spec(f, None) for f in features}
    signatures = {
        "serving_default": _traced(functions.serve, examples),
        "predict": _traced(functions.predict, predict),
        "transform_features": _traced(functions.transform_features, examples),
    }
    if any(feature.served_side == "item" for feature in features):
        rank = {
            f.name: _raw_tensor_spec(f, None if f.served_side == "item" else 1)
            for f in features
        }
        signatures["rank"] = _traced(functions.rank, rank)
    tf.saved_model.save(module, str(serving_dir), signatures=signatures)
    write_contract(network.features, serving_dir)


def _traced(function: Callable[..., Any], argument: Any) -> Any:
    # No Python control flow depends on a tensor, so autograph has nothing to convert.
    return tf.function(function, autograph=False).get_concrete_function(argument)


class _Functions:
    """Functions of the signatures; shared parts are traced once."""

    def __init__(
        self,
        features: FeatureTable,
        logits: Callable[[Mapping[str, Any]], Any],
        transform: Callable[[Mapping[str, Any]], Any],
    ) -> None:
        self._table = features
        self._features = features.requested
        self._absent = [f for f in features.logged if f not in features.requested]
        self._logits = logits
        self._transform = transform
        raw = {
            f.name: tf.SparseTensorSpec([None, None], raw_type(f))
            for f in self._features
        }
        self._encode = tf.function(
            self._encode_raw, input_signature=[raw], autograph=False
        )
        self._score = tf.function(self._score_rows, autograph=False)

    def serve(self, examples: Any) -> dict[str, Any]:
        return {"ctr": self._score(self._encode(self._parse(examples)))}

    def predict(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        values = self._present_values(with_equal_rows(raw))
        return {"ctr": self._score(self._encode(values))}

    def rank(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        items = {f.name: raw[f.name] for f in self._features if f.served_side == "item"}
        values = self._present_values({**raw, **with_equal_rows(items)})
        rows = self._encode(values)
        for feature in self._table.features:
            if self._table.once_per_request(feature):
                # A static shape keeps the user's part of the network at batch size 1.
                for name, column in feature.columns.items():
                    rows[name] = tf.ensure_shape(rows[name], [1, *column.shape])
        # Not `_score`, whose existing trace has a single batch size.
        return {"ctr": self._score_rows(rows)}

    def transform_features(self, examples: Any) -> dict[str, Any]:
        rows: dict[str, Any] = self._encode(self._parse(examples))
        return rows

    def _present_values(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {
            f.name: drop_missing_values(raw[f.name], f.feature_kind)
            for f in self._features
        }

    def _parse(self, examples: Any) -> dict[str, Any]:
        # VarLen: a missing feature is an empty list, not an error.
        spec = {f.name: tf.io.VarLenFeature(raw_type(f)) for f in self._features}
        parsed: dict[str, Any] = tf.io.parse_example(examples, spec)
        return parsed

    def _encode_raw(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        # What only sources have is encoded as missing, if the network reads it.
        (some, *_) = raw.values()
        shape = tf.stack([some.dense_shape[0], 0])
        nothing = {
            f.name: tf.SparseTensor(
                tf.zeros([0, 2], tf.int64), tf.zeros([0], raw_type(f)), shape
            )
            for f in self._absent
        }
        rows = self._transform({**raw, **nothing})
        return {
            name: tf.reshape(rows[name], [-1, *column.shape])
            for name, column in self._table.columns.items()
        }

    def _score_rows(self, rows: Mapping[str, Any]) -> Any:
        return tf.sigmoid(self._logits(rows))


def with_equal_rows(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the inputs behind a check that each has one row for each impression.

    Without it an input of one row counts for all impressions, and any other number
    fails in an operation whose message names no input. Such operations wait for the
    check: whichever failed first would give the message.

    Args:
        raw: At least one tensor of shape (B,) or (B, L) by feature.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs and numbers of rows differ.
            The message gives the number for each input.
    """
    rows = tf.stack([tf.shape(values)[0] for values in raw.values()])
    said = (
        "Inputs have different numbers of rows; expected one row for each impression "
        f"in every input. Rows of {', '.join(raw)}:"
    )
    check = tf.debugging.Assert(
        tf.reduce_all(tf.equal(rows, rows[0])), [said, rows], summarize=len(raw)
    )
    with tf.control_dependencies([check]):
        return {name: tf.identity(values) for name, values in raw.items()}


def drop_missing_values(values: Any, kind: FeatureKind) -> Any:
    """Returns the values that are present, in the transformation's input format.

    Args:
        values: Tensor of shape (B,) or (B, L).
        kind: Kind of the feature, which says what is missing.

    Returns:
        SparseTensor of shape (B, at most L), values moved to the left.
    """
    is_present = kind.present(values)
    if values.shape.rank == 1:
        # A tenth of the operations that lists need; most features are scalars.
        row = tf.where(is_present)
        return tf.SparseTensor(
            tf.pad(row, [[0, 0], [0, 1]]),
            tf.gather(values, row[:, 0]),
            tf.stack([tf.size(values, tf.int64), 1]),
        )
    return tf.ragged.boolean_mask(values, is_present).to_sparse()


def _raw_tensor_spec(feature: Feature, num_rows: int | None) -> Any:
    shape = [num_rows]
    if feature.is_list or feature.is_vector:
        shape.append(feature.length)
    return tf.TensorSpec(shape, raw_type(feature), name=feature.name)
