"""Bad input on the command line: one line, exit code 2, nothing written."""

import datetime
import inspect
import subprocess
import sys
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.misuse.world import build

ROOT = Path(__file__).parents[3]
_IMPORT = {"data": "data", "last_day": "2020-10-31"}


def _assert_refused(result, tmp_path, *texts):
    assert result.exit_code == 2, result.output
    assert len(result.output.strip().splitlines()) == 1, result.output
    for text in texts:
        assert text in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("xmarket", "ca, uk, fr, mx -> de"),
        ("xmarket_quarters", "ca, uk, fr, mx -> de"),
        ("amazon", "kitchen -> food"),
        ("amazon_food_cold", "kitchen -> food"),
        ("amazon_beauty", "kitchen, food, electronics -> beauty"),
        ("amazon_beauty_cold", "kitchen, food, electronics -> beauty"),
        ("feeds_ads", "feeds -> ads"),
    ],
)
def test_the_shipped_configurations_are_valid(name, domains):
    path = ROOT / "configs" / f"{name}.yaml"
    result = CliRunner().invoke(main, ["validate", str(path)])
    assert result.exit_code == 0, result.output
    assert domains in result.output


@pytest.fixture
def shop(tmp_path, settings):
    """Turns `settings` into those of amazon, with every path inside `tmp_path`."""
    path = ROOT / "configs" / "amazon.yaml"
    paths = {key: settings[key] for key in ("root", "logs", "serving")}
    settings.clear()
    settings.update(yaml.safe_load(path.read_text()) | paths)
    settings["schema"] = str(ROOT / "schema" / "amazon.pbtxt")
    settings["import"]["data"] = str(tmp_path / "data")
    dates = [datetime.date(2013, 1, 1) + datetime.timedelta(i) for i in range(40)]
    for domain in ("kitchen", "food"):
        _write(
            tmp_path / "data" / f"{domain}.parquet",
            user_id=pa.array([f"u{i % 7}" for i in range(80)]),
            item_id=pa.array([f"{domain}{i % 11}" for i in range(80)]),
            date=pa.array([date for date in dates for _ in range(2)], pa.date32()),
        )
    return settings


def test_positives_are_imported_and_planned(crossctr, shop):
    result = crossctr("import")
    assert result.exit_code == 0, result.output
    # Two users a day: each has the other's item, unless it is an own earlier one.
    assert "kitchen: 80 of 80 rows in 40 daily files" in result.output
    assert (
        "39 negatives sampled, 281 could not be, 41 positives have none"
        in result.output
    )
    assert "(reused)" in crossctr("import").output
    shop["evaluation_days"] = 5
    result = crossctr("plan", "--day", "2013-02-01", "--compare")
    assert result.exit_code == 0, result.output
    for text in ("ingest 2013-01-01..2013-01-31", "target_only for food", "CPM"):
        assert text in result.output


@pytest.mark.usefixtures("shop")
def test_plan_names_what_is_not_read_and_refuses_what_is_there_twice(
    crossctr, tmp_path
):
    crossctr("import")
    day = tmp_path / "runs" / "logs" / "food" / "date=2013-01-20"
    (day / "part-1.parq").touch()
    shown = crossctr("plan", "--day", "2013-02-01").output
    assert "food: not read: date=2013-01-20/part-1.parq (rename it to end in" in shown
    for name in ("a.csv", "a.csv.gz"):
        (day / name).touch()
    for command in (("plan", "--day"), ("run", "--day"), ("ingest", "--to")):
        result = crossctr(*command, "2013-02-01")
        assert result.exit_code == 2
        assert "a.csv and a.csv.gz lie side by side" in result.output


def test_show_tells_how_labels_are_made(crossctr, shop):
    assert shop["import"]["negatives"]
    output = crossctr("show", "--all").output
    for text in ("per_positive: 4", "click_at_least: null"):
        assert text in output


