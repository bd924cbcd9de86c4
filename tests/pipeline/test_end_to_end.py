"""Real TFX runs on shipped logs: a first day, the same day again, and the next days."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2
from sklearn.metrics import log_loss
from sklearn.metrics import roc_auc_score

from components.evaluation.ranking import grouped_auc
from components.publisher.card_files import card_of
from components.publisher.model_card import GATE
from components.references.stored import read_references
from models.artifact_files import CARD_TEXT_FILE
from models.days import to_day
from models.errors import DataError
from pipeline import api
from pipeline.cli.group import main
from pipeline.cli.predict import stored_rows
from pipeline.config.load import load_config
from pipeline.execution.job import plan_run
from pipeline.report.scoring import score_step
from pipeline.store.reader import Store
from pipeline.store.results import target_result
from tests.pipeline.markets import DAY
from tests.pipeline.markets import DAY_AFTER
from tests.pipeline.markets import FIRST_DAY
from tests.pipeline.markets import NEXT_DAY
from tests.pipeline.markets import STRATEGIES
from tests.pipeline.markets import World

pytestmark = [pytest.mark.slow, pytest.mark.long]

# Reads nothing but TensorFlow and writes one score per serialized Example.
_SCORE = """
import sys, json
import tensorflow as tf
folder, examples = sys.argv[1], sys.argv[2]
records = tf.data.TFRecordDataset(examples, compression_type="GZIP")
records = [record.numpy() for record in records]
records.append(tf.train.Example().SerializeToString())
model = tf.saved_model.load(folder)
ctr = model.signatures["serving_default"](tf.constant(records))["ctr"].numpy().tolist()
foreign = [m for m in ("models", "components", "tensorflow_transform", "tfx")
           if m in sys.modules]
print(json.dumps({"ctr": ctr, "foreign": foreign}))
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The world after `import` and the first day's run, with what was printed."""
    world = World(tmp_path_factory.mktemp("world"))
    imported = world.run("import")
    assert imported.returncode == 0, imported.stderr
    ran = world.run_in_own_process("run", "--day", DAY, "--compare")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return world, ran.stdout


@pytest.fixture(scope="module")
def second(first):
    """The same world after the same day again, then a later one."""
    world, _ = first
    before = {a.id for kind in ("Model", "Examples") for a in _artifacts(world, kind)}
    again = world.run("run", "--day", DAY, "--compare")
    unchanged = {
        a.id for kind in ("Model", "Examples") for a in _artifacts(world, kind)
    }
    later = world.run("run", "--day", NEXT_DAY)
    assert later.returncode == 0, later.stdout + later.stderr
    return world, again.stdout, before == unchanged, later.stdout


@pytest.fixture(scope="module")
def third(second):
    """The same world after one more day, with what was planned and printed."""
    world, *_ = second
    planned = world.run("plan", "--day", DAY_AFTER)
    ran = world.run("run", "--day", DAY_AFTER)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return world, planned.stdout, ran.stdout


def _artifacts(world, kind):
    return Store(world.root).artifacts(kind)


def _model_of(world, level, day=DAY):
    models = [
        model
        for model in _artifacts(world, "Model")
        if model.properties["level"] == level
        and model.last_day < to_day(datetime.date.fromisoformat(day))
    ]
    return models[-1]


def test_the_run_shows_steps_rows_and_metrics(first):
    _, shown = first
    for text in (
        "1/9 ingest 2017-07-01..2018-07-01",
        "references for de on 2018-07-02",
        "TPM of 2018-07-02",
        "CPM of 2018-07-02, 2 snapshots",
        "rows/s",
        "Full log of all libraries:",
        "Evaluation on de, same impressions for all",
        "normalized entropy",
        "constant",
        "logistic + sources",
        "the best reference,",
        "optimizer steps, fewer than 50",
        "ecdctr on de by slice",
        "hidden_0_norm (4)",
        "Published SavedModel:",
    ):
        assert text in shown
    assert "WARNING" not in shown


def test_the_run_writes_a_page_with_the_metrics_it_printed(first):
    world, shown = first
    path = world.root / "reports" / DAY / "report.html"
    assert f"Report: {path}" in shown
    page = path.read_text()
    for decision in _artifacts(world, "GateDecision"):
        metrics = json.loads(Path(decision.uri, "decision.json").read_text())
        assert f"{metrics['candidate']['auc']:.4f}" in page
    assert 'aria-label="ecdctr"' in page  # the calibration plot
    assert not re.search("https?://", page)


