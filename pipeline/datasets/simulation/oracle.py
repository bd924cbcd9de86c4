"""Oracle: metrics of the true click probabilities of simulated impressions.

Clicks were drawn with these probabilities, so in expectation no model has better
metrics. `(GAUC - GAUC of target_only) / (GAUC of the oracle - GAUC of target_only)` is
the share of the reachable gap that a strategy closes.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from models.data.arrow_files import pq
from models.errors import DataError
from pipeline.datasets.simulation.columns import TRUTH_SCHEMA
from pipeline.datasets.simulation.writer import DAY_FILE
from pipeline.datasets.simulation.writer import day_folder

# Bound on the oracle's memory; a larger domain is scored on its newest days.
MAX_ROWS = 4_000_000


@dataclass(frozen=True)
class OracleScore:
    """The oracle's metrics on some days of a domain.

    Attributes:
        domain: The domain.
        first_day: First day scored.
        last_day: Last day scored.
        rows: Impressions scored.
        click_rate: Clicks per impression.
        predicted_over_actual: Sum of p* over clicks; 1 in expectation.
        accidents: Share of the impressions with an accidental label.
        auc: Exact AUC.
        gauc: Impression-weighted mean of per-user AUC.
        coverage: Share of the impressions that count for GAUC.
        log_loss: In nats.
    """

    domain: str
    first_day: datetime.date
    last_day: datetime.date
    rows: int
    click_rate: float
    predicted_over_actual: float
    accidents: float
    auc: float
    gauc: float
    coverage: float
    log_loss: float


def read_truth(
    truth: Path, domain: str, first_day: datetime.date, num_days: int
) -> pa.Table:
    """Returns p*, click, user and accident of every impression of some days.

    Args:
        truth: The folder that `simulate.truth` names.
        domain: The domain.
        first_day: First day wanted.
        num_days: Days wanted.

    Returns:
        A table of `TRUTH_SCHEMA`, rows in the order of the log.

    Raises:
        DataError: A day has no truth.
    """
    tables = []
    for day in range(num_days):
        path = day_folder(truth / domain, first_day, day) / DAY_FILE
        if not path.is_file():
            raise DataError(
                f"there are no true probabilities {str(path)!r}; expected a file of "
                "`crossctr simulate`; run it, or choose days that were simulated"
            )
        tables.append(pq.read_table(path, schema=TRUTH_SCHEMA))
    return pa.concat_tables(tables)


def score_oracle(
    truth: Path, domain: str, first_day: datetime.date, num_days: int
) -> OracleScore:
    """Returns the oracle's metrics on some days, exactly, from p* and the clicks.

    Args:
        truth: The folder that `simulate.truth` names.
        domain: The domain.
        first_day: First day scored.
        num_days: Days scored.

    Raises:
        DataError: A day has no truth.
    """
    rows = read_truth(truth, domain, first_day, num_days)
    p, click, user, accident = (
        rows.column(name).to_numpy()
        for name in ("probability", "click", "user_id", "accident")
    )
    grouped = grouped_auc(user, p, click)
    clicks = int(click.sum(dtype=np.int64))
    return OracleScore(
        domain=domain,
        first_day=first_day,
        last_day=first_day + datetime.timedelta(days=num_days - 1),
        rows=len(p),
        click_rate=clicks / len(p),
        predicted_over_actual=float(p.sum(dtype=np.float64)) / max(clicks, 1),
        accidents=float(np.mean(accident)),
        auc=auc(p, click),
        gauc=grouped.gauc,
        coverage=grouped.coverage,
        log_loss=float(np.mean(log_losses(p, click))),
    )


def probabilities_of(
    truth: Path,
    domain: str,
    first_day: datetime.date,
    num_days: int,
    users: npt.NDArray[np.object_],
    labels: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Returns p* of impressions that the pipeline has read from the log of some days.

    Args:
        truth: The folder that `simulate.truth` names.
        domain: The domain.
        first_day: First day of the impressions.
        num_days: Days of the impressions.
        users: Raw user ids, in the order of the log, shape (N,).
        labels: 0 or 1, shape (N,).

    Returns:
        Click probabilities, shape (N,).

    Raises:
        DataError: A day has no stored truth, or these are not the log's impressions.
    """
    rows = read_truth(truth, domain, first_day, num_days)
    ids = rows.column("user_id").cast(pa.string()).cast(pa.binary()).to_numpy()
    click = rows.column("click").to_numpy()
    same = len(ids) == len(users) and (ids == users).all() and (click == labels).all()
    if not same:
        raise DataError(
            f"{len(users):,} rows of {domain!r} are not the {len(ids):,} of the truth "
            f"in {str(truth)!r}, row by row; expected the simulated log, no row "
            "quarantined; run `crossctr simulate` again"
        )
    return rows.column("probability").to_numpy().astype(np.float64)


def newest_days(rows_per_day: int, num_days: int) -> int:
    """Returns the number of newest days that fit into `MAX_ROWS`, at least one."""
    return max(1, min(num_days, MAX_ROWS // rows_per_day))
