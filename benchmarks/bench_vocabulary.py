"""Cost of a day's new ids by the number of known ones: time, memory, bytes.

A vocabulary of N simulated ids of 22 bytes, seen by two domains, grows by a day of
impressions, of which one in a hundred has a new id. The Vocabulary component's executor
runs in a process of its own for each N, with Beam in memory. Bytes are those that the
process asked the system to read and to write, whether or not they came from a cache.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.ingest_child import peak_bytes
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_DAY = 19_700
_NEW = 0.01
_SHARES = {"ads": 0.1, "feeds": 0.9}
_ID_BYTES = 22
_PIECE = 1 << 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def ids_of(numbers: npt.NDArray[np.int64]) -> pa.Array:
    """Returns ids of 22 bytes, distinct for distinct numbers, in no order; (N,)."""
    pieces = [
        _ids_of(numbers[start : start + _PIECE].astype(np.uint64))
        for start in range(0, len(numbers), _PIECE)
    ]
    return pa.concat_arrays([pa.array([], pa.large_binary()), *pieces])


def _ids_of(numbers: npt.NDArray[np.uint64]) -> pa.Array:
    # Products with an odd factor modulo 2^64 are distinct.
    left = numbers * _FACTOR
    text = np.full((len(numbers), _ID_BYTES), ord("0"), np.uint8)
    text[:, 0] = ord("u")
    for place in range(_ID_BYTES - 1, 1, -1):
        text[:, place] += (left % np.uint64(10)).astype(np.uint8)
        left //= np.uint64(10)
    offsets = np.arange(len(numbers) + 1, dtype=np.int64) * _ID_BYTES
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(),
        len(numbers),
        [None, pa.py_buffer(offsets), pa.py_buffer(text.tobytes())],
    )


def write_known(folder: Path, known: int) -> None:
    """Writes a Vocabulary artifact of `known` users, which both domains have seen."""
    from components.vocabulary.files import summarise
    from components.vocabulary.files import write_sightings
    from components.vocabulary.files import write_vocabulary
    from components.vocabulary.logic import PENDING_SCHEMA
    from components.vocabulary.logic import Growth
    from components.vocabulary.logic import Vocabulary
    from models.artifact_files import VOCABULARY_FILE
    from models.features.id_space import IdSpace
    from models.statistics_files import write_statistics

    folder.mkdir()
    content = Vocabulary(ids_of(np.arange(known)), PENDING_SCHEMA.empty_table())
    written = write_vocabulary(folder, "user", content)
    growth = Growth(content, {_DAY - 1: known}, 0, 0)
    days = np.random.default_rng(0).integers(_DAY - 300, _DAY, known)
    sightings = {domain: days for domain in _SHARES}
    summary = summarise(growth, IdSpace(capacity=2 * known), _DAY - 1, written, None)
    summary |= {
        "sightings_hash": write_sightings(folder, "user", sightings),
        "shared": {"days": [], "ids": [], "known": {}},
    }
    write_statistics(folder, {})
    (folder / VOCABULARY_FILE).write_text(json.dumps({"user": summary}))


def write_examples(folder: Path, known: int, impressions: int) -> None:
    """Writes a day's raw Examples: the day and the user of each impression."""
    from models.artifact_files import split_folder
    from models.data.arrow_files import pq

    random = np.random.default_rng(1)
    for domain, share in _SHARES.items():
        users = random.integers(0, known, int(impressions * share))
        new = random.random(len(users)) < _NEW
        users[new] = known + random.integers(0, known, int(new.sum()))
        offsets = np.arange(len(users) + 1, dtype=np.int64)
        lists = [
            pa.LargeListArray.from_arrays(offsets, values)
            for values in (pa.array(np.full(len(users), _DAY)), ids_of(users))
        ]
        split = folder / split_folder(domain)
        split.mkdir(parents=True)
        pq.write_table(pa.table(lists, ["day", "user_id"]), split / "data.parquet")


def grow_by_a_day(folder: str, known: int) -> dict[str, Any]:
    """Runs the executor; returns what it cost."""
    from tfx.dsl.components.base import base_beam_executor
    from tfx.types import standard_artifacts

    from components import artifacts
    from components.vocabulary.executor import Executor
    from models.features.feature import Feature
    from models.features.id_space import IdSpace
    from models.features.table import FeatureTable
    from models.vocabulary_files import read_summary

    examples = standard_artifacts.Examples()
    examples.uri = f"{folder}/examples"
    for name in ("first_day", "last_day"):
        examples.set_int_custom_property(name, _DAY)
    previous, grown = artifacts.Vocabulary(), artifacts.Vocabulary()
    previous.uri, grown.uri = f"{folder}/known", f"{folder}/grown"
    features = FeatureTable(
        features=(Feature(name="user_id", kind="id", vocabulary="user"),),
        vocabularies={"user": IdSpace(capacity=2 * known)},
    )
    flags = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=flags, tmp_dir=f"{folder}/tmp", unique_id="1"
    )
    imported = peak_bytes()
    before, started, busy = _bytes(), time.perf_counter(), time.process_time()
    Executor(context).Do(
        {"examples": [examples], "previous": [previous]},
        {"vocabulary": [grown]},
        {
            "features": features.to_json(),
            "target": "ads",
            "separate_ids": "{}",
            "fingerprint": "",
        },
    )
    after = _bytes()
    about = read_summary(grown.uri)["user"]
    return {
        "known": known,
        "new": about["new"],
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
        "peak_bytes": peak_bytes(),
        "imported_bytes": imported,
        "read_bytes": after["rchar"] - before["rchar"],
        "written_bytes": after["wchar"] - before["wchar"],
    }


def _bytes() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def measure(known: int, impressions: int, scratch: str) -> dict[str, Any]:
    """Makes the files and grows them, each in a new process.

    Args:
        known: Ids of the vocabulary.
        impressions: Of the day.
        scratch: Folder for the files.
    """
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for function, arguments in (
            (write_known, (Path(folder, "known"), known)),
            (write_examples, (Path(folder, "examples"), known, impressions)),
        ):
            with spawn.Pool(1) as pool:
                pool.apply(function, arguments)
        with spawn.Pool(1) as pool:
            return pool.apply(grow_by_a_day, (folder, known))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", default="1e6,1e7,1e8", help="ids, with commas")
    parser.add_argument("--impressions", type=float, default=1e6)
    parser.add_argument("--scratch", default=None, help="folder for the files")
    arguments = parser.parse_args()
    found = [
        measure(int(float(known)), int(arguments.impressions), arguments.scratch)
        for known in arguments.known.split(",")
    ]
    table = Table(title=f"A day of {int(arguments.impressions):,} impressions")
    columns = (
        "known ids",
        "new",
        "seconds",
        "CPU s",
        "peak MiB",
        "MiB read",
        "written",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for row in found:
        table.add_row(
            f"{row['known']:,}",
            f"{row['new']:,}",
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            *(
                f"{row[f'{name}_bytes'] / 2**20:,.0f}"
                for name in ("peak", "read", "written")
            ),
        )
    Console(width=100).print(table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
