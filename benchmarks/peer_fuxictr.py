"""The backbone beside FuxiCTR's DCN-v2, on the same transformed Parquet.

    python -m benchmarks.peer_fuxictr CONFIG --day D [--domain NAME] [--seeds N]

`make peer-fuxictr` runs it, after an ingest of CONFIG. An independent implementation of
the same network, with width, layers and dropout of CONFIG, is trained on the same
impressions and scores the same ones. Both sides get the same budget: eight settings
(two batch sizes, four choices of rates) of up to three passes, the best of which is
chosen on the two days before D. Each then trains on the days up to D with other seeds
and scores D and the days after it. How to read it: docs/reference/training.md.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa

from benchmarks.criteria import CRITERIA
from benchmarks.peers import common
from benchmarks.peers.environments import ROOT
from benchmarks.peers.environments import python_of
from benchmarks.peers.environments import script_of
from components.evaluation.differences import Difference
from components.evaluation.differences import crossing
from components.evaluation.differences import difference
from components.evaluation.influence import influences
from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import user_codes
from models.artifact_files import split_folder
from models.data.arrow_files import pq
from models.days import to_day
from models.errors import DataError
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.execution.job import plan_run
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_TUNING_DAYS = 2
_TUNING_SEED = 1
_FIRST_SEED = 11


@dataclass(frozen=True)
class Side:
    """One of the two implementations.

    Attributes:
        name: Its name in tables.
        command: Its process, without the file of trials.
        rates: Learning rates to choose from; of the dense part and of the tables for
            ours, one for FuxiCTR's single optimizer.
    """

    name: str
    command: tuple[str, ...]
    rates: tuple[tuple[float, ...], ...]


BATCHES = (512, 2_048)
PASSES = 3
OURS = Side(
    "backbone",
    (sys.executable, "-m", "benchmarks.dcn_trials"),
    ((0.001, 0.02), (0.001, 0.05), (0.003, 0.02), (0.003, 0.05)),
)
FUXICTR = Side(
    "FuxiCTR DCN-v2",
    (python_of("torch"), script_of("fuxictr_child.py")),
    ((0.0005,), (0.001,), (0.002,), (0.005,)),
)
SIDES = (OURS, FUXICTR)


@dataclass(frozen=True)
class Windows:
    """First and last days, both included, of what is fitted and scored."""

    tuning_fit: tuple[int, int]
    tuning_score: tuple[int, int]
    fit: tuple[int, int]
    score: tuple[int, int]

    @classmethod
    def before(cls, day: int, window_days: int, score_days: int) -> Windows:
        """Returns windows of equal length; nothing is tuned on days from `day` on."""
        tuned = day - _TUNING_DAYS
        return cls(
            (tuned - window_days, tuned - 1),
            (tuned, day - 1),
            (day - window_days, day - 1),
            (day, day + score_days - 1),
        )


@click.command()
@click.argument("config_path", type=click.Path(path_type=Path))
@click.option("--day", required=True, help="First scored day.")
@click.option("--domain", help="Whose impressions; the first source by default.")
@click.option("--window-days", default=7, show_default=True, help="Days fitted.")
@click.option("--score-days", default=5, show_default=True, help="Days scored.")
@click.option("--seeds", default=5, show_default=True, help="Trainings of each side.")
def main(
    config_path: Path,
    day: str,
    domain: str | None,
    window_days: int,
    score_days: int,
    seeds: int,
) -> None:
    """Compare the backbone with FuxiCTR's DCN-v2 after equal tuning."""
    console = Console(width=110)
    config = load_config(config_path)
    first = to_day(datetime.date.fromisoformat(day))
    windows = Windows.before(first, window_days, score_days)
    files = transformed_files(config, domain or config.domains[0], windows.score[1])
    with tempfile.TemporaryDirectory(prefix="crossctr-peers-") as folder:
        bench = _Bench(Path(folder), config, files, windows, console)
        chosen = {side.name: bench.tune(side) for side in SIDES}
        scores = {s.name: bench.score(s, chosen[s.name], seeds) for s in SIDES}
    scored = common.read(files, *windows.score)
    aucs, gap = compare(scored, scores[FUXICTR.name], scores[OURS.name])
    console.print(_table(chosen, aucs))
    result = {
        "auc_gap_vs_fuxictr": round(gap.value, 5),
        "auc_gap_low": round(gap.low, 5),
        "auc_gap_high": round(gap.high, 5),
        "within_margin": gap.value <= CRITERIA.peers.most_auc_gap,
        "auc": round(aucs[1], 5),
        "fuxictr_auc": round(aucs[0], 5),
        "scored_rows": len(scored),
        "seeds": seeds,
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result))


