"""Evaluation set: impressions of one domain and some days, value by value."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.days import DayRange
from models.errors import DataError

pytestmark = pytest.mark.slow

SCHEMA = pa.schema(
    {
        "day": pa.large_list(pa.int64()),
        "label": pa.large_list(pa.int64()),
        "rate": pa.large_list(pa.float32()),
        "recent": pa.large_list(pa.large_binary()),
        "user_id": pa.large_list(pa.large_binary()),
    }
)


def row(day, user, label=0, rate=(), recent=()):
    """Returns one raw Example as lists; an empty list is a missing value."""
    return {
        "day": [day],
        "label": [label],
        "rate": list(rate),
        "recent": list(recent),
        "user_id": [user] if user else [],
    }


ROWS = [
    row(8, b"before", 1),
    row(9, b"\xff\xfe\x00", 1, [0.25], [b"a", b"\xc3\x28"]),
    row(10, None),
    row(11, b"after"),
    row(9, "é".encode(), 1, [1.0], [b"", b"b"]),
]
WANTED = [ROWS[1], ROWS[2], ROWS[4]]


def write_shard(folder, rows, name="data-00000", group_rows=2):
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(table, folder / f"{name}.parquet", row_group_size=group_rows)
    return str(folder)


def parsed(path):
    """Returns the rows of a gzipped TFRecord file, as TensorFlow parses them."""
    import tensorflow as tf

    dtypes = {"day": tf.int64, "label": tf.int64, "rate": tf.float32}
    spec = {
        name: tf.io.RaggedFeature(dtypes.get(name, tf.string)) for name in SCHEMA.names
    }
    records = tf.data.TFRecordDataset(str(path), compression_type="GZIP")
    return [
        {name: value.numpy().tolist() for name, value in example.items()}
        for example in records.map(lambda text: tf.io.parse_single_example(text, spec))
    ]


@pytest.mark.parametrize(
    ("first", "last", "users"),
    [
        (9, 10, [[b"\xff\xfe\x00"], [], ["é".encode()]]),
        (8, 8, [[b"before"]]),
        (0, 99, [r["user_id"] for r in ROWS]),
        (12, 99, []),
    ],
    ids=["middle", "one day", "all", "none"],
)
def test_only_rows_of_the_days_are_read(tmp_path, first, last, users):
    from models.data.raw_rows import rows_of_days

    folder = write_shard(tmp_path, ROWS)
    batches = list(rows_of_days([folder], DayRange(first, last)))
    rows = [r for batch in batches for r in batch.to_pylist()]
    assert [r["user_id"] for r in rows] == users
    assert all(batch.num_rows for batch in batches)


def test_folders_and_files_are_read_in_order(tmp_path):
    from models.data.raw_rows import rows_of_days

    second = write_shard(tmp_path / "z", [row(9, b"c"), row(8, b"x")], "data-00001")
    write_shard(tmp_path / "z", [row(9, b"b")], "data-00000")
    third = write_shard(tmp_path / "a", [row(10, b"d")])
    (tmp_path / "z" / "data-00002.csv").write_text("not an Example")
    batches = rows_of_days([second, third], DayRange(9, 10))
    users = [r["user_id"] for batch in batches for r in batch.to_pylist()]
    assert users == [[b"b"], [b"c"], [b"d"]]


def test_what_is_written_parses_to_what_was_read(tmp_path):
    from components.evaluation_set.executor import write_examples

    table = pa.Table.from_pylist(ROWS, SCHEMA)
    path = tmp_path / "data_tfrecord.gz"
    assert write_examples(table.to_batches(max_chunksize=2), path) == len(ROWS)
    assert parsed(path) == ROWS


def test_an_empty_input_writes_no_row(tmp_path):
    from components.evaluation_set.executor import write_examples

    path = tmp_path / "data_tfrecord.gz"
    assert write_examples([], path) == 0
    assert parsed(path) == []


@pytest.fixture
def evaluation_set(tmp_path):
    """Returns a function that runs the component on two blocks of two domains."""
    from tfx.types import artifact_utils
    from tfx.types import standard_artifacts

    from components.evaluation_set.executor import Executor

    def block(name, rows):
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / name)
        examples.split_names = artifact_utils.encode_split_names(["ca", "de"])
        write_shard(tmp_path / name / "Split-de", rows)
        write_shard(tmp_path / name / "Split-ca", [row(9, b"canadian", 1)])
        return examples

    def run(first_day, last_day, slices="{}"):
        output = standard_artifacts.Examples()
        output.uri = str(tmp_path / "output")
        Executor().Do(
            {"examples": [block("first", ROWS[:2]), block("second", ROWS[2:])]},
            {"evaluation_examples": [output]},
            {
                "domain": "de",
                "first_day": first_day,
                "last_day": last_day,
                "slices": slices,
            },
        )
        return output

    return run


def test_the_domains_rows_of_the_days_become_one_split(evaluation_set, tmp_path):
    output = evaluation_set(9, 10)
    assert output.split_names == '["eval"]'
    paths = sorted((tmp_path / "output" / "Split-eval").iterdir())
    # A file for each raw file, so that workers write and read them side by side.
    assert [path.name for path in paths] == [
        "data_tfrecord-00000-of-00002.gz",
        "data_tfrecord-00001-of-00002.gz",
    ]
    assert [row for path in paths for row in parsed(path)] == WANTED
    assert output.span == 10
    stamps = [output.get_int_custom_property(n) for n in ("first_day", "last_day")]
    assert stamps == [9, 10]
    assert output.get_int_custom_property("num_rows") == 3
    assert output.get_string_custom_property("role") == "evaluation"


def test_days_without_a_row_of_the_domain_are_an_error(evaluation_set):
    with pytest.raises(DataError, match="'de' has no rows .* 1970-01-13..1970-01-21"):
        evaluation_set(12, 20)
