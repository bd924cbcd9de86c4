"""Cost of the ingest, raw log to transformed Examples, beside stock TFX and polars.

    python -m benchmarks.bench_ingest [--rows 1000000] [--skip-memory]

`make bench-ingest` runs it. Every measured run is a separate process on impressions
simulated for it. What is measured and how to read it: docs/reference/ingest.md.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import native_share
from benchmarks import simulated_logs
from benchmarks.peers.environments import ROOT
from benchmarks.peers.environments import python_of
from benchmarks.peers.environments import script_of
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

STOCK, OURS, POLARS = "stock TFX", "this pipeline", "polars"
_MEMORY_ROWS = (100_000, 1_000_000, 10_000_000)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Rows compared.")
@click.option("--skip-memory", is_flag=True, help="Leave out the runs on 10^5..10^7.")
def main(rows: int, skip_memory: bool) -> None:
    """Measure the ingest: speed beside stock TFX and polars, native share, memory."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="crossctr-bench-") as name:
        folder = Path(name)
        console.print(f"Simulating {rows:,} rows of 12 features")
        world = _World(folder / "compared", rows)
        runs = {}
        for title, run in (
            (STOCK, world.stock),
            (OURS, world.ours),
            (POLARS, world.polars),
        ):
            console.print(f"{title} on the Parquet logs ...")
            runs[title] = run()
        console.print("This pipeline once more, sampled by py-spy ...")
        share, samples = _profile(world, console)
        world.remove()
        peaks = {} if skip_memory else _peaks(folder, console)
    console.print(_speed_table(runs))
    if samples:
        console.print(_profile_table(samples, share))
    if peaks:
        console.print(_memory_table(peaks))
    result = {
        **compared_keys(runs),
        **memory_keys(peaks),
        "native_share": share,
        "rows": rows,
        "load": os.getloadavg()[0],
    }
    print(json.dumps({key: _rounded(value) for key, value in result.items()}))


