"""Equal tuning of the training benchmark's engines; writes `peers/tuned.json`.

    python -m benchmarks.tune_training [--rows 300000] [--engine NAME ...]

`make tune-training` runs it. Each engine trains once with each of its settings, of
which all have the same number, on impressions of another seed than those measured.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.training_engines import IDS
from benchmarks.training_engines import OURS
from benchmarks.training_engines import PEERS
from benchmarks.training_engines import TUNED_FILE
from benchmarks.training_engines import Engine
from benchmarks.training_engines import environment_of
from benchmarks.training_engines import read_tuned
from benchmarks.training_engines import run_child
from benchmarks.training_rows import write_rows

# Other effects and impressions than those of MEASURED_SEED.
_SEED = 7
TUNED = tuple(engine for engine in (OURS, *PEERS) if not engine.tuned_as)


@click.command()
@click.option("--rows", default=300_000, show_default=True, help="Rows of an epoch.")
@click.option("--threads", default=1, show_default=True, help="0: the library's own.")
@click.option(
    "--engine",
    "names",
    multiple=True,
    type=click.Choice([engine.name for engine in TUNED]),
    help="Tune these engines alone.",
)
@click.option("--ids", multiple=True, type=int, help="Tune these sizes alone.")
def main(rows: int, threads: int, names: tuple[str, ...], ids: tuple[int, ...]) -> None:
    """Choose every engine's rates from the same number of settings."""
    environment = environment_of(threads)
    with tempfile.TemporaryDirectory(prefix="crossctr-tune-") as name:
        for num_ids in ids or IDS:
            folder = Path(name) / str(num_ids)
            write_rows(folder, num_ids, rows, max(rows // 5, 1_000), seed=_SEED)
            for engine in TUNED:
                if names and engine.name not in names:
                    continue
                trials = _trials(engine, folder, num_ids, environment)
                _store(num_ids, engine.name, {**choice(trials), "rows": rows})


def _trials(
    engine: Engine, folder: Path, num_ids: int, environment: dict[str, str]
) -> list[dict[str, Any]]:
    trials = []
    for rates in engine.rates:
        auc = run_child(engine.command(folder, num_ids, rates), environment)["auc"]
        click.echo(f"{num_ids:,} ids, {engine.name}, {rates}: {auc:.4f}")
        trials.append({"rates": list(rates), "auc": round(auc, 5)})
    return trials


def choice(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the rates of the highest AUC, with all trials."""
    best = max(trials, key=lambda trial: trial["auc"])
    return {"rates": best["rates"], "trials": trials}


def _store(num_ids: int, name: str, chosen: dict[str, Any]) -> None:
    tuned = read_tuned()
    tuned.setdefault(str(num_ids), {})[name] = chosen
    TUNED_FILE.write_text(json.dumps(tuned, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
