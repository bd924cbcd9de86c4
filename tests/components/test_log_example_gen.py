"""Log rows to raw Examples: every row is converted or quarantined with a reason."""

import datetime

import pyarrow as pa
import pytest

from components.log_example_gen.columns import convert
from components.log_example_gen.columns import raw_schema
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import plan_shards
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import parse_label_rule
from models.errors import ConfigError
from models.errors import DataError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="domain", kind="id", vocabulary="domain"),
        Feature(name="recent", kind="ids", vocabulary="user"),
        Feature(name="shown", kind="count"),
        Feature(name="rate", kind="rate"),
    ),
    vocabularies={"user": IdSpace(capacity=5), "domain": IdSpace(capacity=2)},
)
LOG = DomainLog(
    domain="de",
    folder="logs/de",
    columns={"user_id": "uid", "recent": "last", "shown": "n", "rate": "r"},
    label="rating >= 4",
)


def log_table(**columns):
    """Returns one good log row, with `columns` put in place of its own."""
    row = {"uid": ["a"], "last": [["x"]], "n": [3], "r": [0.5], "rating": [5]}
    return pa.table({**row, **columns})


def converted(table):
    days = pa.array([7] * table.num_rows, pa.int64())
    return convert(table, LOG, FEATURES, days, "some/file")


def test_a_good_row_becomes_lists_in_alphabetical_columns():
    result = converted(log_table())
    assert result.bad_rows == []
    assert result.rows.schema == raw_schema(FEATURES)
    assert result.rows.to_pylist() == [
        {
            "day": [7],
            "domain": [b"de"],
            "label": [1],
            "rate": [0.5],
            "recent": [b"x"],
            "shown": [3],
            "user_id": [b"a"],
        }
    ]


