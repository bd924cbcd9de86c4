"""Throughput of training, by table size and beside other libraries.

    python -m benchmarks.bench_training [--rows 300000] [--threads 1] [--skip-peers]

`make bench-training` runs it. What is measured and how to read it:
docs/reference/training.md.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.training_engines import BATCH
from benchmarks.training_engines import DEEPCTR
from benchmarks.training_engines import DEEPCTR_SPARSE
from benchmarks.training_engines import IDS
from benchmarks.training_engines import OURS
from benchmarks.training_engines import PEERS
from benchmarks.training_engines import RECHUB
from benchmarks.training_engines import RECHUB_READY
from benchmarks.training_engines import TORCH_ADAGRAD
from benchmarks.training_engines import TORCH_SPARSE_ADAM
from benchmarks.training_engines import Engine
from benchmarks.training_engines import environment_of
from benchmarks.training_engines import run_child
from benchmarks.training_engines import tuned_rates
from benchmarks.training_rows import write_rows
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_BATCHES = (1024, 4096)
# Ids of each large field, for this engine alone.
_OUR_IDS = (10_000, 100_000, 1_000_000, 10_000_000)
_MEMORY_ROWS = (100_000, 1_000_000, 10_000_000)
# At a million ids its step takes a third of a second: its loader hardly matters.
_LEFT_OUT = {1_000_000: (RECHUB,)}

Run = Callable[[], dict[str, Any]]


@click.command()
@click.option("--rows", default=300_000, show_default=True, help="Rows of an epoch.")
@click.option("--repeats", default=3, show_default=True, help="Alternating repeats.")
@click.option("--threads", default=0, help="Threads of each framework; 0: its choice.")
@click.option("--skip-peers", is_flag=True, help="Leave out other libraries.")
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
        sizes = bench.alternate({f"{n:,}": bench.ours(n) for n in _OUR_IDS})
        console.print(rates_table("Ids of each large field", sizes))
        peers = {} if skip_peers else {n: bench.peers(n) for n in IDS}
        for num_ids, runs in peers.items():
            console.print(engines_table(f"{num_ids:,} ids", runs))
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
        self._environment = environment_of(threads)

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
        """Returns a run of this engine, with the rates of the nearest tuned size."""
        tuned = min(IDS, key=lambda size: abs(size - num_ids))
        return self._engine(OURS, num_ids, tuned)

    def peers(self, num_ids: int) -> dict[str, dict[str, float]]:
        """Returns the medians of every engine by name."""
        left_out = _LEFT_OUT.get(num_ids, ())
        engines = [e for e in (OURS, *PEERS) if e not in left_out]
        return self.alternate(
            {engine.name: self._engine(engine, num_ids, num_ids) for engine in engines}
        )

    def _engine(self, engine: Engine, num_ids: int, tuned: int) -> Run:
        folder, rates = self._simulated(num_ids), tuned_rates(engine, tuned)
        return lambda: run_child(
            engine.command(folder, num_ids, rates), self._environment
        )

    def alternate(self, runs: dict[str, Run]) -> dict[str, dict[str, float]]:
        """Runs all alternately, several times; returns medians by name and key."""
        results: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
        for repeat in range(self._repeats):
            for name, measure in runs.items():
                self._console.print(f"{name} ({repeat + 1}/{self._repeats}) ...")
                results[name].append(measure())
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
            peaks[rows] = self._child("memory", str(folder), "100000", str(BATCH))
        return peaks

    def _simulated(self, num_ids: int) -> Path:
        folder = self._folder / f"ids-{num_ids}"
        if not folder.exists():
            write_rows(folder, num_ids, self._rows, max(self._rows // 5, 1_000))
        return folder

    def _child(self, *arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.training_child", *arguments]
        return run_child(command, self._environment)


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
    result |= compared_keys(peers)
    few_rows, many_rows = _MEMORY_ROWS[0], _MEMORY_ROWS[-1]
    result["rss_ratio_1e7_over_1e5"] = (
        peaks[many_rows]["peak_bytes"] / peaks[few_rows]["peak_bytes"]
        if peaks
        else None
    )
    return {k: None if v is None else round(v, 4) for k, v in result.items()}


def compared_keys(
    peers: dict[int, dict[str, dict[str, float]]],
) -> dict[str, float | None]:
    """Returns speedups over the other engines, and the gap in AUC; None if left out.

    Args:
        peers: Medians by number of ids and engine.
    """

    def speedup(num_ids: int, clock: str, *engines: Engine) -> float | None:
        """Returns the speedup over the fastest of `engines`."""
        runs = peers.get(num_ids)
        if not runs:
            return None
        return runs[OURS.name][clock] / max(runs[e.name][clock] for e in engines)

    few, many = IDS
    torch = (TORCH_ADAGRAD, TORCH_SPARSE_ADAM)
    result = {
        "speedup_vs_sparse_torch_1e4": speedup(few, "cpu_rate", *torch),
        "speedup_vs_sparse_torch_1e6": speedup(many, "cpu_rate", *torch),
    }
    for clock, end in (("rate", ""), ("cpu_rate", "_cpu")):
        result |= {
            f"speedup_vs_deepctr_1e6{end}": speedup(many, clock, DEEPCTR),
            f"speedup_vs_deepctr_without_l2_1e6{end}": speedup(
                many, clock, DEEPCTR_SPARSE
            ),
            f"speedup_vs_torch_rechub_1e6{end}": speedup(many, clock, RECHUB_READY),
            f"speedup_vs_ready_batches_1e4{end}": speedup(few, clock, RECHUB_READY),
        }
    gaps = [
        max(run["auc"] for name, run in runs.items() if name != OURS.name)
        - runs[OURS.name]["auc"]
        for runs in peers.values()
    ]
    return {**result, "auc_gap_vs_best_peer": max(gaps, default=None)}


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
    """Returns speeds and AUC by name."""
    table = Table(title=f"{title}, batches of {BATCH:,}")
    for column in ("", "examples/s", "per CPU second", "AUC after one epoch"):
        table.add_column(column, justify="left" if not column else "right")
    for name, run in runs.items():
        table.add_row(name, *_cells(run))
    return table


def engines_table(title: str, runs: dict[str, dict[str, float]]) -> Table:
    """Returns speeds and AUC by engine, with what updates its embedding tables."""
    table = Table(title=f"{title}, batches of {BATCH:,}, rates tuned alike")
    optimizers = {engine.name: engine.optimizer for engine in (OURS, *PEERS)}
    for column in ("", "tables' optimizer"):
        table.add_column(column)
    for column in ("examples/s", "per CPU second", "AUC after one epoch"):
        table.add_column(column, justify="right")
    for name, run in runs.items():
        table.add_row(name, optimizers[name], *_cells(run))
    return table


def _cells(run: dict[str, float]) -> list[str]:
    rates = [f"{run[key]:,.0f}" for key in ("rate", "cpu_rate")]
    return [*rates, f"{run['auc']:.4f}"]


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