def test_references_are_made_from_the_window_and_scored_on_the_evaluation_rows(first):
    world, _ = first
    (stored,) = _artifacts(world, "ReferenceScores")
    references = read_references(Path(stored.uri))
    assert stored.last_day == _as_day(DAY) - 1
    (decision, *_) = (
        json.loads(Path(one.uri, "decision.json").read_text())
        for one in _artifacts(world, "GateDecision")
    )
    rows = decision["candidate"]["example_count"]
    assert {len(scores) for scores in references.scores().values()} == {rows}
    for name, one in references.models.items():
        assert one.metrics["example_count"] == rows, name
        assert one.metrics["click_count"] == decision["candidate"]["click_count"]
    constant = references.by_name["constant"].metrics
    assert constant["log_loss"] == pytest.approx(decision["constant"]["log_loss"])
    assert set(references.mechanical) >= {"user_click_rate", "item_click_rate"}


def test_rows_are_accounted_for(first):
    world, _ = first
    logged = {
        domain: sum(
            pq.read_metadata(path).num_rows
            for path in Path(world.settings["logs"], domain).glob("*/*.parquet")
            if path.parent.name <= "date=2018-09-29"
        )
        for domain in ("fr", "mx", "de")
    }
    for role in ("raw", "transformed"):
        blocks = [
            a for a in _artifacts(world, "Examples") if a.properties.get("role") == role
        ]
        assert len(blocks) == 2
        for domain, expected in logged.items():
            files = [
                path
                for block in blocks
                for path in Path(block.uri, f"Split-{domain}").glob("*")
            ]
            assert all(path.suffix == ".parquet" for path in files)
            assert sum(pq.read_metadata(path).num_rows for path in files) == expected


def test_no_training_reads_the_day_or_later(first):
    world, _ = first
    day = to_day(datetime.date.fromisoformat(DAY))
    models = _artifacts(world, "Model")
    assert len(models) == 3 + 1 + len(STRATEGIES)
    assert all(model.last_day < day for model in models)
    evaluated = [
        a
        for a in _artifacts(world, "Examples")
        if a.properties.get("role") == "evaluation"
    ]
    # Both strategies read one set: TFX finds the second one cut already.
    assert [(a.first_day, a.last_day) for a in evaluated] == [(day, day + 89)]
    # What was trained on is what the logs hold of the window, and nothing else.
    target = _model_of(world, "target")
    window = range(day - 300, day)
    logged = sum(
        pq.read_metadata(path).num_rows
        for path in Path(world.settings["logs"], "de").glob("*/*.parquet")
        if to_day(datetime.date.fromisoformat(path.parent.name[5:])) in window
    )
    assert target.properties["num_rows"] == logged


def test_lineage_leads_from_the_target_model_to_cpm_and_the_snapshots(first):
    world, _ = first
    store = world.metadata
    by_fingerprint = {m.fingerprint: m.id for m in _artifacts(world, "Model")}
    published = _artifacts(world, "PublishedModel")[-1]
    target = by_fingerprint[published.properties["model_fingerprint"]]
    parents = _parents(store, target)
    assert len(parents["Model"]) == 1
    (cpm,) = parents["Model"]
    assert store.get_artifacts_by_id([cpm])[0].custom_properties["level"] == (
        metadata_store_pb2.Value(string_value="cpm")
    )
    assert len(parents["EmbeddingSnapshot"]) == 2
    assert _parents(store, cpm)["EmbeddingSnapshot"] == parents["EmbeddingSnapshot"]
    periods = [_parents(store, snapshot) for snapshot in parents["EmbeddingSnapshot"]]
    # The newer period's TPM continued the older one's, and that one the first.
    trained = [next(iter(period["Model"])) for period in periods]
    older, newer = sorted(trained)
    assert _parents(store, newer)["Model"] == {older}
    (first_period,) = _parents(store, older)["Model"]
    assert "Model" not in _parents(store, first_period)


def _parents(store, artifact):
    """Returns the ids of the artifacts that made `artifact`, by type."""
    output, input_ = (
        metadata_store_pb2.Event.OUTPUT,
        metadata_store_pb2.Event.INPUT,
    )
    makers = {
        e.execution_id
        for e in store.get_events_by_artifact_ids([artifact])
        if e.type == output
    }
    events = store.get_events_by_execution_ids(makers)
    ids = {e.artifact_id for e in events if e.type == input_}
    found: dict[str, set[int]] = {}
    for parent in store.get_artifacts_by_id(ids):
        found.setdefault(parent.type, set()).add(parent.id)
    return found


