"""Log files of a day: read, reported as not read, or refused."""

import pytest

from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import list_unread_files
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.log_files import refuse_unread_days
from models.errors import DataError


@pytest.fixture
def put(tmp_path):
    """Returns a function that puts an empty file or folder into a day of 1970."""

    def put_there(name, day=2):
        path = tmp_path / f"date=1970-01-{day + 1:02}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.touch()
        return path

    return put_there


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("part-1.json", "rename it to end in .jsonl"),
        ("part-1.ndjson", "rename it to end in .jsonl"),
        ("part-1.json.gz", "rename it to end in .jsonl.gz"),
        ("part-1.CSV", "rename it to end in .csv"),
        ("part-1.Csv.GZ", "rename it to end in .csv.gz"),
        ("part-1.pq", "rename it to end in .parquet"),
        ("part-1.tfrecords", "rename it to end in .tfrecord"),
        ("part-1.tsv", "tab-separated; write it with commas and name it .csv"),
        ("part-1.csv.zst", "packed as .zst; unpack it, or pack it with gzip"),
        ("part-1.parquet.gz", "packed; unpack it, as Parquet compresses by itself"),
        ("part-1.csv.tmp", "none of .parquet, .csv, .jsonl, .tfrecord; convert it"),
        ("part-1", "none of .parquet, .csv, .jsonl, .tfrecord; convert it"),
        ("hour=03/", "a folder; move its files up into the day's folder"),
        ("part-1.csv/", "a folder; move its files up into the day's folder"),
    ],
)
def test_what_is_not_read_is_named_with_what_to_do(tmp_path, put, name, advice):
    put("part-0.csv")
    path = put(name)
    assert [file.path for file in list_log_files(tmp_path, 2, 2)] == [
        str(path.with_name("part-0.csv"))
    ]
    (found,) = list_unread_files(tmp_path, 0, 9)
    assert found.day == 2
    assert str(found).startswith(f"date=1970-01-03/{path.name} ({advice}")
    assert list_unread_files(tmp_path, 3, 9) == []


def test_a_link_to_nothing_is_named(tmp_path, put):
    path = put("part-0.csv")
    path.with_name("part-1.csv").symlink_to(tmp_path / "gone.csv")
    assert [file.path for file in list_log_files(tmp_path, 2, 2)] == [str(path)]
    (found,) = list_unread_files(tmp_path, 2, 2)
    assert "part-1.csv (no file; remove the link)" in str(found)


def test_what_writers_keep_for_themselves_is_not_named(tmp_path, put):
    for name in (
        "_SUCCESS",
        "._SUCCESS.crc",
        ".part-0.csv.crc",
        "part-0.csv.crc",
        "_temporary/",
        "_committed_1",
        ".hidden",
        "part-0.csv~",
    ):
        put(name)
    assert list_unread_files(tmp_path, 2, 2) == []
    refuse_unread_days(tmp_path, 2, 2)


def test_the_marker_of_a_complete_day_is_not_named(tmp_path, put):
    put("DONE")
    assert len(list_unread_files(tmp_path, 2, 2)) == 1
    assert list_unread_files(tmp_path, 2, 2, "DONE") == []
    refuse_unread_days(tmp_path, 2, 2, "DONE")


def test_a_day_with_nothing_that_is_read_is_refused(tmp_path, put):
    put("part-0.csv", day=2)
    put("part-1.json", day=2)
    refuse_unread_days(tmp_path, 2, 2)
    put("part-0.json", day=3)
    with pytest.raises(DataError, match=r"date=1970-01-04/part-0\.json \(rename it"):
        refuse_unread_days(tmp_path, 2, 3)


def test_a_file_beside_its_packed_form_is_refused(tmp_path, put):
    put("a.csv")
    put("b.csv.gz")
    put("a.csv.gz", day=3)
    refuse_twins(list_log_files(tmp_path, 2, 3))
    put("a.csv.gz")
    with pytest.raises(DataError, match=r"a\.csv and a\.csv\.gz lie side by side"):
        refuse_twins(list_log_files(tmp_path, 2, 3))