@pytest.mark.parametrize(
    ("path", "value", "texts"),
    [
        (("sorces",), ["ca"], ["unknown key 'sorces'", "did you mean 'sources'?"]),
        (
            ("levels", "tpm", "windows_days"),
            3,
            ["unknown key 'levels.tpm.windows_days'", "'window_days'"],
        ),
        (
            ("levels", "cpm", "window_days"),
            0,
            ["levels.cpm.window_days", "greater than 0", "received 0"],
        ),
        (("levels", "cpm", "window_days"), "x", ["levels.cpm.window_days", "'x'"]),
        (("target",), "ca", ["target 'ca' is also listed in sources"]),
        (("strategy",), "ecdtcr", ["'ecdtcr'", "did you mean 'ecdctr'?"]),
        (("label",), "rating over 4", ["rating over 4", "<comparison>"]),
        (("first_day",), "2021-01-01", ["2020-10-31 is before first_day 2021-01-01"]),
        (("evaluation_days",), -1, ["evaluation_days", "received -1"]),
        (("missing_days",), {"frr": "skip"}, ["'frr'", "did you mean 'fr'?"]),
        (("missing_days",), {"fr": "hope"}, ["missing_days.fr", "'hope'", "'wait'"]),
        (("sources",), ["fr", "fr"], ["sources ['fr', 'fr'] names a domain twice"]),
        (("evaluation_days",), 10**8, ["evaluation_days", "365000"]),
        (
            ("gate",),
            {"min_calibration": 3, "max_calibration": 1},
            ["max_calibration 1.0 is below min_calibration 3.0"],
        ),
        (("features", 1, "tpm"), False, ["`vocabulary: item` is marked `tpm: true`"]),
        (("features", 1, "width"), 4, ["need one width", "{'user': 8, 'item': 4}"]),
        (("features", 0, "kind"), "ids", ["'user_id' of kind 'id'"]),
        (("levels", "target", "every_day"), 7, ["did you mean 'every_days'?"]),
        (
            ("strategies",),
            {"ecdctr": {"pooling": "max"}},
            ["strategies.ecdctr.pooling", "'attention' or 'mean'", "'max'"],
        ),
        (("training", "epochs"), "three", ["training.epochs", "'three'"]),
        (
            ("import", "negatives"),
            {"per_positive": 4},
            ["label 'rating >= 4'", "write `label: click == 1`"],
        ),
        (
            ("import",),
            {**_IMPORT, "click_at_least": 4, "negatives": {"per_positive": 4}},
            ["import.click_at_least (4)", "import.negatives", "remove one of them"],
        ),
        (
            ("import", "negatives"),
            {"per_positive": 0},
            ["import.negatives.per_positive", "greater than 0", "received 0"],
        ),
        (
            ("import", "negatives"),
            {"per_positive": 4, "weighting": "uniform"},
            ["unknown key 'import.negatives.weighting'"],
        ),
        (
            ("import", "cold_users"),
            {"start": "2020-11-01"},
            ["import.cold_users.start 2020-11-01", "import.last_day 2020-10-31"],
        ),
        (
            ("import", "cold_users"),
            {"start": "2014-01-01"},
            ["import.cold_users.start 2014-01-01", "first_day 2014-01-01"],
        ),
        (
            ("import", "cold_users"),
            {"start": "2015-01-01", "share": 1},
            ["import.cold_users.share", "less than 1", "received 1"],
        ),
        (
            ("import", "freeze"),
            "week",
            ["import.freeze", "'month' or 'quarter'", "'week'"],
        ),
        (
            ("import", "negatives"),
            {"per_postive": 4},
            ["'import.negatives.per_postive'", "did you mean 'per_positive'?"],
        ),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_a_bad_key_is_named_with_its_value_and_the_fix(
    crossctr, settings, tmp_path, path, value, texts
):
    inner = settings
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    for command in ("validate", "import"):
        _assert_refused(crossctr(command), tmp_path, "Bad configuration", *texts)


def test_a_missing_key_is_named(crossctr, settings, tmp_path):
    del settings["serving"]
    _assert_refused(crossctr("validate"), tmp_path, "'serving' is missing; add it")


def test_a_missing_file_is_named(tmp_path):
    result = CliRunner().invoke(main, ["show", str(tmp_path / "none.yaml")])
    _assert_refused(result, tmp_path, "none.yaml", "expected a YAML configuration")


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: [1,\nb: 2")
    result = CliRunner().invoke(main, ["validate", str(path)])
    _assert_refused(result, tmp_path, "config.yaml is not valid YAML")


def test_a_file_that_is_no_utf8_is_named(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes("name: größe".encode("latin-1"))
    result = CliRunner().invoke(main, ["validate", str(path)])
    _assert_refused(result, tmp_path, "config.yaml is not valid YAML")


def test_a_missing_data_folder_is_named(crossctr, settings, tmp_path):
    settings["import"]["data"] = str(tmp_path / "elsewhere")
    result = crossctr("import")
    _assert_refused(result, tmp_path, "Bad data", "elsewhere", "set `import.data`")


def test_an_unknown_domain_is_named(crossctr, settings, tmp_path):
    settings["sources"] = ["ca", "uk", "frr"]
    del settings["missing_days"]
    result = crossctr("import")
    _assert_refused(result, tmp_path, "'frr'", "did you mean 'fr'?")


def _write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def _ratings(num_rows, rating=5):
    date = datetime.date(2018, 1, 1)
    kind = pa.string() if isinstance(rating, str) else pa.int8()
    return {
        "user_id": pa.array([f"u{i}" for i in range(num_rows)], pa.string()),
        "item_id": pa.array([f"i{i}" for i in range(num_rows)], pa.string()),
        "rating": pa.array([rating] * num_rows, kind),
        "date": pa.array([date] * num_rows, pa.date32()),
    }


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        (_ratings(0), ["de.parquet has no rows"]),
        (_ratings(2, rating="five"), ["'rating'", "string", "expected an integer"]),
    ],
    ids=["empty domain", "wrong type"],
)
def test_bad_ratings_are_named_before_anything_is_written(
    crossctr, settings, tmp_path, columns, texts
):
    data = tmp_path / "data"
    for domain in settings["sources"]:
        _write(data / f"{domain}.parquet", **_ratings(3))
    _write(data / "de.parquet", **columns)
    settings["import"]["data"] = str(data)
    _assert_refused(crossctr("import"), tmp_path, "Bad data", *texts)


def test_a_run_without_logs_says_what_to_do(crossctr, tmp_path):
    for command in ("plan", "run"):
        result = crossctr(command, "--day", "2019-01-01")
        _assert_refused(result, tmp_path, "no log folder", "crossctr import")


def test_a_missing_schema_is_named(crossctr, settings, tmp_path):
    settings["schema"] = str(tmp_path / "none.pbtxt")
    result = crossctr("plan", "--day", "2019-01-01")
    _assert_refused(result, tmp_path, "none.pbtxt", "set `schema`")


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--day", "2013-12-31"], ["2013-12-31", "choose a later day"]),
        (["--day", "2014-01-01"], ["the logs start on 2014-01-01"]),
        (["--day", "2019-01-01", "-s", "ccctl"], ["'ccctl'", "expected one of ecdctr"]),
    ],
    ids=["before the logs", "no day to train on", "unknown strategy"],
)
def test_an_impossible_run_is_refused(crossctr, tmp_path, arguments, texts):
    _assert_refused(crossctr("run", *arguments), tmp_path, *texts)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("yesterday", "expected a date as YYYY-MM-DD; received 'yesterday'"),
        (
            "9999-12-01",
            "expected a date in the years 1970 to 2999; received '9999-12-01'",
        ),
    ],
)
def test_a_day_that_is_no_date_is_refused(crossctr, day, text):
    result = crossctr("plan", "--day", day)
    assert result.exit_code == 2
    assert text in result.output


