"""Cost of the ingest, from raw log to transformed Examples, beside stock TFX.

    python -m benchmarks.bench_ingest [--rows 1000000] [--skip-memory]

`make bench-ingest` runs it. Every measured run is a separate process on impressions
simulated for it. What is measured and how to read it: docs/ingest.md.
"""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks import native_share
from benchmarks import simulated_logs
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

ROOT = Path(__file__).parents[1]
_MEMORY_ROWS = (100_000, 1_000_000, 10_000_000)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Rows compared.")
@click.option("--skip-memory", is_flag=True, help="Leave out the runs on 10^5..10^7.")
def main(rows: int, skip_memory: bool) -> None:
    """Measure the ingest: speed against stock TFX, native share, peak memory."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="crossctr-bench-") as name:
        folder = Path(name)
        console.print(f"Simulating {rows:,} rows of 12 features")
        world = _World(folder / "compared", rows, with_csv=True)
        console.print("Stock TFX on the CSV ...")
        stock = world.stock()
        console.print("This pipeline on the Parquet logs ...")
        ours = world.ours()
        console.print("This pipeline once more, sampled by py-spy ...")
        share, samples = _profile(world, console)
        world.remove()
        peaks = {} if skip_memory else _peaks(folder, console)
    speedup = (ours["rows"] / ours["seconds"]) / (stock["rows"] / stock["seconds"])
    console.print(_speed_table(ours, stock, speedup))
    if samples:
        console.print(_profile_table(samples, share))
    if peaks:
        console.print(_memory_table(peaks))
    few, many = _MEMORY_ROWS[0], _MEMORY_ROWS[-1]
    ratio = peaks[many]["peak_bytes"] / peaks[few]["peak_bytes"] if peaks else None
    result = {
        "speedup_vs_stock": _rounded(speedup),
        "rss_ratio_1e7_over_1e5": _rounded(ratio),
        "native_share": _rounded(share),
        "rows_per_second": round(ours["rows"] / ours["seconds"]),
        "stock_rows_per_second": round(stock["rows"] / stock["seconds"]),
        "rows": rows,
    }
    print(json.dumps(result))


class _World:
    """Simulated impressions in their own folder, and the runs on them."""

    def __init__(self, folder: Path, rows: int, *, with_csv: bool) -> None:
        folder.mkdir()
        self._folder = folder
        self._rows = rows
        self._logs = simulated_logs.write_logs(folder, rows, with_csv=with_csv)
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
        arguments = [str(self._logs.csv), str(schema), str(root)]
        return self._checked(
            _child("stock", *arguments, str(self._log("stock"))), "stock"
        )

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
    command = [sys.executable, "-m", "benchmarks.ingest_child", *arguments]
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
        world = _World(folder / f"rows-{rows}", rows, with_csv=False)
        peaks[rows] = world.ours()
        world.remove()
    return peaks


def _speed_table(ours: dict[str, Any], stock: dict[str, Any], speedup: float) -> Table:
    table = Table(title=f"{ours['rows']:,} rows, raw log to transformed Examples")
    for column in ("", "stock TFX", "this pipeline"):
        table.add_column(column, justify="left" if not column else "right")
    for node in dict.fromkeys([*stock["nodes"], *ours["nodes"]]):
        pair = (run["nodes"].get(node) for run in (stock, ours))
        table.add_row(node, *("" if s is None else f"{s:.1f} s" for s in pair))
    table.add_section()
    runs = (stock, ours)
    table.add_row("all", *(f"{run['seconds']:.1f} s" for run in runs))
    table.add_row("CPU time", *(f"{run['cpu_seconds']:.1f} s" for run in runs))
    table.add_row("rows/s", *(f"{run['rows'] / run['seconds']:,.0f}" for run in runs))
    table.add_row("peak RSS", *(_mebibytes(run["peak_bytes"]) for run in runs))
    table.add_row(
        "of it after imports", *(_mebibytes(r["imported_bytes"]) for r in runs)
    )
    table.add_row("speedup", "1", f"{speedup:.1f}", style="bold")
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
    return None if number is None else round(number, 3)


if __name__ == "__main__":
    main()
