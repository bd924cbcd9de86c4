"""Real TFX runs of CTNet's first two days, on few impressions."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import ml_metadata
import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2

from benchmarks.backfill_results import warm_start_chains
from pipeline.store.reader import METADATA_FILE
from pipeline.store.reader import Store
from tests.pipeline import feeds_ads

pytestmark = [pytest.mark.slow, pytest.mark.long]

FIRST = feeds_ads.FIRST_DAY
DAYS = range(FIRST + 2, FIRST + 4)
TWICE = [*DAYS, *DAYS]
NUM_REQUESTS = 200

# One process, so that TFX is imported once; nothing is judged, which takes longest.
_RUN = """
import sys
from pathlib import Path
from pipeline.terminal.plain_text import Console
from pipeline.config.load import load_config
from pipeline.execution.job import plan_run, run_steps
config = load_config(Path(sys.argv[1]))
for day in map(int, sys.argv[2:]):
    plan = plan_run(config, lambda p: p.run(day, ["ctnet"], judge=False))
    run_steps(config, plan.steps, Console(), day=day)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The root folder after the runs of two days in a row."""
    folder = tmp_path_factory.mktemp("ctnet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds_ads, "NUM_DAYS", 4)
        feeds_ads.prepare(
            folder,
            strategy="ctnet",
            strategies={"ctnet": {}},
            references={"rows": 0},
            network={"width": 2, "hidden_units": [4, 3]},
            training={"batch_size": 16},
        )
    ran = subprocess.run(
        # The same days again: they must be found done.
        [sys.executable, "-c", _RUN, str(folder / "config.yaml"), *map(str, TWICE)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder / "runs"


def _models(root, level):
    found = Store(root).artifacts("Model")
    models = [m for m in found if m.properties.get("level") == level]
    return sorted(models, key=lambda m: m.id)


def _report(model):
    return json.loads((Path(model.uri) / "Format-Train" / "report.json").read_text())


def _requests():
    """Returns rows of ads: known and unknown ids, and features left out."""
    rng = random.Random(1)
    return {
        "user_id": [rng.choice(["u1", "u2", "u7", "u99", ""]) for _ in range(200)],
        "item_id": [rng.choice(["a1", "a4", "a77", ""]) for _ in range(200)],
        "domain": ["ads"] * NUM_REQUESTS,
        "slot": [rng.choice(["16", "17", ""]) for _ in range(200)],
        "hour": [str(rng.randint(0, 23)) for _ in range(200)],
        "interests": [[str(rng.randint(1, 9)), ""] for _ in range(200)],
        "refreshes": [rng.choice([-1, 3, 400]) for _ in range(200)],
    }


def test_on_the_first_day_the_saved_model_scores_as_the_old_one_to_the_last_bit(root):
    import tensorflow as tf

    base, first, later = _models(root, "target")
    scores = []
    for model in (base, first, later):
        folder = str(Path(model.uri) / "Format-Serving")
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
            signature = meta.signature_def["predict"]
            feed = {signature.inputs[n].name: v for n, v in _requests().items()}
            scores.append(session.run(signature.outputs["ctr"].name, feed))
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
    assert len(set(scores[0].tolist())) > NUM_REQUESTS // 4


def test_every_day_reads_its_new_rows_alone(root):
    base, *ctnet = [_report(model) for model in _models(root, "target")]
    sources = [_report(model) for model in _models(root, "source")]
    assert base["rows"] > 60
    assert ctnet[0]["rows"] == 0
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


def test_no_chain_of_models_is_trained_on_a_day_twice(root):
    (target,) = warm_start_chains(Store(root), "target")
    (source,) = warm_start_chains(Store(root), "source")
    # From the first day of logs on, each day up to the one before the run's, once.
    assert target == list(range(FIRST, DAYS[-1]))
    assert source == list(range(source[0], DAYS[-1] - 1))
    for level in ("target", "source"):
        prints = [model.fingerprint for model in _models(root, level)]
        assert len(set(prints)) == len(prints)
