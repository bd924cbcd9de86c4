"""Accounts of an ingest: what adds up, which days are empty, which columns are new."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.log_example_gen.accounts import Limits
from components.log_example_gen.accounts import check_accounts
from components.log_example_gen.accounts import click_rate
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from models.errors import DataError
from models.progress import PROGRESS

LOG = DomainLog(domain="ads", folder="logs/ads", columns={}, label="label == 1")
SKIPPING = LOG.model_copy(update={"missing_days": "skip"})
SHARD = Shard("ads", 0, (LogFile("logs/ads/a.csv", 1),))


def count(day=1, read=10, bad=0, **changes):
    return {
        "domain": "ads",
        "shard": 0,
        "day": day,
        "read": read,
        "written": read - bad,
        "quarantined": bad,
        "clicks": 3,
        "cut": 0,
        "line_breaks": 0,
        "reasons": {},
        "lacking": {},
        **changes,
    }


@pytest.fixture
def check(tmp_path, caplog, monkeypatch):
    """Returns a function that checks counts and returns the lines of progress."""
    caplog.set_level(logging.INFO, logger=PROGRESS.name)
    monkeypatch.setattr(PROGRESS, "propagate", True)

    def check_counts(*counts, log=LOG, max_bad_share=0.01):
        folder = tmp_path / "Split-ads"
        folder.mkdir(exist_ok=True)
        size = sum(one["written"] for one in counts)
        pq.write_table(pa.table({"x": range(size)}), folder / "0.parquet")
        limits = Limits(max_bad_share, Path("quarantine"))
        rows = check_accounts(counts, [SHARD], [log], tmp_path, limits)
        assert rows == size
        return caplog.messages

    return check_counts


def test_a_domain_has_one_line_with_its_click_rate(check):
    assert check(count(1), count(2, read=30, line_breaks=2, cut=4)) == [
        "ads: 40 rows read, 0 quarantined, lists cut to max_length in 4, 2 line breaks "
        "inside quoted values, click rate 15.00%"
    ]


@pytest.mark.parametrize(
    ("clicks", "rows", "text"),
    [
        (0, 1200, "no click in 1,200 rows"),
        (7, 7, "no row without a click in 7 rows"),
        (1, 8, "click rate 12.50%"),
        (0, 0, ""),
    ],
)
def test_a_click_rate_that_teaches_nothing_is_said_in_words(clicks, rows, text):
    assert click_rate(clicks, rows) == text


def test_too_many_bad_rows_are_explained_by_their_commonest_reasons(check):
    reasons = {"a": 1, "b is bad": 30, "c": 4, "d": 15}
    with pytest.raises(DataError) as caught:
        check(count(read=100, bad=50, reasons=reasons))
    text = str(caught.value)
    assert "50 of 100 rows (50.0%) cannot be read, allowed are 1.0%" in text
    assert "30 rows: b is bad; 15 rows: d; 4 rows: c; see quarantine/ads" in text
    assert check(count(read=100, bad=50, reasons=reasons), max_bad_share=0.5)


def test_a_day_of_files_without_a_row_is_a_missing_day(check, caplog):
    with pytest.raises(DataError, match=r"no row in them on 1970-01-03; .* skip"):
        check(count(1), count(2, read=0))
    lines = check(count(1), count(2, read=0), log=SKIPPING)
    assert "ads: log files without a row on 1970-01-03, skipped" in lines
    (warning,) = (r.message for r in caplog.records if r.levelname == "WARNING")
    assert warning == "ads: log files without a row on 1970-01-03, skipped"
    assert check(count(1, read=0), log=SKIPPING)[-1].endswith("1970-01-02, skipped")


LACKING = {"slot": ["logs/ads/a.parquet", "uid", "label"]}


def test_a_column_that_begins_in_the_block_is_missing_before(check):
    lines = check(count(1, lacking=LACKING), count(2), count(3))
    assert (
        "ads: no column 'slot' before 1970-01-03, so its feature is missing there; to "
        "say so write `since: 1970-01-03` in `columns`"
    ) in lines


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([count(1, lacking=LACKING)], id="in no file"),
        pytest.param([count(1), count(2, lacking=LACKING)], id="gone"),
        pytest.param(
            [count(1, lacking=LACKING), count(2), count(3, lacking=LACKING)],
            id="gone again",
        ),
    ],
)
def test_a_column_that_is_nowhere_or_gone_is_named_with_its_file(check, counts):
    message = r"a.parquet has no column 'slot'; it has uid, label; .*`since` or `until`"
    with pytest.raises(DataError, match=message):
        check(*counts)