@pytest.mark.parametrize(
    ("column", "value", "feature", "expected"),
    [
        ("uid", pa.array([None], pa.string()), "user_id", []),
        ("uid", [""], "user_id", []),
        ("uid", [17], "user_id", [b"17"]),
        ("uid", ["Ünïcode 木"], "user_id", ["Ünïcode 木".encode()]),
        ("last", pa.array([None], pa.list_(pa.string())), "recent", []),
        ("last", [["x", None, "", "y"]], "recent", [b"x", b"y"]),
        ("last", [[1, 2]], "recent", [b"1", b"2"]),
        ("n", pa.array([None], pa.int64()), "shown", []),
        ("n", [" 12 "], "shown", [12]),
        ("n", [4.0], "shown", [4]),
        ("r", [float("nan")], "rate", []),
        ("r", ["1e-1"], "rate", [pytest.approx(0.1)]),
        ("rating", [3], "label", [0]),
        ("rating", ["4"], "label", [1]),
    ],
)
def test_values_of_other_types_and_missing_ones_pass(column, value, feature, expected):
    result = converted(log_table(**{column: value}))
    assert result.bad_rows == []
    assert result.rows.column(feature).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("n", ["1", "many"], "n is not an integer"),
        ("n", [1.0, 1.5], "n is not an integer"),
        ("r", [0.1, float("inf")], "r is infinite"),
        ("rating", [5, None], "rating is missing, so there is no label"),
        ("rating", ["5", "?"], "rating is not a number"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(column, values, reason):
    good = log_table()
    table = pa.concat_tables([good, good]).set_column(
        good.column_names.index(column), column, pa.array(values)
    )
    result = converted(table)
    assert result.rows.num_rows == 1
    assert result.bad_rows == [1]
    assert [str(found) for found in result.reasons] == [reason]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "uid",
            [[1]],
            r"'uid' of some/file is a list of int64; expected text or an integer",
        ),
        ("last", ["x"], r"'last' .* is text; expected a list of ids; .* `separator`"),
        ("n", [[1]], r"'n' .* is a list of int64; expected an integer"),
        ("r", [[0.5]], r"'r' .* is a list of double; expected a number"),
        ("rating", [{"a": 1}], r"'rating' .* is struct.*; expected a number"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(column, value, message):
    with pytest.raises(DataError, match=message):
        converted(log_table(**{column: value}))


def test_all_columns_of_wrong_types_are_named_at_once():
    table = log_table(uid=[[1]], r=[[0.5]]).drop(["rating"])
    with pytest.raises(DataError) as caught:
        converted(table)
    assert "no column 'rating'; it has uid, last, n, r" in str(caught.value)
    assert "'uid' of some/file is a list of int64" in str(caught.value)
    assert "'r' of some/file is a list of double" in str(caught.value)


def test_a_missing_column_of_a_feature_is_reported_and_missing_in_each_row():
    result = converted(log_table().drop(["n"]))
    assert result.lacking == ["n"]
    assert result.rows.column("shown").to_pylist() == [[]]
    assert converted(log_table()).lacking == []


def test_a_column_that_came_later_or_is_gone_is_missing_on_the_other_days():
    columns = {
        **LOG.columns,
        "shown": {"column": "n", "since": "1970-01-06", "until": "1970-01-08"},
    }
    log = DomainLog.model_validate({**LOG.model_dump(), "columns": columns})
    table = pa.concat_tables([log_table()] * 5)
    days = pa.array([4, 5, 6, 7, 8], pa.int64())
    result = convert(table, log, FEATURES, days, "f")
    assert result.rows.column("shown").to_pylist() == [[], [3], [3], [3], []]
    without = convert(table.drop(["n"]), log, FEATURES, days, "f")
    assert without.lacking == ["n"]
    outside = convert(
        table.slice(0, 1).drop(["n"]), log, FEATURES, days.slice(0, 1), "f"
    )
    assert outside.lacking == []


@pytest.mark.parametrize("rule", ["rating", "rating => 4", "rating >= four", ""])
def test_a_label_rule_that_cannot_be_read_is_quoted(rule):
    with pytest.raises(ConfigError, match="label rule"):
        parse_label_rule(rule)


def test_minus_one_can_be_the_negative_label():
    log = LOG.model_copy(update={"label": "label == 1"})
    table = pa.concat_tables([log_table(label=[value]) for value in (1, -1, 0)])
    days = pa.array([1, 1, 1], pa.int64())
    rows = convert(table, log, FEATURES, days, "f").rows
    assert rows.column("label").to_pylist() == [[1], [0], [0]]


def test_files_are_listed_by_day_and_only_the_days_wanted(tmp_path):
    for day in ("1970-01-03", "1970-01-02", "1970-01-05"):
        folder = tmp_path / f"date={day}"
        folder.mkdir()
        (folder / "b.parquet").touch()
        (folder / "a.parquet").touch()
        (folder / "note.txt").touch()
    (tmp_path / "other").mkdir()
    files = list_log_files(tmp_path, 1, 2)
    names = [(file.day, file.path.rsplit("/", 1)[1]) for file in files]
    assert names == [
        (1, "a.parquet"),
        (1, "b.parquet"),
        (2, "a.parquet"),
        (2, "b.parquet"),
    ]


def test_two_folders_of_one_day_are_refused(tmp_path):
    (tmp_path / "date=1970-01-03").mkdir()
    (tmp_path / "dt=19700103").mkdir()
    with pytest.raises(DataError, match="are both folders of 1970-01-03"):
        list_log_files(tmp_path, 0, 9)


def test_days_may_be_called_dt_and_have_a_folder_for_each_hour(tmp_path):
    names = (
        "dt=1970-01-03/hour=03/a.csv",
        "dt=1970-01-03/b.csv",
        "dt=19700104/04/c.pq",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = list_log_files(tmp_path, 0, 9)
    assert [file.path for file in files] == [
        str(tmp_path / name) for name in (names[1], names[0], names[2])
    ]
    assert [file.day for file in files] == [2, 2, 3]


def test_a_folder_without_days_is_an_error(tmp_path):
    (tmp_path / datetime.date(2020, 1, 1).isoformat()).mkdir()
    with pytest.raises(DataError, match="no folder named date=YYYY-MM-DD"):
        list_log_files(tmp_path, 0, 99_999)
    with pytest.raises(DataError, match="no log folder"):
        list_log_files(tmp_path / "nothing", 0, 99_999)


def test_a_folder_named_after_no_day_is_an_error(tmp_path):
    (tmp_path / "date=2019-02-30").mkdir()
    with pytest.raises(DataError, match="date=2019-02-30' is named after no day"):
        list_log_files(tmp_path, 0, 99_999)


def test_shards_keep_every_file_once_and_in_order():
    files = [LogFile(f"f{i}", i) for i in range(7)]
    shards = list(plan_shards("de", files, [4, 4, 4, 20, 1, 1, 1], shard_bytes=8))
    assert [file for shard in shards for file in shard.files] == files
    assert [len(shard.files) for shard in shards] == [2, 1, 1, 3]
    assert [shard.file_name for shard in shards][:2] == [
        "data-00000.parquet",
        "data-00001.parquet",
    ]
