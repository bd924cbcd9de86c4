"""The feature table: declared once, read by every stage.

The preprocessing function, the Keras inputs, the serving signatures and the curated
schema's check all come from the `FeatureTable` built here.

Every encoded feature, whatever its kind, is a row number of one embedding table, and
every table has the same row ranges:

| rows                                    | meaning                                   |
| --------------------------------------- | ----------------------------------------- |
| `0`                                     | padding (only inside lists)               |
| `1`                                     | missing                                   |
| `[2, 2 + oov_buckets)`                  | hashed ids outside the vocabulary         |
| `[2 + oov_buckets, 2 + oov + capacity)` | ids in arrival order, or value buckets    |

A space with `encoding: hash` has no vocabulary: its rows from 2 on are hash buckets.
"""

from __future__ import annotations

from typing import Any
from typing import Literal

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import model_validator

PADDING_ROW = 0
MISSING_ROW = 1
FIRST_OOV_ROW = 2

# The id spaces whose tables TPM hands on (E-CDCTR).
SNAPSHOT_SPACES = ("user", "item")
# The feature by which metrics tell users apart.
USER_FEATURE = "user_id"
# The feature that says which domain a row is of.
DOMAIN_FEATURE = "domain"

# Columns that every Examples artifact carries beside the features.
LABEL = "label"
DAY = "day"


class StrictModel(BaseModel):
    """Base of everything read from a configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IdSpace(StrictModel):
    """One map from raw id to embedding row.

    Attributes:
        capacity: Ids the table has room for. Fixed, so that a table keeps one shape
            for months and warm starts stay row-exact.
        encoding: `append_only`: an id gets a row of its own, for good. `hash`: an id's
            row is its hash modulo `capacity`; nothing is kept and nothing is ever out
            of vocabulary, at the price of ids that share a row (measured per block).
        oov_buckets: Rows shared by ids outside the vocabulary, chosen by hash.
        min_count: Impressions an id needs before it gets a row of its own.
    """

    capacity: int = Field(gt=0)
    encoding: Literal["append_only", "hash"] = "append_only"
    oov_buckets: int = Field(default=16, gt=0)
    min_count: int = Field(default=1, gt=0)

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
        """Whether rows are hash buckets instead of a vocabulary's."""
        return self.encoding == "hash"

    @property
    def first_id_row(self) -> int:
        """Row of the first id that entered the vocabulary, or of the first bucket."""
        return FIRST_OOV_ROW + (0 if self.hashed else self.oov_buckets)

    @property
    def row_rule(self) -> str:
        """What decides which row an id has; weights only fit under the same rule."""
        if self.hashed:
            return f"hash into {self.capacity} rows"
        return f"in arrival order from row {self.first_id_row}"

    @property
    def num_rows(self) -> int:
        """Rows of an embedding table over this space."""
        return self.first_id_row + self.capacity


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
    kind: Literal["id", "ids", "count", "rate"]
    vocabulary: str | None = None
    # 2^15 impressions in the last bucket: beyond that a count says "popular" anyway.
    buckets: int = Field(default=16, ge=2)
    max_length: int = Field(default=10, gt=0)
    width: int | None = Field(default=None, gt=0)
    tpm: bool = False
    side: Literal["user", "item", "context"] | None = None

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
    def is_id(self) -> bool:
        """Whether the feature's raw values are ids of a vocabulary."""
        return self.kind in ("id", "ids")

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


class FeatureTable(StrictModel):
    """All features and the id spaces they use.

    Attributes:
        features: The model's inputs, in declaration order.
        vocabularies: Id space by name.
    """

    features: tuple[Feature, ...] = Field(min_length=1)
    vocabularies: dict[str, IdSpace]

    @model_validator(mode="after")
    def _check_references(self) -> FeatureTable:
        names = [feature.name for feature in self.features]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"feature {name!r} is declared twice; keep one")
            if name in (LABEL, DAY):
                raise ValueError(f"feature name {name!r} is reserved; rename it")
        for feature in self.features:
            if feature.is_id and feature.vocabulary not in self.vocabularies:
                raise ValueError(
                    f"feature {feature.name!r} names vocabulary "
                    f"{feature.vocabulary!r}, which is not declared; expected one of "
                    f"{', '.join(sorted(self.vocabularies)) or '(none declared)'}"
                )
        return self

    def __getitem__(self, name: str) -> Feature:
        """Returns the feature called `name`; raises `KeyError` if there is none."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    def num_rows(self, table: str) -> int:
        """Returns the rows of embedding table `table`."""
        if table in self.vocabularies:
            return self.vocabularies[table].num_rows
        return FIRST_OOV_ROW + self[table].buckets

    @property
    def tells_domains_apart(self) -> bool:
        """Whether each domain has a row of its own, from its first impression on.

        It takes the feature `domain`, of kind `id`, with an append-only vocabulary that
        no other feature uses and that waits for no second impression.
        """
        for feature in self.features:
            if feature.name == DOMAIN_FEATURE and feature.kind == "id":
                space = self.vocabularies[feature.table]
                sharing = [f for f in self.features if f.table == feature.table]
                return len(sharing) == 1 and not space.hashed and space.min_count == 1
        return False

    def tpm_only(self) -> FeatureTable:
        """Returns the table of the features that the tiny pretraining model reads."""
        kept = tuple(feature for feature in self.features if feature.tpm)
        return FeatureTable(features=kept, vocabularies=self.vocabularies)

    def few_valued(self, most_rows: int) -> FeatureTable:
        """Returns the table of the features whose embedding table is that small."""
        kept = tuple(
            feature
            for feature in self.features
            if self.num_rows(feature.table) <= most_rows
        )
        return FeatureTable(features=kept, vocabularies=self.vocabularies)

    def to_json(self) -> str:
        """Returns the table as one line of JSON, for component parameters."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> FeatureTable:
        """Returns the table that `to_json` wrote."""
        return cls.model_validate_json(text)


def describe(table: FeatureTable) -> list[dict[str, Any]]:
    """Returns one row per feature with its table and row count, for display."""
    return [
        {
            "feature": feature.name,
            "kind": feature.kind,
            "table": feature.table,
            "rows": table.num_rows(feature.table),
            "tpm": feature.tpm,
            "side": feature.served_side,
        }
        for feature in table.features
    ]
