"""`crossctr validate --day`: all that is wrong with a day's logs, with values."""

import gzip
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from models.days import to_date
from pipeline.cli.group import main
from tests.pipeline import feeds_ads
from tests.pipeline.feeds_ads import FIRST_DAY

DATE = str(to_date(FIRST_DAY))


def validate(folder, *options):
    return CliRunner().invoke(main, ["validate", str(folder / "config.yaml"), *options])


def day_folder(folder, domain):
    return folder / "logs" / domain / f"date={DATE}"


def write_feeds(folder, rows):
    path = day_folder(folder, "feeds") / "part-0.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


FEED = {
    "u_userId": "u1",
    "i_docId": "d1",
    "e_et": "202206021005",
    "u_newsCatInterests": "4^5",
    "label": 1,
}


def test_without_a_day_no_log_is_looked_at(tmp_path):
    feeds_ads.prepare(tmp_path, logs=str(tmp_path / "nothing"))
    result = validate(tmp_path)
    assert result.exit_code == 0
    assert result.output.endswith("is valid: feeds -> ads\n")


def test_healthy_logs_are_described_and_bad_rows_shown_with_a_value(tmp_path):
    feeds_ads.prepare(tmp_path)
    result = validate(tmp_path, "--day", DATE)
    assert result.exit_code == 0, result.output
    assert "feeds: 40 rows of 1 of 1 files, click rate" in result.output
    assert "ads: 3 columns, the header has 7: 1 of 40 rows (part-0.csv.gz row 3: " in (
        result.output
    )
    assert "is of another day than the log's folder: 1 of 40 rows (part-0.csv.gz" in (
        result.output
    )
    assert f"'{to_date(FIRST_DAY - 1):%Y%m%d}0101'" in result.output
    assert f"The logs of {DATE} can be ingested" in result.output
    assert not (tmp_path / "runs").exists()


def test_all_problems_of_all_domains_are_listed_at_once(tmp_path):
    feeds_ads.prepare(tmp_path)
    rows = [{**FEED, "label": "yes", "e_et": "2022-06-02 10:05"} for _ in range(5)]
    write_feeds(tmp_path, rows)
    header, *lines = gzip.decompress(
        (day_folder(tmp_path, "ads") / "part-0.csv.gz").read_bytes()
    ).splitlines()
    text = b"\n".join([header.replace(b"slot_id", b"place"), *lines])
    (day_folder(tmp_path, "ads") / "part-0.csv.gz").write_bytes(gzip.compress(text))
    (day_folder(tmp_path, "ads") / "part-1.txt").touch()
    result = validate(tmp_path, "--day", DATE)
    assert result.exit_code == 2
    assert "label is not a number: 5 of 5 rows (part-0.jsonl row 0: 'yes')" in (
        result.output
    )
    assert "ads: not read: date=" in result.output
    assert "part-0.csv.gz has no column 'slot_id'; it has label, user_id, adv_id" in (
        result.output
    )
    assert f"an ingest of {DATE} would stop at the 2 problem(s) above" in result.output


def test_types_times_and_the_schema_are_looked_at(tmp_path):
    feeds_ads.prepare(tmp_path)
    write_feeds(tmp_path, [{**FEED, "e_et": "2022-06-02"} for _ in range(5)])
    table = pa.table(
        {
            "label": [1, 0],
            "user_id": [["u1"], ["u2"]],
            "adv_id": ["a1", "a2"],
            "slot_id": [16, 17],
            "pt_d": ["202206021005"] * 2,
            "u_newsCatInterestsST": [1.5, 2.5],
            "u_refreshTimes": [3, -4],
        }
    )
    (day_folder(tmp_path, "ads") / "part-0.csv.gz").unlink()
    pq.write_table(table, day_folder(tmp_path, "ads") / "part-0.parquet")
    result = validate(tmp_path, "--day", DATE)
    assert result.exit_code == 2
    assert (
        "e_et is not a time written like %Y%m%d%H%M: 5 of 5 rows (part-0.jsonl row 0"
        in (result.output)
    )
    assert "column 'user_id' of " in result.output
    assert "part-0.parquet is a list of text; expected text or an integer" in (
        result.output
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("type: INT", "type: FLOAT"), "label: the schema says FLOAT, and the feature"),
        (('name: "slot"', 'name: "place"'), "slot: not in the schema"),
        (
            ('name: "refreshes"', 'name: "refreshes"\n  int_domain { min: 0 max: 5 }'),
            "refreshes: 400 lies beyond the schema's limit 5",
        ),
        (
            ('name: "slot"', 'name: "slot"\n  string_domain { value: "16" }'),
            "slot: '17' is not one of the 1 values that the schema lists",
        ),
        (
            ('name: "slot"', 'name: "slot"\n  presence { min_fraction: 1.0 }'),
            "of the rows; the schema wants it in at least 100.0% of the rows",
        ),
        (
            ('name: "slot"', 'name: "slot"\n  not_in_environment: "ads"'),
            "slot: the schema does not expect it in 'ads', and ",
        ),
    ],
    ids=lambda value: value[1][:30] if isinstance(value, tuple) else None,
)
def test_what_the_schema_does_not_allow_is_named(tmp_path, change, message):
    feeds_ads.prepare(tmp_path)
    text = feeds_ads.schema().replace(*change)
    if "environment" in change[1]:
        text += 'default_environment: "ads"\ndefault_environment: "feeds"\n'
    (tmp_path / "schema.pbtxt").write_text(text)
    result = validate(tmp_path, "--day", DATE)
    assert result.exit_code == 2
    assert message in result.output


def test_a_missing_day_and_a_missing_schema_are_problems(tmp_path):
    feeds_ads.prepare(tmp_path, missing_days={"feeds": "skip"})
    (tmp_path / "schema.pbtxt").unlink()
    result = validate(tmp_path, "--day", "2023-01-01")
    assert result.exit_code == 2
    assert "schema: there is no schema file" in result.output
    assert "ads: no log file in " in result.output
    assert "missing_days of it is 'skip' (stops nothing)" in result.output


@pytest.mark.slow
def test_logs_are_looked_at_without_tensorflow(tmp_path):
    feeds_ads.prepare(tmp_path)
    arguments = ["validate", str(tmp_path / "config.yaml"), "--day", DATE]
    code = (
        "import sys\nfrom pipeline.cli.group import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print({'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
