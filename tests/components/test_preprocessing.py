"""Raw features to rows of embedding tables, against a plain Python reference."""

import math

import farmhash
import numpy as np
import pytest

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.number_statistics import NumberStatistics
from models.features.registry import KINDS
from models.features.table import FeatureTable
from models.statistics_files import write_statistics
from models.vocabulary_files import ids_path

pytestmark = pytest.mark.slow

PADDING, MISSING = 0, 1
NOT_TEXT = b"\xff\x00\xfe"
VOCABULARIES = {"user": [b"u0", NOT_TEXT, "é".encode()], "item": [b"i0", b"i1"]}
FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item", max_length=3),
        Feature(name="topic", kind="id", vocabulary="topic"),
        Feature(name="topics", kind="ids", vocabulary="topic", max_length=2),
        Feature(name="shown", kind="count", buckets=4),
        Feature(name="rate", kind="rate", buckets=4),
    ),
    vocabularies={
        "user": IdSpace(capacity=8, oov_buckets=3),
        "item": IdSpace(capacity=8, oov_buckets=2),
        "topic": IdSpace(capacity=5, encoding="hash"),
    },
)
STATISTICS = {
    "shown": NumberStatistics(
        boundaries=(1, 3, 7), mean=(1.25,), deviation=(0.5,), values=9
    ),
    "rate": NumberStatistics(
        boundaries=(0.25, 0.5, 0.75), mean=(0.5,), deviation=(0.25,), values=9
    ),
}
# Rows 2, 3 and 4 of `user` are for ids it does not hold, then come its own in order.
USER_ROW = {b"u0": 5, NOT_TEXT: 6, "é".encode(): 7}
UNKNOWN_ITEM = {2, 3}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    """A Vocabulary artifact's folder."""
    folder = tmp_path_factory.mktemp("vocabulary")
    for space, ids in VOCABULARIES.items():
        content = b"".join(identifier + b"\n" for identifier in ids)
        ids_path(folder, space).write_bytes(content)
    write_statistics(folder, STATISTICS)
    return folder


def sparse(values, dtype):
    """Returns lists of values as the SparseTensor (B, longest list)."""
    import tensorflow as tf

    where = [[i, j] for i, row in enumerate(values) for j in range(len(row))]
    flat = [value for row in values for value in row]
    width = max((len(row) for row in values), default=0)
    indices = np.array(where, np.int64).reshape(-1, 2)
    return tf.SparseTensor(indices, tf.constant(flat, dtype), [len(values), width])


@pytest.fixture
def encode(vocabulary):
    """Returns a function that encodes raw columns of lists; columns may be left out."""
    import tensorflow as tf

    from components.transform.preprocessing import preprocessing_fn

    dtypes = {"id": tf.string, "ids": tf.string, "count": tf.int64, "rate": tf.float32}

    def run(folder=vocabulary, **columns):
        num_rows = len(next(iter(columns.values())))
        config = {"features": FEATURES.to_json(), "vocabulary_uri": str(folder)}
        # In a graph of its own: TFT keeps notes on the tables it sees, and those of an
        # eager call would turn up in the next Transform of the process.
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            raw = {name: sparse(columns[name], tf.int64) for name in _beside(columns)}
            for feature in FEATURES.features:
                values = columns.get(feature.name, [[]] * num_rows)
                raw[feature.name] = sparse(values, dtypes[feature.kind])
            encoded = preprocessing_fn(raw, config)
            for name, column in FEATURES.columns.items():
                assert encoded[name].dtype == column.dtype
            session.run(tf.compat.v1.tables_initializer())
            rows = session.run(encoded)
        return {name: values.tolist() for name, values in rows.items()}

    return run


def test_features_of_an_id_space_share_one_lookup_table(vocabulary):
    import tensorflow as tf

    from components.transform.preprocessing import preprocessing_fn

    config = {"features": FEATURES.to_json(), "vocabulary_uri": str(vocabulary)}
    dtypes = {"id": tf.string, "ids": tf.string, "count": tf.int64, "rate": tf.float32}
    with tf.Graph().as_default() as graph:
        raw = {f.name: sparse([[]], dtypes[f.kind]) for f in FEATURES.features}
        preprocessing_fn(raw, config)
    tables = [op for op in graph.get_operations() if op.type == "HashTableV2"]
    # `user` and `item`; `topic` is hashed.
    assert len(tables) == len(VOCABULARIES)


