"""Rows that references are fitted on: ids and numbers as they were logged, in memory.

A window that is larger than the bound is sampled in one pass, so that memory depends on
the bound alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.data.raw_rows import rows_of_days
from models.days import DayRange
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Features that references read; lists of ids are left out.

    Attributes:
        ids: Names of features with one id.
        numbers: Names of counts, rates and numbers; vectors are left out.
        counts: Which of `numbers` are counts.
        signed: Which of `numbers` may be negative.
    """

    ids: tuple[str, ...]
    numbers: tuple[str, ...]
    counts: frozenset[str]
    signed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, features: FeatureTable) -> Columns:
        """Returns the columns of a feature table that the target has."""
        features = features.of_target()
        numbers = [f for f in features.with_values if not f.is_vector]
        return cls(
            tuple(f.name for f in features.logged if f.is_single_id),
            tuple(f.name for f in numbers),
            # Of whole numbers; a rate lies in [0, 1].
            frozenset(f.name for f in numbers if f.feature_kind.json_types == (int,)),
            frozenset(f.name for f in numbers if f.feature_kind.low < 0),
        )


@dataclass(frozen=True)
class Rows:
    """Impressions with their features.

    Attributes:
        table: One value a row: ids as bytes (null where missing), numbers as doubles
            (NaN), `label` and `day` as int64.
        seen: Rows of the window; more than the table's where it is a sample.
    """

    table: pa.Table
    seen: int

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """0 or 1, shape (N,)."""
        return self.integers(LABEL)

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """Returns `label` or `day`, shape (N,)."""
        return self.table.column(name).to_numpy().astype(np.int64, copy=False)

    def numbers(self, names: Sequence[str]) -> Floats:
        """Returns counts and rates, NaN where missing, shape (N, len(names))."""
        found = [self.table.column(name).to_numpy() for name in names]
        return np.stack(found, axis=1) if found else np.zeros((len(self), 0))

    def ids(self, name: str) -> pa.Array:
        """Returns the ids of a feature, null where missing, shape (N,)."""
        return self.table.column(name).combine_chunks()


def read_rows(
    folders: Iterable[str],
    days: DayRange,
    columns: Columns,
    *,
    most_rows: int | None = None,
    seed: int = 0,
) -> Rows:
    """Reads the rows of a domain's days, all of them or a uniform sample.

    Args:
        folders: Folders of the domain's split in raw Examples.
        days: Which days.
        columns: Which features.
        most_rows: Rows to keep, at most; None keeps all, in the order of the logs.
        seed: Seed of the sample.
    """
    rng = np.random.default_rng(seed)
    names = [*columns.ids, *columns.numbers, LABEL, DAY]
    kept, keys = [_flat(_empty(names), columns, names)], [np.zeros(0)]
    held = seen = 0
    for batch in rows_of_days(folders, days, names):
        kept.append(_flat(batch, columns, names))
        keys.append(rng.random(len(batch)))
        held, seen = held + len(batch), seen + len(batch)
        if most_rows is not None and held > 2 * most_rows:
            table, key = _smallest(pa.concat_tables(kept), keys, most_rows)
            kept, keys, held = [table], [key], most_rows
    table = pa.concat_tables(kept)
    if most_rows is not None and held > most_rows:
        table, _ = _smallest(table, keys, most_rows)
    return Rows(table.combine_chunks(), seen)


def read_domains(
    folders: Mapping[str, Sequence[str]],
    days: DayRange,
    columns: Columns,
    *,
    most_rows: int,
) -> dict[str, Rows]:
    """Reads several domains, each with an even share of the rows.

    What a domain leaves of its share goes to those after it, so that a large source
    neither takes the target's rows nor is cut for the sake of small ones.

    Args:
        folders: By domain its folders, the target first.
        days: Which days.
        columns: Which features.
        most_rows: Rows to keep of all domains together, at most.
    """
    found: dict[str, Rows] = {}
    left = most_rows
    for domain in folders:
        share = left // (len(folders) - len(found))
        found[domain] = read_rows(folders[domain], days, columns, most_rows=share)
        left -= len(found[domain])
    return found


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Returns the rows of several domains as one table."""
    table = pa.concat_tables([part.table for part in parts]).combine_chunks()
    return Rows(table, sum(part.seen for part in parts))


def _smallest(
    table: pa.Table, keys: Sequence[Floats], count: int
) -> tuple[pa.Table, Floats]:
    """Returns the rows with the smallest random keys, in their order."""
    key = np.concatenate(keys)
    chosen = np.sort(np.argpartition(key, count)[:count])
    return table.take(pa.array(chosen)), key[chosen]


def _empty(names: Sequence[str]) -> dict[str, pa.Array]:
    return dict.fromkeys(names, pa.array([], pa.large_list(pa.null())))


def _flat(batch: pa.RecordBatch, columns: Columns, names: Sequence[str]) -> pa.Table:
    """Returns the first value of each row, missing ones as null or NaN."""
    flat = {}
    for name in names:
        first = _first_values(batch[name])
        if name in columns.ids:
            flat[name] = first.cast(pa.large_binary())
        elif name in columns.numbers:
            numbers = first.cast(pa.float64()).fill_null(np.nan).to_numpy()
            missing = (numbers < 0) & (name not in columns.signed)
            flat[name] = pa.array(np.where(missing, np.nan, numbers))
        else:
            flat[name] = first.cast(pa.int64())
    return pa.table(flat)


def _first_values(cells: pa.Array) -> pa.Array:
    """Returns each list's first value, null for an empty list or a missing one."""
    lengths = pc.fill_null(pc.list_value_length(cells), 0).to_numpy()
    ends = np.cumsum(lengths)
    at = pa.array(ends - lengths, mask=lengths == 0)
    return pc.list_flatten(cells).take(at)
