"""Base class of the feature kinds, and what all kinds share: rows and columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import NamedTuple
from typing import Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature
    from models.features.number_statistics import NumberStatistics

PADDING_ROW = 0
MISSING_ROW = 1
FIRST_OOV_ROW = 2


class EncodedColumn(NamedTuple):
    """Column of transformed Examples, and input of a network.

    Attributes:
        dtype: `int64` for table rows, `float32` for values.
        shape: Shape of one impression's part: empty, or the length of a list.
    """

    dtype: str
    shape: list[int]


def value_column(feature: str) -> str:
    """Returns the column of a feature's values beside its table rows.

    The name of a feature has no slash, so the column has no other feature's name.
    """
    return f"{feature}/value"


class EncodingTools(Protocol):
    """Operations of TensorFlow Transform that encodings are built from."""

    def first_values(self, raw: Any, missing: Any) -> Any:
        """Returns the first value of each impression: (B,).

        Args:
            raw: SparseTensor of shape (B, any).
            missing: Value for impressions without one.
        """

    def lists(self, raw: Any, length: int) -> Any:
        """Returns the first `length` strings of each impression: (B, length).

        Shorter lists end with empty strings.
        """

    def vectors(self, raw: Any, length: int) -> Any:
        """Returns the vector of each impression: (B, length).

        One with fewer elements ends with NaN, one with more is NaN throughout.
        """

    def id_rows(self, ids: Any, feature: Feature, empty_row: int) -> Any:
        """Returns the table rows of ids; int64, same shape as `ids`.

        Args:
            ids: Strings, (B,) or (B, L).
            feature: The feature, which names the id space.
            empty_row: Table row of an empty string.
        """

    def statistics(self, feature: Feature) -> NumberStatistics:
        """Returns the frozen statistics of a feature with a value."""


class FeatureKind:
    """One kind of feature: how it is logged, encoded, checked and served.

    Attributes:
        name: Value of `kind` that chooses it.
        own_keys: Keys of a feature that only some kinds read, this one among them. No
            other module lists them.
        is_id: Whether raw values are ids of an id space.
        is_list: Whether an impression holds a list of ids.
        is_derived: Whether it is computed from other features, so that neither logs nor
            requests have it.
        has_value: Whether the feature has a float32 value beside its table row.
        is_vector: Whether an impression holds a vector of fixed length.
        low: Smallest number in range.
        high: Largest number in range.
        tensor_type: TensorFlow's name for the type of raw values.
        missing: Raw value that stands for a missing one in a dense tensor.
        example: Raw value for example requests; None to use an id of the vocabulary.
        json_types: Python types of a value in a JSON log.
        encoded_missing: Value of every element of the encoded feature where it is
            missing.
    """

    name: ClassVar[str]
    own_keys: ClassVar[frozenset[str]]
    is_id: ClassVar[bool] = False
    is_list: ClassVar[bool] = False
    is_derived: ClassVar[bool] = False
    has_value: ClassVar[bool] = False
    is_vector: ClassVar[bool] = False
    low: ClassVar[float] = -math.inf
    high: ClassVar[float] = math.inf
    tensor_type: ClassVar[str]
    missing: ClassVar[Any]
    example: ClassVar[Any] = None
    json_types: ClassVar[tuple[type, ...]]
    encoded_missing: ClassVar[int] = MISSING_ROW

    @property
    def is_single_id(self) -> bool:
        """Whether an impression holds exactly one id."""
        return self.is_id and not self.is_list

    def arrow_type(self) -> pa.DataType:
        """Returns the type of one raw value in Examples."""
        raise NotImplementedError

    def parsed_type(self) -> pa.DataType:
        """Returns the type that log values are parsed to before `arrow_type`."""
        return self.arrow_type()

    def num_rows(self, feature: Feature) -> int:
        """Returns the number of table rows of a feature without an id space."""
        return FIRST_OOV_ROW + feature.buckets

    def columns(self, feature: Feature) -> dict[str, EncodedColumn]:
        """Returns the columns of the encoded feature by name, its table rows first."""
        rows = EncodedColumn("int64", [feature.max_length] if self.is_list else [])
        if not self.has_value:
            return {feature.name: rows}
        values = EncodedColumn("float32", self.value_shape(feature))
        return {feature.name: rows, value_column(feature.name): values}

    def value_shape(self, feature: Feature) -> list[int]:
        """Returns the shape of one impression's value."""
        del feature
        return []

    def encode(
        self, raw: Any, feature: Feature, tools: EncodingTools
    ) -> dict[str, Any]:
        """Returns the encoded columns of raw values, as `columns` declares them.

        Args:
            raw: SparseTensor of shape (B, any).
            feature: The feature.
            tools: Operations of TensorFlow Transform.
        """
        raise NotImplementedError

    def present(self, values: Any) -> Any:
        """Returns which values of a dense raw tensor are not missing; same shape."""
        return values != ""

    def limit(self, declared: Any, feature: Feature) -> None:
        """Sets the kind's limits on an inferred schema feature.

        Args:
            declared: `tensorflow_metadata`'s `schema_pb2.Feature`; changed in place.
            feature: The feature.
        """
