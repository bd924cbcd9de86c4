"""CTNet in real TFX runs of its first three days, on a handful of rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ml_metadata
import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2

from models.days import to_date
from pipeline.store import METADATA_FILE
from pipeline.store import Store
from tests.pipeline import feeds_ads

pytestmark = pytest.mark.slow

FIRST = feeds_ads.FIRST_DAY
DAYS = range(FIRST + 2, FIRST + 5)

# One process, so that TFX is imported once.
_RUN = """
import sys
from pipeline.cli import main
for day in sys.argv[2:]:
    main(["run", sys.argv[1], "--day", day], standalone_mode=False)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The root folder after the runs of three days in a row."""
    folder = tmp_path_factory.mktemp("ctnet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds_ads, "NUM_DAYS", 5)
        feeds_ads.prepare(
            folder,
            strategy="ctnet",
            strategies={"ctnet": {}},
            network={"width": 2, "hidden_units": [4, 3]},
            training={"batch_size": 16},
            intervals={"draws": 0},
        )
    ran = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder / "config.yaml")]
        + [str(to_date(day)) for day in DAYS],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder / "runs"


def _models(root, level):
    models = [m for m in Store(root).artifacts("Model") if level == _level(m)]
    return sorted(models, key=lambda m: m.id)


def _level(model):
    return model.properties.get("level")


def _report(model):
    return json.loads((Path(model.uri) / "Format-Train" / "report.json").read_text())


def test_on_the_first_day_the_saved_model_scores_as_the_old_one_to_the_last_bit(root):
    import tensorflow as tf

    files = [str(p) for p in root.glob("artifacts/EvaluationSet/**/*.gz")]
    rows = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    base, first, later, _ = _models(root, "target")
    scores = []
    for model in (base, first, later):
        folder = str(Path(model.uri) / "Format-Serving")
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
            signature = meta.signature_def["serving_default"]
            feed = {signature.inputs["examples"].name: rows}
            scores.append(session.run(signature.outputs["ctr"].name, feed))
    assert len(rows) > 100
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_every_day_reads_its_new_rows_alone(root):
    base, *ctnet = [_report(model) for model in _models(root, "target")]
    sources = [_report(model) for model in _models(root, "source")]
    assert base["rows"] > 60
    assert [report["rows"] for report in ctnet][0] == 0
    assert [(r["first_day"], r["last_day"]) for r in ctnet[1:]] == [
        (day - 1, day - 1) for day in DAYS[1:]
    ]
    assert all(0 < report["rows"] <= 40 for report in ctnet[1:])
    assert [(r["first_day"], r["last_day"]) for r in sources] == [
        (day - 2, day - 2) for day in DAYS
    ]


def test_lineage_shows_both_parents_and_no_source_is_too_new(root):
    base, *ctnet = _models(root, "target")
    sources = _models(root, "source")
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(root / METADATA_FILE)
    store = ml_metadata.MetadataStore(connection)
    parents = [base, *ctnet[:-1]]
    for model, parent, source, day in zip(ctnet, parents, sources, DAYS, strict=True):
        (made,) = [
            event.execution_id
            for event in store.get_events_by_artifact_ids([model.id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        read = {
            event.path.steps[0].key: event.artifact_id
            for event in store.get_events_by_execution_ids([made])
            if event.type == metadata_store_pb2.Event.INPUT
        }
        assert (read["base_model"], read["source_model"]) == (parent.id, source.id)
        assert source.last_day < model.last_day < day
