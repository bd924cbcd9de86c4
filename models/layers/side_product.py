"""Product of the user's side and the item's side of an impression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable


@keras.utils.register_keras_serializable("crossctr")
class SideProduct(keras.layers.Layer):
    """Inner product of the summed user vectors and the summed item vectors.

    `<sum of u, sum of v>`, over the features of side `user` and of side `item` that
    have the network's width: a factorisation machine without the pairs inside one side
    and without its linear part, which `Wide` is. It gives the vector of each user and
    item a gradient of its own from the first step, where hidden layers first have to
    find out that a product matters (our choice).

    It has no weights. Features of side `context` and the domain take no part, nor do
    crosses, which are interactions already and may join both sides.

    Args:
        features: All features, a `FeatureTable` or its `model_dump()`.
        width: Width `D` of the vectors that take part.

    References:
        Rendle, Factorization Machines, ICDM'10, eq. 1; Rendle et al., Neural
        Collaborative Filtering vs. Matrix Factorization Revisited, RecSys'20.
    """

    def __init__(
        self, features: FeatureTable | Mapping[str, Any], width: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.features = FeatureTable.model_validate(features)
        self.width = width
        self.sides: dict[str, list[str]] = {"user": [], "item": []}
        for feature in self.features.features:
            if feature.served_side not in self.sides or feature.name == DOMAIN_FEATURE:
                continue
            if (feature.width or width) == width:
                self.sides[feature.served_side].append(feature.name)

    def call(self, vectors: Mapping[str, Any], pooled: Mapping[str, Any]) -> Any:
        """Returns the product, (B,), or (1,) for one impression for all.

        Args:
            vectors: Vectors (B, D) by feature; all of a side may be (1, D), shared by
                the whole batch.
            pooled: Further vectors by feature, such as pooled snapshots; those of
                width D are added to the ones of the feature's side.
        """
        sums = []
        for names in self.sides.values():
            found = [part[n] for part in (vectors, pooled) for n in names if n in part]
            own = [vector for vector in found if vector.shape[-1] == self.width]
            if not own:
                return tf.zeros([1])
            sums.append(tf.add_n(own))
        return tf.reduce_sum(sums[0] * sums[1], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "features": self.features.model_dump(mode="json"),
            "width": self.width,
        }