def test_the_published_model_scores_like_the_table_without_this_project(first):
    world, shown = first
    (version,) = [p for p in world.serving.iterdir() if p.name.isdigit()]
    assert version.name == "2018070200"
    assert str(version) in shown
    evaluated = [
        a
        for a in _artifacts(world, "Examples")
        if a.properties.get("role") == "evaluation"
    ]
    (records,) = Path(evaluated[0].uri, "Split-eval").glob("*.gz")
    # In a folder of its own and isolated: nothing of the project is importable by
    # accident, and nothing of it is imported.
    scored = subprocess.run(
        [sys.executable, "-I", "-c", _SCORE, str(version), str(records)],
        capture_output=True,
        text=True,
        cwd=world.root.parent,
        check=True,
    )
    result = json.loads(scored.stdout.strip().splitlines()[-1])
    assert result["foreign"] == []
    *ctr, of_nothing = result["ctr"]
    assert np.isfinite(result["ctr"]).all()
    assert 0 < of_nothing < 1
    labels = _labels(world)
    lineage = json.loads((version / "assets.extra" / "crossctr.json").read_text())
    metrics = lineage["decision"]["candidate"]
    assert len(ctr) == len(labels) == metrics["example_count"]
    assert metrics["auc"] == pytest.approx(roc_auc_score(labels, ctr), abs=1e-9)
    assert metrics["log_loss"] == pytest.approx(log_loss(labels, ctr), abs=1e-6)
    assert metrics["calibration"] == pytest.approx(sum(ctr) / sum(labels), rel=1e-4)
    interval = lineage["decision"]["intervals"]["auc"]
    assert interval["low"] < metrics["auc"] < interval["high"]


def test_the_constant_is_the_click_rate_of_the_days_before(first):
    world, _ = first
    version = world.serving / "2018070200"
    lineage = json.loads((version / "assets.extra" / "crossctr.json").read_text())
    constant = lineage["decision"]["constant"]
    # 300 days, the target's window.
    trained = _labels(world, first="2017-09-05", last="2018-07-01")
    assert constant["click_rate"] == pytest.approx(trained.mean())
    labels = _labels(world)
    flat = np.full(len(labels), trained.mean())
    assert constant["auc"] == roc_auc_score(labels, flat) == 0.5
    assert constant["log_loss"] == pytest.approx(log_loss(labels, flat))
    assert constant["calibration"] == pytest.approx(flat.sum() / labels.sum())
    assert constant["click_count"] == labels.sum()
    assert constant["normalized_entropy"] == pytest.approx(
        log_loss(labels, flat) / log_loss(labels, np.full(len(labels), labels.mean()))
    )
    model = lineage["decision"]["candidate"]
    assert model["click_count"] == labels.sum()


def test_the_slices_of_a_dimension_are_all_rows(first):
    world, _ = first
    version = world.serving / "2018070200"
    decision = json.loads((version / "assets.extra" / "crossctr.json").read_text())[
        "decision"
    ]
    rows = {}
    for part in decision["slices"]:
        count = part["candidate"]["example_count"]
        assert part["few_rows"] == (count < 500)
        rows.setdefault(part["slice"], {})[part["value"]] = count
    assert {sum(by.values()) for by in rows.values()} == {
        decision["candidate"]["example_count"]
    }
    assert set(rows) == {"user_history", "item_age"}
    # Straight from the logs.
    paths = Path(world.settings["logs"], "de").glob("*/*.parquet")
    seen = [
        value
        for path in paths
        if DAY <= path.parent.name[5:] <= "2018-09-29"
        for value in pq.ParquetFile(path)
        .read(columns=["user_impressions"])
        .column("user_impressions")
        .to_pylist()
    ]
    history = rows["user_history"]
    assert history["1-5"] == sum(value in range(1, 6) for value in seen)
    assert history["0"] == seen.count(0)


def _labels(world, first=DAY, last="2018-09-29"):
    """The clicks of some days of the target's logs, in the order of the logs."""
    paths = sorted(Path(world.settings["logs"], "de").glob("*/*.parquet"))
    labels: list[bool] = []
    for path in paths:
        if first <= path.parent.name[5:] <= last:
            rating = pq.ParquetFile(path).read(columns=["rating"]).column("rating")
            labels += pc.greater_equal(rating, 4).to_pylist()
    return np.array(labels, int)


def test_the_same_day_again_reuses_everything(second):
    _, shown, unchanged, _ = second
    assert unchanged
    assert shown.count("reused") == 8
    assert "Everything was done already; nothing ran." in shown
    assert "Evaluation on de" in shown
    assert "Published SavedModel:" in shown
    assert "Report: " in shown


