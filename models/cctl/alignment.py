"""Semantic alignment: maps from source fields to the target's semantics."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras


class Alignment(keras.layers.Layer):
    """Residual linear map per source and field, `g(e) = e + e W`; W starts at 0.

    The layer also has a logit shift per source, initialised by the difference of the
    click rates, so that the network need not learn that sources are clicked more often.
    Both are our choices: a summary of the paper mentions semantic alignment without
    giving its form.

    Args:
        sources: The source domains.
        widths: Width of each field, by feature, in order.
        maps: Whether there are maps; False leaves only the shift.
    """

    def __init__(
        self,
        sources: Sequence[str],
        widths: Mapping[str, int],
        *,
        maps: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sources = tuple(sources)
        self.fields: dict[int, list[str]] = {}
        for field, width in widths.items() if maps else ():
            self.fields.setdefault(width, []).append(field)
        # Fields of one width share a variable: a step's cost grows with the number of
        # variables.
        self.maps = {
            width: self.add_weight(
                f"maps_{width}",
                (len(self.sources), len(fields), width, width),
                initializer="zeros",
            )
            for width, fields in self.fields.items()
        }
        self.shift = self.add_weight("shift", (len(self.sources),), initializer="zeros")

    def call(self, embedded: Mapping[str, Any], source: Any) -> dict[str, Any]:
        """Maps the fields of source impressions.

        Args:
            embedded: Vectors (B, D) by field.
            source: Index of each impression's source, int32 (B,); larger indices are
                left unchanged.

        Returns:
            Vectors (B, D) by field.
        """
        aligned = dict(embedded)
        for width, fields in self.fields.items():
            vectors = tf.stack([embedded[field] for field in fields])  # (F, B, D)
            moved = vectors
            for index in range(len(self.sources)):
                mask = tf.cast(source == index, tf.float32)[:, tf.newaxis]
                moved += mask * (vectors @ self.maps[width][index])
            aligned.update(zip(fields, tf.unstack(moved), strict=True))
        return aligned

    def named_variables(self) -> dict[str, Any]:
        """Returns `maps_<width>` and `shift`."""
        named = {f"maps_{width}": variable for width, variable in self.maps.items()}
        return {**named, "shift": self.shift}
