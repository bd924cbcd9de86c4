"""Comparison of every strategy on every data set, from the repository alone.

    python -m benchmarks.results [--seeds 10] [--datasets feeds_ads,amazon] [--quick]

`make results` runs it. Each data set is drawn and trained on as often as there are
seeds, with one more in every round; what a replicate is: `replicates`. After each
round the replicates are pooled into docs/results/, and docs/results.md is written again
from all of them. Replicates are kept in docs/results/replicates/, scores included, so
an interrupted run resumes, on another machine as well, and anybody can measure the
scores again. Strategies that are not in a stored replicate are added to it. Results of
earlier code or settings count, too, and the page says so; `--renew` makes these again.

`--quick` (`make results-quick`) takes two seeds, two data sets, four strategies and a
third of the simulated impressions, and writes its page into runs/results-quick/: a
check of the way, no result.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from benchmarks.pooled import pool
from benchmarks.pooled import read_facts
from benchmarks.replicates import ROOT
from benchmarks.replicates import DataSet
from benchmarks.replicates import codes_of
from benchmarks.replicates import is_done
from benchmarks.replicates import remove_outdated
from benchmarks.replicates import replicates
from benchmarks.replicates import run_replicate
from benchmarks.results_page import PLACEBO
from benchmarks.results_page import QUICK
from benchmarks.results_page import SIMULATED
from benchmarks.results_page import write_page
from pipeline.cli.options import wide_console
from pipeline.comparing.record import to_json
from pipeline.config.tuned import KEY
from pipeline.config.tuned import over
from pipeline.terminal.plain_text import Console
from pipeline.tuning.results import names_by_budget

RUNS = ROOT / "runs"
FIRST_SEED = 17
_LARGE = ("ca", "uk", "fr", "mx", "de")
_MONTHS = tuple(f"2014-{month:02}-01" for month in range(2, 7))
_QUARTERS = tuple(
    f"{year}-{month:02}-01"
    for year in range(2017, 2021)
    for month in (1, 4, 7, 10)
    if (year, month) <= (2020, 7)
)


def _market(target: str) -> DataSet:
    """Returns Electronics with one market as the target, by quarters."""
    markets = [*(market for market in _LARGE if market != target), target]
    return DataSet(
        f"xmarket_{target}",
        "xmarket_quarters.yaml",
        _QUARTERS,
        {
            "target": target,
            "sources": markets[:-1],
            "missing_days": dict.fromkeys(markets, "skip"),
        },
        lead_days=365,
    )


def _shops(name: str) -> list[DataSet]:
    """Returns purchases by months, and the same as a placebo."""
    seeds: list[tuple[str, ...]] = [("import", "negatives", "seed")]
    starts: list[tuple[str, ...]] = [("anchor_day",)]
    if name.endswith("_cold"):
        seeds.append(("import", "cold_users", "seed"))
        # New in the target on the evaluation days, in every window.
        starts.append(("import", "cold_users", "start"))
    whole = DataSet(
        name,
        f"{name}.yaml",
        _MONTHS,
        seeds=tuple(seeds),
        starts=tuple(starts),
        lead_days=60,
    )
    placebo = dataclasses.replace(
        whole,
        name=f"{name}{PLACEBO}",
        seeds=(*seeds, ("import", "permute_source_users")),
    )
    return [whole, placebo]


_WORLDS = DataSet(
    SIMULATED,
    "feeds_ads.yaml",
    ("2024-02-23",),
    seeds=(("simulate", "seed"),),
    lead_days=14,
)
DATA_SETS = (
    _WORLDS,
    dataclasses.replace(
        _WORLDS,
        name=f"{SIMULATED}{PLACEBO}",
        changes={"simulate": {"domains": {"feeds": {"permute_users": True}}}},
    ),
    *_shops("amazon"),
    *_shops("amazon_beauty"),
    *_shops("amazon_food_cold"),
    *_shops("amazon_beauty_cold"),
    _market("de"),
    _market("mx"),
)


_FEW_ROWS = {"simulate": {"rows_per_day": 10_000}}


@dataclass(frozen=True)
class Plan:
    """How much is run, and where it goes.

    Attributes:
        seeds: Replicates of a data set, at least; windows of days are all run.
        strategies: Kinds to compare; empty for all possible ones.
        page: Folder of the page and of `results/`.
        runs: Folder of runs.
        store: Folder of stored replicates.
        note: Paragraph at the top of the page of a quick pass; empty for the full one.
    """

    seeds: int
    strategies: tuple[str, ...]
    page: Path
    runs: Path
    store: Path
    note: str = ""

    def of(self, data_set: DataSet) -> DataSet:
        """Returns a data set as large as this plan takes it."""
        if not self.note or not data_set.seeds or data_set.seeds[0][0] != "simulate":
            return data_set
        changes = over(data_set.changes, _FEW_ROWS)
        return dataclasses.replace(data_set, changes=changes)

    def count(self, data_set: DataSet) -> int:
        """Returns the number of replicates of a data set."""
        return self.seeds if self.note else max(self.seeds, len(data_set.days))


FULL = Plan(
    10, (), ROOT / "docs", RUNS / "results", ROOT / "docs" / "results" / "replicates"
)
SHORT = Plan(
    2,
    ("target_only", "joint", "finetune", "ecdctr"),
    RUNS / "results-quick",
    RUNS / "results-quick",
    RUNS / "results-quick" / "store",
    QUICK,
)


@click.command()
@click.option("--seeds", type=click.IntRange(1), help="Replicates. Default: 10.")
@click.option("--datasets", default="", help="Names, comma-separated. Default: all.")
@click.option("--strategies", default="", help="Kinds. Default: all possible ones.")
@click.option("--page", is_flag=True, help="Write the page of what is stored alone.")
@click.option("--quick", is_flag=True, help="Two seeds, two data sets, four kinds.")
@click.option(
    "--renew", is_flag=True, help="Make results of other code or settings again."
)
def main(
    seeds: int | None,
    datasets: str,
    strategies: str,
    page: bool,
    quick: bool,
    renew: bool,
) -> None:
    """Compare every strategy on every data set and write docs/results.md."""
    console = wide_console()
    base = SHORT if quick else FULL
    plan = Plan(
        seeds or base.seeds,
        tuple(name for name in strategies.split(",") if name) or base.strategies,
        base.page,
        base.runs,
        base.store,
        base.note,
    )
    names = datasets or ("feeds_ads,amazon_beauty" if quick else "")
    wanted = [plan.of(data_set) for data_set in _wanted(names)]
    if renew and not page:
        for one in wanted:
            ones = replicates(one, FIRST_SEED, plan.count(one))
            remove_outdated(ones, plan.runs / "work", plan.store)
    if page:
        for one in wanted:
            publish(one, plan)
    failed = [] if page else _run(plan, wanted, console)
    written = write_page(plan.page, [one.name for one in DATA_SETS], plan.note)
    console.print(f"Page: {written}", soft_wrap=True)
    if failed:
        console.print(f"Failed: {', '.join(failed)}", style="bold red")
        sys.exit(1)


def _wanted(names: str) -> list[DataSet]:
    """Returns the data sets of a list of names; all for an empty one."""
    known = {data_set.name: data_set for data_set in DATA_SETS}
    wanted = [name for name in names.split(",") if name] or list(known)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise click.UsageError(
            f"unknown data sets {', '.join(unknown)}; expected some of "
            f"{', '.join(known)}"
        )
    return [known[name] for name in wanted]


def _run(plan: Plan, wanted: list[DataSet], console: Console) -> list[str]:
    """Runs the replicates that are not stored yet; returns what failed."""
    failed: list[str] = []
    for index in range(max(plan.count(data_set) for data_set in wanted)):
        for data_set in wanted:
            if data_set.name in failed or index >= plan.count(data_set):
                continue
            one = replicates(data_set, FIRST_SEED, index + 1)[index]
            known = is_done(one, plan.store)
            console.print(
                f"{data_set.name}, seed {one.seed}, {one.day}"
                f"{': stored' if known else ''}"
            )
            if not run_replicate(
                one, plan.strategies, plan.runs / "work", plan.store, console
            ):
                failed.append(data_set.name)
                continue
            if not known or index + 1 == plan.count(data_set):
                publish(data_set, plan)
                write_page(plan.page, [d.name for d in DATA_SETS], plan.note)
    return failed


def publish(data_set: DataSet, plan: Plan) -> None:
    """Pools the stored replicates and writes their numbers beside the page."""
    made = replicates(data_set, FIRST_SEED, plan.count(data_set))
    if not any(is_done(one, plan.store) for one in made):
        return
    command = f"make results{'-quick' if plan.note else ''} DATASETS={data_set.name}"
    kept = plan.page / "results"
    kept.mkdir(parents=True, exist_ok=True)
    comparison = pool(made, plan.store, command)
    (kept / f"{data_set.name}.json").write_text(to_json(comparison), encoding="utf-8")
    facts = mean_of(read_facts(made, plan.store))
    codes = Counter(code for one in made for code in codes_of(one, plan.store))
    counted = {
        "replicates": len(comparison.seeds),
        "code": dict(codes),
        "tuning": tuning_of(data_set),
        **facts,
    }
    text = json.dumps(counted, indent=1)
    path = kept / f"{data_set.name}.facts.json"
    path.write_text(text + "\n", encoding="utf-8")


def tuning_of(data_set: DataSet) -> dict[str, list[str]]:
    """Returns the tuned strategies and references of a data set by their budget."""
    base = ROOT / "configs" / data_set.base
    tuned = yaml.safe_load(base.read_text(encoding="utf-8")).get(KEY)
    return names_by_budget(base.parent / tuned) if tuned else {}


def mean_of(found: list[Any]) -> Any:
    """Returns the means of the numbers in equal structures; texts are those of all.

    Example:
        >>> mean_of([{"a": 1, "b": "x"}, {"a": 3, "b": "x"}])
        {'a': 2.0, 'b': 'x'}
    """
    if isinstance(found[0], dict):
        keys = dict.fromkeys(key for one in found for key in one)
        return {k: mean_of([one[k] for one in found if k in one]) for k in keys}
    if isinstance(found[0], str) or any(one is None for one in found):
        return found[0]
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
