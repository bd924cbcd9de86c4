"""Impressions and clicks by domain, told apart by the feature `domain`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from models.data.batches import WindowSummary
from models.data.id_lists import read_ids
from models.errors import DataError
from models.features.feature import DOMAIN_FEATURE
from models.features.id_space import IdSpace
from models.features.table import FeatureTable


class DomainCounts(NamedTuple):
    """A window's impressions and clicks of each domain in the domain table.

    Attributes:
        rows: Impressions by domain.
        clicks: Impressions with label 1, by domain.
    """

    rows: dict[str, int]
    clicks: dict[str, int]

    @property
    def click_rates(self) -> dict[str, float]:
        """Click rate of each domain that has impressions."""
        return {d: self.clicks[d] / rows for d, rows in self.rows.items() if rows}


def table_rows(
    features: FeatureTable, vocabulary: Path, domains: Sequence[str]
) -> dict[str, int]:
    """Returns the domain table's row of each of `domains` seen so far."""
    ids = read_ids(vocabulary, features[DOMAIN_FEATURE].table).to_pylist()
    first = _space(features).first_id_row
    return {d: first + ids.index(d) for d in domains if d in ids}


def count_by_domain(
    window: WindowSummary,
    features: FeatureTable,
    vocabulary: Path,
    domains: Sequence[str],
) -> DomainCounts:
    """Counts impressions and clicks by domain; empty without the feature `domain`."""
    if len(domains) == 1:
        (domain,) = domains
        return DomainCounts({domain: window.num_rows}, {domain: window.num_clicks})
    if not features.tells_domains_apart:
        return DomainCounts({}, {})
    rows, clicks = dict.fromkeys(domains, 0), dict.fromkeys(domains, 0)
    impressions = window.impressions[features[DOMAIN_FEATURE].table]
    for domain, row in table_rows(features, vocabulary, domains).items():
        rows[domain] = int(impressions[row])
        clicks[domain] = int(window.domain_clicks[row])
    return DomainCounts(rows, clicks)


def check_rows_known(counts: DomainCounts, window: WindowSummary) -> None:
    """Raises unless every impression is of a domain with its own table row.

    Raises:
        DataError: Some are not; the message gives their number and the remedy.
    """
    unknown = window.num_rows - sum(counts.rows.values())
    if unknown:
        raise DataError(
            f"{unknown:,} of {window.num_rows:,} impressions are of no domain in "
            f"the table of {DOMAIN_FEATURE!r}; expected each to be one of "
            f"{', '.join(counts.rows)}. Raise the capacity of its vocabulary and leave "
            "its min_count at 1"
        )


def _space(features: FeatureTable) -> IdSpace:
    return features.vocabularies[features[DOMAIN_FEATURE].table]
