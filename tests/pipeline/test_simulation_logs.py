"""Command `simulate`: files written, kept and repeated, and errors."""

import datetime
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.metrics import log_loss
from sklearn.metrics import roc_auc_score

from models.days import to_day
from models.errors import DataError
from pipeline.datasets.simulation import writer
from pipeline.datasets.simulation.oracle import newest_days
from pipeline.datasets.simulation.oracle import probabilities_of
from pipeline.datasets.simulation.oracle import read_truth
from pipeline.datasets.simulation.oracle import score_oracle
from pipeline.datasets.simulation.settings import PRESETS
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.datasets.simulation.writer import write_domains
from pipeline.store.reader import Store

ROOT = Path(__file__).parents[2]
FIRST_DAY = datetime.date(2024, 1, 1)
NUM_DAYS = 3
DAYS = {f"date=2024-01-0{day}" for day in (1, 2, 3)}


def write(folder, *, seed=17, num_days=NUM_DAYS, on_progress=None, **knobs):
    """Writes a small world whose parameters are `knobs`."""
    simulation = SimulationConfig(truth=folder / "truth", preset="small", **knobs)
    return write_domains(
        plan_domains(simulation, ["feeds"], "ads"),
        seed=seed,
        first_day=FIRST_DAY,
        num_days=num_days,
        logs=folder / "logs",
        truth=folder / "truth",
        recent_items=simulation.recent_items,
        on_progress=on_progress,
    )


