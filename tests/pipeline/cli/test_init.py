"""`crossctr init`: errors before anything is written, and what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from models.days import to_date
from pipeline.cli.group import main
from pipeline.config.load import load_config
from pipeline.schemas.files import read_schema
from tests.pipeline.execution.holder import HOLDER
from tests.pipeline.guessing.guesses import HEADER
from tests.pipeline.guessing.guesses import as_csv
from tests.pipeline.guessing.guesses import rows
from tests.pipeline.guessing.guesses import with_feeds


def _init(*arguments):
    return CliRunner().invoke(main, ["init", *arguments])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def logs(here):
    """A folder with feeds.csv and ads.csv."""
    return with_feeds(here / "logs", as_csv(rows()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no file or folder 'nowhere'"),
        (["logs/ads.csv"], "has the logs of ads alone"),
        (["x=logs/ads.csv", "x=logs/feeds.csv"], "would both be the domain 'x'"),
        (["a b=logs/ads.csv", "logs/feeds.csv"], "'a b' cannot name a domain"),
        (["logs", "--target", "adds"], "--target 'adds' is none of the domains ads"),
        (
            ["logs", "--label", "ads=clicked"],
            "--label 'clicked' is not a column of 'ads'",
        ),
        (["logs", "--output", "ads.txt"], "does not name a YAML file"),
    ],
)
def test_an_error_says_what_to_do_and_nothing_is_written(
    here, logs, arguments, message
):
    before = sorted(here.rglob("*"))
    ran = _init(*arguments)
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert sorted(here.rglob("*")) == before
    assert logs.is_dir()


@pytest.mark.parametrize("name", ["ads.yaml", "ads.pbtxt", "runs/ads/logs/x"])
def test_nothing_is_overwritten(here, logs, name):
    mine = here / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    ran = _init(str(logs))
    assert ran.exit_code == 2
    assert "nothing was written" in ran.stderr
    assert "--force" in ran.stderr
    assert mine.read_text() == "mine"


def test_a_folder_that_no_init_wrote_survives_force(here, logs):
    mine = here / "runs" / "ads" / "logs" / "ads" / "date=2024-01-01" / "a.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    ran = _init(str(logs), "--force")
    assert ran.exit_code == 2
    assert "no init has written it" in ran.stderr
    assert mine.read_text() == "mine"


def test_a_root_that_another_command_holds_is_left_alone(here, logs):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, here / "runs" / "ads"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        ran = _init(str(logs))
    finally:
        holder.kill()
        holder.wait()
    assert ran.exit_code == 75, ran.output
    assert not (here / "ads.yaml").exists()
    assert not (here / "runs" / "ads" / "logs").exists()


@pytest.fixture
def without_tfdv(monkeypatch):
    """Replaces what needs TFDV: the schema, and the plan that reads it."""
    monkeypatch.setattr(
        "pipeline.cli.schema.write_inferred",
        lambda _config, days, path, _console: path.write_text(f"# {days}\n"),
    )
    monkeypatch.setattr("pipeline.api.plan", lambda _config, _day: None)


@pytest.mark.usefixtures("without_tfdv")
def test_what_is_unsure_is_printed_and_marked(here, logs):
    ran = _init(str(logs))
    assert ran.exit_code == 0, ran.output
    text = (here / "ads.yaml").read_text()
    for part in ("--target names it", "the Gate wants 500 impressions"):
        assert part in ran.stdout
    assert text.count("CHECK:") == 2
    assert "Not sure of 2 guesses" in ran.stdout
    day = load_config(here / "ads.yaml").anchor_day
    assert f"  crossctr run ads.yaml --day {day}\n" in ran.stdout


@pytest.mark.usefixtures("without_tfdv")
def test_force_replaces_what_init_wrote(here, logs):
    assert _init(str(logs)).exit_code == 0
    first = (here / "ads.yaml").read_text()
    more = as_csv(rows(220))
    (logs / "ads.csv").write_text(more)
    assert _init(str(logs)).exit_code == 2
    assert (here / "ads.yaml").read_text() == first
    ran = _init(str(logs), "--force")
    assert ran.exit_code == 0, ran.output
    assert "ads: 220 rows read = 220 written" in ran.output


@pytest.mark.usefixtures("without_tfdv")
def test_columns_are_named_for_all_domains_or_for_one(here):
    header = ("time", "who", "item_id", "click", "device", "price")
    folder = with_feeds(here / "logs", as_csv(rows(), header))
    ran = _init(str(folder), "--user", "ads=who", "--label", "click>0")
    assert ran.exit_code == 0, ran.output
    config = load_config(here / "ads.yaml")
    users = {d: config.domain_log(d).columns["user_id"].column for d in config.domains}
    assert users == {"ads": "who", "feeds": "user_id"}
    assert config.label == "click>0"


@pytest.mark.slow
def test_a_dated_log_and_a_flat_one_become_a_configuration(here):
    """Feeds by day as JSON Lines, elsewhere; ads as one CSV with semicolons."""
    for row in rows(400, seed=1):
        day = to_date(row[0] // 86_400)
        path = here / "news" / f"date={day}" / "part-0.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n")
    bad = "no time;u1;i1;0;phone;3.5\n"
    (here / "a.csv").write_text(as_csv(rows(), delimiter=";") + bad)
    arguments = ["ads=a.csv", "feeds=news", "--output", "out/mine.yaml"]
    (here / "out").mkdir()

    ran = _init(*arguments)

    assert ran.exit_code == 0, ran.output
    assert (
        "ads: 201 rows read = 200 written, by day of time, + 1 rejected" in ran.output
    )
    config = load_config(here / "out" / "mine.yaml")
    assert (config.name, config.target, config.sources) == ("mine", "ads", ("feeds",))
    assert os.readlink(config.logs / "feeds") == str(here / "news")
    schema = read_schema(config.schema_path)
    names = {feature.name for feature in schema.feature}
    assert names == {f.name for f in config.table.logged} | {"day", "label"}
    rejected = config.root / "rejected" / "ads.jsonl"
    assert [json.loads(line)["row"] for line in rejected.open()] == [200]
    # As the summary says, a change of mind needs no other file.
    again = _init(*arguments)
    assert again.exit_code == 2
    assert "--force" in again.stderr
