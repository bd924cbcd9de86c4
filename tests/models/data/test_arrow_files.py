"""Parquet files with embedded code (CVE-2023-47248), which no reader runs."""

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.vocabularies import write_ids

ROOT = Path(__file__).parents[3]

_FEATURES = """
from models.features.table import Feature, FeatureTable, IdSpace
features = FeatureTable(
    features=(Feature(name="user_id", kind="id", vocabulary="user"),),
    vocabularies={"user": IdSpace(capacity=5)},
)
"""
_TABLE = "pq.read_table(folder / 'x.parquet')"
# By what it is for: how a file is read in this project.
READERS = {
    "import": """
from pipeline.datasets.source_files import read_source
read_source(folder / "x.parquet", rated=False)
""",
    "ingest, schema": """
from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.readers import read_pieces
list(read_pieces(str(folder / "x.parquet"), 10, CsvDialect(), {}))
""",
    "vocabularies": """
from components.vocabulary.files import pq
pq.read_table(folder / "user.pending.parquet")
""",
    "scores": f"from pipeline.report.scoring import pq; {_TABLE}",
    "truth of simulated logs": (
        f"from pipeline.datasets.simulation.oracle import pq; {_TABLE}"
    ),
    "neighbours": f"from pipeline.report.neighbours import pq; {_TABLE}",
}
SLOW_READERS = {
    "training": f"""{_FEATURES}
from models.data.batches import ExampleReader
list(ExampleReader([str(folder / "x.parquet")], features, 0, 9).chunks())
""",
    "predict, serving checks": f"""{_FEATURES}
from models.days import DayRange
from models.serving.requests import raw_rows
list(raw_rows([str(folder / "x.parquet")], features, DayRange(0, 9), 3))
""",
    "snapshots": f"from models.data.snapshots import pq; {_TABLE}",
    "Beam workers": """
from components.arrow_coders import TableCoder
TableCoder().decode((folder / "x.arrow").read_bytes())
""",
    "evaluation set": f"from models.data.raw_rows import pq; {_TABLE}",
    "references": f"from components.references.logic import pq; {_TABLE}",
    "Transform": f"from components.transform.executor import pq; {_TABLE}",
}


class _MakesFolder:
    """Its pickle makes a folder when it is loaded."""

    def __init__(self, path):
        self._path = str(path)

    def __reduce__(self):
        return os.mkdir, (self._path,)


def write_files(folder):
    """Writes files with a column whose type is a pickle that makes `made`."""
    field = pa.field(
        "user_id",
        pa.string(),
        metadata={
            "ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": pickle.dumps(_MakesFolder(folder / "made")),
        },
    )
    names = ("item_id", "label", "day", "date")
    schema = pa.schema([field, *(pa.field(name, pa.string()) for name in names)])
    table = pa.table([["u"]] * 5, schema=schema)
    pq.write_table(table, folder / "x.parquet")
    pq.write_table(table, folder / "user.pending.parquet")
    write_ids(folder, user=b"u\n")
    with pa.ipc.new_stream(str(folder / "x.arrow"), schema) as writer:
        writer.write_table(table)


# Runs each code in a fork of its own, in which no other has loaded the hotfix. What is
# imported before is what takes long and loads none.
_FORKS = """
import json, os, sys, traceback
from pathlib import Path
codes, folders, before = json.loads(sys.argv[1])
for module in before:
    __import__(module)
assert "pyarrow_hotfix" not in sys.modules
for code, folder in zip(codes, folders):
    folder = Path(folder)
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    with open(folder / "stderr", "w") as file:
        os.dup2(file.fileno(), 2)
        try:
            exec(code, {"folder": folder})
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(0)
"""


def run_each(readers, folder, before):
    """Returns by reader what it wrote to standard error, and whether `made` is there.

    Args:
        readers: Code by name.
        folder: Where each has a folder with its files.
        before: Modules that are imported before the first.
    """
    folders = {name: folder / str(number) for number, name in enumerate(readers)}
    for one in folders.values():
        one.mkdir()
        write_files(one)
    given = [list(readers.values()), list(map(str, folders.values())), before]
    subprocess.run(
        [sys.executable, "-c", _FORKS, json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return {
        name: ((one / "stderr").read_text(), (one / "made").exists())
        for name, one in folders.items()
    }


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What became of `READERS` and of a reader without the hotfix, None."""
    folder = tmp_path_factory.mktemp("readers")
    unprotected = {None: f"import pyarrow.parquet as pq; {_TABLE}"}
    before = ["pandas", "pyarrow.dataset", "pyarrow.parquet", "pydantic"]
    return run_each({**READERS, **unprotected}, folder, before)


@pytest.fixture(scope="module")
def slowly_read(tmp_path_factory):
    """What became of `SLOW_READERS`."""
    folder = tmp_path_factory.mktemp("slow-readers")
    return run_each(SLOW_READERS, folder, ["models", "tensorflow"])


@pytest.mark.skipif(
    tuple(map(int, pa.__version__.split(".")[:2])) >= (14, 0),
    reason="this pyarrow runs no pickles",
)
def test_the_file_is_malicious(read):
    _, made = read[None]
    assert made


@pytest.mark.parametrize("name", READERS)
def test_no_reader_runs_the_code_of_a_file(name, read):
    said, made = read[name]
    assert not made
    assert "arrow.py_extension_type" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_READERS)
def test_no_reader_that_needs_tensorflow_runs_the_code_of_a_file(name, slowly_read):
    said, made = slowly_read[name]
    assert not made
    assert "arrow.py_extension_type" in said


@pytest.mark.parametrize("name", ["import", "ingest, schema"])
def test_a_file_with_code_is_refused_in_one_line(name, read):
    last = read[name][0].strip().splitlines()[-1]
    assert last.startswith("models.errors.DataError: ")
    assert "x.parquet cannot be read as Parquet" in last
    assert "pickled Python code (arrow.py_extension_type), never run" in last


@pytest.mark.checkout
def test_parquet_and_ipc_are_imported_from_one_place():
    direct = re.compile(
        r"pyarrow\.(parquet|ipc|feather|dataset)"
        r"|from pyarrow import .*\b(parquet|ipc|feather|dataset)"
        r"|\bpa\.(ipc|parquet|feather|dataset)\b"
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("models", "components", "pipeline", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
        if direct.search(path.read_text(encoding="utf-8"))
    }
    # The peers run in environments of their own, on rows that a benchmark has written.
    assert found == {"models/data/arrow_files.py", "benchmarks/peers/common.py"}
