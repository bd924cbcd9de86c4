"""Semantic alignment: source fields in the target's terms."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras


class Alignment(keras.layers.Layer):
    """Per source and field a linear map that is added, `g(e) = e + e W`; W starts at 0.

    With a shift of the logit by source, which starts where the click rates differ: the
    network then need not learn that sources are clicked on more often. Both are our
    choices: a summary of the paper says that it aligns semantically, not how.

    Args:
        sources: The source domains.
        widths: Width of each field, by feature, in order.
        maps: Whether there are maps; only the shift without.
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
        # Fields of one width in one variable: a step's cost grows with their number.
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
        """Maps source rows.

        Args:
            embedded: By field vectors of shape (B, D).
            source: Index of each row's source, int32 (B,); rows of an index beyond stay
                as they are.

        Returns:
            By field vectors of shape (B, D).
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
