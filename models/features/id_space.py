"""Id spaces: maps from raw id to table row."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic import model_validator

from models.features.kind import FIRST_OOV_ROW
from models.strict_model import StrictModel

# A table of 2^31 rows of 16 numbers takes 128 GiB: no machine trains a larger one.
_MOST_ROWS = 2**31 - 1


class IdSpace(StrictModel):
    """Map from raw id to table row.

    Attributes:
        capacity: Number of ids that fit into the table. Fixed, so that a table keeps
            its shape for months and a warm start copies each row to the same row.
        encoding: `append_only`: an id gets its own table row permanently. `hash`: an
            id's row is its hash modulo `capacity`; there is no vocabulary and no
            out-of-vocabulary id, but ids may share a row (measured per block).
        oov_buckets: Table rows shared by ids outside the vocabulary, chosen by hash.
        min_count: Impressions an id needs before it gets its own table row.
    """

    capacity: int = Field(gt=0, le=_MOST_ROWS)
    encoding: Literal["append_only", "hash"] = "append_only"
    oov_buckets: int = Field(default=16, gt=0, le=_MOST_ROWS)
    min_count: int = Field(default=1, gt=0, le=_MOST_ROWS)

    @model_validator(mode="after")
    def _check_encoding(self) -> IdSpace:
        fields = type(self).model_fields
        for name in ("oov_buckets", "min_count"):
            if self.hashed and getattr(self, name) != fields[name].default:
                raise ValueError(
                    f"{name}: {getattr(self, name)} means nothing with `encoding: "
                    "hash`, which gives every id a bucket at once; remove it"
                )
        return self

    @property
    def hashed(self) -> bool:
        """Whether table rows are hash buckets instead of a vocabulary's entries."""
        return self.encoding == "hash"

    @property
    def first_id_row(self) -> int:
        """Table row of the vocabulary's first id, or of the first hash bucket."""
        return FIRST_OOV_ROW + (0 if self.hashed else self.oov_buckets)

    @property
    def row_rule(self) -> str:
        """Rule that assigns table rows to ids; weights are tied to it."""
        if self.hashed:
            return f"hash into {self.capacity} rows"
        return f"in arrival order from row {self.first_id_row}"

    @property
    def num_rows(self) -> int:
        """Number of rows of an embedding table over this space."""
        return self.first_id_row + self.capacity
