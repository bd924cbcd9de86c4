"""Resumption of a backfill after SIGKILL at random moments (`make kill-backfill`).

    python -m benchmarks.kill_backfill [--kills 30] [--per-backfill 3] [--seed 17]

A backfill of five days is killed at a random moment and the same command is repeated.
The repetition must finish the interrupted day before it is killed itself. After
`--per-backfill` kills the backfill runs to its end, and its results are compared with
those of an undisturbed backfill; all its kills share that verdict. A kill counts as
completed if the next repetition finished the interrupted day and the last repetition
finished all days. How to read the result: docs/how-to/operations.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.backfill_results import Result
from benchmarks.backfill_results import read_result
from benchmarks.backfill_trial import DAY_DONE
from benchmarks.backfill_trial import backfill_arguments
from benchmarks.backfill_trial import write_trial
from benchmarks.kill_ingest import command
from benchmarks.kill_ingest import environment
from benchmarks.kill_ingest import last_node
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

NUM_DAYS = 5
_SHARED_STATE = "undisturbed.json"
# Several threads add floats in varying order, which changes the last bits.
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


@dataclass
class Kill:
    """One SIGKILL and its outcome.

    Attributes:
        backfill: Number of the killed backfill, from 1.
        seconds: Age of the killed process.
        day: Number of the day that was running, from 1; one more after the last day.
        node: The running component according to ML Metadata.
        completed: Whether the repeated command finished that day.
        identical: Whether the final results equal those of the undisturbed backfill.
        to_the_bit: Whether the metrics are equal to the last bit, too.
        verdict: The outcome in words.
    """

    backfill: int
    seconds: float
    day: int
    node: str
    completed: bool = False
    identical: bool = False
    to_the_bit: bool = False
    verdict: str = ""


@click.command()
@click.option("--kills", default=30, show_default=True, help="Kills in all.")
@click.option("--per-backfill", default=3, show_default=True, help="Kills of each.")
@click.option("--seed", default=17, show_default=True, help="Seed of the times.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("build/kill-backfill"),
    show_default=True,
    help="Working folder; a second call with it continues after the last kill.",
)
def main(kills: int, per_backfill: int, seed: int, folder: Path) -> None:
    """Kill a backfill of five days at random moments and repeat it."""
    console = Console(width=120)
    folder = folder.resolve()
    trials = Trials(folder)
    expected = trials.undisturbed(console)
    done = trials.kills()
    while len(done) < kills:
        number = done[-1].backfill + 1 if done else 1
        moments = random.Random(f"{seed} {number}")
        wanted = min(per_backfill, kills - len(done))
        for kill in trials.disturb(number, wanted, moments, expected):
            done.append(kill)
            console.print(f"kill {len(done)}: {kill}", soft_wrap=True)
        trials.keep(done)
    table = Table(title="Killed, then repeated with the same command")
    for column in ("kill", "backfill", "after", "in day", "while in", "result"):
        table.add_column(column)
    for index, kill in enumerate(done, 1):
        table.add_row(
            str(index),
            str(kill.backfill),
            f"{kill.seconds:.1f} s",
            str(kill.day),
            kill.node,
            kill.verdict,
        )
    console.print(table)
    counts = {
        "kills": len(done),
        "completed": sum(kill.completed for kill in done),
        "identical": sum(kill.identical for kill in done),
        "to_the_last_bit": sum(kill.to_the_bit for kill in done),
        "backfills": len({kill.backfill for kill in done}),
    }
    print(json.dumps(counts))


class Trials:
    """Backfills of one small simulated world, one after another in the same root."""

    def __init__(self, folder: Path) -> None:
        """Writes the world's logs unless an earlier call did."""
        self._folder = folder
        self._root = folder / "runs"
        self._serving = folder / "serving"
        # Fingerprints depend on the models' folder, so all backfills share one.
        if not (folder / "config.yaml").exists():
            write_trial(folder, NUM_DAYS)

    def undisturbed(self, console: Console) -> Result:
        """Returns the results of a backfill without kills, and records its seconds."""
        path = self._folder / _SHARED_STATE
        if not path.exists():
            console.print(f"An undisturbed backfill of {NUM_DAYS} days ...")
            self._clear()
            started = time.perf_counter()
            code, shown = self._run(lambda _: False)
            if code:
                raise click.ClickException(f"the undisturbed backfill failed: {shown}")
            seconds = time.perf_counter() - started
            found = dataclasses.asdict(read_result(self._root, self._serving))
            path.write_text(json.dumps([seconds, found]), encoding="utf-8")
        self._seconds, found = json.loads(path.read_text(encoding="utf-8"))
        expected = Result(**found)
        console.print(
            f"It took {self._seconds:.0f} s: {len(expected.metrics)} decisions, "
            f"{len(expected.lineage)} edges of lineage"
        )
        return expected

    def kills(self) -> list[Kill]:
        """Returns the kills of earlier calls."""
        path = self._folder / "kills.json"
        if not path.exists():
            return []
        return [Kill(**kill) for kill in json.loads(path.read_text(encoding="utf-8"))]

    def keep(self, done: list[Kill]) -> None:
        """Stores the kills so far."""
        text = json.dumps([dataclasses.asdict(kill) for kill in done])
        (self._folder / "kills.json").write_text(text, encoding="utf-8")

    def disturb(
        self, number: int, wanted: int, moments: random.Random, expected: Result
    ) -> list[Kill]:
        """Kills one backfill up to `wanted` times, lets it finish and compares."""
        self._clear()
        found: list[Kill] = []
        broken = 0
        while True:
            left = wanted - len(found)
            moment = moments.random() * self._seconds / wanted if left else None
            code, shown, seconds = self._attempt(moment, after_day=broken)
            days_done = len(DAY_DONE.findall(shown))
            for kill in found[-1:]:
                kill.completed = days_done >= min(kill.day, NUM_DAYS)
            if code != -signal.SIGKILL:
                break
            if found and not found[-1].completed:
                raise click.ClickException(f"died before it had repeated: {shown}")
            broken = days_done + 1
            kill = Kill(number, round(seconds, 1), broken, last_node(self._root))
            found.append(kill)
        if code:
            verdict, same = f"exit {code}: {' '.join(shown.split()[-40:])}", False
            to_the_bit = False
        else:
            result = read_result(self._root, self._serving)
            parts = expected.differences(result)
            verdict = f"differs in {', '.join(parts)}" if parts else "identical"
            same, to_the_bit = not parts, result.decisions == expected.decisions
        for kill in found:
            kill.verdict, kill.identical = verdict, same
            kill.to_the_bit = same and to_the_bit
            kill.completed = kill.completed and code == 0
        if not same:
            kept = self._folder / f"differs-{number}"
            shutil.copytree(self._root, kept, dirs_exist_ok=True)
        return found

    def _attempt(self, moment: float | None, after_day: int) -> tuple[int, str, float]:
        """Runs the command; kills it `moment` seconds after day `after_day` is done."""
        started = time.perf_counter()
        reached: list[float] = [started] if not after_day else []

        def is_due(shown: str) -> bool:
            now = time.perf_counter()
            days_done = len(DAY_DONE.findall(shown))
            if not reached and days_done >= min(after_day, NUM_DAYS):
                reached.append(now)
            return moment is not None and bool(reached) and now > reached[0] + moment

        code, shown = self._run(is_due)
        return code, shown, time.perf_counter() - started

    def _run(self, is_due: Callable[[str], bool]) -> tuple[int, str]:
        """Runs the backfill until it ends or `is_due` says to kill it."""
        arguments = backfill_arguments(self._folder, NUM_DAYS)
        output = self._folder / "shown.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                command(arguments),
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={**environment(), **_ONE_THREAD, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
            while process.poll() is None:
                if is_due(output.read_text(encoding="utf-8", errors="replace")):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    break
                time.sleep(0.05)
        shown = output.read_text(encoding="utf-8", errors="replace")
        return process.returncode, shown

    def _clear(self) -> None:
        for path in (self._root, self._serving):
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
