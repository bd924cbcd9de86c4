"""Throughput of training, by table size and beside other libraries.

    python -m benchmarks.bench_training [--rows 300000] [--threads 1] [--skip-peers]

`make bench-training` runs it. What is measured and how to read it: docs/training.md.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.training_rows import write_rows
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

ROOT = Path(__file__).parents[1]
OURS = "crossctr"
DEEPCTR = "DeepCTR"
RECHUB = "torch-rechub"
# Its batches are cut before the clock starts, so that only its network is measured.
RECHUB_READY = "torch-rechub, batches ready"
PEERS = {
    DEEPCTR: ("deepctr",),
    RECHUB: ("rechub", "own_loader"),
    RECHUB_READY: ("rechub",),
}
_BATCH = 1024
_BATCHES = (1024, 4096)
_IDS = (10_000, 100_000, 1_000_000, 10_000_000)
_PEER_IDS = (10_000, 1_000_000)
_MEMORY_ROWS = (100_000, 1_000_000, 10_000_000)
_OPTIMIZERS = (
    "The peers train with dense Adam over every table row, crossctr with sparse "
    "Adagrad for the tables: at many ids this compares optimizers, see docs/training.md"
)

Run = Callable[[], dict[str, Any]]


@click.command()
@click.option("--rows", default=300_000, show_default=True, help="Rows of an epoch.")
@click.option("--repeats", default=3, show_default=True, help="Alternating repeats.")
@click.option("--threads", default=0, help="Threads of each framework; 0: its choice.")
@click.option("--skip-peers", is_flag=True, help="Leave out DeepCTR and torch-rechub.")
@click.option("--skip-memory", is_flag=True, help="Leave out the runs on 10^5..10^7.")
def main(
    rows: int, repeats: int, threads: int, skip_peers: bool, skip_memory: bool
) -> None:
    """Measure the training: reading, computing, table sizes, peers, memory."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="crossctr-bench-") as name:
        bench = _Bench(Path(name), rows, repeats, threads, console)
        shares = {size: bench.shares(size) for size in _BATCHES}
        console.print(_shares_table(shares))
        sizes = bench.alternate({f"{n:,}": bench.ours(n) for n in _IDS})
        console.print(rates_table("Ids of each large field", sizes))
        peers = {} if skip_peers else {n: bench.peers(n) for n in _PEER_IDS}
        for num_ids, runs in peers.items():
            console.print(rates_table(f"{num_ids:,} ids", runs))
        peaks = {} if skip_memory else bench.peaks()
        if peaks:
            console.print(_memory_table(peaks))
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.1f} at the end")
    print(json.dumps(_summary(shares, sizes, peers, peaks)))


