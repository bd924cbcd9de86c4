"""Comparison of every strategy on every data set, from the repository alone.

    python -m benchmarks.results [--seeds 10] [--datasets feeds_ads,amazon]

`make results` runs it. Each data set is prepared (`crossctr import` or `simulate`) and
compared (`crossctr compare`), with one more seed in every round. After each round the
data set's results are copied into docs/results/, and docs/results.md is written again
from all of them. An interrupted run therefore resumes, and data sets can be run on
different days.

Every command is a separate process, because the memory of a process that trains
hundreds of models grows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import click
import yaml

from benchmarks.results_page import write_page
from models.errors import ConfigError
from models.strategies.registry import kinds
from pipeline.cli.options import wide_console
from pipeline.comparing.run import STEM
from pipeline.comparing.run import chosen
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.terminal.plain_text import Console

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs"
# Keys with paths relative to the folder of a shipped configuration.
_PATHS = ("root", "logs", "schema")

_LARGE = "ca uk fr mx de"
_ALL = "ca uk fr mx de jp in"


@dataclass(frozen=True)
class DataSet:
    """Data set, run day, and changes to the shipped configuration.

    Attributes:
        name: Name of the configuration and of its files in docs/results.
        base: File in configs/.
        day: The run's day D.
        changes: Keys of the configuration with other values.
    """

    name: str
    base: str
    day: str
    changes: dict[str, Any] = field(default_factory=dict)


def _market(
    target: str, markets: str, day: str = "2019-01-01", **changes: Any
) -> DataSet:
    """Returns Electronics with one market as the target, the others as sources."""
    sources = [market for market in markets.split() if market != target]
    skipping = dict.fromkeys([*sources, target], "skip")
    return DataSet(
        f"xmarket_{target}",
        "xmarket.yaml",
        day,
        {"target": target, "sources": sources, "missing_days": skipping, **changes},
    )


DATA_SETS = (
    DataSet("feeds_ads", "feeds_ads.yaml", "2024-02-23"),
    DataSet("amazon", "amazon.yaml", "2014-06-01"),
    DataSet("amazon_beauty", "amazon_beauty.yaml", "2014-06-01"),
    DataSet("amazon_food_cold", "amazon_food_cold.yaml", "2014-06-01"),
    DataSet("amazon_beauty_cold", "amazon_beauty_cold.yaml", "2014-06-01"),
    DataSet("xmarket", "xmarket.yaml", "2019-01-01"),
    _market("mx", _LARGE),
    # A year earlier than the others: from 2019 on, jp has 471 impressions and in 438.
    _market("jp", _ALL, "2018-01-01", evaluation_days=1035),
    _market("in", _ALL, "2018-01-01", evaluation_days=1035),
)


@click.command()
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(1))
@click.option("--datasets", default="", help="Names, comma-separated. Default: all.")
@click.option("--page", is_flag=True, help="Only write the page again; run nothing.")
def main(seeds: int, datasets: str, page: bool) -> None:
    """Compare every strategy on every data set and write docs/results.md."""
    console = wide_console()
    names = [data_set.name for data_set in DATA_SETS]
    wanted = [name for name in datasets.split(",") if name] or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise click.UsageError(
            f"unknown data sets {', '.join(unknown)}; expected some of "
            f"{', '.join(names)}"
        )
    failed: dict[str, None] = {}
    if not page:
        for num_seeds in range(1, seeds + 1):
            for data_set in DATA_SETS:
                if data_set.name in wanted and data_set.name not in failed:
                    good = _compare(data_set, num_seeds, console)
                    failed |= {} if good else {data_set.name: None}
                    write_page(ROOT / "docs", names)
    console.print(f"Page: {write_page(ROOT / 'docs', names)}", soft_wrap=True)
    if failed:
        console.print(f"Failed: {', '.join(failed)}", style="bold red")
        sys.exit(1)


def _compare(data_set: DataSet, num_seeds: int, console: Console) -> bool:
    """Brings a data set to `num_seeds` seeds; false if a command failed."""
    path = configuration(data_set)
    config = load_config(path)
    strategies = possible(config, console)
    prepare = "import" if config.imports is not None else "simulate"
    shown = path.relative_to(ROOT)
    for command in (
        [prepare, str(shown)],
        [
            *("compare", str(shown), "--day", data_set.day),
            *("--strategies", ",".join(strategies), "--seeds", str(num_seeds)),
        ],
    ):
        console.print(f"crossctr {' '.join(command)}", style="bold", soft_wrap=True)
        # The code of this checkout, whichever one is installed.
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline", *command],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        if ran.returncode:
            return False
    made = config.root / "comparisons" / data_set.day
    kept = ROOT / "docs" / "results"
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made / f"{STEM}.json", kept / f"{data_set.name}.json")
    return True


def configuration(data_set: DataSet) -> Path:
    """Returns the configuration file; one with changes is written into runs/."""
    base = ROOT / "configs" / data_set.base
    if not data_set.changes:
        return base
    data = yaml.safe_load(base.read_text(encoding="utf-8"))
    for key in _PATHS:
        data[key] = str((base.parent / data[key]).resolve())
    data["import"]["data"] = str((base.parent / data["import"]["data"]).resolve())
    folder = RUNS / data_set.name
    data |= {
        "name": data_set.name,
        "root": str(folder),
        "serving": {"directory": str(folder / "serving")},
        # Only the compared entries of the shipped configuration are kept.
        "strategies": {"target_only": {}},
        "strategy": "target_only",
    }
    data |= data_set.changes
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def possible(config: Config, console: Console) -> list[str]:
    """Returns the kinds valid in a configuration; prints why others are left out."""
    found = []
    for kind in kinds():
        try:
            chosen(config, [kind])
        except ConfigError as error:
            console.print(f"{kind} is left out: {error}", soft_wrap=True)
        else:
            found.append(kind)
    return found


if __name__ == "__main__":
    main()
