"""Replicates: configurations, pooling of what is stored, facts of the data."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import replicates as module
from benchmarks.code_stamps import REFERENCES
from benchmarks.data_facts import Count
from benchmarks.data_facts import data_facts
from benchmarks.pooled import pool
from benchmarks.pooled import read_facts
from benchmarks.replicate_files import Made
from benchmarks.replicate_files import add
from benchmarks.replicate_files import drop
from benchmarks.replicate_files import stamps_in
from benchmarks.replicates import DataSet
from benchmarks.replicates import codes_of
from benchmarks.replicates import is_done
from benchmarks.replicates import remove_outdated
from benchmarks.replicates import replicates
from benchmarks.replicates import run_replicate
from benchmarks.replicates import stored
from benchmarks.score_files import encoded
from benchmarks.score_files import read_scores
from models.data.arrow_files import pq
from models.errors import DataError
from pipeline.comparing.record import read_json
from pipeline.terminal.plain_text import Console
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import cost

WORLDS = DataSet(
    "plain", "feeds_ads.yaml", ("2024-02-03",), {}, (("simulate", "seed"),)
)


STAMP = {"code": "abc", "settings": "def"}
NAMES = ("target_only", "ecdctr", REFERENCES)


def made_of(replicate, strength=1.0, stamps=None, failed=None, **columns):
    """Returns 300 judged rows as the child process makes them."""
    rng = np.random.default_rng(replicate.seed)
    labels = (rng.random(300) < 0.3).astype(np.int8)
    noise = rng.normal(size=300)
    table = {
        "user": pa.array([b"u%d" % n for n in rng.integers(0, 40, 300)], pa.binary()),
        "item": pa.array([b"i%d" % n for n in rng.integers(0, 9, 300)], pa.binary()),
        "label": pa.array(labels),
        "model:target_only": encoded(1 / (1 + np.exp(-noise))),
        "model:ecdctr": encoded(1 / (1 + np.exp(-noise - strength * labels))),
        "reference:constant": encoded(np.full(300, 0.3)),
        **columns,
    }
    models = [name[6:] for name in table if name.startswith("model:")]
    single = comparison(
        costs={name: cost() for name in models}, failed=failed or {}, models=()
    )
    stamps = stamps or dict.fromkeys([*models, *(failed or {}), REFERENCES], STAMP)
    facts = {"labels": "x", "n": replicate.seed}
    return Made(pa.table(table), single, facts, stamps), labels, noise


def store_one(replicate, store, *arguments, **keywords):
    """Stores a replicate of 300 rows as the child process does."""
    made, labels, noise = made_of(replicate, *arguments, **keywords)
    add(stored(replicate, store), made)
    return labels, noise


def test_replicates_are_pooled_over_data_and_trainings(tmp_path):
    ones = replicates(WORLDS, 5, 3)
    made = [store_one(one, tmp_path) for one in ones]
    found = pool(ones, tmp_path, "make results")
    assert found.seeds == (5, 6, 7)
    assert found.rows == 900
    models = {model.name: model for model in found.models}
    expected = [roc_auc_score(labels, noise) for labels, noise in made]
    # Equal to what logits of two bytes let through.
    auc = models["target_only"].metrics["auc"]
    assert auc == pytest.approx(np.mean(expected), abs=1e-4)
    assert models["ecdctr"].differences["auc"].low > 0
    # People of other worlds are others: 40 users each.
    assert found.users == 120
    assert found.command == "make results"
    assert read_facts(ones, tmp_path) == [{"labels": "x", "n": n} for n in (5, 6, 7)]


def test_users_of_real_logs_are_the_same_in_every_replicate(tmp_path):
    ones = replicates(DataSet("amazon", "amazon.yaml", ("2014-06-01",)), 5, 2)
    for one in ones:
        store_one(one, tmp_path)
    assert pool(ones, tmp_path, "x").users == 40


def test_only_what_all_replicates_have_is_compared(tmp_path):
    ones = replicates(WORLDS, 1, 3)
    more = {"model:star": encoded(np.full(300, 0.2))}
    store_one(ones[0], tmp_path, **more)
    store_one(ones[1], tmp_path)
    found = pool(ones, tmp_path, "x")
    assert [model.name for model in found.models] == ["target_only", "ecdctr"]
    assert found.seeds == (1, 2)
    assert found.oracle is None


def test_without_a_replicate_there_is_no_table(tmp_path):
    with pytest.raises(DataError, match="no replicate of 'plain' is stored"):
        pool(replicates(WORLDS, 1, 2), tmp_path, "make worlds")


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Runs replicates without their processes; returns what was asked of these."""
    asked = []

    def run(one, names, failed=None):
        def process(command, **_):
            if command[2] == "benchmarks.replicate_child":
                asked.append(command[5])
                columns = {f"model:{n}": encoded(np.full(300, 0.2)) for n in names}
                store_one(one, tmp_path / "store", failed=failed, **columns)
            return SimpleNamespace(returncode=0)

        monkeypatch.setattr(module.subprocess, "run", process)
        console = Console(quiet=True)
        folders = tmp_path / "runs", tmp_path / "store"
        assert run_replicate(one, ["target_only", *names], *folders, console)
        return asked

    return run


def test_a_stored_replicate_is_not_run_again(child, tmp_path):
    (one,) = replicates(WORLDS, 1, 1)
    for _ in range(2):
        assert child(one, []) == ["target_only"]
    # Logs and models are gone, scores stay.
    assert not (tmp_path / "runs" / "plain" / "1" / "logs").exists()


