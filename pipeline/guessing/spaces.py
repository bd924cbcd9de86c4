"""Id spaces: which features share one, how many ids it needs, and how it grows."""

from __future__ import annotations

import math
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.guessing.matching import GuessedFeature
from pipeline.guessing.names import ITEM_WORDS
from pipeline.guessing.names import words

# Share of a list's different ids that a space has to know; less where a name helps.
_KNOWN, _SOME = 0.5, 0.1
_DAYS_AHEAD = 365
# Growth below which a space counts as closed.
_CLOSED = 0.02
_MIN_CAPACITY = 16
_FEW_OOV = 2


@dataclass(frozen=True)
class Space:
    """A guess of an id space.

    Attributes:
        capacity: Room for ids.
        reason: How many there are, and how they grow.
        closed: Whether no new ids are expected.
    """

    capacity: int
    reason: str
    closed: bool


@dataclass(frozen=True)
class Occurrences:
    """Different ids of a column in some rows of one domain's log, in order of time.

    Attributes:
        ids: The ids.
        half: How many of them the first half of the rows has.
        share: Share of the log's rows that were read.
        num_days: Days of the log.
    """

    ids: Collection[str]
    half: int
    share: float
    num_days: int


def assign_spaces(features: Iterable[GuessedFeature]) -> None:
    """Gives each feature of ids its space: its own, or for lists one that knows them.

    Of several spaces that know a list's ids, the one with the fewest others is taken; a
    list that is named after items is one of items if that space knows some.
    """
    features = list(features)
    singles = [feature for feature in features if feature.kind == "id"]
    for feature in singles:
        feature.vocabulary = feature.vocabulary or feature.name
    known = {feature.vocabulary: feature.distinct for feature in singles}
    for feature in features:
        if feature.kind != "ids":
            continue
        ids = feature.distinct
        shares = {
            space: len(ids & values) / len(ids | values)
            for space, values in known.items()
            if ids and len(ids & values) >= _KNOWN * len(ids)
        }
        named = any(word in ITEM_WORDS for word in _words(feature))
        if named and len(ids & known["item"]) >= _SOME * len(ids):
            feature.vocabulary = "item"
            continue
        best = max(shares, key=lambda space: shares[space], default="")
        feature.vocabulary = best or feature.name
        part = len(ids & known[best]) / len(ids) if best else 0.0
        if best:
            feature.checks.append(
                f"{part:.0%} of its ids are in the space {best!r}: are they the same "
                "ids?"
            )


def _words(feature: GuessedFeature) -> tuple[str, ...]:
    return words(feature.first.column.name)


def guess_space(by_domain: Mapping[str, Sequence[Occurrences]]) -> Space:
    """Returns the capacity of an id space.

    The number of different ids in n occurrences grows as `n ** b` (Heaps' law), with b
    from the first half of the rows read and all of them. That gives the ids of the
    whole log, and those of a year later; what domains have in common counts once, in
    the proportion of the rows read. Capacity is a quarter more, rounded up to 1, 2 or 5
    times a power of ten (our choice).

    Args:
        by_domain: Ids by domain, of each feature of the space.
    """
    sampled: set[str] = set()
    separate = now = ahead = 0.0
    growth = 0.0
    for parts in by_domain.values():
        ids = set().union(*(part.ids for part in parts))
        if not ids:
            continue
        power = max(_growth(len(part.ids), part.half) for part in parts)
        share = min(max(min(part.share for part in parts), 1e-9), 1.0)
        days = max(part.num_days for part in parts)
        total = len(ids) * (1 / share) ** power
        sampled.update(ids)
        separate += len(ids)
        now += total
        ahead += total * ((days + _DAYS_AHEAD) / max(days, 1)) ** power
        growth = max(growth, power)
    common = len(sampled) / separate if separate else 1.0
    now, ahead = now * common, ahead * common
    closed = growth < _CLOSED
    capacity = max(rounded_up(max(2 * now, 1.25 * ahead)), _MIN_CAPACITY)
    seen = f"{len(sampled):,} different ones read"
    if closed:
        return Space(capacity, f"{seen}, hardly a new one in the second half", True)
    return Space(
        capacity,
        f"{seen}, about {_about(now)} in all and {_about(ahead)} a year later",
        False,
    )


def _growth(different: int, half: int) -> float:
    """Returns b of `different ids ~ n ** b`, between 0 and 1."""
    if not half:
        return 1.0
    return min(max(math.log2(different / half), 0.0), 1.0)


def rounded_up(number: float) -> int:
    """Returns the next number of the form 1, 2 or 5 times a power of ten.

    Example:
        >>> rounded_up(23_400), rounded_up(50)
        (50000, 50)
    """
    power = 10 ** math.floor(math.log10(max(number, 1)))
    return next(
        int(step * power) for step in (1, 2, 5, 10) if step * power >= number - 1e-9
    )


def _about(number: float) -> str:
    digits = max(len(str(int(number))) - 2, 0)
    return f"{round(number / 10**digits) * 10**digits:,}"