def hashes(folder):
    """Returns the hash of every file below `folder`, hidden ones included."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def log_of(folder, domain, day=1, kind="logs"):
    path = folder / kind / domain / f"date=2024-01-0{day}" / "part-0.parquet"
    return pq.ParquetFile(path).read()


def test_logs_are_dated_and_of_the_planned_size(tmp_path):
    feeds, ads = write(tmp_path)
    assert (feeds.rows, ads.rows) == (6_000, 183)
    for kind in ("logs", "truth"):
        for domain, rows in (("feeds", 2_000), ("ads", 61)):
            folder = tmp_path / kind / domain
            assert {p.name for p in folder.iterdir()} == {*DAYS, "_simulation.json"}
            assert len(log_of(tmp_path, domain, 2, kind)) == rows


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("first", 5), ("second", 5), ("third", 6)):
        write(tmp_path / name, seed=seed)
    first, second, third = (
        hashes(tmp_path / name) for name in ("first", "second", "third")
    )
    assert first == second
    assert first.keys() == third.keys()
    assert not set(first.values()) & set(third.values())


def test_domains_write_the_same_things_differently(tmp_path):
    write(tmp_path)
    feeds, ads = log_of(tmp_path, "feeds"), log_of(tmp_path, "ads")
    assert set(feeds.column_names) & set(ads.column_names) == {
        "label",
        "u_refreshTimes",
    }
    assert len(feeds.column_names) == len(ads.column_names) == 12
    assert set(feeds.column("label").to_pylist()) == {-1, 1}
    assert set(ads.column("label").to_pylist()) == {0, 1}
    assert ads.column("u_refreshTimes").null_count > 0
    assert feeds.column("u_refreshTimes").null_count == 0
    assert all(
        isinstance(user, str) and user.isdigit()
        for user in ads.column("user_id").to_pylist()
    )
    row = feeds.slice(0, 1).to_pylist()[0]
    assert isinstance(row["u_interests"], list)
    assert 20240101_0000 <= row["e_et"] <= 20240101_2359
    assert all(time.startswith("20240101") for time in ads.column("pt_d").to_pylist())


def test_the_log_holds_nothing_of_the_truth(tmp_path):
    write(tmp_path, poison=0.3)
    for path in (tmp_path / "logs").rglob("*.parquet"):
        names = set(pq.read_schema(path).names)
        assert not names & {"probability", "accident", "click", "p"}
    for domain in ("feeds", "ads"):
        truth = log_of(tmp_path, domain, kind="truth")
        log = log_of(tmp_path, domain)
        clicks = np.array(log.column("label").to_pylist()) == 1
        np.testing.assert_array_equal(clicks, truth.column("click").to_numpy())
        # No column of the log is a function of the mark or of p* in disguise.
        p = truth.column("probability").to_numpy()
        for name in log.column_names:
            values = log.column(name).to_pylist()
            assert len(set(map(str, values))) < len(set(p.tolist()))


def test_an_interrupted_simulation_goes_on_and_ends_the_same(tmp_path):
    write(tmp_path / "whole")

    def stop(_, rows):
        if rows >= 4_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "broken", on_progress=stop)
    kept = tmp_path / "broken" / "logs" / "feeds" / "date=2024-01-01" / "part-0.parquet"
    before = kept.stat().st_mtime_ns
    feeds, ads = write(tmp_path / "broken")
    assert (feeds.reused_days, ads.reused_days) == (2, 1)
    assert kept.stat().st_mtime_ns == before
    assert hashes(tmp_path / "broken") == hashes(tmp_path / "whole")


@pytest.mark.parametrize("nth", [1, 2, 5])
def test_a_day_that_dies_while_written_leaves_no_day(tmp_path, monkeypatch, nth):
    write(tmp_path / "whole")
    calls = []
    original = writer._DayFile.add

    def dies(self, table):
        calls.append(1)
        if len(calls) == nth:
            raise OSError("disk full")
        original(self, table)

    with monkeypatch.context() as patched:
        patched.setattr(writer._DayFile, "add", dies)
        with pytest.raises(OSError, match="disk full"):
            write(tmp_path / "broken")
    broken = tmp_path / "broken" / "logs" / "feeds"
    seen = {p.name for p in broken.iterdir() if p.name.startswith("date=")}
    # Log and truth of feeds, then of ads, then of the next day.
    assert len(seen) == (nth + 1) // 4
    write(tmp_path / "broken")
    assert hashes(tmp_path / "broken") == hashes(tmp_path / "whole")


@pytest.mark.parametrize(
    ("domain", "columns", "digest"),
    [
        ("feeds", ("u_userId", "i_docId", "e_et", "label"), "96f9d2136d9b55e9"),
        ("ads", ("user_id", "adv_id", "pt_d", "label"), "bcdf9f9fecdf0e38"),
    ],
)
def test_logs_without_complications_are_those_of_before_there_were_any(
    tmp_path, domain, columns, digest
):
    """The digests are of logs written by the version of 2026-11-30."""
    write(tmp_path)
    found = hashlib.sha256()
    for day in (1, 2, 3):
        table = log_of(tmp_path, domain, day)
        numbers = [[int(v) for v in table.column(c).to_pylist()] for c in columns]
        found.update(repr(numbers).encode())
    assert found.hexdigest()[:16] == digest
    manifest = json.loads((tmp_path / "logs" / domain / "_simulation.json").read_text())
    assert not manifest.keys() & {"complications", "world", "recent_items"}


def test_recent_items_resume_where_days_are_missing(tmp_path):
    write(tmp_path, recent_items=4)
    before = hashes(tmp_path)
    for domain in ("feeds", "ads"):
        folder = tmp_path / "logs" / domain / "date=2024-01-03"
        (folder / "part-0.parquet").unlink()
    reports = write(tmp_path, recent_items=4)
    assert [report.reused_days for report in reports] == [2, 2]
    assert hashes(tmp_path) == before


@pytest.mark.slow
def test_recent_items_are_the_clicks_of_earlier_days_in_every_domain(tmp_path):
    write(tmp_path, recent_items=3, rows_per_day=4_000, sparsity=2)
    clicked = {"feeds": {}, "ads": {}}
    names = {
        "feeds": ("u_userId", "i_docId", "e_et"),
        "ads": ("user_id", "adv_id", "pt_d"),
    }
    longest = 0
    for day in (1, 2, 3):
        logs = {domain: log_of(tmp_path, domain, day) for domain in names}
        for domain, (user, *_) in names.items():
            rows = logs[domain].to_pylist()
            for row in rows:
                for source, history in clicked.items():
                    seen = history.get(int(row[user]), [])
                    newest = list(dict.fromkeys(reversed(seen)))[:3]
                    given = [int(item) for item in row[f"recent_items_{source}"]]
                    assert given == newest
                    longest = max(longest, len(given))
        for domain, (user, item, time) in names.items():
            rows = logs[domain].to_pylist()
            # The log keeps no order within a minute but that of its rows.
            for row in sorted(rows, key=lambda row: int(row[time])):
                if row["label"] == 1:
                    history = clicked[domain].setdefault(int(row[user]), [])
                    history.append(int(row[item]))
    assert longest == 3


def test_other_parameters_of_a_domain_change_the_recent_items_of_all(tmp_path):
    write(tmp_path / "old", recent_items=3)
    write(tmp_path / "old", recent_items=3, domains={"feeds": {"theta": 90}})
    write(tmp_path / "new", recent_items=3, domains={"feeds": {"theta": 90}})
    assert hashes(tmp_path / "old") == hashes(tmp_path / "new")


def test_a_day_whose_truth_is_gone_is_written_again(tmp_path):
    write(tmp_path)
    before = hashes(tmp_path)
    (tmp_path / "truth" / "ads" / "date=2024-01-02" / "part-0.parquet").unlink()
    _, ads = write(tmp_path)
    assert ads.reused_days == 2
    assert hashes(tmp_path) == before


def test_a_world_of_other_knobs_replaces_the_old_one(tmp_path):
    write(tmp_path / "new", theta=60, num_days=2)
    write(tmp_path / "old")
    write(tmp_path / "old", theta=60, num_days=2)
    assert hashes(tmp_path / "old") == hashes(tmp_path / "new")


def test_what_no_simulation_wrote_is_not_deleted(tmp_path):
    for kind in ("logs", "truth"):
        folder = tmp_path / kind / "ads" / "date=2023-01-01"
        folder.mkdir(parents=True)
        (folder / "part-0.parquet").write_text("precious")
        with pytest.raises(DataError, match="which no simulation wrote"):
            write(tmp_path)
        assert (folder / "part-0.parquet").read_text() == "precious"
        assert not (tmp_path / "logs" / "feeds").exists()
        (folder / "part-0.parquet").unlink()
        folder.rmdir()


def test_a_file_beside_ours_is_not_deleted(tmp_path):
    write(tmp_path)
    note = tmp_path / "logs" / "feeds" / "date=2024-01-01" / "mine.csv"
    note.write_text("precious")
    with pytest.raises(DataError, match="mine.csv"):
        write(tmp_path, seed=2)
    assert note.read_text() == "precious"


def test_the_oracle_is_scored_exactly(tmp_path):
    write(tmp_path)
    score = score_oracle(tmp_path / "truth", "feeds", FIRST_DAY, 2)
    rows = [log_of(tmp_path, "feeds", day, "truth") for day in (1, 2)]
    p, click, users = (
        np.concatenate([table.column(name).to_numpy() for table in rows])
        for name in ("probability", "click", "user_id")
    )
    assert score.rows == 4_000
    assert score.last_day == datetime.date(2024, 1, 2)
    assert score.auc == pytest.approx(roc_auc_score(click, p))
    assert score.log_loss == pytest.approx(log_loss(click, p.astype(np.float64)))
    won = weight = 0.0
    for user in set(users):
        mine = users == user
        if len(set(click[mine])) == 2:
            won += mine.sum() * roc_auc_score(click[mine], p[mine])
            weight += mine.sum()
    assert score.gauc == pytest.approx(won / weight)
    assert score.coverage == pytest.approx(weight / 4_000)
    assert score.click_rate == pytest.approx(click.mean())


def test_the_oracle_beats_what_knows_less(tmp_path):
    write(tmp_path)
    score = score_oracle(tmp_path / "truth", "feeds", FIRST_DAY, NUM_DAYS)
    truth = read_truth(tmp_path / "truth", "feeds", FIRST_DAY, NUM_DAYS)
    p, click = (truth.column(n).to_numpy() for n in ("probability", "click"))
    rng = np.random.default_rng(0)
    for noise in (0.3, 1.0):
        logit = np.log(p / (1 - p)) + noise * rng.standard_normal(len(p))
        assert roc_auc_score(click, logit) < score.auc


def test_days_without_truth_are_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match="date=2024-01-04"):
        score_oracle(tmp_path / "truth", "ads", FIRST_DAY, 4)


def test_rows_of_the_log_get_their_true_probabilities(tmp_path):
    write(tmp_path)
    rows = read_truth(tmp_path / "truth", "ads", FIRST_DAY, 2)
    users = np.array([str(u).encode() for u in rows["user_id"].to_pylist()], object)
    labels = rows["click"].to_numpy()
    where = (tmp_path / "truth", "ads", FIRST_DAY, 2)
    found = probabilities_of(*where, users, labels)
    assert found.tolist() == rows["probability"].to_pylist()
    other = np.roll(users, 1)
    for changed in ((other, labels), (users, 1 - labels), (users[:-1], labels[:-1])):
        with pytest.raises(DataError, match="are not the .* of the truth"):
            probabilities_of(*where, *changed)


@pytest.mark.parametrize(
    ("rows_per_day", "num_days", "expected"),
    [(1_000, 60, 60), (170_000, 60, 23), (50_000_000, 60, 1)],
)
def test_the_oracle_is_scored_on_so_many_days(rows_per_day, num_days, expected):
    assert newest_days(rows_per_day, num_days) == expected


@pytest.fixture
def settings(tmp_path):
    """The shipped configuration with every path inside `tmp_path`."""
    loaded = yaml.safe_load((ROOT / "configs" / "feeds_ads.yaml").read_text())
    loaded.pop("tuned", None)
    for key in ("root", "logs"):
        loaded[key] = str(tmp_path / key)
    loaded["schema"] = str(ROOT / "schema" / "feeds_ads.pbtxt")
    loaded["serving"] = {"directory": str(tmp_path / "serving")}
    loaded["simulate"]["truth"] = str(tmp_path / "truth")
    return loaded


def test_the_command_says_what_it_wrote_and_scores_the_oracle(crossctr, tmp_path):
    first = crossctr("simulate", "--preset", "small", "--seed", "3")
    assert first.exit_code == 0, first.output
    assert "preset small, seed 3, 12 days from 2024-01-01 to 2024-01-12" in first.output
    assert "feeds: 24,000 rows in 12 days" in first.output
    assert "ads: 732 rows in 12 days" in first.output
    assert f"Logs are in {tmp_path / 'logs'}" in first.output
    assert str(tmp_path / "truth") in first.output
    score = score_oracle(tmp_path / "truth", "ads", FIRST_DAY, 12)
    assert f"{score.gauc:.4f}" in first.output
    manifest = json.loads((tmp_path / "logs/ads/_simulation.json").read_text())
    assert manifest["seed"] == 3
    again = crossctr("simulate", "--preset", "small", "--seed", "3")
    assert "12 reused" in again.output


def _refused(result, tmp_path, *texts):
    assert result.exit_code == 2, result.output
    for text in texts:
        assert text in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"theta": 200}, ("simulate.theta", "200")),
        ({"thta": 20}, ("unknown key 'simulate.thta'", "did you mean 'theta'")),
        ({"preset": "huge"}, ("simulate.preset", "'daily'", "'huge'")),
        ({"poison": 0.95}, ("simulate.poison", "0.95")),
        ({"sparsity": 0.5}, ("simulate.sparsity", "0.5")),
        ({"domains": {"fedes": {}}}, ("'fedes' is not one of", "mean 'feeds'")),
        ({"domains": {"feeds": {"tehta": 1}}}, ("did you mean 'theta'",)),
    ],
)
def test_bad_knobs_are_refused(crossctr, settings, tmp_path, changes, texts):
    settings["simulate"] |= changes
    _refused(crossctr("simulate"), tmp_path, *texts)


@pytest.mark.parametrize("inside", ["logs", "logs/ads/truth", "truth/../logs/truth"])
def test_truth_inside_the_logs_is_refused(crossctr, settings, tmp_path, inside):
    settings["simulate"]["truth"] = str(tmp_path / inside)
    _refused(crossctr("simulate"), tmp_path, "simulate.truth", "where a model could")


def test_a_configuration_without_a_simulation_is_refused(crossctr, settings, tmp_path):
    del settings["simulate"]
    _refused(crossctr("simulate"), tmp_path, "no `simulate` section", "feeds_ads.yaml")


def test_import_and_simulate_exclude_each_other(crossctr, settings, tmp_path):
    settings["import"] = {"data": str(tmp_path), "last_day": "2024-02-01"}
    _refused(crossctr("validate"), tmp_path, "`import` and `simulate`")


@pytest.mark.parametrize(
    ("option", "text"), [("--preset", "'daily', 'scale'"), ("--seed", "range")]
)
def test_bad_options_are_refused(crossctr, tmp_path, option, text):
    _refused(crossctr("simulate", option, "-1"), tmp_path, text)


def test_the_vocabularies_hold_the_daily_preset(settings):
    simulation = SimulationConfig.model_validate(settings["simulate"])
    feeds, ads = plan_domains(simulation, settings["sources"], settings["target"])
    growth = 1 + 0.005 * PRESETS["daily"].days
    for name, kind in (("user", "users"), ("item", "items")):
        most = growth * (getattr(feeds, kind) + getattr(ads, kind))
        assert most <= settings["vocabularies"][name]["capacity"]


@pytest.mark.slow
def test_a_real_ingest_loses_no_row_and_finds_no_anomaly(crossctr, settings, tmp_path):
    settings["sources"] = ["feeds", "partner"]
    settings["timestamp"]["partner"] = {"column": "e_et"}
    settings["simulate"]["domains"] = {"partner": {"theta": 90, "poison": 0.4}}
    assert crossctr("simulate", "--preset", "small").exit_code == 0
    command = ["ingest", str(tmp_path / "config.yaml"), "--to", "2024-01-12"]
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ads: 732 rows read, 0 quarantined" in ran.stdout
    assert "partner: 24,000 rows read, 0 quarantined" in ran.stdout
    artifacts = Store(tmp_path / "root").artifacts("Examples")
    (done,) = [a for a in artifacts if a.properties["role"] == "transformed"]
    assert done.first_day == to_day(FIRST_DAY)
    rows = pq.read_table(f"{done.uri}/Split-ads")
    truth = read_truth(tmp_path / "truth", "ads", FIRST_DAY, 12)
    assert len(rows) == len(truth) == 732
    labels = pc.sum(pc.list_flatten(rows.column("label"))).as_py()
    assert labels == pc.sum(truth.column("click")).as_py()
