"""Which rows of a window are of which domain, by the feature `domain`."""

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
    """What a window holds of each domain that has a row of its own.

    Attributes:
        rows: Impressions by domain.
        clicks: Those with label 1.
    """

    rows: dict[str, int]
    clicks: dict[str, int]

    @property
    def click_rates(self) -> dict[str, float]:
        """Click rate of each domain with impressions."""
        return {d: self.clicks[d] / rows for d, rows in self.rows.items() if rows}


def table_rows(
    features: FeatureTable, vocabulary: Path, domains: Sequence[str]
) -> dict[str, int]:
    """Returns the row of each of `domains` that has been seen, in the domain table."""
    ids = read_ids(vocabulary, features[DOMAIN_FEATURE].table).to_pylist()
    first = _space(features).first_id_row
    return {d: first + ids.index(d) for d in domains if d in ids}


def count_by_domain(
    window: WindowSummary,
    features: FeatureTable,
    vocabulary: Path,
    domains: Sequence[str],
) -> DomainCounts:
    """Counts a window's rows and clicks by domain; nothing if they do not tell."""
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
    """Raises unless every row of the window is of a domain that has a row of its own.

    Raises:
        DataError: Naming how many are not, and what to change.
    """
    unknown = window.num_rows - sum(counts.rows.values())
    if unknown:
        raise DataError(
            f"{unknown:,} of {window.num_rows:,} rows are of no domain with a row in "
            f"the table of {DOMAIN_FEATURE!r}; expected each to be one of "
            f"{', '.join(counts.rows)}. Raise the capacity of its vocabulary and leave "
            "its min_count at 1"
        )


def _space(features: FeatureTable) -> IdSpace:
    return features.vocabularies[features[DOMAIN_FEATURE].table]
