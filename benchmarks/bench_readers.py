"""Cost of counting a log file's records independently of its parser.

    python -m benchmarks.bench_readers [--rows 200000]

The same records, written in several dialects, are read alternately in two ways: as an
ingest reads them, which counts the records itself, and with Arrow alone under the same
options, which trusts Arrow's own count. Prints CPU seconds and their ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.wanted import Wanted
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_BLOCK_BYTES = 8 << 20
_REPEATS = 5
_LISTS = ("^".join(f"t{i}" for i in range(n)) for n in (1, 2, 3))


def _rows(count: int) -> list[list[str]]:
    """Returns `count` impressions with twelve text columns."""
    rng = np.random.default_rng(17)
    lists = np.array(list(_LISTS))
    columns = [
        rng.integers(0, 2, count).astype(str),
        *(np.char.add("u", rng.integers(0, 10**6, count).astype(str)) for _ in "abc"),
        lists[rng.integers(0, 3, count)],
        *(rng.integers(0, 999, count).astype(str) for _ in "abcde"),
        *(np.round(rng.random(count), 4).astype(str) for _ in "ab"),
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _write(folder: Path, count: int) -> dict[str, Path]:
    names = [f"c{i}" for i in range(12)]
    rows = _rows(count)
    lines = {
        "CSV, no quotes": [",".join(row) for row in rows],
        "CSV, one column quoted": [
            ",".join([*row[:4], f'"{row[4]}"', *row[5:]]) for row in rows
        ],
        "CSV, all quoted": ['"' + '","'.join(row) + '"' for row in rows],
        "CSV, a line break in each": [
            ",".join([*row[:4], f'"{row[4]}\n"', *row[5:]]) for row in rows
        ],
        "JSON Lines, flat": [
            json.dumps(dict(zip(names, row, strict=True))) for row in rows
        ],
        "JSON Lines, an inner object": [
            json.dumps({**dict(zip(names, row, strict=True)), "o": {"k": row[4]}})
            for row in rows
        ],
    }
    paths = {}
    for index, (name, made) in enumerate(lines.items()):
        suffix = "csv" if name.startswith("CSV") else "jsonl"
        paths[name] = folder / f"{index}.{suffix}"
        header = [",".join(names)] if suffix == "csv" else []
        paths[name].write_text("\n".join([*header, *made]) + "\n", encoding="utf-8")
    return paths


def _counted(path: Path) -> int:
    wanted = {f"c{i}": Wanted(is_id=True) for i in range(12)}
    pieces = read_pieces(str(path), 65_536, CsvDialect(), wanted)
    return sum(len(piece.table) for piece in pieces)


def _believed(path: Path) -> int:
    if path.suffix == ".jsonl":
        options = pyarrow.json.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
        return len(pyarrow.json.read_json(path, options))
    names = [f"c{i}" for i in range(12)]
    reader = pyarrow.csv.open_csv(
        path,
        pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.binary()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return sum(batch.num_rows for batch in reader)


def _seconds(read: Callable[[Path], int], path: Path, expected: int) -> float:
    started = time.process_time()
    count = read(path)
    seconds = time.process_time() - started
    if count != expected:
        raise SystemExit(f"{path.name}: {count:,} rows were read, not {expected:,}")
    return seconds


def main() -> None:
    """Writes the files, reads them in both ways and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    count = parser.parse_args().rows
    table = Table(title=f"CPU seconds, {count:,} rows, median of {_REPEATS}")
    for column in ("file", "MB", "counted", "Arrow alone", "ratio"):
        table.add_column(column, justify="left" if column == "file" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for name, path in _write(Path(folder), count).items():
            _counted(path)  # The first call also imports.
            pairs = [
                (_seconds(_counted, path, count), _seconds(_believed, path, count))
                for _ in range(_REPEATS)
            ]
            counted, believed = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            table.add_row(
                name,
                f"{path.stat().st_size / 1e6:.0f}",
                f"{counted:.2f}",
                f"{believed:.2f}",
                f"{counted / believed:.2f}",
            )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
