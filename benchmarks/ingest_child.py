"""Process of one measured ingest; prints one line of JSON.

    python -m benchmarks.ingest_child ours CONFIG LAST_DAY LOG [PROFILE]
    python -m benchmarks.ingest_child stock LOGS_FOLDER SCHEMA ROOT LOG

It is a separate process because peak memory belongs to a process and because imports,
which end before the clock starts, happen once in it.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _measure(
    run: Callable[[], dict[str, Any]],
    log_file: Path,
    profile: str = "",
    finish: Callable[[], dict[str, Any]] = dict,
) -> None:
    from benchmarks.native_share import sampled
    from pipeline.terminal.plain_text import Console
    from pipeline.terminal.progress import quiet_libraries

    imported = peak_bytes()
    profiler = sampled(Path(profile)) if profile else contextlib.nullcontext()
    with quiet_libraries(log_file, Console()), profiler:
        started, busy = time.perf_counter(), time.process_time()
        result = run()
        seconds = time.perf_counter() - started
        busy = time.process_time() - busy
    result |= {
        "seconds": seconds,
        "cpu_seconds": busy,
        "peak_bytes": peak_bytes(),
        "imported_bytes": imported,
    }
    result |= finish()
    print(json.dumps(result))


def peak_bytes() -> int:
    """Returns the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ours(config_path: str, last_day: str, log_file: str, profile: str = "") -> None:
    """Runs the ingest graph of a configuration as `crossctr ingest` does."""
    import datetime

    from models.days import to_day
    from pipeline.config.load import load_config
    from pipeline.execution.job import plan_run
    from pipeline.execution.runner import run_graph
    from pipeline.graphs.factory import graph_for
    from pipeline.store.metadata import connection
    from pipeline.store.reader import Store
    from pipeline.store.results import rows_of
    from pipeline.terminal.plain_text import Console
    from pipeline.terminal.progress import RunDisplay

    class Stopwatch(RunDisplay):
        """Launcher that records the seconds of every node."""

        def __init__(self) -> None:
            super().__init__(Console(file=io.StringIO()), 1)
            self.seconds: dict[str, float] = {}
            self.peaks: dict[str, int] = {}

        def node_finished(self) -> None:
            seconds = time.monotonic() - self._node_started
            self.seconds[self._node] = seconds
            self.peaks[self._node] = peak_bytes()
            super().node_finished()

    def run() -> dict[str, Any]:
        config = load_config(Path(config_path))
        day = to_day(datetime.date.fromisoformat(last_day))
        (step,) = plan_run(config, lambda planner: planner.ingest(day)).steps
        display, graph = Stopwatch(), graph_for(config, step)
        run_graph(graph, display, connection(config.root, config.metadata))
        rows = rows_of(Store(config.root), step)
        return {"rows": rows, "nodes": display.seconds, "peaks": display.peaks}

    _measure(run, Path(log_file), profile)


def stock(logs: str, schema: str, root: str, log_file: str) -> None:
    """Runs TFX's own components on the same Parquet."""
    from benchmarks.stock_ingest import count_rows
    from benchmarks.stock_ingest import run_stock

    def run() -> dict[str, Any]:
        return {"nodes": run_stock(Path(logs), Path(schema), Path(root))}

    _measure(run, Path(log_file), finish=lambda: {"rows": count_rows(Path(root))})


def main() -> None:
    """Runs the measurement named on the command line."""
    runs: dict[str, Callable[..., None]] = {"ours": ours, "stock": stock}
    runs[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