def test_ingest_before_the_first_day_is_refused(crossctr, tmp_path):
    result = crossctr("ingest", "--to", "2013-01-01")
    _assert_refused(result, tmp_path, "2013-01-01 is before first_day")


def test_show_prints_what_is_not_the_default_and_the_feature_table(crossctr):
    result = crossctr("show")
    assert result.exit_code == 0, result.output
    for text in ("levels:", "every_days: 365", "recent_items", "# Features"):
        assert text in result.output
    for text in ("max_bad_share", "shuffle_rows", "training: null"):
        assert text not in result.output


def test_show_all_prints_the_defaults_too(crossctr):
    result = crossctr("show", "--all")
    assert result.exit_code == 0, result.output
    for text in ("max_bad_share: 0.01", "shuffle_rows", "recent_items", "# Features"):
        assert text in result.output


@pytest.mark.slow
def test_import_then_plan_lists_what_would_run(crossctr, settings, tmp_path):
    settings["sources"] = ["fr", "mx"]
    settings["missing_days"] = {"mx": "skip"}
    result = crossctr("import")
    assert result.exit_code == 0, result.output
    assert "19,784 of 22,905 rows" in result.output
    planned = crossctr("plan", "--day", "2019-01-01", "--compare")
    assert planned.exit_code == 0, planned.output
    for text in ("TPM of 2017-01-01", "CPM of 2019-01-01", "target_only for de", "due"):
        assert text in planned.output
    assert not (tmp_path / "runs" / "metadata.sqlite").exists()
    again = crossctr("import")
    assert "(reused)" in again.output


def test_a_log_that_does_not_come_ends_with_the_code_for_later(tmp_path):
    world = tmp_path / "world"
    waits = {"missing_days": {"ads": "wait"}, "wait": {"minutes": 0}}
    build(world, {"set": waits, "remove": ["logs/ads/date=2024-02-28/part-0.csv"]})
    command = ["run", str(world / "config.yaml"), "--day", "2024-03-01"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 75, result.output
    for text in ("Waiting for the logs of ads 2", "Logs not there yet", "`skip` days"):
        assert text in result.output


def commands(group):
    """Yields name and command of all commands, those of groups inside, too."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from commands(command)
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), commands(main))
def test_a_command_takes_what_its_options_give(name, command):
    given = {one.name for one in command.params if one.expose_value}
    taken = set(inspect.signature(command.callback).parameters)
    assert given == taken, name


def test_the_command_line_starts_without_tensorflow():
    # Its import takes seconds and writes to standard error.
    code = "import sys, pipeline.cli.group; print('tensorflow' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"


def test_a_uri_is_refused_before_anything_is_written(crossctr, settings, tmp_path):
    settings["root"] = "s3://bucket/runs"
    for command in ("validate", "import"):
        result = crossctr(command)
        _assert_refused(result, tmp_path, "root: URIs (s3://) are not supported here")
    assert not list(tmp_path.glob("**/s3:"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("schema", "infer", "config.yaml", "--output", "gs://bucket/x.pbtxt"),
        ("compile", "config.yaml", "--runner", "kubeflow", "--output", "gs://b/x"),
        ("predict", "config.yaml", "--rows", "gs://bucket/rows.jsonl"),
        ("validate", "gs://bucket/config.yaml"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_uri_on_the_command_line_is_refused(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    words = " ".join(result.output.replace("│", " ").split())
    assert "URIs (gs://) are not supported" in words
