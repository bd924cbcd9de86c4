"""Feature: one input of the model, as declared in the configuration."""

from __future__ import annotations

from typing import Any
from typing import Literal

from pydantic import Field
from pydantic import SerializerFunctionWrapHandler
from pydantic import field_validator
from pydantic import model_serializer
from pydantic import model_validator

from models.errors import listed
from models.errors import shown
from models.features.cross import DEFAULT_BUCKETS
from models.features.cross import MOST_PARTS
from models.features.cross import CrossKind
from models.features.kind import EncodedColumn
from models.features.kind import FeatureKind
from models.features.registry import KINDS
from models.settings import MAX_UNITS
from models.strict_model import StrictModel

# Feature that identifies the user in metrics.
USER_FEATURE = "user_id"
# Feature that identifies the item in intervals, where a configuration has it.
ITEM_FEATURE = "item_id"
# Feature that holds an impression's domain.
DOMAIN_FEATURE = "domain"


class Feature(StrictModel):
    """One input of the model.

    Attributes:
        name: Canonical column name.
        kind: `id` (one raw id), `ids` (a list of raw ids, newest first), `count` (a
            non-negative integer), `rate` (a float in [0, 1]), `number` (any float),
            `vector` (`length` floats) or `cross` (a combination of two or three
            features of kind `id`).
        vocabulary: Id space of an `id` or `ids` feature; features that name the same
            space share one embedding table.
        of: Names of the features that a `cross` combines.
        buckets: Quantile buckets of a `count`, `rate` or `number` feature, at most, and
            fewer if the first block of days has fewer different values; hash buckets of
            a `cross`. 16 by default, or 16,384 for a `cross`.
        max_length: Number of ids kept of an `ids` feature.
        length: Number of elements of a `vector` feature, which needs it.
        counts: Whether the ids of an `ids` feature count as impressions when its id
            space grows. By default they only do in a space that no `id` feature has,
            since a history repeats ids that were counted when they were shown; ids that
            are never shown themselves, such as items of other shops, then stay out of
            vocabulary.
        width: Embedding width. Defaults to the network's.
        tpm: Whether the tiny pretraining model reads it.
        side: What the feature describes: the `user`, the `context` of the request
            (time, place, device) or the `item`. A `rank` request holds user and context
            features once, and item features once per candidate. Defaults to `user` for
            the user's id and to `item` for all others, which is always correct but
            makes requests larger. A `cross` has none: its parts may be of both.
        domains: The domains that have the feature; empty for all. In the others it is
            missing. A feature that the target lacks is no part of requests and of the
            served model; networks trained on a source's impressions read it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)
    kind: str
    vocabulary: str | None = None
    of: tuple[str, ...] = ()
    buckets: int = Field(default=16, ge=2, le=1_000_000)
    max_length: int = Field(default=10, gt=0, le=1_000_000)
    length: int | None = Field(default=None, gt=0, le=MAX_UNITS)
    counts: bool = False
    width: int | None = Field(default=None, gt=0, le=MAX_UNITS)
    tpm: bool = False
    side: Literal["user", "item", "context"] | None = None
    domains: tuple[str, ...] = ()

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)}")
        return kind

    @model_validator(mode="before")
    @classmethod
    def _default_buckets(cls, keys: Any) -> Any:
        if isinstance(keys, dict) and keys.get("kind") == CrossKind.name:
            return {"buckets": DEFAULT_BUCKETS, **keys}
        return keys

    @model_validator(mode="after")
    def _check_own_keys(self) -> Feature:
        """Refuses keys that the kind does not read, also with their default."""
        for key in sorted(self._unread_keys & self.model_fields_set):
            raise ValueError(
                f"feature {self.name!r} is of kind {self.kind!r}, which does not "
                f"read `{key}`, but has {shown(getattr(self, key))}; remove the key "
                f"(this kind reads {listed(sorted(self.feature_kind.own_keys))})"
            )
        return self

    @model_serializer(mode="wrap")
    def _read_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Returns the keys that the kind reads: a stored feature is read again."""
        keys: dict[str, Any] = serialize(self)
        return {name: keys[name] for name in keys if name not in self._unread_keys}

    @model_validator(mode="after")
    def _check_needed_keys(self) -> Feature:
        if self.is_derived and not 2 <= len(set(self.of)) == len(self.of) <= MOST_PARTS:
            raise ValueError(
                f"feature {self.name!r} is of kind {self.kind!r} and combines "
                f"{list(self.of)}; expected `of: [<feature>, <feature>]`, two or three "
                "different features of kind 'id'"
            )
        if self.is_id and self.vocabulary is None:
            raise ValueError(
                f"feature {self.name!r} is of kind {self.kind!r} and names no "
                "vocabulary; add `vocabulary: <one of the vocabularies table>`"
            )
        if self.is_vector and self.length is None:
            raise ValueError(
                f"feature {self.name!r} is of kind {self.kind!r} and has no length; "
                "add `length: <number of elements>`"
            )
        return self

    @property
    def _unread_keys(self) -> frozenset[str]:
        own = frozenset[str]().union(*(kind.own_keys for kind in KINDS.values()))
        return own - self.feature_kind.own_keys

    @property
    def feature_kind(self) -> FeatureKind:
        """The feature's kind: types, encoding and limits."""
        return KINDS[self.kind]

    @property
    def is_id(self) -> bool:
        """Whether the feature's raw values are ids of a vocabulary."""
        return self.feature_kind.is_id

    @property
    def is_list(self) -> bool:
        """Whether an impression holds a list of ids."""
        return self.feature_kind.is_list

    @property
    def is_vector(self) -> bool:
        """Whether an impression holds a vector of `length` floats."""
        return self.feature_kind.is_vector

    @property
    def is_single_id(self) -> bool:
        """Whether an impression holds exactly one id."""
        return self.feature_kind.is_single_id

    @property
    def columns(self) -> dict[str, EncodedColumn]:
        """Columns of the encoded feature by name, its table rows first."""
        return self.feature_kind.columns(self)

    @property
    def is_derived(self) -> bool:
        """Whether the feature is computed from others instead of logged."""
        return self.feature_kind.is_derived

    @property
    def table(self) -> str:
        """Name of the feature's embedding table."""
        return self.vocabulary if self.vocabulary is not None else self.name

    @property
    def served_side(self) -> Literal["user", "item", "context"] | None:
        """The declared side, or its default; None for a cross."""
        if self.side is not None or self.is_derived:
            return self.side
        return "user" if self.name == USER_FEATURE else "item"
