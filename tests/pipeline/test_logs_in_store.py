"""Commands on logs in an object store: the same results as on the same local logs."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from components.storage.places import ObjectPath
from models.days import to_date
from pipeline.cli.group import main
from pipeline.config.load import dump
from pipeline.config.load import load_config
from pipeline.execution.job import plan_run
from pipeline.store.reader import Store
from tests.object_store import BUCKET
from tests.pipeline import feeds_ads
from tests.pipeline.feeds_ads import FIRST_DAY
from tests.pipeline.feeds_ads import NUM_DAYS

LOGS = f"s3://{BUCKET}/logs"


def _prepare(folder, store, **changes):
    """Writes logs into the store, schema and configuration into `folder`."""
    feeds_ads.prepare(folder, logs=LOGS, **changes)
    store.put_tree(folder / "logs", "logs")
    (folder / "logs").rename(folder / "local copy")


def _run(command, folder, *arguments):
    path = str(folder / "config.yaml")
    result = CliRunner().invoke(main, [*command.split(), path, *arguments])
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


# === The configuration ===


def test_logs_may_be_an_address(tmp_path, store):
    _prepare(tmp_path, store)
    config = load_config(tmp_path / "config.yaml")
    assert config.logs == ObjectPath(LOGS)
    assert config.domain_log("ads").folder == f"{LOGS}/ads"
    (tmp_path / "shown.yaml").write_text(dump(config))
    assert load_config(tmp_path / "shown.yaml") == config
    assert json.loads(dump(config))["logs"] == LOGS


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        ("file:///logs", "logs: no storage has the scheme file://"),
        ("s3:/clicks/logs", "logs: 's3:/clicks/logs' is no address of a folder"),
        ("s3://key:secret@clicks/logs", "logs: s3://...@... holds credentials"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path, logs, message):
    feeds_ads.prepare(tmp_path, logs=logs)
    code, shown = _run("validate", tmp_path)
    assert code == 2
    assert message in shown


def test_root_must_be_local(tmp_path):
    feeds_ads.prepare(tmp_path, root="s3://clicks/runs")
    code, shown = _run("validate", tmp_path)
    assert code == 2
    assert "root: URIs (s3://) are not supported here; expected a folder" in shown


# === Commands that read logs without a graph ===


def test_validate_reads_rows_of_the_store(tmp_path, store):
    _prepare(tmp_path, store)
    store.put("logs/ads/date=2022-06-02/part-0.csv.xz", b"")
    code, shown = _run("validate", tmp_path, "--day", "2022-06-02")
    assert code == 0, shown
    assert "40 rows of 1 of 1 files" in shown
    assert "date=2022-06-02/part-0.csv.xz (packed as .xz; unpack it" in shown


def test_doctor_counts_the_days_of_the_store(tmp_path, store):
    _prepare(tmp_path, store)
    _, shown = _run("doctor", tmp_path)
    assert f"days of logs in {LOGS}: feeds 3, ads 3" in shown
    store.empty()
    _, shown = _run("doctor", tmp_path)
    assert f"no day of logs of feeds, ads in {LOGS}" in shown


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", [("ingest", "--to", "2022-06-04"), ("doctor",)])
def test_a_missing_bucket_is_named(tmp_path, command):
    feeds_ads.prepare(tmp_path, logs="s3://nobody/logs")
    name, *arguments = command
    _, shown = _run(name, tmp_path, *arguments)
    assert "Object store: there is no bucket 'nobody' in the store http" in shown


@pytest.mark.slow
def test_a_store_that_is_down_is_to_be_tried_later(tmp_path, store, monkeypatch):
    _prepare(tmp_path, store)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, shown = _run("ingest", tmp_path, "--to", "2022-06-04")
    assert code == 75
    assert "Object store not reachable: the store http://127.0.0.1:9" in shown
    assert "correct AWS_ENDPOINT_URL" in shown


def test_a_simulation_writes_no_logs_into_a_store(tmp_path, store):
    _prepare(tmp_path, store, simulate={"truth": str(tmp_path / "truth")})
    code, shown = _run("simulate", tmp_path)
    assert code == 2
    assert f"writes to a local folder, and `logs` is '{LOGS}'" in shown
    assert "copy the folder to the store" in shown


# === The ingest ===


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    feeds_ads.prepare(folder)
    feeds_ads.ingest(folder)
    return folder


def _files(folder, kind, role=None):
    (found,) = [
        Path(stored.uri)
        for stored in Store(folder / "runs").artifacts(kind)
        if role is None or stored.properties.get("role") == role
    ]
    return found


def _made(folder):
    """Returns rows, vocabularies and quarantine of the only block."""
    rows = {}
    for role in ("raw", "transformed"):
        examples = _files(folder, "Examples", role)
        for path in sorted(examples.rglob("*.parquet")):
            rows[role, path.parent.name, path.name] = pq.read_table(path).to_pylist()
    vocabulary = _files(folder, "Vocabulary")
    words = {path.name: path.read_bytes() for path in vocabulary.iterdir()}
    quarantine = {}
    for path in sorted((folder / "runs" / "quarantine").rglob("*.jsonl")):
        lines = map(json.loads, path.read_text().splitlines())
        quarantine[path.parent.name, path.parent.parent.name] = [
            {**line, "file": line["file"].rpartition("/logs/")[2]} for line in lines
        ]
    return rows, words, quarantine


@pytest.mark.slow
def test_an_ingest_makes_of_them_what_it_makes_of_local_logs(tmp_path, store, local):
    _prepare(tmp_path, store)
    first = f"/{BUCKET}/logs/ads/date={to_date(FIRST_DAY)}/part-0.csv.gz"
    # One log never comes whole: nothing is made, and the same command mends it.
    store.faults.cut(f"GET {first}", 10**6)
    with pytest.raises(AssertionError, match="Object store not reachable") as caught:
        feeds_ads.ingest(tmp_path)
    assert f"does not answer for 's3:/{first}'" in " ".join(str(caught.value).split())
    store.faults.clear()
    store.faults.fail(f"GET /{BUCKET}", 2, "503 Slow Down", "SlowDown")
    store.faults.delay(f"GET /{BUCKET}", 3, 0.5)
    store.faults.cut(f"GET {first}", 1)
    shown = feeds_ads.ingest(tmp_path)
    assert "ads: 120 rows read, 6 quarantined" in shown
    expected, found = _made(local), _made(tmp_path)
    assert found == expected
    assert len(expected[0]) >= 4
    assert len(expected[2]) == NUM_DAYS
    # The same bytes again are the same log; a changed file makes its day due.
    store.put_tree(tmp_path / "local copy", "logs")
    assert "Everything was done already" in feeds_ads.ingest(tmp_path)
    path = f"feeds/date={to_date(FIRST_DAY)}/part-0.jsonl"
    lines = (tmp_path / "local copy" / path).read_text().splitlines()
    store.put(f"logs/{path}", "\n".join(lines[:-1]) + "\n")
    config = load_config(tmp_path / "config.yaml")
    planned = plan_run(config, lambda one: one.ingest(FIRST_DAY + NUM_DAYS - 1))
    assert [step.done for step in planned.steps] == [False]
    assert [(log.domain, log.day) for log in planned.late] == [("feeds", FIRST_DAY)]


@pytest.mark.slow
def test_a_schema_is_inferred_from_the_store(tmp_path, store):
    _prepare(tmp_path, store)
    code, shown = _run(
        "schema infer",
        tmp_path,
        "--day",
        str(to_date(FIRST_DAY + 2)),
        "--output",
        str(tmp_path / "draft.pbtxt"),
    )
    assert code == 0, shown
    assert "9 features in" in shown
    assert 'name: "user_id"' in (tmp_path / "draft.pbtxt").read_text()


@pytest.mark.slow
def test_init_guesses_from_the_store(tmp_path, store, monkeypatch):
    from tests.pipeline.two_csvs import write_two_csvs

    write_two_csvs(tmp_path)
    simulated = tmp_path / "simulated"
    store.put_tree(simulated, "events")
    monkeypatch.chdir(tmp_path)
    arguments = ["--target", "ads", "--output", "mine.yaml"]
    result = CliRunner().invoke(main, ["init", f"s3://{BUCKET}/events", *arguments])
    assert result.exit_code == 0, result.output
    found = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert found["logs"] == f"s3://{BUCKET}/events"
    result = CliRunner().invoke(
        main, ["init", str(simulated), "--target", "ads", "--output", "its.yaml"]
    )
    assert result.exit_code == 0, result.output
    expected = yaml.safe_load((tmp_path / "its.yaml").read_text())
    for config in (found, expected):
        for key in ("name", "root", "logs", "schema", "serving"):
            config.pop(key)
    assert found == expected
