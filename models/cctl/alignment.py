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
    network then need not learn that sources are clicked on more often (our choice; the
    paper aligns semantically and leaves the map open).

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
        self.maps = {
            f"{source}/{field}": self.add_weight(
                f"{source}/{field}", (width, width), initializer="zeros"
            )
            for source in (self.sources if maps else ())
            for field, width in widths.items()
        }
        self.shift = self.add_weight("shift", (len(self.sources),), initializer="zeros")

    def call(self, embedded: Mapping[str, Any], source: Any) -> dict[str, Any]:
        """Maps source rows.

        Args:
            embedded: By field vectors of shape (B, D).
            source: Index of each row's source, int32 (B,).

        Returns:
            By field vectors of shape (B, D).
        """
        if not self.maps:
            return dict(embedded)
        masks = [
            tf.cast(source == index, tf.float32)[:, tf.newaxis]
            for index in range(len(self.sources))
        ]
        aligned = {}
        for field, vectors in embedded.items():
            moved = [
                mask * (vectors @ self.maps[f"{name}/{field}"])  # (B, D)
                for name, mask in zip(self.sources, masks, strict=True)
            ]
            aligned[field] = vectors + tf.add_n(moved)
        return aligned

    def named_variables(self) -> dict[str, Any]:
        """Returns `<source>/<field>` and `shift`."""
        return {**self.maps, "shift": self.shift}
