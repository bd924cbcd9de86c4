"""SavedModel for TF Serving: raw features in, click probability out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.calibration import Calibrated
from models.features import Feature
from models.features import FeatureTable
from models.network import Network
from models.network import ServingForm
from models.requests import RAW_TYPES
from models.serving_contract import write_contract


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
    module = _ServingModule(
        network.features, network.serving_form(), output.transform_features_layer()
    )
    features = network.features.features
    examples = tf.TensorSpec([None], tf.string, name="examples")
    predict = {f.name: _raw_tensor_spec(f, None) for f in features}
    signatures = {
        "serving_default": module.serve.get_concrete_function(examples),
        "predict": module.predict.get_concrete_function(predict),
        "transform_features": module.transform_features.get_concrete_function(examples),
    }
    if any(feature.served_side == "item" for feature in features):
        rank = {
            f.name: _raw_tensor_spec(f, None if f.served_side == "item" else 1)
            for f in features
        }
        signatures["rank"] = module.rank.get_concrete_function(rank)
    tf.saved_model.save(module, str(serving_dir), signatures=signatures)
    write_contract(network.features, serving_dir)


class _ServingModule(tf.Module):
    """The signatures, and exactly what they need to be saved."""

    def __init__(
        self, features: FeatureTable, form: ServingForm, transform_layer: Any
    ) -> None:
        super().__init__(name="crossctr")
        self._features = features.features
        self._logits = form.logits
        # Tracked by name of attribute: these two are all that is saved.
        self.weights = form.variables
        self.transform_layer = transform_layer

    @tf.function(autograph=False)
    def serve(self, examples: Any) -> dict[str, Any]:
        return self._score(self._encode(self._parse(examples)))

    @tf.function(autograph=False)
    def predict(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return self._score(self._encode(_all_there(raw)))

    @tf.function(autograph=False)
    def rank(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        rows = self._encode(_all_there(raw))
        for feature in self._features:
            if feature.served_side != "item":
                # A shape known when traced is what keeps the user's part at one row.
                rows[feature.name] = tf.ensure_shape(
                    rows[feature.name],
                    [1, feature.max_length] if feature.kind == "ids" else [1],
                )
        return self._score(rows)

    @tf.function(autograph=False)
    def transform_features(self, examples: Any) -> dict[str, Any]:
        return self._encode(self._parse(examples))

    def _parse(self, examples: Any) -> dict[str, Any]:
        # VarLen: a missing feature is an empty row, not an error.
        spec = {f.name: tf.io.VarLenFeature(RAW_TYPES[f.kind]) for f in self._features}
        parsed: dict[str, Any] = tf.io.parse_example(examples, spec)
        return parsed

    def _encode(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        rows = self.transform_layer(raw)
        return {
            f.name: tf.reshape(
                rows[f.name], [-1, f.max_length] if f.kind == "ids" else [-1]
            )
            for f in self._features
        }

    def _score(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        return {"ctr": tf.sigmoid(self._logits(rows))}


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
    if values.shape.rank == 1:
        values = values[:, tf.newaxis]
    there = values != "" if values.dtype == tf.string else values >= 0
    return tf.ragged.boolean_mask(values, there).to_sparse()


def _raw_tensor_spec(feature: Feature, num_rows: int | None) -> Any:
    shape = [num_rows, None] if feature.kind == "ids" else [num_rows]
    return tf.TensorSpec(shape, RAW_TYPES[feature.kind], name=feature.name)
