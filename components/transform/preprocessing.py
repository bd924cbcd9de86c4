"""Preprocessing function: raw features to table rows and standardised values.

Every transformation is stateless or reads a frozen vocabulary or statistics, so that
all days are encoded in the same way and no analysis pass over the data is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from components.transform.dense import first_lists
from components.transform.dense import first_values
from components.transform.dense import vectors
from models.features.cross import cross_rows
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.kind import FIRST_OOV_ROW
from models.features.number_statistics import NumberStatistics
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable
from models.statistics_files import read_statistics
from models.vocabulary_files import ids_path


def preprocessing_fn(
    inputs: dict[str, Any], custom_config: dict[str, Any]
) -> dict[str, Any]:
    """Encodes every feature.

    Args:
        inputs: Raw features, SparseTensors of shape (B, any).
        custom_config: `features`, JSON of the FeatureTable, and `vocabulary_uri`, the
            folder of the Vocabulary artifact.

    Returns:
        Tensors by column, as `FeatureTable.columns` declares them; and `label` and
        `day` of shape (B,), if the inputs have them.
    """
    features = FeatureTable.from_json(custom_config["features"])
    tools = _Tools(features, custom_config["vocabulary_uri"])
    outputs: dict[str, Any] = {}
    for feature in features.logged:
        kind = feature.feature_kind
        outputs |= kind.encode(inputs[feature.name], feature, tools)
    for feature in features.derived:
        parts = [outputs[name] for name in feature.of]
        outputs[feature.name] = cross_rows(parts, feature.buckets)
    for name in (LABEL, DAY):
        if name in inputs:
            outputs[name] = first_values(inputs[name], -1)
    return outputs


class _Tools:
    """`EncodingTools` of TensorFlow Transform.

    Args:
        features: All features.
        vocabulary_uri: Folder of the Vocabulary artifact.
    """

    def __init__(self, features: FeatureTable, vocabulary_uri: str) -> None:
        self._features = features
        self._vocabulary_uri = vocabulary_uri
        self._statistics = read_statistics(vocabulary_uri)
        self._lookup_tables: dict[Path, tf.lookup.StaticHashTable] = {}

    def first_values(self, raw: tf.SparseTensor, missing: Any) -> tf.Tensor:
        """Returns the first value of each impression: (B,)."""
        return first_values(raw, missing)

    def lists(self, raw: tf.SparseTensor, length: int) -> tf.Tensor:
        """Returns the first strings of each impression: (B, length)."""
        return first_lists(raw, length, "")

    def id_rows(self, ids: tf.Tensor, feature: Feature, empty_row: int) -> tf.Tensor:
        """Returns the table rows of ids; int64, same shape as `ids`."""
        space = self._features.vocabularies[feature.table]
        rows = (
            tf.strings.to_hash_bucket_fast(ids, space.capacity) + FIRST_OOV_ROW
            if space.hashed
            else self._vocabulary_rows(ids, feature, space)
        )
        return tf.where(tf.equal(ids, ""), tf.constant(empty_row, tf.int64), rows)

    def vectors(self, raw: tf.SparseTensor, length: int) -> tf.Tensor:
        """Returns vectors (B, length), with NaN in those of another length."""
        return vectors(raw, length)

    def statistics(self, feature: Feature) -> NumberStatistics:
        """Returns the frozen statistics of a feature with a value."""
        return self._statistics.get(feature.name, NumberStatistics())

    def _vocabulary_rows(
        self, ids: tf.Tensor, feature: Feature, space: IdSpace
    ) -> tf.Tensor:
        path = ids_path(self._vocabulary_uri, feature.table)
        if path.stat().st_size == 0:
            # TensorFlow cannot build a lookup table from an empty file.
            position = tf.fill(tf.shape(ids), tf.constant(-1, tf.int64))
        else:
            position = self._lookup_table(path).lookup(ids)
        bucket = tf.strings.to_hash_bucket_fast(ids, space.oov_buckets)
        return tf.where(
            position >= 0, position + space.first_id_row, bucket + FIRST_OOV_ROW
        )

    def _lookup_table(self, path: Path) -> tf.lookup.StaticHashTable:
        """Returns the table of an id space, which all of its features share.

        `tft.apply_vocabulary` makes one for each call, and each is loaded by itself.
        """
        if path not in self._lookup_tables:
            index = tf.lookup.TextFileIndex
            with tf.init_scope():
                lines = tf.lookup.TextFileInitializer(
                    str(path), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
                )
                self._lookup_tables[path] = tf.lookup.StaticHashTable(lines, -1)
        return self._lookup_tables[path]
