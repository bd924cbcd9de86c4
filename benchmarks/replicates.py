"""Replicates of a comparison: the same question on other data and other trainings.

A replicate draws its data (simulated world, negatives, or a window of days) and its
trainings with a seed of its own, runs in a folder of its own and leaves behind, in
`<store>/<data set>/<seed>/`, the files of `replicate_files`.

They are written at the end, so a run that was killed repeats at most one replicate, and
continues within it where the pipeline left off. Strategies that a stored replicate does
not have are added to it, on the same data, without training the others again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.code_stamps import REFERENCES
from benchmarks.code_stamps import owner
from benchmarks.code_stamps import stamp_of
from benchmarks.replicate_files import drop
from benchmarks.replicate_files import stamps_in
from models.errors import ConfigError
from models.strategies.registry import BASELINE_KIND
from models.strategies.registry import kinds
from pipeline.config.load import load_config
from pipeline.config.named_strategies import with_strategies
from pipeline.config.schema import Config
from pipeline.config.tuned import over
from pipeline.terminal.plain_text import Console

ROOT = Path(__file__).parents[1]
# Keys with paths relative to the folder of a shipped configuration.
_PATHS = (("root",), ("logs",), ("schema",), ("tuned",), ("import", "data"))


@dataclass(frozen=True)
class DataSet:
    """Data set, run days, and changes to a shipped configuration.

    Attributes:
        name: Name of its results.
        base: File in configs/.
        days: Days D of the runs; replicates take them in turn.
        changes: Keys with other values; mappings are merged, lists replaced.
        seeds: Keys of the seeds that draw the data, such as `("simulate", "seed")`;
            none where nothing is drawn.
        starts: Keys that are the run's day in every window: clocks of slow levels, the
            day from which on users are cold.
        lead_days: Days before D on which strategies start that continue day by day and
            equal their base on the first one, such as CTNet; 0 leaves these out.
    """

    name: str
    base: str
    days: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[tuple[str, ...], ...] = ()
    starts: tuple[tuple[str, ...], ...] = (("anchor_day",),)
    lead_days: int = 0


@dataclass(frozen=True)
class Replicate:
    """One replicate of a data set.

    Attributes:
        data_set: The data set.
        seed: Seed of its data and of its trainings.
        index: Position among the replicates.
    """

    data_set: DataSet
    seed: int
    index: int

    @property
    def is_world(self) -> bool:
        """Whether its users are those of a simulated world of its own."""
        return any(key[0] == "simulate" for key in self.data_set.seeds)

    @property
    def day(self) -> str:
        """The run's day D."""
        return self.data_set.days[self.index % len(self.data_set.days)]


def replicates(data_set: DataSet, first_seed: int, count: int) -> list[Replicate]:
    """Returns the first replicates of a data set, with seeds from `first_seed` on."""
    return [Replicate(data_set, first_seed + i, i) for i in range(count)]


def _nested(key: Sequence[str], value: Any) -> dict[str, Any]:
    """Returns a configuration of one key."""
    for part in reversed(key):
        value = {part: value}
    return dict(value)


def configuration(replicate: Replicate, runs: Path) -> Path:
    """Writes the configuration of a replicate; returns its path.

    Args:
        replicate: The replicate.
        runs: Folder of all runs; the replicate writes into one below it.
    """
    data_set, seed = replicate.data_set, replicate.seed
    base = ROOT / "configs" / data_set.base
    data = yaml.safe_load(base.read_text(encoding="utf-8"))
    for *above, key in _PATHS:
        section = data
        for part in above:
            section = section.get(part, {})
        if key in section:
            section[key] = str((base.parent / section[key]).resolve())
    data = over(data, data_set.changes)
    folder = runs / data_set.name / str(seed)
    own: dict[str, Any] = {
        "name": data_set.name,
        "root": str(folder / "root"),
        "logs": str(folder / "logs"),
        "serving": {"directory": str(folder / "serving")},
        "training": {"seed": seed},
    }
    if "simulate" in data:
        own["simulate"] = {"truth": str(folder / "truth")}
    data = over(data, own)
    for path_of_key in data_set.seeds:
        data = over(data, _nested(path_of_key, seed))
    for path_of_key in data_set.starts:
        data = over(data, _nested(path_of_key, replicate.day))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def possible(config: Config, lead_days: int, console: Console) -> list[str]:
    """Returns the kinds valid in a configuration; prints why others are left out."""
    found = []
    for kind in kinds():
        try:
            extended = with_strategies(config, [kind, BASELINE_KIND])
            if kind != BASELINE_KIND and _equal(extended, kind, BASELINE_KIND):
                raise ConfigError(
                    f"{kind!r} without parts equals {BASELINE_KIND}; an entry of the "
                    "configuration names parts"
                )
            if not (lead_days or extended.needs(kind).learns_on_first_day):
                raise ConfigError(f"{kind!r} equals its base on its first day")
        except ConfigError as error:
            console.print(f"{kind} is left out: {error}", soft_wrap=True)
        else:
            found.append(kind)
    return found