def test_strategies_are_added_to_a_stored_replicate(child, tmp_path):
    (one,) = replicates(WORLDS, 1, 1)
    child(one, [])
    before = read_scores(stored(one, tmp_path / "store") / "scores.parquet")
    assert child(one, ["star"]) == ["target_only", "star"]
    after = read_scores(stored(one, tmp_path / "store") / "scores.parquet")
    assert after.select(before.column_names) == before
    assert set(after.column_names) - set(before.column_names) == {"model:star"}
    assert "star" in stamps_in(stored(one, tmp_path / "store"))
    single = read_json(stored(one, tmp_path / "store") / "comparison.json")
    assert set(single.costs) == {"target_only", "ecdctr", "star"}


def test_a_strategy_that_failed_is_not_tried_in_every_session(child):
    (one,) = replicates(WORLDS, 1, 1)
    child(one, ["star"], failed={"ple": "no memory"})
    assert child(one, ["star", "ple"]) == ["target_only,star"]


def test_scores_of_other_impressions_are_refused(tmp_path):
    first, second = replicates(WORLDS, 1, 2)
    store_one(first, tmp_path)
    other, *_ = made_of(second)
    with pytest.raises(DataError, match="other impressions than this run's"):
        add(stored(first, tmp_path), other)


def test_a_dropped_model_is_missing_and_the_others_stay(tmp_path):
    (one,) = replicates(WORLDS, 1, 1)
    store_one(one, tmp_path)
    folder = stored(one, tmp_path)
    before = read_scores(folder / "scores.parquet")
    drop(folder, ["ecdctr"])
    after = read_scores(folder / "scores.parquet")
    kept = [name for name in before.column_names if name != "model:ecdctr"]
    assert after == before.select(kept)
    assert set(stamps_in(folder)) == {"target_only", REFERENCES}
    assert set(read_json(folder / "comparison.json").costs) == {"target_only"}
    drop(folder, ["target_only"])
    assert not folder.exists()


def test_results_of_other_code_or_settings_are_removed_when_asked(
    tmp_path, monkeypatch
):
    ones = replicates(WORLDS, 1, 3)
    today = {"code": "new", "settings": "def"}
    monkeypatch.setattr(module, "stamp_of", lambda *_: today)
    store_one(ones[0], tmp_path / "store")
    mixed = {"target_only": today, "ecdctr": STAMP, REFERENCES: today}
    store_one(ones[1], tmp_path / "store", stamps=mixed)
    remove_outdated(ones, tmp_path / "runs", tmp_path / "store")
    assert [is_done(one, tmp_path / "store") for one in ones] == [False, True, False]
    left = stamps_in(stored(ones[1], tmp_path / "store"))
    assert set(left) == {"target_only", REFERENCES}
    assert codes_of(ones[1], tmp_path / "store") == {"new"}


def test_a_failed_command_leaves_its_folder_to_go_on_from(tmp_path, monkeypatch):
    (one,) = replicates(WORLDS, 1, 1)
    failed = SimpleNamespace(returncode=1)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: failed)
    console = Console(quiet=True)
    assert not run_replicate(
        one, ["target_only"], tmp_path / "runs", tmp_path / "store", console
    )
    assert (tmp_path / "runs" / "plain" / "1" / "config.yaml").is_file()


def test_facts_are_counted_from_the_ingested_impressions(tmp_path, monkeypatch):
    def write(domain, rows):
        user, item, label, day = zip(*rows, strict=True)
        lists = {
            "user_id": pa.array([[u.encode()] for u in user], pa.list_(pa.binary())),
            "item_id": pa.array([[i.encode()] for i in item], pa.list_(pa.binary())),
            "label": pa.array([[value] for value in label]),
            "day": pa.array([[value] for value in day]),
        }
        folder = tmp_path / f"Split-{domain}"
        folder.mkdir()
        pq.write_table(pa.table(lists), folder / "rows.parquet")

    write("feeds", [("a", "x", 1, 9), ("b", "y", 0, 8), ("c", "x", 1, 2)])
    write(
        "ads",
        [("a", "p", 1, 9), ("d", "q", 0, 9)]
        # Judged: b is a reader of feeds and new to the ads, e is nowhere known.
        + [("a", "p", 0, 10), ("b", "q", 1, 10), ("e", "r", 0, 11), ("a", "x", 0, 11)],
    )
    config = SimpleNamespace(
        root=tmp_path,
        metadata=None,
        target="ads",
        sources=("feeds",),
        levels=SimpleNamespace(target=SimpleNamespace(window_days=5)),
        evaluation_days=2,
        features=[SimpleNamespace(name=name) for name in ("user_id", "item_id", "day")],
        simulate=None,
        imports=None,
        label="stars >= 4",
    )
    # An older block that a later run has cut anew.
    shutil.copytree(tmp_path / "Split-ads", tmp_path / "older" / "Split-ads")
    blocks = [
        SimpleNamespace(uri=str(folder), properties={"role": "raw"})
        for folder in (tmp_path / "older", tmp_path)
    ]
    monkeypatch.setattr(
        "benchmarks.data_facts.Store",
        lambda *_: SimpleNamespace(artifacts=lambda _: blocks),
    )
    references = SimpleNamespace(mechanical={"rate": 0.3, "count": 0.5})
    found = data_facts(config, 10, references)
    assert found.target == Count(2, 1)
    # What is older than the window does not count.
    assert found.sources == {"feeds": Count(2, 1)}
    assert found.evaluation == Count(4, 1)
    assert (found.users_in_sources, found.items_in_sources) == (0.75, 0.25)
    assert (found.new_users, found.new_items) == (0.5, 0.5)
    assert found.moving == {"rate": 0.3}
    assert "stars >= 4" in found.labels
