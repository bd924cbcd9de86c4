"""Features that domains share, by names and values of their columns."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from pipeline.guessing.column import Column
from pipeline.guessing.kinds import Kind
from pipeline.guessing.kinds import ids_in
from pipeline.guessing.names import core
from pipeline.guessing.names import feature_name
from pipeline.guessing.sample import Seen
from pipeline.guessing.sides import Side

_NUMBERS = ("count", "rate", "number")
_RESERVED = ("label", "day", "domain", "user_id", "item_id", "hour")
# Shares of different values in common by which two columns are one feature: with names
# that share a word, and with names that share none.
_SOME, _NEARLY_ALL = 0.3, 0.9
_MIN_VALUES = 3


@dataclass(frozen=True)
class LogColumn:
    """A column of a domain's log that may be a feature.

    Attributes:
        domain: The domain.
        column: The column.
        kind: Its kind.
        side: What it describes; None if nothing tells.
        side_reason: Why.
        seen: Its ids in many more rows, if they were read.
    """

    domain: str
    column: Column
    kind: Kind
    side: Side | None = None
    side_reason: str = ""
    seen: Seen | None = None

    @functools.cached_property
    def ids(self) -> list[str]:
        """Its ids, row by row; those of lists one by one."""
        return ids_in(self.column, self.kind)

    @functools.cached_property
    def distinct(self) -> set[str]:
        """The different ids, as far as they were read."""
        return set(self.ids) if self.seen is None else set(self.seen.ids)


@dataclass
class GuessedFeature:
    """A feature, and the column of each domain that it is read from.

    Attributes:
        name: Its name.
        columns: By domain; those of the first say most.
        checks: What to look at.
        vocabulary: Id space; empty for a feature that is no id.
        is_key: Whether it names the user or the item.
    """

    name: str
    columns: dict[str, LogColumn]
    checks: list[str] = field(default_factory=list)
    vocabulary: str = ""
    is_key: bool = False

    @property
    def first(self) -> LogColumn:
        """The column of the first domain, the target if it has the feature."""
        return next(iter(self.columns.values()))

    @property
    def kind(self) -> str:
        """The kind that holds for all domains."""
        kinds = {c.kind.kind for c in self.columns.values() if c.kind.kind in _NUMBERS}
        if self.first.kind.kind in _NUMBERS and len(kinds) > 1:
            return "number"
        return self.first.kind.kind

    @property
    def side(self) -> Side | None:
        """What it describes, as far as any domain tells."""
        known = [column.side for column in self.columns.values() if column.side]
        return known[0] if known and len(set(known)) == 1 else None

    @property
    def max_length(self) -> int | None:
        """Values of a list, the most of any domain."""
        lengths = [column.kind.max_length or 0 for column in self.columns.values()]
        return max(lengths) or None

    @property
    def distinct(self) -> set[str]:
        """The different values in all domains."""
        return set().union(*(c.distinct for c in self.columns.values()))


def match_features(
    by_domain: Mapping[str, Sequence[LogColumn]],
) -> list[GuessedFeature]:
    """Returns the features of all domains.

    Args:
        by_domain: Columns of each domain, without those of roles (user, item, time,
            label); the target first, whose columns give the features their names.
    """
    features: list[GuessedFeature] = []
    names = {
        domain: {column.column.name for column in columns}
        for domain, columns in by_domain.items()
    }
    for domain, columns in by_domain.items():
        taken = _matched(features, columns, names)
        for column in columns:
            feature = taken.get(column.column.name)
            if feature is not None:
                continue
            if not column.kind.kind:
                continue
            name = _free_name(feature_name(column.column.name), features)
            features.append(GuessedFeature(name, {domain: column}))
    # A column that is empty or constant in one domain may say something in another.
    for domain, columns in by_domain.items():
        for column in columns:
            for feature in features:
                same = feature.first.column.name == column.column.name
                if column.kind.is_constant and same and domain not in feature.columns:
                    feature.columns[domain] = column
    return features


def _matched(
    features: Iterable[GuessedFeature],
    columns: Sequence[LogColumn],
    names: Mapping[str, set[str]],
) -> dict[str, GuessedFeature]:
    """Gives columns to the features that they match best; returns which got which."""
    pairs = sorted(
        (
            (-score, index, place, check)
            for index, feature in enumerate(features)
            for place, column in enumerate(columns)
            for score, check in [_score(feature, column, names)]
            if score > 0
        ),
    )
    known = list(features)
    taken: dict[str, GuessedFeature] = {}
    for _, index, place, check in pairs:
        feature, column = known[index], columns[place]
        if column.column.name in taken or column.domain in feature.columns:
            continue
        feature.columns[column.domain] = column
        taken[column.column.name] = feature
        if check:
            feature.checks.append(check)
    return taken


def _score(
    feature: GuessedFeature, column: LogColumn, by_domain: Mapping[str, set[str]]
) -> tuple[float, str]:
    """Returns how well a column matches a feature, 0 for not at all, and what to check.

    One name is best, then the same words, then a common word with common values, at
    last the same values alone. Where a log has both names they mean two things.
    """
    first = feature.first
    names = first.column.name, column.column.name
    if not column.kind.kind or not _compatible(first.kind, column.kind):
        return 0.0, ""
    if names[0] == names[1]:
        return 4.0, ""
    if names[1] in by_domain[first.domain] or names[0] in by_domain[column.domain]:
        return 0.0, ""
    if feature.side and column.side and feature.side != column.side:
        return 0.0, ""
    shared = _shared_values(first, column)
    cores = core(names[0]), core(names[1])
    where = f"{names[0]} of {first.domain} and {names[1]} of {column.domain}"
    if cores[0] == cores[1]:
        return 3.0 + shared, ""
    is_id = first.kind.kind in ("id", "ids")
    if cores[0] & cores[1] and (shared >= _SOME if is_id else cores[0] <= cores[1]):
        return 1.0 + shared, f"{where} share a word: are they the same?"
    many = min(len(first.distinct), len(column.distinct))
    told = feature.side is not None and feature.side == column.side
    if is_id and told and shared >= _NEARLY_ALL and many >= _MIN_VALUES:
        return shared, f"{where} have the same values: are they the same?"
    return 0.0, ""


def _compatible(first: Kind, second: Kind) -> bool:
    if first.kind in _NUMBERS:
        return second.kind in _NUMBERS
    return first.kind == second.kind and first.length == second.length


def _shared_values(first: LogColumn, second: LogColumn) -> float:
    """Returns the share of the different values of both that both have."""
    if first.kind.kind not in ("id", "ids"):
        return 0.0
    values = first.distinct, second.distinct
    return len(values[0] & values[1]) / max(len(values[0] | values[1]), 1)


def _free_name(name: str, features: Iterable[GuessedFeature]) -> str:
    taken = {*_RESERVED, *(feature.name for feature in features)}
    count = 2
    free = name
    while free in taken:
        free, count = f"{name}_{count}", count + 1
    return free
