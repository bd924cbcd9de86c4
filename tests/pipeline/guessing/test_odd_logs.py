"""Logs of every odd kind: a usable configuration, or an error that says what to do."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.log_files import LogFile
from models.errors import CrossctrError
from models.errors import DataError
from pipeline.config.load import load_config
from pipeline.guessing.column import json_list
from pipeline.guessing.domain import Named
from pipeline.guessing.log_folders import find_domains
from pipeline.guessing.sample import read_sample
from tests.pipeline.guessing.guesses import HEADER
from tests.pipeline.guessing.guesses import as_csv
from tests.pipeline.guessing.guesses import draft_of
from tests.pipeline.guessing.guesses import rows
from tests.pipeline.guessing.guesses import with_feeds
from tests.pipeline.guessing.guesses import written

_ROWS = rows()


def _changed(place, change):
    """Returns the rows with a change of the cell at `place`."""
    return [
        tuple(change(cell) if i == place else cell for i, cell in enumerate(row))
        for row in _ROWS
    ]


def _config(folder, ads, named=None):
    """Returns configuration, draft and what is unsure, from usual feeds and odd ads."""
    draft = draft_of(with_feeds(folder / "logs", ads), named=named)
    path, unsure = written(draft, folder)
    return load_config(path), draft, unsure


def test_usual_logs_need_no_check(tmp_path):
    config, _, unsure = _config(tmp_path, as_csv(_ROWS))
    kinds = {feature.name: feature.kind for feature in config.features}
    assert kinds == {
        "user_id": "id",
        "item_id": "id",
        "domain": "id",
        "device": "id",
        "price": "number",
        "hour": "id",
    }
    assert config.label == "click == 1"
    assert config.timestamp["ads"].format == "epoch_seconds"
    assert (str(config.first_day), config.target) == ("2024-01-01", "ads")
    # Two hundred rows are too few to evaluate on, and nothing else is wrong.
    assert [text.split(":")[0] for text in unsure] == ["evaluation_days"]


@pytest.mark.parametrize(
    "ads",
    [
        as_csv(_ROWS, delimiter=";"),
        as_csv(_ROWS, delimiter="\t"),
        b"\xef\xbb\xbf" + as_csv(_ROWS).encode(),
        as_csv(_ROWS).replace("\n", "\r\n"),
        as_csv(_changed(0, lambda seconds: seconds * 1000)),
        as_csv(_changed(3, lambda click: "true" if click else "false")),
        as_csv(_changed(3, lambda click: 2 * click - 1)),
        as_csv(_changed(1, lambda user: float(user[1:]))),
        as_csv(_changed(5, lambda price: "NULL" if price < 20 else price)),
        as_csv(_changed(4, lambda device: f'["{device}", "x"]')),
        as_csv(_changed(4, lambda device: f"{device}|x")),
    ],
    ids=[
        "semicolons",
        "tabs",
        "byte order mark",
        "carriage returns",
        "milliseconds",
        "true and false",
        "-1 and 1",
        "ids as floats",
        "NULL",
        "lists as JSON",
        "lists with |",
    ],
)
def test_odd_files_have_the_same_roles(tmp_path, ads):
    config, draft, _ = _config(tmp_path, ads)
    guess = draft.domains["ads"]
    assert (guess.user, guess.item, guess.label.column) == (
        "user_id",
        "item_id",
        "click",
    )
    assert guess.times is not None
    assert guess.times.days.min() == 19_723
    assert guess.click_rate == pytest.approx(sum(row[3] for row in _ROWS) / len(_ROWS))
    prices = [feature.kind for feature in config.features if feature.name == "price"]
    assert prices == ["number"]


def test_lists_in_text_are_cut_where_their_separator_says(tmp_path):
    config, _, _ = _config(tmp_path, as_csv(_changed(4, lambda d: f"{d}|x")))
    source = config.domain_log("ads").columns["device"]
    assert source is not None
    assert source.separator == "|"


@pytest.mark.parametrize(("click", "word"), [(0, "no row"), (1, "every row")])
def test_rows_of_one_label_are_told(tmp_path, click, word):
    config, _, unsure = _config(tmp_path, as_csv(_changed(3, lambda _: click)))
    assert config.label == "click == 1"
    assert any(text.startswith("label") and word in text for text in unsure)


def test_a_column_that_stands_twice_is_not_read(tmp_path):
    header = (*HEADER[:4], "price", "price")
    config, _, unsure = _config(tmp_path, as_csv(_ROWS, header))
    assert config.domain_log("ads").columns["price"] is None
    assert any("price stands twice in the header" in text for text in unsure)


def test_a_column_that_says_the_label_is_left_out(tmp_path):
    lines = [(*row, row[3] * 30 + row[5] / 100) for row in rows(400)]
    ads = as_csv(lines, (*HEADER, "seconds_watched"))
    config, _, unsure = _config(tmp_path, ads)
    assert "seconds_watched" not in {feature.name for feature in config.features}
    assert any("known before the impression" in text for text in unsure)


def test_ids_written_in_two_ways_are_told(tmp_path):
    _, _, unsure = _config(tmp_path, as_csv(_changed(1, lambda user: f"X-{user}")))
    assert any("ads shares no user with feeds" in text for text in unsure)


def test_a_day_without_a_log_is_told(tmp_path):
    lines = [row for row in _ROWS if not 2 <= (row[0] - _ROWS[0][0]) // 86_400 < 4]
    config, _, unsure = _config(tmp_path, as_csv(lines))
    assert config.missing_days == {"ads": "skip"}
    assert any(text.startswith("missing_days of ads") for text in unsure)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_other_formats_give_the_same_features(tmp_path, suffix):
    folder = with_feeds(tmp_path / "logs", as_csv(_ROWS))
    (folder / "ads.csv").unlink()
    records = [dict(zip(HEADER, row, strict=True)) for row in _ROWS]
    if suffix == "jsonl":
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "ads.jsonl").write_text(text)
    else:
        pq.write_table(pa.Table.from_pylist(records), folder / "ads.parquet")
    path, _ = written(draft_of(folder), tmp_path)
    names = [feature.name for feature in load_config(path).features]
    assert names == ["user_id", "item_id", "domain", "device", "price", "hour"]


@pytest.mark.parametrize(
    "ads", ["ads.tfrecord", "ads.tfrecord.gz", "ads/part-1.tfrecord"]
)
def test_tfrecords_of_many_days_are_refused_before_anything_is_read(tmp_path, ads):
    folder = with_feeds(tmp_path / "logs", as_csv(_ROWS))
    (folder / "ads.csv").unlink()
    (folder / ads).parent.mkdir(exist_ok=True)
    (folder / ads).write_bytes(b"not read")
    with pytest.raises(DataError) as caught:
        find_domains([str(folder)])
    message = str(caught.value)
    assert f"{str(folder / ads)!r} is a TFRecord file and lies in no folder" in message
    assert "CSV, JSON Lines and Parquet files of many days are laid out" in message
    assert "write a file for each day, <domain>/date=YYYY-MM-DD/*.tfrecord" in message


def test_records_that_are_no_examples_are_left_out_as_an_ingest_does(tmp_path):
    import tensorflow as tf

    path = tmp_path / "ads.tfrecord"
    user = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"u1"]))
    example = tf.train.Example(features=tf.train.Features(feature={"user_id": user}))
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"no tf.Example")
        writer.write(example.SerializeToString())
    sample = read_sample([LogFile(str(path), 19_723)], CsvDialect())
    assert sample.rows == 1
    assert sample.columns["user_id"].texts == ["u1"]


def test_json_that_is_nested_too_deeply_is_left_out(tmp_path):
    deep = "[" * 100_000 + "]" * 100_000
    path = tmp_path / "ads.jsonl"
    path.write_text(f'{deep}\n{{"user_id": "u1"}}\n')
    sample = read_sample([LogFile(str(path), 19_723)], CsvDialect())
    assert sample.columns["user_id"].texts == ["u1"]
    assert json_list(deep) is None


@pytest.mark.parametrize(
    ("ads", "named", "message"),
    [
        ("", Named(), "has no rows"),
        ("time,user_id,item_id,click\n", Named(), "has no rows"),
        ("click\n1\n0\n", Named(), "has one column, 'click'"),
        (
            as_csv([row[:3] for row in _ROWS], HEADER[:3]),
            Named(),
            "no column of 'ads' is the label for sure; looked at user_id",
        ),
        (
            as_csv([row[1:] for row in _ROWS], HEADER[1:]),
            Named(),
            "no column of 'ads' says when an impression was shown",
        ),
        (
            as_csv(_ROWS, ("time", "who", "item_id", "click", "a", "b")),
            Named(),
            "no column of 'ads' names the user",
        ),
        (as_csv(_ROWS), Named(label="clicked"), "--label 'clicked' is not a column"),
        (as_csv(_ROWS), Named(time="device"), "holds no times"),
        (as_csv(_ROWS), Named(user="who"), "--user 'who' is not a column"),
    ],
)
def test_what_cannot_be_guessed_is_an_error_with_the_remedy(
    tmp_path, ads, named, message
):
    with pytest.raises(CrossctrError, match=message):
        _config(tmp_path, ads, named)


@pytest.mark.parametrize("ads", [_ROWS[:1], _ROWS[:20]], ids=["one row", "one day"])
def test_logs_that_leave_no_day_to_train_on_are_refused(tmp_path, ads):
    message = "'ads' ends on 2024-01-01, and no log begins before .* add another day"
    with pytest.raises(DataError, match=message):
        _config(tmp_path, as_csv(ads))


def test_columns_may_be_named(tmp_path):
    header = ("t", "who", "what", "y2", "a", "b")
    named = Named(label="y2", time="t", user="who", item="what")
    config, _, _ = _config(tmp_path, as_csv(_ROWS, header), named)
    columns = config.domain_log("ads").columns
    assert (columns["user_id"].column, columns["item_id"].column) == ("who", "what")
    assert config.label == "y2 == 1"
