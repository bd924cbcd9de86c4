"""Fingerprints: equal for equal inputs, different for changed ones."""

import datetime
import hashlib
import importlib.util
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.days import DayRange
from models.days import to_day
from models.errors import DataError
from pipeline.planning.accepted import Accepted
from pipeline.planning.accepted import AcceptedLogs
from pipeline.planning.fingerprint import LogFingerprints
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.fingerprint import digest

DAY = to_day(datetime.date(2020, 1, 2))
DAYS = DayRange(DAY, DAY + 1)
WHO = ("Ada", "2020-01-04T00:00:00+00:00", "nobody reads the column")


def test_a_digest_is_the_hash_of_the_json():
    expected = hashlib.sha256(b'["a", {"b": [1, null], "c": 0.5}]').hexdigest()[:16]
    assert digest("a", {"c": 0.5, "b": [1, None]}) == expected


def test_a_digest_takes_paths_and_dates_as_text():
    parts = [Path("x/y"), datetime.date(2020, 1, 2)]
    assert digest(*parts) == digest("x/y", "2020-01-02")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab"], ["a", "b"]),
        (["a", "b"], ["b", "a"]),
        ([["a", "b"]], ["a", "b"]),
        ([1], ["1"]),
        ([1], [1.5]),
        ([None], [False]),
        ([], [None]),
        ([{"a": 1}], [{"a": 2}]),
        ([{"a": 1}], [{"a": 1, "b": None}]),
    ],
    ids=str,
)
def test_different_parts_have_different_digests(one, other):
    assert digest(*one) != digest(*other)


@pytest.fixture
def logs(tmp_path):
    """Logs of two domains from the day before `DAYS` to the day after."""
    for domain in ("ca", "de"):
        for offset in range(-1, 3):
            write(tmp_path, domain, offset, "data.parquet", b"rows")
    return tmp_path


def write(folder, domain, offset, name, content, at=1_000_000_000):
    """Writes a log file of day `DAY + offset`, last changed `at` seconds."""
    date = datetime.date(2020, 1, 2) + datetime.timedelta(days=offset)
    path = folder / domain / f"date={date}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))


def fingerprints(logs):
    return LogFingerprints(
        SimpleNamespace(domains=("ca", "de"), logs=logs, root=logs / "runs")
    )


def hashed(logs, days=DAYS):
    """Returns the hash that a new process would see."""
    return fingerprints(logs)(days)


def test_the_same_files_hash_alike(logs):
    assert hashed(logs) == hashed(logs)


@pytest.mark.parametrize("domain", ["ca", "de"])
@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(
    "change",
    [
        {"name": "data.parquet", "content": b"other", "at": 1_000_000_000},
        {"name": "data.parquet", "content": b"swor", "at": 1_000_000_000},
        {"name": "late.parquet", "content": b"rows", "at": 1_000_000_000},
    ],
    ids=["size", "content", "new file"],
)
def test_a_change_within_the_days_shows(logs, domain, offset, change):
    before = hashed(logs)
    write(logs, domain, offset, **change)
    assert hashed(logs) != before


def test_a_copy_with_other_times_is_the_same_log(logs, tmp_path):
    before = hashed(logs)
    for path in logs.rglob("*.parquet"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert hashed(logs) == before
    copy = tmp_path.with_name(f"{tmp_path.name}-restored")
    shutil.copytree(logs, copy)
    assert hashed(copy) == before


def test_logs_that_were_accepted_count_as_those_that_were_ingested(logs):
    before = fingerprints(logs)
    ingested, digest_before = before.by_domain(DAYS), before(DAYS)
    write(logs, "de", 0, "data.parquet", b"changed")
    (logs / "ca" / "date=2020-01-03" / "data.parquet").unlink()
    changed = fingerprints(logs)
    assert changed(DAYS) != digest_before
    now = changed.by_domain(DAYS)
    (logs / "runs").mkdir()
    changes = (("de", "2020-01-02", DAY), ("ca", "2020-01-03", DAY + 1))
    AcceptedLogs(logs / "runs").add(
        [
            Accepted(name, date, now[name].get(day, ""), ingested[name][day], *WHO)
            for name, date, day in changes
        ]
    )
    assert fingerprints(logs)(DAYS) == digest_before
    assert fingerprints(logs).by_domain(DAYS) == ingested
    assert fingerprints(logs).by_domain(DAYS, as_ingested=False) == now
    write(logs, "de", 0, "data.parquet", b"changed again")
    assert fingerprints(logs)(DAYS) != digest_before


def test_a_file_that_is_gone_or_renamed_shows(logs):
    before = hashed(logs)
    path = logs / "de" / "date=2020-01-02" / "data.parquet"
    path.rename(path.with_name("other.parquet"))
    renamed = hashed(logs)
    path.with_name("other.parquet").unlink()
    assert len({before, renamed, hashed(logs)}) == 3


@pytest.mark.parametrize("offset", [-1, 2])
def test_a_change_outside_the_days_does_not_show(logs, offset):
    before = hashed(logs)
    write(logs, "de", offset, "data.parquet", b"changed", at=1_000_000_009)
    write(logs, "de", offset, "late.parquet", b"rows")
    assert hashed(logs) == before


def test_files_that_are_no_log_do_not_show(logs):
    before = hashed(logs)
    write(logs, "de", 0, "_SUCCESS", b"")
    write(logs, "fr", 0, "data.parquet", b"rows")
    (logs / "de" / "notes").mkdir()
    assert hashed(logs) == before


def test_where_the_logs_lie_does_not_show(logs, tmp_path):
    before = hashed(logs)
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert hashed(moved) == before


def test_folders_are_listed_once(logs):
    found = fingerprints(logs)
    before = found(DAYS)
    write(logs, "de", 0, "late.parquet", b"rows")
    assert found(DAYS) == before
    assert hashed(logs) != before


def test_a_domain_without_logs_is_an_error(tmp_path):
    write(tmp_path, "ca", 0, "data.parquet", b"rows")
    with pytest.raises(DataError, match="no log folder"):
        hashed(tmp_path)


def test_the_codes_hash_stays_within_a_process():
    again = code_fingerprint.__wrapped__()
    assert code_fingerprint() == code_fingerprint() == again
    assert len(again) == 16
    assert set(again) <= set("0123456789abcdef")


def test_every_source_of_both_packages_counts(tmp_path, monkeypatch):
    for package in ("components", "models"):
        (tmp_path / package / "inner").mkdir(parents=True)
        (tmp_path / package / "inner" / "logic.py").write_text("x = 1\n")

    def find_spec(package):
        return SimpleNamespace(submodule_search_locations=[str(tmp_path / package)])

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    seen = [code_fingerprint.__wrapped__()]
    (tmp_path / "models" / "inner" / "notes.txt").write_text("no source")
    assert code_fingerprint.__wrapped__() == seen[0]
    for package in ("components", "models"):
        (tmp_path / package / "inner" / "logic.py").write_text("x = 2\n")
        seen.append(code_fingerprint.__wrapped__())
        (tmp_path / package / "new.py").write_text("")
        seen.append(code_fingerprint.__wrapped__())
    path = tmp_path / "models" / "new.py"
    path.rename(path.with_name("newer.py"))
    seen.append(code_fingerprint.__wrapped__())
    assert len(set(seen)) == len(seen)
