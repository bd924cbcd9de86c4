"""Two CSV files as a user may have them: impressions of feeds and ads, simulated."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.datasets.simulation.writer import write_domains

FIRST_DAY = datetime.date(2024, 1, 1)
_NAMES = {
    "feeds": {
        "e_et": "time",
        "u_userId": "user_id",
        "i_docId": "doc_id",
        "label": "click",
        "u_group": "segment",
        "u_device": "device",
        "u_interests": "interests",
        "i_cat": "category",
        "i_score": "score",
    },
    "ads": {
        "pt_d": "time",
        "user_id": "user_id",
        "adv_id": "ad_id",
        "label": "click",
        "age_gender": "segment",
        "device": "device",
        "u_newsCatInterests": "interests",
        "adv_cat": "category",
        "adv_score": "score",
        "slot_id": "slot",
    },
}


def write_two_csvs(
    folder: Path, *, days: int = 30, feeds: int = 1_200, sparsity: float = 5
) -> dict[str, int]:
    """Writes feeds.csv and ads.csv; returns how many rows each has.

    Args:
        folder: Where they go.
        days: Days of impressions.
        feeds: Impressions of feeds on one day.
        sparsity: Impressions of feeds for one of ads.
    """
    simulation = SimulationConfig(
        truth=folder / "truth",
        preset="small",
        days=days,
        rows_per_day=feeds,
        sparsity=sparsity,
        user_overlap=0.9,
    )
    write_domains(
        plan_domains(simulation, ["feeds"], "ads"),
        seed=17,
        first_day=FIRST_DAY,
        num_days=days,
        logs=folder / "simulated",
        truth=folder / "truth",
    )
    return {domain: _write(folder, domain) for domain in _NAMES}


def _write(folder: Path, domain: str) -> int:
    names = _NAMES[domain]
    count = 0
    with (folder / f"{domain}.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(names.values())
        for path in sorted((folder / "simulated" / domain).glob("date=*/*.parquet")):
            table = pq.ParquetFile(path).read(columns=list(names))
            for row in table.to_pylist():
                rows.writerow([_cell(name, row[name]) for name in names])
                count += 1
    return count


def _cell(name: str, value: object) -> object:
    if name in ("e_et", "pt_d"):
        return datetime.datetime.strptime(str(value), "%Y%m%d%H%M")
    if isinstance(value, list):
        return "|".join(map(str, value))
    if name == "label":
        return int(value == 1)
    if isinstance(value, float):
        return round(value, 4)
    return str(value).replace("^", "|")
