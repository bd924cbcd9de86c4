"""Feature: one input of the model, as the configuration declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from models.features.kind import FeatureKind
from models.features.registry import KINDS
from models.strict_model import StrictModel

# The feature by which metrics tell users apart.
USER_FEATURE = "user_id"
# The feature by which intervals tell items apart, where a configuration has it.
ITEM_FEATURE = "item_id"
# The feature that says which domain an impression is of.
DOMAIN_FEATURE = "domain"


class Feature(StrictModel):
    """One input of the model.

    Attributes:
        name: Canonical column name.
        kind: `id` (one raw id), `ids` (a list of raw ids, newest first), `count` (a
            non-negative integer, bucketed by its base-2 logarithm) or `rate` (a float
            in [0, 1], bucketed evenly).
        vocabulary: Id space of an `id` or `ids` feature; features that name the same
            space share one embedding table.
        buckets: Value buckets of a `count` or `rate` feature.
        max_length: Ids kept of an `ids` feature.
        width: Embedding width. Defaults to the network's.
        tpm: Whether the tiny pretraining model reads it.
        side: What it is a fact of: the `user`, the `context` of the request (time,
            place, device) or the `item`. A `rank` request says what is of user and
            context once, and what is of the item once per candidate. Without it, the
            user's id is the user's and every other feature the item's, which is never
            wrong and only sends more.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: str
    vocabulary: str | None = None
    # 2^15 impressions in the last bucket: beyond that a count says "popular" anyway.
    buckets: int = Field(default=16, ge=2)
    max_length: int = Field(default=10, gt=0)
    width: int | None = Field(default=None, gt=0)
    tpm: bool = False
    side: Literal["user", "item", "context"] | None = None

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)}")
        return kind

    @model_validator(mode="after")
    def _check_vocabulary(self) -> Feature:
        if self.is_id and self.vocabulary is None:
            raise ValueError(
                f"feature {self.name!r} is of kind {self.kind!r} and names no "
                "vocabulary; add `vocabulary: <one of the vocabularies table>`"
            )
        if not self.is_id and self.vocabulary is not None:
            raise ValueError(
                f"feature {self.name!r} is of kind {self.kind!r}, which takes no "
                f"vocabulary, but names {self.vocabulary!r}; remove the key"
            )
        return self

    @property
    def feature_kind(self) -> FeatureKind:
        """What the feature's kind says: types, encoding, limits."""
        return KINDS[self.kind]

    @property
    def is_id(self) -> bool:
        """Whether the feature's raw values are ids of a vocabulary."""
        return self.feature_kind.is_id

    @property
    def is_list(self) -> bool:
        """Whether an impression has a list of values."""
        return self.feature_kind.is_list

    @property
    def is_single_id(self) -> bool:
        """Whether an impression has one id."""
        return self.feature_kind.is_single_id

    @property
    def encoded_shape(self) -> list[int]:
        """Shape of one impression's table rows: empty, or `[max_length]` for lists."""
        return [self.max_length] if self.is_list else []

    @property
    def table(self) -> str:
        """Name of the embedding table the feature's rows belong to."""
        return self.vocabulary if self.vocabulary is not None else self.name

    @property
    def served_side(self) -> Literal["user", "item", "context"]:
        """The declared side, or what stands for it."""
        if self.side is not None:
            return self.side
        return "user" if self.name == USER_FEATURE else "item"