def _equal(config: Config, *names: str) -> bool:
    """Whether two entries are trained alike."""
    first, second = (
        (config.needs(name), config.strategy_of(name).identity(source_model=False))
        for name in names
    )
    return first == second


def stored(replicate: Replicate, store: Path) -> Path:
    """Returns the folder of a replicate's results."""
    return store / replicate.data_set.name / str(replicate.seed)


def is_done(replicate: Replicate, store: Path) -> bool:
    """Whether results of a replicate are stored, of whichever strategies."""
    return bool(stamps_in(stored(replicate, store)))


def codes_of(replicate: Replicate, store: Path) -> set[str]:
    """Returns the stamps of the code that made a stored replicate.

    Strategies with code of their own are left out, as their stamps always differ.
    """
    stamps = stamps_in(stored(replicate, store))
    return {one["code"] for model, one in stamps.items() if not owner(model)}


def missing(
    config: Config, names: Sequence[str], replicate: Replicate, store: Path
) -> list[str]:
    """Returns what a stored replicate does not have yet, baseline and references too.

    Args:
        config: The replicate's configuration.
        names: The strategies that are wanted.
        replicate: The replicate.
        store: Folder of all results.
    """
    known = stamps_in(stored(replicate, store))
    wanted = [*names, BASELINE_KIND, *([REFERENCES] if config.references.rows else [])]
    return [name for name in dict.fromkeys(wanted) if name not in known]


def remove_outdated(ones: Sequence[Replicate], runs: Path, store: Path) -> None:
    """Removes stored results that other code or settings than today's have made.

    Args:
        ones: The replicates.
        runs: Folder of all runs.
        store: Folder of all results.
    """
    for one in ones:
        stamps = stamps_in(stored(one, store))
        if not stamps:
            continue
        config = load_config(configuration(one, runs))
        names = [name for name in stamps if name in kinds()]
        config = with_strategies(config, names)
        outdated = {
            name for name, stamp in stamps.items() if stamp != stamp_of(config, name)
        }
        if outdated:
            drop(stored(one, store), outdated)


def run_replicate(
    replicate: Replicate,
    strategies: Sequence[str],
    runs: Path,
    store: Path,
    console: Console,
) -> bool:
    """Runs what a replicate does not have yet; false if a command failed.

    Every command is a separate process, because the memory of a process that trains
    many models grows. Logs and models are deleted when the results are stored.

    Args:
        replicate: The replicate.
        strategies: Kinds or entries of the configuration; empty for all possible ones.
        runs: Folder of all runs.
        store: Folder of all results.
        console: Shows commands and what is left out.
    """
    path = configuration(replicate, runs)
    config = load_config(path)
    lead = replicate.data_set.lead_days
    names = list(strategies) or possible(config, lead, console)
    names = missing(config, names, replicate, store)
    if not names:
        return True
    prepare = "import" if config.imports is not None else "simulate"
    commands = [
        ["pipeline", prepare, str(path)],
        [
            *("benchmarks.replicate_child", str(path), replicate.day),
            ",".join(name for name in names if name != REFERENCES),
            *(str(stored(replicate, store)), str(lead)),
        ],
    ]
    # The code of this checkout, whichever one is installed.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in commands:
        console.print(" ".join(command), style="bold", soft_wrap=True)
        ran = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, check=False
        )
        if ran.returncode:
            return False
    shutil.rmtree(path.parent)
    return True