def _beside(columns):
    return [name for name in ("label", "day") if name in columns]


def reference(number, kind, found):
    """Returns table row and value of one number, in NumPy."""
    if number is None or math.isnan(number) or number < 0:
        return MISSING, 0.0
    if kind == "rate":
        number = min(number, 1.0)
    row = 2 + np.searchsorted(found.boundaries, number, side="right")
    scaled = np.log1p(np.float64(number)) if kind == "count" else number
    value = (scaled - found.mean[0]) / found.deviation[0]
    return row, np.float32(np.clip(value, -5, 5))


@pytest.mark.parametrize("boundaries", [(), (0,), (1, 2, 3, 7, 2**31, 2.0**62)])
def test_counts_equal_the_reference_around_powers_of_two(boundaries):
    found = NumberStatistics(boundaries=boundaries, mean=(3.5,), deviation=(1.7,))
    powers = {2**k + offset for k in range(63) for offset in range(-3, 3)}
    check("count", sorted(powers | {-(2**63), 2**63 - 1}), found)


@pytest.mark.parametrize("boundaries", [(), (0.015625, 0.5), (0.25, 0.5, 1.0)])
def test_rates_equal_the_reference(boundaries):
    found = NumberStatistics(boundaries=boundaries, mean=(0.1,), deviation=(0.01,))
    # Sixty-fourths are exact in binary, so no rounding decides about a bucket.
    rates = [i / 64 for i in range(-3, 68)] + [math.nan, -0.0, -math.inf, math.inf]
    check("rate", rates, found)


def check(kind, numbers, found):
    """Asserts that a kind encodes numbers as the reference does."""
    import tensorflow as tf

    given = tf.cast(tf.constant(numbers, KINDS[kind].tensor_type), tf.float64)
    rows, values = KINDS[kind].encoded(given, found)
    expected = [reference(number, kind, found) for number in numbers]
    assert rows.numpy().tolist() == [row for row, _ in expected]
    np.testing.assert_allclose(values, [value for _, value in expected], rtol=1e-6)


def test_numbers_at_the_ends(encode):
    counts = encode(shown=[[-1], [-(2**63)], [0], [2**63 - 1], [6], [7]])
    assert counts["shown"] == [MISSING, MISSING, 2, 5, 4, 5]
    assert counts["shown/value"][:4] == [0, 0, -2.5, 5]
    rates = encode(rate=[[1.0], [1.5], [1e30], [math.inf], [math.nan], [0.25]])
    assert rates["rate"] == [5, 5, 5, 5, MISSING, 3]
    assert rates["rate/value"] == [2, 2, 2, 2, 0, -1]


def test_a_number_without_statistics_has_one_bucket(encode, vocabulary, tmp_path):
    for space in VOCABULARIES:
        ids_path(tmp_path, space).write_bytes(ids_path(vocabulary, space).read_bytes())
    write_statistics(tmp_path, {})
    assert encode(tmp_path, shown=[[0], [9], []])["shown"] == [2, 2, MISSING]


def test_known_ids_have_their_own_rows(encode):
    encoded = encode(
        user_id=[[identifier] for identifier in USER_ROW],
        item_id=[[b"i1"], [b"i0"], [b"i1"]],
    )
    assert encoded["user_id"] == list(USER_ROW.values())
    assert encoded["item_id"] == [5, 4, 5]


def test_unknown_ids_share_the_rows_set_aside_for_them(encode):
    unknown = [b"new%d" % i for i in range(40)] + [b"\xfe", b"u0 ", b"U0", b"i0"]
    encoded = encode(user_id=[[identifier] for identifier in unknown])["user_id"]
    assert set(encoded) == {2, 3, 4}
    backwards = encode(user_id=[[identifier] for identifier in reversed(unknown)])
    assert backwards["user_id"] == encoded[::-1]


@pytest.mark.parametrize("identifier", [b"i0", b"unknown", b"\xff"])
def test_an_id_has_one_row_alone_and_in_lists(encode, identifier):
    encoded = encode(item_id=[[identifier]], recent=[[b"i1", identifier]])
    (row,) = encoded["item_id"]
    assert encoded["recent"] == [[5, row, PADDING]]
    assert row == 4 if identifier == b"i0" else row in UNKNOWN_ITEM


