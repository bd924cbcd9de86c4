"""Feature table: all features, declared once and read by every stage.

The preprocessing function, the Keras inputs, the serving signatures and the check of
the curated schema are all derived from `FeatureTable`.

Every feature, whatever its kind, is encoded as a row of one embedding table; numbers
have a standardised value beside it. The rows of every table have the same ranges:

| rows                                    | meaning                                   |
| --------------------------------------- | ----------------------------------------- |
| `0`                                     | padding (only inside lists)               |
| `1`                                     | missing                                   |
| `[2, 2 + oov_buckets)`                  | hashed ids outside the vocabulary         |
| `[2 + oov_buckets, 2 + oov + capacity)` | ids in arrival order, or value buckets    |

A space with `encoding: hash` has no vocabulary: its table rows from 2 on are hash
    buckets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from pydantic import model_validator

from models.features.feature import DOMAIN_FEATURE
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.kind import EncodedColumn
from models.strict_model import StrictModel

# Columns of every Examples artifact beside the features.
LABEL = "label"
DAY = "day"


class FeatureTable(StrictModel):
    """All features and their id spaces.

    Attributes:
        features: The model's inputs, in declaration order.
        vocabularies: Id spaces by name.
        target: The domain whose model is served; None where no feature names domains.
        reads_days: Whether batches hold the impression's day beside the features, for a
            network that reads it while training. Never true of a configuration's table.
    """

    features: tuple[Feature, ...] = Field(min_length=1)
    vocabularies: dict[str, IdSpace]
    target: str | None = None
    reads_days: bool = Field(default=False, exclude=True)

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
        for feature in self.features:
            for part in feature.of:
                if part not in names or not self[part].is_single_id:
                    ids = [f.name for f in self.features if f.is_single_id]
                    raise ValueError(
                        f"feature {feature.name!r} combines {part!r}; expected "
                        f"features of kind 'id', here {', '.join(ids) or '(none)'}"
                    )
                if feature.tpm and not self[part].tpm:
                    raise ValueError(
                        f"feature {feature.name!r} is marked `tpm: true`, but "
                        f"{part!r}, which it combines, is not; mark both or neither"
                    )
            named = [{*part.domains} for part in self._with_parts(feature)]
            if feature.of and not set.intersection(*[d for d in named if d] or [{""}]):
                raise ValueError(
                    f"feature {feature.name!r} combines features that no domain has "
                    f"together: {', '.join(feature.of)}; expected features whose "
                    "`domains` overlap"
                )
        return self

    def __getitem__(self, name: str) -> Feature:
        """Returns the feature called `name`; raises `KeyError` if there is none."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    def num_rows(self, table: str) -> int:
        """Returns the number of rows of embedding table `table`."""
        if table in self.vocabularies:
            return self.vocabularies[table].num_rows
        feature = self[table]
        return feature.feature_kind.num_rows(feature)

    @property
    def columns(self) -> dict[str, EncodedColumn]:
        """Columns of transformed impressions, and inputs of a network, by name."""
        return {
            name: column
            for feature in self.features
            for name, column in feature.columns.items()
        }

    @property
    def with_values(self) -> tuple[Feature, ...]:
        """The features that have a value beside their table row."""
        return tuple(f for f in self.features if f.feature_kind.has_value)

    @property
    def logged(self) -> tuple[Feature, ...]:
        """The features that logs and requests have: all but crosses."""
        return tuple(feature for feature in self.features if not feature.is_derived)

    @property
    def derived(self) -> tuple[Feature, ...]:
        """The features that are computed from others."""
        return tuple(feature for feature in self.features if feature.is_derived)

    @property
    def requested(self) -> tuple[Feature, ...]:
        """The features of a request: those of `logged` that the target has."""
        if self.target is None:
            return self.logged
        return tuple(f for f in self.logged if self.has(self.target, f))

    def has(self, domain: str, feature: Feature) -> bool:
        """Whether impressions of a domain have a feature, and the parts of a cross."""
        parts = self._with_parts(feature)
        return all(not part.domains or domain in part.domains for part in parts)

    def of_domains(self, domains: Sequence[str]) -> FeatureTable:
        """Returns the table of the features that at least one of `domains` has."""
        kept = [f for f in self.features if any(self.has(d, f) for d in domains)]
        return self._only(kept)

    def of_target(self) -> FeatureTable:
        """Returns the table of the features that the target has."""
        return self if self.target is None else self.of_domains([self.target])

    def without(self, others: FeatureTable) -> FeatureTable | None:
        """Returns the table of the features that `others` lacks; None if it has all."""
        names = {feature.name for feature in others.features}
        left = [f for f in self.features if f.name not in names]
        return self._only(left) if left else None

    def once_per_request(self, feature: Feature) -> bool:
        """Whether a `rank` request has one value of a feature for all candidates."""
        parts = [self[name] for name in feature.of] or [feature]
        return all(part.served_side != "item" for part in parts)

    @property
    def tells_domains_apart(self) -> bool:
        """Whether each domain gets its own table row with its first impression.

        This requires the feature `domain` of kind `id`, with an append-only vocabulary
        of `min_count` 1 that no other feature uses.
        """
        for feature in self.features:
            if feature.name == DOMAIN_FEATURE and feature.is_single_id:
                space = self.vocabularies[feature.table]
                sharing = [f for f in self.features if f.table == feature.table]
                return len(sharing) == 1 and not space.hashed and space.min_count == 1
        return False

    def tpm_only(self) -> FeatureTable:
        """Returns the table of the features that the tiny pretraining model reads."""
        return self._only([feature for feature in self.features if feature.tpm])

    def with_days(self) -> FeatureTable:
        """Returns the table with the impression's day in every batch."""
        return self.model_copy(update={"reads_days": True})

    def few_valued(self, most_rows: int) -> FeatureTable:
        """Returns the features whose embedding table has at most `most_rows` rows."""
        return self._only(
            [f for f in self.features if self.num_rows(f.table) <= most_rows]
        )

    def without_features(self, left_out: Sequence[Feature]) -> FeatureTable:
        """Returns the table without these features; crosses of them stay."""
        names = {feature.name for feature in left_out}
        return self._only([f for f in self.features if f.name not in names])

    def _with_parts(self, feature: Feature) -> list[Feature]:
        # The parts may have been left out, see `_only`.
        return [feature, *(f for f in self.features if f.name in feature.of)]

    def _only(self, kept: list[Feature]) -> FeatureTable:
        # Not validated again: a cross may be kept without its parts, as its table rows
        # are there.
        return self.model_copy(update={"features": tuple(kept)})

    def to_json(self) -> str:
        """Returns the table as one line of JSON, for component parameters."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> FeatureTable:
        """Returns the table that `to_json` wrote."""
        return cls.model_validate_json(text)


def describe(table: FeatureTable) -> list[dict[str, Any]]:
    """Returns a display line per feature: its embedding table and number of rows."""
    return [
        {
            "feature": feature.name,
            "kind": feature.kind,
            "table": feature.table,
            "rows": table.num_rows(feature.table),
            "tpm": feature.tpm,
            "side": feature.served_side or "",
            "domains": ", ".join(feature.domains) or "all",
        }
        for feature in table.features
    ]
