"""Out-of-vocabulary shares and fill levels of the vocabularies."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.transform.encoding import unknown_lists
from models.artifact_files import ENCODING_FILE
from models.artifact_files import VOCABULARY_FILE
from models.days import DayRange
from models.days import to_day
from models.features.table import FeatureTable
from pipeline.report.charts import Point
from pipeline.report.charts import Series
from pipeline.report.files import read_json
from pipeline.report.periods import describe
from pipeline.report.periods import periods
from pipeline.report.periods import sums
from pipeline.report.sharing import SharedIds
from pipeline.report.sharing import shared_ids
from pipeline.report.sharing import shared_over_time
from pipeline.store.reader import Store

# Contents of a block's `encoding.json` and `vocabulary.json`.
Block = tuple[Mapping[str, Any], Mapping[str, Any]]


@dataclass(frozen=True)
class FeatureIds:
    """Encoding of a feature's ids in the newest block.

    Attributes:
        feature: The feature.
        ids: Number of id values, without missing ones.
        oov: Share out of vocabulary; None without ids or if hashed.
        new: Share of values whose id entered the vocabulary on that day; None as above.
        target_oov: Share out of vocabulary on target impressions; None as above.
    """

    feature: str
    ids: int
    oov: float | None
    new: float | None
    target_oov: float | None


@dataclass(frozen=True)
class SpaceSize:
    """A vocabulary after the newest block.

    Attributes:
        space: Name of the id space.
        hashed: Whether ids are hashed; such a space is never full.
        ids: Ids with a table row of their own.
        new: Ids among them that the newest block added.
        capacity: Largest number of ids with a table row.
        refused: Ids of the newest block without a table row because the table is full.
        pending: Ids not seen `min_count` times yet.
        collision_rate: Share of a hashed space's ids that share a table row.
    """

    space: str
    hashed: bool
    ids: int
    new: int
    capacity: int
    refused: int
    pending: int
    collision_rate: float | None

    @property
    def fill(self) -> float:
        """Share of the table rows in use."""
        return self.ids / self.capacity


@dataclass(frozen=True)
class Ids:
    """Ids and vocabularies of a run's blocks.

    Attributes:
        days: Days of the newest block.
        features: Encoding of its ids by feature.
        spaces: Vocabularies after it.
        unknown: Share out of vocabulary over time, a line per feature.
        growth: Share of the capacity in use over time, a line per id space.
        shared: Ids that target and sources share in the newest block.
        shared_over_time: The same over time, a line per id space and source.
        point: Period of one point of `unknown`, in words.
        warnings: Lists of the newest block most of whose ids are out of vocabulary.
    """

    days: str
    features: tuple[FeatureIds, ...]
    spaces: tuple[SpaceSize, ...]
    unknown: tuple[Series, ...]
    growth: tuple[Series, ...]
    shared: tuple[SharedIds, ...]
    shared_over_time: tuple[Series, ...]
    point: str
    warnings: tuple[str, ...] = ()


def gather_ids(
    store: Store, fingerprints: Sequence[str], features: FeatureTable, target: str
) -> Ids | None:
    """Reads encoding and vocabulary statistics of some blocks; None if none is stored.

    Args:
        store: The artifacts.
        fingerprints: The blocks, oldest first.
        features: The feature table.
        target: The target domain.
    """
    examples = {s.fingerprint: s.uri for s in store.transformed_blocks()}
    vocabularies = {s.fingerprint: s.uri for s in store.artifacts("Vocabulary")}
    blocks = []
    for name in fingerprints:
        if name not in examples or name not in vocabularies:
            continue
        encoding = read_json(Path(examples[name]) / ENCODING_FILE)
        summary = read_json(Path(vocabularies[name]) / VOCABULARY_FILE)
        if encoding and summary:
            blocks.append((encoding, summary))
    return summarise(blocks, features, target) if blocks else None


def unknown_by_day(
    store: Store, features: FeatureTable, days: DayRange
) -> list[Series]:
    """Returns the share of ids out of vocabulary by day, a line per feature.

    If a day was ingested several times, the newest block counts.
    """
    newest: dict[int, tuple[Mapping[str, Any], int]] = {}
    for block in store.transformed_blocks():
        encoding = read_json(Path(block.uri) / ENCODING_FILE)
        for index, date in enumerate(encoding["days"] if encoding else ()):
            if _to_day(date) in days:
                newest[_to_day(date)] = (encoding, index)
    lines = []
    for name in _rated(features):
        points = []
        for day, (encoding, index) in sorted(newest.items()):
            found = [d[name] for d in encoding["domains"].values() if name in d]
            ids, oov = (sum(d[key][index] for d in found) for key in ("ids", "oov"))
            points.append(Point(day, oov / ids if ids else None))
        lines.append(Series(name, tuple(points)))
    return lines


def _rated(features: FeatureTable) -> list[str]:
    """Returns the features with a vocabulary; hashed ids are never unknown."""
    return [
        f.name
        for f in features.features
        if f.is_id and not features.vocabularies[f.table].hashed
    ]


def summarise(blocks: Sequence[Block], features: FeatureTable, target: str) -> Ids:
    """Summarises the ids of blocks given oldest first."""
    encoding, summary = blocks[-1]
    days = _days(encoding)
    all_days = DayRange(_days(blocks[0][0]).first, days.last)
    within = periods(all_days)
    rated = _rated(features)
    hashed = {f.name for f in features.features if f.is_id} - set(rated)
    names = [f.name for f in features.features if f.is_id]
    return Ids(
        days=str(days),
        features=tuple(
            _feature(name, encoding, target, name in hashed) for name in names
        ),
        spaces=tuple(_space(name, found) for name, found in sorted(summary.items())),
        unknown=tuple(_unknown(name, blocks, within) for name in rated),
        growth=tuple(
            line
            for name, found in sorted(summary.items())
            if found.get("encoding") != "hash"
            and (line := _growth(name, blocks)) is not None
        ),
        shared=tuple(shared_ids(summary)),
        shared_over_time=tuple(
            shared_over_time([summary for _, summary in blocks], within)
        ),
        point=describe(within),
        warnings=tuple(unknown_lists(encoding["domains"], features)),
    )


def _days(encoding: Mapping[str, Any]) -> DayRange:
    dates = encoding["days"]
    return DayRange(_to_day(dates[0]), _to_day(dates[-1]))


def _to_day(text: str) -> int:
    return to_day(datetime.date.fromisoformat(text))


def _feature(
    name: str, encoding: Mapping[str, Any], target: str, hashed: bool
) -> FeatureIds:
    domains = encoding["domains"]
    ids, oov, new = (
        _total(domains.values(), name, key) for key in ("ids", "oov", "new")
    )
    of_target = [domains[target]] if target in domains else []
    target_ids, target_oov = (_total(of_target, name, key) for key in ("ids", "oov"))
    rated = ids > 0 and not hashed
    return FeatureIds(
        feature=name,
        ids=ids,
        oov=oov / ids if rated else None,
        new=new / ids if rated else None,
        target_oov=target_oov / target_ids if target_ids and not hashed else None,
    )


def _total(domains: Iterable[Mapping[str, Any]], name: str, key: str) -> int:
    return sum(sum(domain[name][key]) for domain in domains if name in domain)


def _space(name: str, found: Mapping[str, Any]) -> SpaceSize:
    hashed = found.get("encoding") == "hash"
    return SpaceSize(
        space=name,
        hashed=hashed,
        ids=int(found.get("ids", 0)),
        new=int(found.get("new", 0)),
        capacity=int(found["capacity"]),
        refused=int(found.get("refused", 0)),
        pending=int(found.get("pending", 0)),
        collision_rate=found.get("collision_rate") if hashed else None,
    )


def _unknown(name: str, blocks: Sequence[Block], within: list[DayRange]) -> Series:
    ids: dict[int, float] = {}
    oov: dict[int, float] = {}
    for encoding, _ in blocks:
        first = _days(encoding).first
        for domain in encoding["domains"].values():
            for key, counted in (("ids", ids), ("oov", oov)):
                for index, number in enumerate(domain.get(name, {}).get(key, ())):
                    counted[first + index] = counted.get(first + index, 0) + number
    shares = [
        bad / total if total and bad is not None else None
        for bad, total in zip(sums(oov, within), sums(ids, within), strict=True)
    ]
    points = zip(within, shares, strict=True)
    return Series(name, tuple(Point(days.first, share) for days, share in points))


def _growth(name: str, blocks: Sequence[Block]) -> Series | None:
    sizes: dict[int, int] = {}
    capacity = blocks[-1][1].get(name, {}).get("capacity", 0)
    for encoding, summary in blocks:
        found = summary.get(name, {})
        if "ids" not in found:
            continue
        days = _days(encoding)
        if "ids_before" in found:
            sizes.setdefault(days.first - 1, found["ids_before"])
        sizes.update({_to_day(date): size for date, size in found.get("grown", ())})
        sizes[days.last] = found["ids"]
    if not sizes or not capacity:
        return None
    days_known = sorted(sizes)
    kept = days_known[:: -(-len(days_known) // 60)]
    if kept[-1] != days_known[-1]:
        kept.append(days_known[-1])
    return Series(name, tuple(Point(day, sizes[day] / capacity) for day in kept))