class _Bench:
    """Impressions on disk and the processes that train on them."""

    def __init__(
        self, folder: Path, rows: int, repeats: int, threads: int, console: Console
    ) -> None:
        self._folder = folder
        self._rows = rows
        self._repeats = repeats
        self._console = console
        self._environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if threads:
            names = (
                "OMP_NUM_THREADS",
                "TF_NUM_INTRAOP_THREADS",
                "TF_NUM_INTEROP_THREADS",
            )
            self._environment |= dict.fromkeys(names, str(threads))

    def shares(self, batch_size: int) -> dict[str, dict[str, float]]:
        """Returns median rates by wall time of reading, computing and end to end."""
        self._console.print(f"Reading and computing, batches of {batch_size:,} ...")
        rows = self._simulated(1_000_000)
        arguments = [str(rows), "1000000", str(batch_size), str(self._repeats)]
        result = self._child("shares", *arguments)
        return {
            clock: {name: statistics.median(v) for name, v in rates.items()}
            for clock, rates in result.items()
        }

    def ours(self, num_ids: int) -> Run:
        """Returns a run of this engine."""
        arguments = [str(self._simulated(num_ids)), str(num_ids), str(_BATCH)]
        return lambda: self._child("train", *arguments)

    def peers(self, num_ids: int) -> dict[str, dict[str, float]]:
        """Returns the medians of this engine and both peers."""
        rows = str(self._simulated(num_ids))
        runs = {OURS: self.ours(num_ids)}
        for name, (module, *options) in PEERS.items():
            python = ROOT / "benchmarks" / "peers" / f".venv-{module}" / "bin/python"
            script = ROOT / "benchmarks" / "peers" / f"{module}_child.py"
            command = [str(python), str(script), rows, str(_BATCH), *options]
            runs[name] = lambda command=command: self._run(command)  # type: ignore[misc]
        return self.alternate(runs)

    def alternate(self, runs: dict[str, Run]) -> dict[str, dict[str, float]]:
        """Runs all alternately, several times; returns medians by name and key."""
        results: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
        for repeat in range(self._repeats):
            for name, run in runs.items():
                self._console.print(f"{name} ({repeat + 1}/{self._repeats}) ...")
                results[name].append(run())
        return {
            name: {key: statistics.median(r[key] for r in many) for key in many[0]}
            for name, many in results.items()
        }

    def peaks(self) -> dict[int, dict[str, Any]]:
        """Returns peak memory by number of impressions, with 10^5 ids."""
        peaks = {}
        for rows in _MEMORY_ROWS:
            self._console.print(f"Peak memory on {rows:,} rows ...")
            folder = self._folder / f"memory-{rows}"
            write_rows(folder, 100_000, rows, 1)
            peaks[rows] = self._child("memory", str(folder), "100000", str(_BATCH))
        return peaks

    def _simulated(self, num_ids: int) -> Path:
        folder = self._folder / f"ids-{num_ids}"
        if not folder.exists():
            write_rows(folder, num_ids, self._rows, max(self._rows // 5, 1_000))
        return folder

    def _child(self, *arguments: str) -> dict[str, Any]:
        return self._run(
            [sys.executable, "-m", "benchmarks.training_child", *arguments]
        )

    def _run(self, command: list[str]) -> dict[str, Any]:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            env=self._environment,
        )
        if ran.returncode != 0:
            raise click.ClickException(
                f"{' '.join(command)} failed with {ran.returncode}:\n"
                f"{ran.stderr[-3000:]}"
            )
        result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return result


def _summary(
    shares: dict[int, dict[str, dict[str, float]]],
    sizes: dict[str, dict[str, float]],
    peers: dict[int, dict[str, dict[str, float]]],
    peaks: dict[int, dict[str, Any]],
) -> dict[str, float | None]:
    """Returns the line of JSON; ratios by CPU time end in `_cpu`."""
    result: dict[str, float | None] = {
        "end_to_end_share": min(
            rates["rates"]["end_to_end"] / rates["rates"]["compute"]
            for rates in shares.values()
        ),
        "end_to_end_share_cpu": min(
            rates["cpu_rates"]["end_to_end"] / rates["cpu_rates"]["compute"]
            for rates in shares.values()
        ),
    }
    for clock, end in (("rate", ""), ("cpu_rate", "_cpu")):
        few, *_, many = (run[clock] for run in sizes.values())
        result[f"slowdown_1e7_over_1e4{end}"] = few / many
        by_ids = {
            num_ids: {name: runs[OURS][clock] / runs[name][clock] for name in PEERS}
            for num_ids, runs in peers.items()
        }
        few_ids, many_ids = (by_ids.get(num_ids, {}) for num_ids in _PEER_IDS)
        # At a million ids reading hardly matters: the peer's faster variant counts.
        rechub = [many_ids[name] for name in (RECHUB, RECHUB_READY) if many_ids]
        loading = [few_ids[name] for name in (DEEPCTR, RECHUB) if few_ids]
        result |= {
            f"speedup_vs_deepctr_1e6{end}": many_ids.get(DEEPCTR),
            f"speedup_vs_torch_rechub_1e6{end}": min(rechub, default=None),
            f"speedup_vs_best_peer_1e4{end}": min(loading, default=None),
            f"speedup_vs_ready_batches_1e4{end}": few_ids.get(RECHUB_READY),
        }
    result["auc_gap_vs_best_peer"] = (
        max(
            max(runs[n]["auc"] for n in PEERS) - runs[OURS]["auc"]
            for runs in peers.values()
        )
        if peers
        else None
    )
    few_rows, many_rows = _MEMORY_ROWS[0], _MEMORY_ROWS[-1]
    result["rss_ratio_1e7_over_1e5"] = (
        peaks[many_rows]["peak_bytes"] / peaks[few_rows]["peak_bytes"]
        if peaks
        else None
    )
    return {k: None if v is None else round(v, 4) for k, v in result.items()}


def _shares_table(shares: dict[int, dict[str, dict[str, float]]]) -> Table:
    table = Table(title="Examples/s, 10^6 ids")
    for column in ("batch", "clock", "(a) reading", "(b) computing", "(c) both", "c/b"):
        table.add_column(column, justify="right")
    for size, clocks in shares.items():
        for clock, rates in clocks.items():
            table.add_row(
                f"{size:,}",
                "wall" if clock == "rates" else "CPU",
                *(f"{rates[name]:,.0f}" for name in ("read", "compute", "end_to_end")),
                f"{rates['end_to_end'] / rates['compute']:.2f}",
            )
    return table


def rates_table(title: str, runs: dict[str, dict[str, float]]) -> Table:
    """Returns speeds and AUC by name; with peers, a caption names the optimizers."""
    table = Table(title=f"{title}, batches of {_BATCH:,}")
    if PEERS.keys() & runs.keys():
        table.caption = _OPTIMIZERS
    for column in ("", "examples/s", "per CPU second", "AUC after one epoch"):
        table.add_column(column, justify="left" if not column else "right")
    for name, run in runs.items():
        rates = (f"{run[key]:,.0f}" for key in ("rate", "cpu_rate"))
        table.add_row(name, *rates, f"{run['auc']:.4f}")
    return table


def _memory_table(peaks: dict[int, dict[str, Any]]) -> Table:
    table = Table(title="Peak memory of a training, 10^5 ids")
    for column in ("rows", "peak RSS", "examples/s"):
        table.add_column(column, justify="right")
    for rows, run in peaks.items():
        peak = f"{run['peak_bytes'] / (1 << 20):,.0f} MiB"
        table.add_row(f"{rows:,}", peak, f"{run['rate']:,.0f}")
    return table


if __name__ == "__main__":
    main()
