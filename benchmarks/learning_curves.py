"""Learning curves: number of target impressions from which transfer pays.

    make learning-curves [BENCH_FLAGS="--sizes 10000,100000,1000000 --seeds 10"]

Simulated feeds and ads (docs/how-to/simulation.md): the target has so many rows in 40
days of training beside a source of `--source-rows`. References (linear, boosted trees)
and strategies are trained on the same rows. Every replicate has a world and trainings
of its own and is stored, so an interrupted run resumes. Numbers go to
docs/results/learning_curves.json, the picture beside it, the text to docs/results.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from benchmarks.curves_section import CURVES_FILE
from benchmarks.pooled import pool
from benchmarks.replicates import ROOT
from benchmarks.replicates import DataSet
from benchmarks.replicates import Replicate
from benchmarks.replicates import is_done
from benchmarks.replicates import replicates
from benchmarks.replicates import run_replicate
from benchmarks.results import DATA_SETS
from benchmarks.results_page import write_page
from pipeline.cli.options import wide_console
from pipeline.comparing.record import Comparison

RUNS = ROOT / "runs" / "learning_curves"
STRATEGIES = ("target_only", "joint", "ecdctr", "cctl", "ctnet")
_WINDOW, _JUDGED = 40, 7


def world(target_rows: int, source_rows: int) -> DataSet:
    """Returns the data set with so many rows of target and source in the window."""
    return DataSet(
        f"target-{target_rows}-source-{source_rows}",
        "feeds_ads.yaml",
        ("2024-02-10",),
        {
            "evaluation_days": _JUDGED,
            # References read all rows, too.
            "references": {"rows": target_rows + source_rows},
            "simulate": {
                "days": _WINDOW + _JUDGED,
                "rows_per_day": max(1, source_rows // _WINDOW),
                "domains": {"ads": {"rows_per_day": max(1, target_rows // _WINDOW)}},
            },
            "levels": {
                "tpm": {"every_days": 20, "window_days": _WINDOW, "snapshots": 2},
                "target": {"window_days": _WINDOW},
            },
        },
        seeds=(("simulate", "seed"),),
        lead_days=14,
    )


@click.command()
@click.option("--sizes", default="10000,100000", show_default=True, help="Target rows.")
@click.option("--source-rows", default=1_000_000, show_default=True, type=int)
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(2))
@click.option("--strategies", default=",".join(STRATEGIES), show_default=True)
@click.option(
    "--docs", default=ROOT / "docs", type=Path, help="Folder of page and record."
)
def main(sizes: str, source_rows: int, seeds: int, strategies: str, docs: Path) -> None:
    """Measure models at several sizes of the target and write the record."""
    console = wide_console()
    made = {
        size: replicates(world(size, source_rows), 1, seeds)
        for size in sorted(int(text) for text in sizes.split(","))
    }
    store, failed = RUNS / "store", set()
    for index in range(seeds):
        for size, ones in made.items():
            console.print(f"{size:,} target rows, seed {ones[index].seed}")
            names = strategies.split(",")
            if size not in failed and not run_replicate(
                ones[index], names, RUNS / "work", store, console
            ):
                failed.add(size)
        if index:
            write(made, source_rows, store, docs)
    console.print(f"Record: {docs / 'results' / CURVES_FILE}", soft_wrap=True)
    if failed:
        console.print(f"Failed at: {sorted(failed)}", style="bold red")
        sys.exit(1)


def write(
    made: dict[int, list[Replicate]], source_rows: int, store: Path, docs: Path
) -> None:
    """Pools what is stored and writes record, picture and page."""
    ready = {
        size: pool(ones, store, "make learning-curves")
        for size, ones in made.items()
        if any(is_done(one, store) for one in ones)
    }
    text = json.dumps(record_of(ready, source_rows), indent=1) + "\n"
    (docs / "results").mkdir(parents=True, exist_ok=True)
    (docs / "results" / CURVES_FILE).write_text(text, encoding="utf-8")
    write_page(docs, [one.name for one in DATA_SETS])


def record_of(found: dict[int, Comparison], source_rows: int) -> dict[str, Any]:
    """Returns the record of the curves.

    Args:
        found: Pooled comparisons by number of target rows.
        source_rows: Rows of the source.
    """
    points = []
    for size, comparison in found.items():
        models = {
            model.name: {
                "kind": kind,
                "auc": model.metrics["auc"],
                "sd": model.spread["auc"],
                "log_loss": model.metrics["log_loss"],
            }
            for kind, models in (
                ("strategy", comparison.models),
                ("reference", comparison.references),
            )
            for model in models
        }
        ahead = [
            model.name
            for model in comparison.models
            if model.over_reference is not None
            and model.over_reference.told_apart
            and model.over_reference.value > 0
        ]
        points.append(
            {
                "target_rows": size,
                "seeds": list(comparison.seeds),
                "judged_rows": comparison.rows,
                "oracle": comparison.oracle["auc"] if comparison.oracle else None,
                "best_reference": comparison.best_reference,
                "ahead_of_best_reference": ahead,
                "models": models,
            }
        )
    return {"source_rows": source_rows, "points": points}


if __name__ == "__main__":
    main()
