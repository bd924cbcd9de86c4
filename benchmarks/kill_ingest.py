"""Resumption of an ingest after SIGKILL at random moments (`make kill-ingest`).

    python -m benchmarks.kill_ingest [--kills 20] [--seed 17]

What is compared and how to read it: docs/reference/ingest.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import ml_metadata
import pyarrow as pa
import yaml
from ml_metadata.proto import metadata_store_pb2

from models.artifact_files import split_folder
from models.compat import read_batches
from models.data.arrow_files import pq
from pipeline.store.reader import METADATA_FILE
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

ROOT = Path(__file__).parents[1]
_FIRST_DAY, _LAST_DAY = "2018-01-01", "2018-12-31"
_SOURCES, _TARGET = ["fr", "mx"], "de"
_HASHED_ROWS = 65_536


@dataclass(frozen=True)
class Result:
    """Results of an ingest that a repeated ingest must reproduce.

    Attributes:
        vocabularies: Hash of the vocabulary's files, by name.
        rows: Number of raw and transformed Examples, by role and domain.
        contents: Hash of the transformed Examples, by domain.
        quarantine: Lines in quarantine, by file.
        artifacts: Number of finished artifacts, by type. A second Examples artifact
            would mean that impressions were ingested twice.
    """

    vocabularies: dict[str, str]
    rows: dict[str, int]
    contents: dict[str, str]
    quarantine: dict[str, int]
    artifacts: dict[str, int]

    def differences(self, other: Result) -> list[str]:
        """Returns the names of the parts that differ."""
        return [n for n in vars(self) if getattr(self, n) != getattr(other, n)]


@click.command()
@click.option("--kills", default=20, show_default=True, help="Kills in all.")
@click.option("--seed", default=17, show_default=True, help="Seed of the times.")
def main(kills: int, seed: int) -> None:
    """Kill an ingest of two shipped markets at random moments and repeat it."""
    console = Console(width=110)
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="crossctr-kill-") as name:
        folder = Path(name)
        _run(["import", str(_write_config(folder, "undisturbed"))], folder)
        _add_bad_rows(folder / "logs")
        config = _write_config(folder, "undisturbed")
        console.print(f"An undisturbed ingest of {_FIRST_DAY} to {_LAST_DAY} ...")
        started = time.perf_counter()
        _run(_ingest(config), folder)
        seconds = time.perf_counter() - started
        expected = read_result(folder / "undisturbed")
        console.print(f"It takes {seconds:.1f} s: {sum(expected.rows.values()):,} rows")
        table = Table(title="Killed, then repeated with the same command")
        for column in ("kill", "after", "while in", "repeated", "result"):
            table.add_column(column)
        completed = identical = 0
        for index in range(kills):
            outcome = None
            while outcome is None:
                # One kill in each of as many equal parts covers the whole run.
                moment = (index + moments.random()) / kills * seconds
                outcome = _kill_once(folder, f"killed-{index:02d}", moment, expected)
                if outcome is None:
                    # The ingest ended earlier: the machine is less busy than at first.
                    seconds *= 0.9
            completed += outcome.completed
            identical += outcome.identical
            row = [f"{moment:.1f} s", outcome.node, outcome.repeated, outcome.verdict]
            table.add_row(str(index + 1), *row)
            console.print(f"kill {index + 1} of {kills}: " + ", ".join(row))
    console.print(table)
    print(json.dumps({"kills": kills, "completed": completed, "identical": identical}))


@dataclass(frozen=True)
class _Outcome:
    node: str
    repeated: str
    verdict: str
    completed: bool
    identical: bool


def _kill_once(
    folder: Path, name: str, moment: float, expected: Result
) -> _Outcome | None:
    """Kills one ingest and repeats it; None if it ended before the kill."""
    config = _write_config(folder, name)
    node = _start_and_kill(_ingest(config), folder / name, moment)
    if node is None:
        shutil.rmtree(folder / name)
        return None
    started = time.perf_counter()
    again = _run(_ingest(config), folder, check=False)
    repeated = f"{time.perf_counter() - started:.1f} s"
    if again.returncode != 0:
        said = (again.stderr or again.stdout).strip().splitlines()[-1:]
        verdict = f"exit {again.returncode}: {' '.join(said)[:200]}"
        return _Outcome(node, repeated, verdict, False, False)
    differences = expected.differences(read_result(folder / name))
    verdict = f"differs in {', '.join(differences)}" if differences else "identical"
    shutil.rmtree(folder / name)
    return _Outcome(node, repeated, verdict, True, not differences)


def _write_config(folder: Path, name: str) -> Path:
    """Writes the configuration of a fresh root; all of them share the logs."""
    settings: dict[str, Any] = yaml.safe_load(
        (ROOT / "configs" / "xmarket.yaml").read_text(encoding="utf-8")
    )
    settings |= {
        "root": str(folder / name),
        "logs": str(folder / "logs"),
        "schema": str(ROOT / "schema" / "xmarket.pbtxt"),
        "import": {"data": str(ROOT / "data" / "xmarket"), "last_day": _LAST_DAY},
        "first_day": _FIRST_DAY,
        "target": _TARGET,
        "sources": _SOURCES,
        "missing_days": dict.fromkeys([*_SOURCES, _TARGET], "skip"),
        # Every tenth file has a bad row, which must be quarantined without a failure.
        "max_bad_share": 0.2,
        "anchor_day": _FIRST_DAY,
        "serving": {"directory": str(folder / name / "serving")},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def _add_bad_rows(logs: Path) -> None:
    """Removes the rating from the first row of every tenth file."""
    for path in sorted(logs.glob("*/*/*.parquet"))[::10]:
        table = pq.read_table(path, partitioning=None)
        ratings = table.column("rating").to_pylist()
        at = table.column_names.index("rating")
        kind = table.schema.field("rating")
        bad = table.set_column(at, kind, pa.array([None, *ratings[1:]], kind.type))
        pq.write_table(bad, path)


def _ingest(config: Path) -> list[str]:
    return ["ingest", str(config), "--to", _LAST_DAY]


def command(arguments: list[str]) -> list[str]:
    """Returns the command that starts this checkout's `crossctr`."""
    return [sys.executable, "-m", "pipeline", *arguments]


