"""Resumption of a backfill after SIGKILL at random moments (`make kill-backfill`).

    python -m benchmarks.kill_backfill [--kills 30] [--per-backfill 3] [--seed 17]

A backfill of five days is killed at a random moment and the same command is repeated.
The repetition must finish the interrupted day before it is killed itself. After
`--per-backfill` kills the backfill runs to its end, and its results are compared with
those of an undisturbed backfill; all its kills share that verdict. A kill counts as
completed if the next repetition finished the interrupted day and the last repetition
finished all days. How to read the result: docs/operations.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from ml_metadata.proto import metadata_store_pb2

from benchmarks.kill_ingest import ROOT
from benchmarks.kill_ingest import command
from benchmarks.kill_ingest import environment
from benchmarks.kill_ingest import last_node
from models.artifact_files import DECISION_FILE
from models.artifact_files import TRAIN_FOLDER
from models.artifact_files import WEIGHTS_FILE
from models.artifact_files import model_report
from models.days import to_date
from pipeline.config.load import load_config
from pipeline.store.lineage import makers
from pipeline.store.lineage import text_of
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

NUM_DAYS = 5
DAY_DONE = re.compile(r"^(\d+)/\d+ \d{4}-\d\d-\d\d · ", re.MULTILINE)
_SHARED_STATE = "undisturbed.json"
# Several threads add floats in varying order, which changes the last bits.
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


@dataclass(frozen=True)
class Result:
    """Results of a backfill that a repeated backfill must reproduce.

    Attributes:
        weights: Hash of every model's weights, by fingerprint and file.
        metrics: The Gate's decision and metrics, by fingerprint, to five places.
        decisions: Hash of the decision files, unrounded.
        vocabularies: Hash of every vocabulary file, by block and name.
        snapshots: Hash of every snapshot file, by fingerprint and name.
        versions: Published versions.
        artifacts: Number of finished artifacts by type, level and fingerprint. Two
            would mean that a model was trained or a block ingested twice.
        lineage: "output <- input" for every pair of artifacts with a fingerprint.
        twice: Days on which one warm-start chain was trained twice.
    """

    weights: dict[str, str]
    metrics: dict[str, str]
    decisions: dict[str, str]
    vocabularies: dict[str, str]
    snapshots: dict[str, str]
    versions: list[str]
    artifacts: dict[str, int]
    lineage: list[str]
    twice: list[int]

    def differences(self, other: Result) -> list[str]:
        """Returns the names of the parts that differ."""
        return [
            n
            for n in vars(self)
            if n != "decisions" and getattr(self, n) != getattr(other, n)
        ]


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


def write_trial(folder: Path, num_days: int) -> None:
    """Writes tiny logs and a configuration with `num_days` days to run."""
    # One day of history, and one to evaluate the last model on.
    arguments = ["-m", "tests.orchestration.trial", str(folder), str(num_days + 2)]
    subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT)


def backfill_arguments(folder: Path, num_days: int) -> list[str]:
    """Returns the arguments of a backfill of the days `write_trial` wrote."""
    config = load_config(folder / "config.yaml")
    first, last = to_date(config.first + 1), to_date(config.first + num_days)
    path = str(folder / "config.yaml")
    return ["backfill", path, "--from", str(first), "--to", str(last)]


def read_result(root: Path, serving: Path) -> Result:
    """Reads the results of the backfills below `root`."""
    store = Store(root)
    kinds = ("Examples", "Model", "EmbeddingSnapshot", "GateDecision", "PublishedModel")
    counts: dict[str, int] = {}
    for kind in kinds:
        for stored in store.artifacts(kind):
            part = stored.properties.get("role") or stored.properties.get("level")
            key = f"{kind} {part or ''} {stored.fingerprint}"
            counts[key] = counts.get(key, 0) + 1
    metrics = {
        stored.fingerprint: rounded(
            Path(stored.uri, DECISION_FILE).read_text(encoding="utf-8")
        )
        for stored in store.artifacts("GateDecision")
    }
    return Result(
        weights=_hashes(store, "Model", f"{TRAIN_FOLDER}/{WEIGHTS_FILE}.data*"),
        metrics=metrics,
        decisions=_hashes(store, "GateDecision"),
        vocabularies=_hashes(store, "Vocabulary"),
        snapshots=_hashes(store, "EmbeddingSnapshot"),
        versions=sorted(path.name for path in serving.glob("*/*")),
        artifacts=counts,
        lineage=lineage(store),
        twice=sorted(
            day
            for days in warm_start_chains(store, "target")
            for day in days
            if days.count(day) > 1
        ),
    )


def rounded(decision: str) -> str:
    """Returns a decision with its numbers rounded to five places.

    With equal weights metrics can differ by 1e-8. The likely cause: Beam adapts batch
    sizes to measured time, and the last bits of a score depend on the batch size.
    """
    return json.dumps(json.loads(decision, parse_float=lambda f: round(float(f), 5)))


def _hashes(store: Store, kind: str, pattern: str = "**/*") -> dict[str, str]:
    return {
        f"{stored.fingerprint} {path.relative_to(stored.uri)}": hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for stored in store.artifacts(kind)
        for path in sorted(Path(stored.uri).glob(pattern))
        if path.is_file()
    }


def lineage(store: Store) -> list[str]:
    """Returns "output <- input" of all artifacts, by type and fingerprint."""
    found = set()
    for output, inputs in makers(store):
        found |= {f"{_name(output)} <- {_name(i)}" for i in inputs}
    return sorted(found)


def warm_start_chains(store: Store, level: str) -> list[list[int]]:
    """Returns the training days of each chain of warm starts within a level.

    Follows ML Metadata back from every model that no other model of its level starts
    from. A chain ends at a model of another level, which read other domains.
    """
    parents: dict[int, int] = {}
    models: dict[int, metadata_store_pb2.Artifact] = {}
    for output, inputs in makers(store):
        if output.type != "Model" or text_of(output, "level") != level:
            continue
        models[output.id] = output
        for one in inputs:
            if one.type == "Model" and text_of(one, "level") == level:
                parents[output.id] = one.id
    chains = []
    for start in sorted(models.keys() - set(parents.values())):
        days: list[int] = []
        at: int | None = start
        while at is not None:
            path = model_report(Path(models[at].uri))
            report = json.loads(path.read_bytes())
            if report["rows"]:
                days = [*range(report["first_day"], report["last_day"] + 1), *days]
            at = parents.get(at)
        chains.append(days)
    return chains


def _name(artifact: metadata_store_pb2.Artifact) -> str:
    part = text_of(artifact, "role") or text_of(artifact, "level")
    return " ".join(
        filter(None, (artifact.type, part, text_of(artifact, "fingerprint")))
    )


if __name__ == "__main__":
    main()
