"""Wide part: one weight per table row and per number, beside the deep part."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable
from models.layers.embedding_tables import masked_mean


@keras.utils.register_keras_serializable("crossctr")
class Wide(keras.layers.Layer):
    """Linear model on all features, whose logits are added to those of a network.

    A feature has one weight per row of its table: ids, value buckets and crosses. A
    list gets the mean of its ids' weights. A number has a weight for its standardised
    value, and where a feature `domain` tells the domains apart, one more for each
    domain: the same number may mean more clicks in one domain and fewer in another.

    Weights belong to features, not to tables (our choice): an item in a user's history
    says something else than the item shown, though both have one embedding.

    All weights start at 0, so that an id adds nothing before it was trained on.

    Args:
        features: All features, a `FeatureTable` or its `model_dump()`.
        num_numbers: Inputs for numbers `N`, see `NumberInputs`.

    References:
        Cheng et al., Wide & Deep Learning, arXiv 1606.07792.
    """

    def __init__(
        self,
        features: FeatureTable | Mapping[str, Any],
        num_numbers: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.features = FeatureTable.model_validate(features)
        self.num_numbers = num_numbers
        self.weights_of_rows: dict[str, Any] = {}
        self.of_numbers: Any = None
        self.of_numbers_by_domain: Any = None

    def build(self, input_shape: Any) -> None:
        """Creates the weights."""
        for feature in self.features.features:
            self.weights_of_rows[feature.name] = self.add_weight(
                name=f"{feature.name}/weight",
                shape=(self.features.num_rows(feature.table),),
                initializer="zeros",
            )
        if self.num_numbers:
            self.of_numbers = self.add_weight(
                name="numbers/kernel", shape=(self.num_numbers,), initializer="zeros"
            )
            if self._has_domain:
                num_rows = self.features.num_rows(self.features[DOMAIN_FEATURE].table)
                self.of_numbers_by_domain = self.add_weight(
                    name="numbers_by_domain/table",
                    shape=(num_rows, self.num_numbers),
                    initializer="zeros",
                )
        super().build(input_shape)

    def call(self, rows: Mapping[str, Any], numbers: Sequence[Any] = ()) -> Any:
        """Returns the sum of the weights, (B,), or (1,) for one row for all.

        Args:
            rows: Table rows by feature, int64 of shape (B,), or (B, L) for lists.
                Features of static shape (1,) are shared by the whole batch.
            numbers: Numbers in parts that add up to N columns, each (B, any) or (1,
                any).
        """
        terms = []
        for feature in self.features.features:
            ids = rows[feature.name]
            weights = tf.gather(self.weights_of_rows[feature.name], ids)
            if feature.is_list:
                weights = tf.squeeze(masked_mean(weights[..., tf.newaxis], ids), -1)
            terms.append(weights)
        first = 0
        for part in numbers:
            columns = slice(first, first + part.shape[1])
            kernel = self.of_numbers[columns]
            if self.of_numbers_by_domain is not None:
                table = self.of_numbers_by_domain
                kernel += tf.gather(table, rows[DOMAIN_FEATURE])[:, columns]
            terms.append(tf.reduce_sum(part * kernel, axis=1))
            first = columns.stop
        # Not add_n, which takes no shapes (1,) beside (B,).
        return sum(terms[1:], terms[0])

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name, e.g. `item_id/weight`."""
        named = {
            f"{name}/weight": variable
            for name, variable in self.weights_of_rows.items()
        }
        return {**named, **self.number_variables()}

    def number_variables(self) -> dict[str, Any]:
        """Returns the numbers' variables by name."""
        named = {}
        if self.of_numbers is not None:
            named["numbers/kernel"] = self.of_numbers
        if self.of_numbers_by_domain is not None:
            named["numbers_by_domain/table"] = self.of_numbers_by_domain
        return named

    @property
    def _has_domain(self) -> bool:
        names = [f.name for f in self.features.features if f.is_single_id]
        return DOMAIN_FEATURE in names

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "features": self.features.model_dump(mode="json"),
            "num_numbers": self.num_numbers,
        }
