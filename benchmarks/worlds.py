"""Grid of adversarial worlds: every strategy, and where each does worst.

    make worlds [SEEDS=10]

The worlds are in `worlds.yaml`. Data and trainings share a seed, and each replicate is
stored, so an interrupted run resumes. Seeds count from 1; `--final` takes those of
`criteria.yaml`, which are used once. docs/results/worlds.json has, by world and
strategy, the difference in AUC to `target_only` and to the world's best reference.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from benchmarks.criteria import CRITERIA
from benchmarks.pooled import pool
from benchmarks.replicates import ROOT
from benchmarks.replicates import DataSet
from benchmarks.replicates import Replicate
from benchmarks.replicates import is_done
from benchmarks.replicates import replicates
from benchmarks.replicates import run_replicate
from benchmarks.results import DATA_SETS
from benchmarks.results_page import write_page
from benchmarks.worlds_table import MEASURES
from benchmarks.worlds_table import WORLDS_FILE
from components.evaluation.differences import Difference
from components.evaluation.differences import holm
from pipeline.cli.options import wide_console
from pipeline.comparing.record import Comparison
from pipeline.config.tuned import over

FILE = Path(__file__).with_name("worlds.yaml")
RUNS = ROOT / "runs" / "worlds"
_BASELINE, _REFERENCE = MEASURES


def grid(path: Path = FILE) -> dict[str, DataSet]:
    """Returns the worlds by name, each the base with its own changes."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = content["base"]
    found = {}
    for name, own in content["worlds"].items():
        changes = {key: value for key, value in own.items() if key != "day"}
        found[name] = DataSet(
            name,
            base["config"],
            (own.get("day", base["day"]),),
            over(base["changes"], changes),
            seeds=(("simulate", "seed"),),
            lead_days=14,
        )
    return found


@click.command()
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(2))
@click.option("--final", is_flag=True, help="The seeds of criteria.yaml, used once.")
@click.option("--worlds", default="", help="Names, comma-separated. Default: all.")
@click.option("--strategies", default="", help="Kinds. Default: all possible ones.")
@click.option(
    "--docs", default=ROOT / "docs", type=Path, help="Folder of page and record."
)
def main(seeds: int, final: bool, worlds: str, strategies: str, docs: Path) -> None:
    """Compare every strategy in every world and write the record."""
    console = wide_console()
    known = grid()
    names = [name for name in worlds.split(",") if name] or list(known)
    if unknown := sorted(set(names) - set(known)):
        raise click.UsageError(
            f"unknown worlds {', '.join(unknown)}; expected some of {', '.join(known)}"
        )
    kinds = [name for name in strategies.split(",") if name]
    first = CRITERIA.seeds.first if final else 1
    made = {name: replicates(known[name], first, seeds) for name in names}
    store = RUNS / ("final" if final else "store")
    failed: set[str] = set()
    for index in range(seeds):
        for name, ones in made.items():
            console.print(f"{name}, seed {ones[index].seed}")
            if name not in failed and not run_replicate(
                ones[index], kinds, RUNS / "work", store, console
            ):
                failed.add(name)
        if index:
            write(made, store, docs)
    console.print(f"Record: {docs / 'results' / WORLDS_FILE}", soft_wrap=True)
    if failed:
        console.print(f"Failed: {', '.join(sorted(failed))}", style="bold red")
        sys.exit(1)


def write(made: Mapping[str, list[Replicate]], store: Path, docs: Path) -> None:
    """Pools what is stored and writes the record and the page."""
    ready = {
        name: pool(ones, store, "make worlds")
        for name, ones in made.items()
        if any(is_done(one, store) for one in ones)
    }
    text = json.dumps(record_of(ready), indent=1) + "\n"
    (docs / "results").mkdir(parents=True, exist_ok=True)
    (docs / "results" / WORLDS_FILE).write_text(text, encoding="utf-8")
    write_page(docs, [one.name for one in DATA_SETS])


def record_of(found: Mapping[str, Comparison]) -> dict[str, Any]:
    """Returns the record of the grid; p-values are adjusted for all of it.

    Args:
        found: Pooled comparisons by world.
    """
    measured: dict[tuple[str, str, str], Difference] = {}
    for world, comparison in found.items():
        for model in comparison.models:
            if "auc" not in model.differences:
                continue
            measured[world, model.name, _BASELINE] = model.differences["auc"]
            if model.over_reference is not None:
                measured[world, model.name, _REFERENCE] = model.over_reference
    adjusted = holm({key: one.p_value for key, one in measured.items()})
    worlds: dict[str, Any] = {}
    for world, comparison in found.items():
        plain = next(m for m in comparison.models if m.name == comparison.baseline)
        worlds[world] = {
            "seeds": list(comparison.seeds),
            "rows": comparison.rows,
            "target_only": plain.metrics["auc"],
            "oracle": comparison.oracle["auc"] if comparison.oracle else None,
            "best_reference": {
                "name": comparison.best_reference,
                "value": _best(comparison),
            },
            "strategies": {},
        }
    for key, one in measured.items():
        world, strategy, measure = key
        whole = dataclasses.replace(one, adjusted=adjusted[key])
        about = worlds[world]["strategies"].setdefault(strategy, {})
        about[measure] = dataclasses.asdict(whole)
    seeds = sorted({seed for about in worlds.values() for seed in about["seeds"]})
    return {"seeds": seeds, "worlds": worlds}


def _best(comparison: Comparison) -> float:
    """Returns the AUC of the best reference minus that of the baseline."""
    (one,) = (m for m in comparison.references if m.name == comparison.best_reference)
    return one.differences["auc"].value


if __name__ == "__main__":
    main()