def test_a_missing_value_is_missing_and_an_empty_list_is_padding(encode):
    encoded = encode(user_id=[[], [b""]], recent=[[], [b""]])
    assert encoded == {
        "user_id": [MISSING, MISSING],
        "item_id": [MISSING, MISSING],
        "recent": [[PADDING] * 3] * 2,
        "topic": [MISSING, MISSING],
        "topics": [[PADDING] * 2] * 2,
        "shown": [MISSING, MISSING],
        "shown/value": [0, 0],
        "rate": [MISSING, MISSING],
        "rate/value": [0, 0],
    }


def test_a_long_list_keeps_its_first_ids(encode):
    recent = [[b"i0", b"i1", b"i1", b"i0", b"x"], [b"i1"], [], [b"i1", b"i0", b"i0"]]
    assert encode(recent=recent)["recent"] == [[4, 5, 5], [5, 0, 0], [0] * 3, [5, 4, 4]]


def test_no_row_at_all_stays_no_row(encode):
    assert encode(user_id=[]) == {
        "user_id": [],
        "item_id": [],
        "recent": [],
        "topic": [],
        "topics": [],
        "shown": [],
        "shown/value": [],
        "rate": [],
        "rate/value": [],
    }


def test_label_and_day_pass_where_there_are_any(encode):
    encoded = encode(user_id=[[b"u0"], []], label=[[1], []], day=[[18262], [18263]])
    assert encoded["label"] == [1, -1]
    assert encoded["day"] == [18262, 18263]


def test_a_vocabulary_without_ids_knows_none(encode, tmp_path):
    # As `min_count` leaves it after a first block that showed no id often enough.
    for space in VOCABULARIES:
        ids_path(tmp_path, space).write_bytes(b"")
    write_statistics(tmp_path, {})
    encoded = encode(tmp_path, user_id=[[b"u0"], []], recent=[[b"i0"], []])
    assert encoded["user_id"][0] in {2, 3, 4}
    assert encoded["user_id"][1] == MISSING
    assert encoded["recent"][0][0] in UNKNOWN_ITEM
    assert encoded["recent"][1] == [PADDING] * 3


def test_transform_in_beam_gives_the_same_rows(encode, vocabulary, tmp_path):
    import tensorflow as tf
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata
    from tensorflow_transform.tf_metadata import schema_utils

    from components.transform.preprocessing import preprocessing_fn

    columns = {
        "user_id": [[b"u0"], [], [NOT_TEXT], [b"unknown"]],
        "item_id": [[b"i1"], [b"new"], [], [b"i0"]],
        "recent": [[b"i0", b"new", b"i1", b"i0"], [], [b"i1"], [b""]],
        "topic": [[b"t0"], [], [b"t1"], [NOT_TEXT]],
        "topics": [[], [b"t0", b"t1", b"t2"], [b"t1"], [b""]],
        "shown": [[0], [7], [], [3]],
        "rate": [[0.25], [math.nan], [1.0], []],
        "label": [[1], [0], [1], [0]],
    }
    dtypes = {"shown": tf.int64, "label": tf.int64, "rate": tf.float32}
    spec = {name: tf.io.VarLenFeature(dtypes.get(name, tf.string)) for name in columns}
    metadata = dataset_metadata.DatasetMetadata(
        schema_utils.schema_from_feature_spec(spec)
    )
    config = {"features": FEATURES.to_json(), "vocabulary_uri": str(vocabulary)}
    raw = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (rows, _), _ = (raw, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
    direct = encode(**columns)
    assert {n: [np.asarray(r[n]).tolist() for r in rows] for n in direct} == direct


def test_a_hashed_space_needs_no_vocabulary(encode):
    topics = [[b"a"], [b"b"], [], ["é".encode()]]
    lists = [[b"a", b"b"], [], [b"b"], []]
    encoded = encode(topic=topics, topics=lists)

    def row(identifier):
        return farmhash.fingerprint64(identifier.decode()) % 5 + 2

    expected = [row(ids[0]) if ids else MISSING for ids in topics]
    assert encoded["topic"] == expected
    assert encoded["topics"] == [
        [row(b"a"), row(b"b")],
        [PADDING, PADDING],
        [row(b"b"), PADDING],
        [PADDING, PADDING],
    ]