def environment() -> dict[str, str]:
    """Returns an environment in which `command` finds this checkout's code."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _run(
    arguments: list[str], folder: Path, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        command(arguments),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(),
        check=False,
    )
    if check and ran.returncode != 0:
        raise click.ClickException(f"{' '.join(arguments)} failed: {ran.stderr}")
    return ran


def _start_and_kill(arguments: list[str], root: Path, moment: float) -> str | None:
    """Kills a command's process group; returns the running node, None if it ended."""
    output = root.with_suffix(".txt")
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command(arguments),
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=root.parent,
            env=environment(),
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    if code == 0:
        return None
    return last_node(root)


def last_node(root: Path) -> str:
    """Returns the running component according to ML Metadata."""
    if not (root / METADATA_FILE).exists():
        return "start-up and imports"
    with tempfile.TemporaryDirectory() as name:
        # A copy: opening the original would roll back the interrupted transaction,
        # which is the task of the repeated command.
        for path in root.glob(f"{METADATA_FILE}*"):
            shutil.copy(path, name)
        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = str(Path(name) / METADATA_FILE)
        store = ml_metadata.MetadataStore(connection)
        kinds = {kind.id: kind.name for kind in store.get_execution_types()}
        executions = sorted(store.get_executions(), key=lambda e: e.id)
    if not executions:
        return "ML Metadata's set-up"
    last = executions[-1]
    # TFX registers an ImportSchemaGen under the path of its class.
    kind = kinds[last.type_id].rsplit(".", 1)[-1]
    running = last.last_known_state == metadata_store_pb2.Execution.RUNNING
    return kind if running else f"after {kind}"


def read_result(root: Path) -> Result:
    """Reads the results of the ingests below `root`."""
    store = Store(root)
    kinds = ("Examples", "Vocabulary", "TransformGraph", "ExampleStatistics")
    found = {kind: store.artifacts(kind) for kind in kinds}
    vocabularies = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for stored in found["Vocabulary"]
        for path in sorted(Path(stored.uri).iterdir())
    }
    rows: dict[str, int] = {}
    contents: dict[str, str] = {}
    for stored in found["Examples"]:
        role = str(stored.properties["role"])
        for split in sorted(Path(stored.uri).glob(split_folder("*"))):
            files = sorted(split.glob("*.parquet"))
            key = f"{role} {split.name}"
            counts = [pq.read_metadata(path).num_rows for path in files]
            rows[key] = rows.get(key, 0) + sum(counts)
            if role == "transformed":
                contents[key] = _hash_rows(files)
    lines = {
        path.relative_to(root).as_posix(): path.read_bytes().count(b"\n")
        for path in sorted((root / "quarantine").rglob("*"))
        if path.is_file()
    }
    artifacts = {kind: len(stored) for kind, stored in found.items()}
    return Result(vocabularies, rows, contents, lines, artifacts)


def _hash_rows(files: list[Path]) -> str:
    """Hashes the Examples independently of the order in which they were written."""
    total = 0
    for path in files:
        for batch in read_batches(pq.ParquetFile(path), _HASHED_ROWS):
            for row in batch.to_pylist():
                text = json.dumps(row, sort_keys=True, default=str)
                total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    # A sum does not depend on the order, and a row that is there twice changes it.
    return f"{total % 2**256:064x}"


if __name__ == "__main__":
    main()