def compared_keys(runs: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """Returns rates and ratios of the compared runs; ratios of CPU time end in `_cpu`.

    Args:
        runs: What each process measured: `rows`, `seconds`, `cpu_seconds`.
    """
    ours, stock, polars = (runs[name] for name in (OURS, STOCK, POLARS))
    return {
        "speedup_vs_stock": stock["seconds"] / ours["seconds"],
        "speedup_vs_stock_cpu": stock["cpu_seconds"] / ours["cpu_seconds"],
        "cpu_seconds_per_1e6_rows": ours["cpu_seconds"] / ours["rows"] * 1e6,
        "share_of_polars": polars["cpu_seconds"] / ours["cpu_seconds"],
        "rows_per_second": ours["rows"] / ours["seconds"],
        "stock_rows_per_second": stock["rows"] / stock["seconds"],
    }


def memory_keys(peaks: dict[int, dict[str, Any]]) -> dict[str, float | None]:
    """Returns what the runs of few and of many rows say; None without them.

    Args:
        peaks: What each process measured, by number of rows.
    """
    keys = ("rss_ratio_1e7_over_1e5", "further_cpu_seconds_per_1e6_rows")
    if not peaks:
        return dict.fromkeys(keys)
    few, *_, many = peaks.values()
    millions = (many["rows"] - few["rows"]) / 1e6
    further = (many["cpu_seconds"] - few["cpu_seconds"]) / millions
    ratio = many["peak_bytes"] / few["peak_bytes"]
    return dict(zip(keys, (ratio, further), strict=True))


class _World:
    """Simulated impressions in their own folder, and the runs on them."""

    def __init__(self, folder: Path, rows: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._rows = rows
        self._logs = simulated_logs.write_logs(folder, rows)
        self._config = simulated_logs.write_config(folder, self._logs)
        last = simulated_logs.NUM_DAYS - 1
        self._last_day = simulated_logs.FIRST_DAY + datetime.timedelta(days=last)

    def ours(self, profile: Path | None = None) -> dict[str, Any]:
        """Runs this pipeline's ingest and returns what its process measured."""
        shutil.rmtree(self._folder / "root", ignore_errors=True)
        arguments = [str(self._config), str(self._last_day), str(self._log("ours"))]
        if profile:
            arguments.append(str(profile))
        return self._checked(_child("ours", *arguments), "ours")

    def stock(self) -> dict[str, Any]:
        """Runs stock TFX and returns what its process measured."""
        schema = self._folder / "stock.pbtxt"
        schema.write_text(simulated_logs.schema_text(stock=True), encoding="utf-8")
        root = self._folder / "stock"
        root.mkdir()
        arguments = [str(self._logs.folder), str(schema), str(root)]
        return self._checked(
            _child("stock", *arguments, str(self._log("stock"))), "stock"
        )

    def polars(self) -> dict[str, Any]:
        """Runs polars and returns what its process measured."""
        output = str(self._folder / "polars")
        script = script_of("polars_child.py")
        ran = _run(python_of("polars"), script, str(self._logs.folder), output)
        return self._checked(ran, "polars")

    def remove(self) -> None:
        """Frees the disk."""
        shutil.rmtree(self._folder)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _checked(
        self, ran: subprocess.CompletedProcess[str], name: str
    ) -> dict[str, Any]:
        if ran.returncode != 0:
            log = self._log(name)
            text = log.read_text(errors="replace") if log.exists() else ""
            raise click.ClickException(
                f"{name} failed with {ran.returncode}:\n{text[-3000:]}\n"
                f"{ran.stderr[-3000:]}"
            )
        result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        if result["rows"] != self._rows:
            raise click.ClickException(
                f"{name} transformed {result['rows']:,} rows, expected {self._rows:,}"
            )
        return result


def _child(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(sys.executable, "-m", "benchmarks.ingest_child", *arguments)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False
    )


def _profile(world: _World, console: Console) -> tuple[float | None, dict[str, Any]]:
    if native_share.find_py_spy() is None:
        console.print("py-spy is not installed (`make setup`): no native share")
        return None, {}
    with tempfile.NamedTemporaryFile(suffix=".raw") as file:
        path = Path(file.name)
        try:
            world.ours(path)
        except click.ClickException as error:
            console.print(f"no native share: {error.message[-300:]}")
            return None, {}
        counts = native_share.count(path)
        places = {k: native_share.leaders(path, k, 6) for k in ("native", "python")}
    busy = counts["native"] + counts["python"]
    return counts["native"] / busy, {"busy": busy, "places": places}


def _peaks(folder: Path, console: Console) -> dict[int, dict[str, Any]]:
    peaks = {}
    for rows in _MEMORY_ROWS:
        console.print(f"Peak memory on {rows:,} rows ...")
        world = _World(folder / f"rows-{rows}", rows)
        peaks[rows] = world.ours()
        world.remove()
    return peaks


def _speed_table(runs: dict[str, dict[str, Any]]) -> Table:
    rows = runs[OURS]["rows"]
    table = Table(title=f"{rows:,} rows, raw log to transformed Examples")
    for column in ("", *runs):
        table.add_column(column, justify="left" if not column else "right")
    nodes = [run.get("nodes", {}) for run in runs.values()]
    for node in dict.fromkeys(node for named in nodes for node in named):
        seconds = (named.get(node) for named in nodes)
        table.add_row(node, *("" if s is None else f"{s:.1f} s" for s in seconds))
    table.add_section()
    lines: dict[str, Callable[[dict[str, Any]], str]] = {
        "all": lambda run: f"{run['seconds']:.1f} s",
        "CPU time": lambda run: f"{run['cpu_seconds']:.1f} s",
        "rows/s": lambda run: f"{run['rows'] / run['seconds']:,.0f}",
        "rows per CPU second": lambda run: f"{run['rows'] / run['cpu_seconds']:,.0f}",
        "peak RSS": lambda run: _mebibytes(run["peak_bytes"]),
        "of it after imports": lambda run: _mebibytes(run.get("imported_bytes", 0)),
    }
    for title, cell in lines.items():
        table.add_row(title, *(cell(run) for run in runs.values()))
    return table


def _profile_table(samples: dict[str, Any], share: float | None) -> Table:
    table = Table(title=f"Where {samples['busy']:,} samples were: {share:.0%} native")
    for column in ("kind", "where", "share"):
        table.add_column(column)
    for kind, places in samples["places"].items():
        for place, number in places:
            table.add_row(kind, place, f"{number / samples['busy']:.1%}")
        table.add_section()
    return table


def _memory_table(peaks: dict[int, dict[str, Any]]) -> Table:
    table = Table(title="Peak memory of this pipeline's ingest")
    for column in ("rows", "seconds", "rows/s", "peak RSS", "of it after imports"):
        table.add_column(column, justify="right")
    for rows, run in peaks.items():
        table.add_row(
            f"{rows:,}",
            f"{run['seconds']:.1f}",
            f"{rows / run['seconds']:,.0f}",
            _mebibytes(run["peak_bytes"]),
            _mebibytes(run["imported_bytes"]),
        )
    return table


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"


def _rounded(number: float | None) -> float | None:
    if number is None:
        return None
    return round(number) if number > 1_000 else round(number, 3)


if __name__ == "__main__":
    main()
