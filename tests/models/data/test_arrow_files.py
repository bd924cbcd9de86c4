"""Parquet files with embedded code (CVE-2023-47248), which no reader runs."""

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


@pytest.fixture
def folder(tmp_path):
    """Files with a column whose type is a pickle that makes the folder `made`."""
    field = pa.field(
        "user_id",
        pa.string(),
        metadata={
            "ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": pickle.dumps(_MakesFolder(tmp_path / "made")),
        },
    )
    names = ("item_id", "label", "day", "date")
    schema = pa.schema([field, *(pa.field(name, pa.string()) for name in names)])
    table = pa.table([["u"]] * 5, schema=schema)
    pq.write_table(table, tmp_path / "x.parquet")
    pq.write_table(table, tmp_path / "user.pending.parquet")
    write_ids(tmp_path, user=b"u\n")
    with pa.ipc.new_stream(str(tmp_path / "x.arrow"), schema) as writer:
        writer.write_table(table)
    return tmp_path


def run(code, folder):
    """Runs code in a process of its own, where nothing else has loaded the hotfix."""
    code = f"from pathlib import Path; folder = Path({str(folder)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.skipif(
    tuple(map(int, pa.__version__.split(".")[:2])) >= (14, 0),
    reason="this pyarrow runs no pickles",
)
def test_the_file_is_malicious(folder):
    run(f"import pyarrow.parquet as pq; {_TABLE}", folder)
    assert (folder / "made").is_dir()


def _no_reader_runs_it(code, folder):
    result = run(code, folder)
    assert not (folder / "made").exists()
    assert "arrow.py_extension_type" in result.stderr


@pytest.mark.parametrize("code", READERS.values(), ids=READERS)
def test_no_reader_runs_the_code_of_a_file(code, folder):
    _no_reader_runs_it(code, folder)


@pytest.mark.slow
@pytest.mark.parametrize("code", SLOW_READERS.values(), ids=SLOW_READERS)
def test_no_reader_that_needs_tensorflow_runs_the_code_of_a_file(code, folder):
    _no_reader_runs_it(code, folder)


@pytest.mark.parametrize("name", ["import", "ingest, schema"])
def test_a_file_with_code_is_refused_in_one_line(name, folder):
    last = run(READERS[name], folder).stderr.strip().splitlines()[-1]
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