class _Bench:
    """Transformed Parquet, and the processes that train on it."""

    def __init__(
        self,
        folder: Path,
        config: Config,
        files: Sequence[str],
        windows: Windows,
        console: Console,
    ) -> None:
        self._folder = folder
        self._windows = windows
        self._console = console
        # FuxiCTR's DCN-v2 has no wide part.
        network = config.network.model_copy(update={"wide": False, "product": False})
        self._shared = {
            "files": list(files),
            "tables": tables_of(config.table, pq.read_schema(files[0])),
            "features": config.table.model_dump(mode="json"),
            "network": network.model_dump(mode="json"),
        }

    def tune(self, side: Side) -> dict[str, Any]:
        """Returns the best trial, with the number of passes that was best."""
        trials = grid(side)
        self._console.print(f"{side.name}: {len(trials)} settings on earlier days ...")
        fit, score = self._windows.tuning_fit, self._windows.tuning_score
        found = self._run(side, {"fit": fit, "score": score, "trials": trials})
        best = best_of(trials, [trial["auc"] for trial in found])
        self._console.print(f"{side.name}: {best}")
        return best

    def score(self, side: Side, trial: dict[str, Any], seeds: int) -> list[Any]:
        """Returns probabilities of the scored rows, by seed."""
        self._console.print(f"{side.name}: {seeds} seeds ...")
        last = _FIRST_SEED + seeds
        trials = [{**trial, "seed": seed} for seed in range(_FIRST_SEED, last)]
        prefix = str(self._folder / side.name.replace(" ", "-"))
        fit, score = self._windows.fit, self._windows.score
        parts = {"fit": fit, "score": score, "trials": trials, "scores": prefix}
        self._run(side, parts)
        return [np.load(f"{prefix}-{number}.npy") for number in range(seeds)]

    def _run(self, side: Side, parts: dict[str, Any]) -> list[dict[str, Any]]:
        path = self._folder / "trials.json"
        path.write_text(json.dumps({**self._shared, **parts}), encoding="utf-8")
        ran = subprocess.run(
            [*side.command, str(path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if ran.returncode != 0:
            raise click.ClickException(
                f"{side.name} failed with {ran.returncode}:\n{ran.stderr[-3000:]}"
            )
        trials: list[dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])["trials"]
        return trials


def grid(side: Side) -> list[dict[str, Any]]:
    """Returns a side's settings: every batch size with every choice of rates."""
    return [
        {"seed": _TUNING_SEED, "batch_size": size, "passes": PASSES, "rates": rates}
        for size, rates in itertools.product(BATCHES, side.rates)
    ]


def best_of(
    trials: Sequence[dict[str, Any]], aucs: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """Returns the trial with the highest AUC after any pass, cut to that pass.

    Args:
        trials: The settings.
        aucs: AUC after each pass, by setting.
    """
    _, trial, passes = max(
        (auc, -number, -passes)
        for number, by_pass in enumerate(aucs)
        for passes, auc in enumerate(by_pass, start=1)
    )
    return {**trials[-trial], "passes": -passes}


def tables_of(features: FeatureTable, schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Returns the embedding table and its rows for each column of table rows."""
    found = {}
    for field in schema:
        kind = field.type
        whole = pa.types.is_integer(getattr(kind, "value_type", kind))
        if whole and field.name not in (LABEL, DAY):
            table = features[field.name].table
            found[field.name] = {"table": table, "rows": features.num_rows(table)}
    return found


def transformed_files(config: Config, domain: str, last_day: int) -> list[str]:
    """Returns a domain's transformed Parquet up to a day.

    Raises:
        DataError: These days are not ingested.
    """
    transformed = Store(config.root).transformed_blocks()
    # What is stored may reach further, in one block.
    last = max([last_day, *(stored.last_day for stored in transformed)])
    blocks = plan_run(config, lambda planner: planner.ingest(last)).steps
    known = {block.fingerprint for block in blocks if block.done}
    files = [
        str(path)
        for stored in transformed
        if stored.fingerprint in known
        for path in Path(stored.uri, split_folder(domain)).glob("*.parquet")
    ]
    if not files or len(known) < len(blocks):
        raise DataError(
            f"{domain} is not ingested up to the last scored day; run `crossctr ingest "
            "CONFIG --to` that day"
        )
    return sorted(files)


def compare(
    scored: common.Rows, theirs: Sequence[Any], ours: Sequence[Any]
) -> tuple[tuple[float, float], Difference]:
    """Returns the mean AUC of both sides over seeds, and theirs minus ours.

    Args:
        scored: The scored impressions.
        theirs: The peer's probabilities by seed, shape (S, N).
        ours: The backbone's.
    """
    users = scored.ids["user_id"]
    codes, place = user_codes(users), COMPARED.index("auc")
    sides = [
        [influences(codes, scored.labels, np.float64(one)) for one in side]
        for side in (theirs, ours)
    ]
    values = np.array([[one.values[place] for one in side] for side in sides])
    rows = np.array([[one.rows[:, place] for one in side] for side in sides])
    grouped = crossing(users, scored.ids.get("item_id"))
    gap = difference(values[0] - values[1], rows[0] - rows[1], grouped)
    return (float(values[0].mean()), float(values[1].mean())), gap


def _table(chosen: dict[str, dict[str, Any]], aucs: tuple[float, float]) -> Table:
    table = Table(title="AUC on the scored days, mean over seeds")
    for column in ("", "batch", "passes", "rates", "AUC"):
        table.add_column(column, justify="left" if not column else "right")
    means = dict(zip((FUXICTR.name, OURS.name), aucs, strict=True))
    for name, trial in chosen.items():
        rates = ", ".join(f"{rate:g}" for rate in trial["rates"])
        table.add_row(
            name,
            f"{trial['batch_size']:,}",
            str(trial["passes"]),
            rates,
            f"{means[name]:.4f}",
        )
    return table


if __name__ == "__main__":
    main()
