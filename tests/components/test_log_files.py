"""Log files of a day: read, reported as not read, or refused."""

import os

import pytest

from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import refuse_twins
from components.log_example_gen.unread_files import list_unread_files
from components.log_example_gen.unread_files import refuse_unread_days
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
        ("part-1.JSON", "rename it to end in .json"),
        ("part-1.parq", "rename it to end in .parquet"),
        ("part-1.CSV", "rename it to end in .csv"),
        ("part-1.Csv.GZ", "rename it to end in .csv.gz"),
        ("part-1.tfrecords", "rename it to end in .tfrecord"),
        ("part-1.csv.xz", "packed as .xz; unpack it, or pack it with gzip"),
        ("part-1.tfrecord.bz2", "packed as .bz2; unpack it, or pack it with gzip"),
        ("part-1.parquet.gz", "packed; unpack it, as Parquet compresses by itself"),
        ("part-1.csv.tmp", "none of .parquet, .pq, .csv, "),
        ("part-1", "none of .parquet, .pq, .csv, "),
        ("hour=24/", "a folder; move its files up into the day's folder"),
        ("old/", "a folder; move its files up into the day's folder"),
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
    assert "part-1.csv (a link to no file; remove it)" in str(found)


def test_a_pipe_named_like_a_log_is_named(tmp_path, put):
    path = put("part-0.csv")
    os.mkfifo(path.with_name("part-1.csv"))
    assert [file.path for file in list_log_files(tmp_path, 2, 2)] == [str(path)]
    (found,) = list_unread_files(tmp_path, 2, 2)
    assert "part-1.csv (no file but a pipe or a device; remove it)" in str(found)


def test_what_lies_beside_the_days_folders_is_named(tmp_path, put):
    put("part-0.csv")
    (tmp_path / "part-1.csv").touch()
    (tmp_path / "1970-01-04").mkdir()
    (tmp_path / "_import.json").touch()
    assert [str(file) for file in list_unread_files(tmp_path, 2, 2)] == [
        "1970-01-04 (a folder of no day; name it date=YYYY-MM-DD, or move it away)",
        "part-1.csv (beside the days' folders; move it into the folder of its day, "
        "or away)",
    ]
    refuse_unread_days(tmp_path, 2, 2)


def test_what_lies_in_an_hours_folder_is_named(tmp_path, put):
    put("hour=03/part-0.csv")
    put("hour=03/part-1.txt")
    put("hour=03/more/")
    assert [str(file).split(",")[0] for file in list_unread_files(tmp_path, 2, 2)] == [
        "date=1970-01-03/hour=03/more (a folder; move its files up into the day's "
        "folder)",
        "date=1970-01-03/hour=03/part-1.txt (none of .parquet",
    ]


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
    put("part-1.JSON", day=2)
    refuse_unread_days(tmp_path, 2, 2)
    put("part-0.JSON", day=3)
    with pytest.raises(DataError, match=r"date=1970-01-04/part-0\.JSON \(rename it"):
        refuse_unread_days(tmp_path, 2, 3)


def test_a_file_beside_its_packed_form_is_refused(tmp_path, put):
    put("a.csv")
    put("b.csv.gz")
    put("a.csv.gz", day=3)
    refuse_twins(list_log_files(tmp_path, 2, 3))
    put("a.csv.gz")
    with pytest.raises(DataError, match=r"a\.csv and a\.csv\.gz lie side by side"):
        refuse_twins(list_log_files(tmp_path, 2, 3))
    put("b.csv.zst")
    with pytest.raises(DataError, match=r"b\.csv\.gz and b\.csv\.zst lie side"):
        refuse_twins(list_log_files(tmp_path, 2, 3))


def test_a_name_that_cannot_be_written_down_is_not_read(tmp_path, put):
    name = b"a\xff.csv".decode("utf-8", "surrogateescape")
    put(name)
    assert [file.path for file in list_log_files(tmp_path, 0, 9)] == []
    (unread,) = list_unread_files(tmp_path, 0, 9)
    assert str(unread) == (
        "date=1970-01-03/a\\udcff.csv (its name is not UTF-8; rename it)"
    )


def test_a_name_with_a_line_break_is_one_line(tmp_path, put):
    put("a\nb.txt")
    (unread,) = list_unread_files(tmp_path, 0, 9)
    assert str(unread).startswith("date=1970-01-03/a\\nb.txt (none of .parquet")


def test_an_hour_with_two_folders_is_refused(tmp_path, put):
    put("hour=07/a.csv")
    put("7/a.csv")
    with pytest.raises(DataError, match="are both folders of one hour"):
        list_log_files(tmp_path, 0, 9)