def test_the_next_week_adds_its_days_and_is_held_against_the_live_model(second):
    world, _, _, shown = second
    assert "ingest 2018-07-02..2018-07-08" in shown
    assert "mx: no log file on these days, skipped" in shown
    assert shown.count("reused") == 4  # history, two periods, CPM
    versions = sorted(p.name for p in world.serving.iterdir())
    assert versions == ["2018070200", "2018070900"]
    decision = json.loads(
        (world.serving / "2018070900" / "assets.extra" / "crossctr.json").read_text()
    )["decision"]
    assert decision["state"] == "compared"
    assert decision["live"]["example_count"] == decision["candidate"]["example_count"]
    change = decision["changes"]["auc"]
    assert change["value"] == pytest.approx(
        decision["candidate"]["auc"] - decision["live"]["auc"]
    )
    assert change["low"] < change["high"]


def test_the_card_of_every_version_is_a_copy_of_what_was_judged(second):
    world, *_ = second
    references = {
        stored.fingerprint: read_references(Path(stored.uri))
        for stored in _artifacts(world, "ReferenceScores")
    }
    models = {model.fingerprint: model for model in _artifacts(world, "Model")}
    versions = sorted(world.serving.iterdir())
    assert len(versions) == 2
    for version in versions:
        card = card_of(version)
        lineage = json.loads((version / "assets.extra" / "crossctr.json").read_text())
        decision = lineage["decision"]
        for key in ("intervals", "live", "changes", "constant"):
            assert card["metrics"][key] == decision[key]
        assert card["metrics"]["model"] == decision["candidate"]
        assert card["slices"] == decision["slices"]
        prints = card["provenance"]["fingerprints"]
        assert prints["judgement"] == lineage["fingerprint"]
        assert prints["model"] == lineage["model_fingerprint"]
        beside = references[prints["references"]].by_name
        assert {name: one["metrics"] for name, one in card["references"].items()} == {
            name: one.metrics for name, one in beside.items()
        }
        assert card["references"]["logistic"]["intervals"]["auc"]["low"] is not None
        report = _report_of(models[prints["model"]])
        assert card["training"]["impressions"] == report["rows"]
        assert card["training"]["optimizer_steps"] == report["steps"]
        (event,) = card["events"]
        assert (event["event"], event["who"]) == ("published", GATE)
        assert event["version"] == int(version.name)
        text = (version / CARD_TEXT_FILE).read_text()
        assert f"{decision['candidate']['auc']:.4f}" in text


def _report_of(model):
    path = Path(model.uri, "Format-Train", "report.json")
    return json.loads(path.read_text())


def test_between_two_ticks_of_cpm_the_model_continues_on_the_new_days(second):
    world, _, _, shown = second
    assert "continues from A-CTR of 2018-07-02, trains on 7 new days" in shown
    assert "from its own model of an earlier day" in shown
    before, after = (
        _model_of(world, "target", DAY),
        _model_of(world, "target", "2019-01-01"),
    )
    day, next_day = (to_day(datetime.date.fromisoformat(d)) for d in (DAY, NEXT_DAY))
    assert (after.first_day, after.last_day) == (day, next_day - 1)
    # Yesterday's model and nothing of CPM.
    published = {
        a.properties["model_fingerprint"] for a in _artifacts(world, "PublishedModel")
    }
    assert after.fingerprint in published
    parents = _parents(world.metadata, after.id)["Model"]
    (parent,) = parents
    assert world.metadata.get_artifacts_by_id([parent])[0].custom_properties[
        "fingerprint"
    ].string_value in {
        m.fingerprint
        for m in _artifacts(world, "Model")
        if m.last_day == before.last_day
    }
    report = _report_of(after)
    assert report["rows"] == len(_labels(world, DAY, "2018-07-08"))
    assert report["warm_start"]["left_out"] == {}
    assert "hidden_0_norm/moving_mean" in report["warm_start"]["copied"]


def test_rows_of_the_vocabulary_never_move(second):
    world, *_ = second
    vocabularies = _artifacts(world, "Vocabulary")
    history = next(v for v in vocabularies if v.first_day == to_day(FIRST_DAY))
    longest = max(vocabularies, key=lambda v: v.last_day)
    for space in ("user", "item", "domain"):
        old = Path(history.uri, f"{space}.txt").read_bytes()
        new = Path(longest.uri, f"{space}.txt").read_bytes()
        assert new.startswith(old)
    assert Path(longest.uri, "user.txt").stat().st_size > len(
        Path(history.uri, "user.txt").read_bytes()
    )


