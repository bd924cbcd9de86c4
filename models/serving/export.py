"""SavedModel for TF Serving: raw features in, click probability out."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.compat import saved_transform
from models.features.feature import Feature
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
    | `predict`            | one raw tensor per feature    | `ctr`: float32, (B,)      |
    | `rank`               | the same, but user and context with one row, items with N | `ctr`: float32, (N,) |
    | `transform_features` | `examples`: tf.Example, (B,)  | int64 rows per feature    |

    Raw tensors have shape (B,), or (B, any) for lists; an empty string, a negative
    number or NaN stands for a missing value. Neither label nor day is asked for.
    Optimizer, metrics and the unfolded snapshots stay out. There is no `rank` if no
    feature is the item's. Beside the model lies its contract (`serving_contract`).

    Args:
        network: The trained network, with or without a calibrator; it names its own
            features.
        transform_graph_dir: TransformGraph artifact.
        serving_dir: Folder of the SavedModel.
    """  # noqa: E501 (a table)
    # Imported late: it costs a second or more and only the export needs it.
    import tensorflow_transform as tft

    output = tft.TFTransformOutput(str(transform_graph_dir))
    transform, kept = saved_transform(output.transform_savedmodel_dir)
    form = network.serving_form()
    module = tf.Module()
    # Tracked by name of attribute: these two are all that is saved. The functions are
    # not among them, as saving would trace each of them once more.
    module.weights = form.variables
    module.transform = kept
    features = network.features.features
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
    # Nothing here depends on a tensor's value, so there is nothing to convert.
    return tf.function(function, autograph=False).get_concrete_function(argument)


class _Functions:
    """What the signatures compute; each part that they share is traced once."""

    def __init__(
        self,
        features: FeatureTable,
        logits: Callable[[Mapping[str, Any]], Any],
        transform: Callable[[Mapping[str, Any]], Any],
    ) -> None:
        self._features = features.features
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
        return {"ctr": self._score(self._encode(_all_there(raw)))}

    def rank(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        rows = self._encode(_all_there(raw))
        for feature in self._features:
            if feature.served_side != "item":
                # A shape known when traced is what keeps the user's part at one row.
                rows[feature.name] = tf.ensure_shape(
                    rows[feature.name],
                    [1, *feature.encoded_shape],
                )
        # Not `_score`: its trace is for one number of rows and would be taken.
        return {"ctr": self._score_rows(rows)}

    def transform_features(self, examples: Any) -> dict[str, Any]:
        rows: dict[str, Any] = self._encode(self._parse(examples))
        return rows

    def _parse(self, examples: Any) -> dict[str, Any]:
        # VarLen: a missing feature is an empty row, not an error.
        spec = {f.name: tf.io.VarLenFeature(raw_type(f)) for f in self._features}
        parsed: dict[str, Any] = tf.io.parse_example(examples, spec)
        return parsed

    def _encode_raw(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        rows = self._transform(raw)
        return {
            f.name: tf.reshape(rows[f.name], [-1, *f.encoded_shape])
            for f in self._features
        }

    def _score_rows(self, rows: Mapping[str, Any]) -> Any:
        return tf.sigmoid(self._logits(rows))


def _all_there(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: drop_missing(raw[name]) for name in raw}


def drop_missing(values: Any) -> Any:
    """Returns the values that are there, as the transformation reads them.

    Args:
        values: Tensor of shape (B,) or (B, L); an empty string, a negative number or
            NaN is missing.

    Returns:
        SparseTensor of shape (B, at most L), values moved to the left.
    """
    there = values != "" if values.dtype == tf.string else values >= 0
    if values.shape.rank == 1:
        # A tenth of the operations that lists need, and most features are none.
        row = tf.where(there)
        return tf.SparseTensor(
            tf.pad(row, [[0, 0], [0, 1]]),
            tf.gather(values, row[:, 0]),
            tf.stack([tf.size(values, tf.int64), 1]),
        )
    return tf.ragged.boolean_mask(values, there).to_sparse()


def _raw_tensor_spec(feature: Feature, num_rows: int | None) -> Any:
    shape = [num_rows, None] if feature.is_list else [num_rows]
    return tf.TensorSpec(shape, raw_type(feature), name=feature.name)