def test_a_day_that_breaks_the_schema_stops_before_training(second, tmp_path):
    world, *_ = second
    broken = World(tmp_path)
    schema = Path(broken.settings["schema"])
    text = schema.read_text()
    shutil.copytree(world.settings["logs"], broken.settings["logs"])
    day = Path(broken.settings["logs"], "fr", "date=2018-01-02", "part-0.parquet")
    table = pq.ParquetFile(day).read()
    rates = pc.add(table.column("item_click_rate"), 7.0)
    at = table.column_names.index("item_click_rate")
    pq.write_table(table.set_column(at, "item_click_rate", rates), day)
    ran = broken.run_in_own_process("run", "--day", DAY)
    assert ran.returncode == 2
    (line,) = ran.stderr.strip().splitlines()
    assert line.startswith("Bad data: ingest 2017-07-01..2018-07-01:")
    assert "fr: item_click_rate" in line
    assert "Nothing was trained" in line
    assert Store(broken.root).artifacts("Model") == []
    page = broken.root / "reports" / DAY / "report.html"
    assert "Nothing was trained on them" in page.read_text()
    assert not broken.serving.exists()
    # The Guard's advice must work: the same file, mended, is read anew.
    at = text.index('name: "item_click_rate"')
    schema.write_text(text[:at] + text[at:].replace("max: 1.0", "max: 9.0", 1))
    again = broken.run("ingest", "--to", "2018-07-01")
    assert again.returncode == 0, again.stdout + again.stderr


def test_the_third_day_continues_from_the_second(third):
    world, planned, shown = third
    note = "continues from A-CTR of 2018-07-09, trains on 1 new day"
    # The table wraps its cells.
    assert "continues" in planned
    assert note in shown
    newest = _model_of(world, "target", "2019-01-01")
    assert _report_of(newest)["rows"] == len(_labels(world, NEXT_DAY, NEXT_DAY))
    (parent,) = _parents(world.metadata, newest.id)["Model"]
    assert parent in {
        m.id for m in _artifacts(world, "Model") if m.last_day < newest.first_day
    }
    assert (world.serving / "2018071000").is_dir()


def test_neighbours_of_an_item_are_shown(third):
    world, *_ = third
    (path, *_) = Path(_artifacts(world, "EmbeddingSnapshot")[-1].uri).glob(
        "item.parquet"
    )
    item = pq.ParquetFile(path).read(columns=["id"])["id"][0].as_py()
    command = ["embeddings", "nearest", str(world.config), "--item", item, "-k", "3"]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 0, found.output
    assert f"Nearest to item {item}, TPM of 2018-07-02" in (
        " ".join(found.stdout.split())
    )
    assert len([line for line in found.stdout.splitlines() if "0." in line]) >= 3


def test_kept_scores_are_those_that_were_judged(third):
    world, *_ = third
    config, store = load_config(world.config), Store(world.root)
    steps = plan_run(
        config, lambda planner: planner.run(_as_day(DAY_AFTER), ["ecdctr"])
    ).steps
    step = steps[-1]
    assert step.done
    scored = score_step(config, store, step)
    metrics = target_result(store, step).decision["candidate"]
    assert roc_auc_score(scored.labels, scored.scores) == pytest.approx(
        metrics["auc"], abs=1e-9
    )
    assert grouped_auc(scored.users, scored.scores, scored.labels).gauc == (
        pytest.approx(metrics["gauc"], abs=1e-9)
    )
    # Kept: the model is not asked again.
    shutil.rmtree(store.newest("Model", step.training).uri)
    np.testing.assert_array_equal(score_step(config, store, step).scores, scored.scores)


def _as_day(date):
    return to_day(datetime.date.fromisoformat(date))


def test_the_python_interface_gives_what_the_commands_gave(first, capsys):
    world, shown = first
    config = api.load_config(world.config)
    assert all(step.done for step in api.plan(config, DAY, list(STRATEGIES)).steps)
    result = api.run(config, DAY, list(STRATEGIES))
    assert "nothing ran" in capsys.readouterr().out
    assert {one.strategy for one in result.results} == set(STRATEGIES)
    for one in result.results:
        assert f"{one.decision['candidate']['auc']:.4f}" in shown
    (published,) = [one.published for one in result.results if one.published]
    model = api.load_model(config, int(Path(published).name))
    assert str(model.folder) == published
    rows = [{k: list(v) for k, v in row.items()} for row in stored_rows(config, 3)]
    scores = model.predict(rows)
    assert scores.shape == (len(rows),)
    assert ((scores > 0) & (scores < 1)).all()
    with pytest.raises(DataError, match="there is no version 7 of"):
        api.load_model(config, 7)
