"""Raw features to rows of embedding tables, against a plain Python reference."""

import math

import farmhash
import numpy as np
import pytest

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
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
            assert {tensor.dtype for tensor in encoded.values()} == {tf.int64}
            session.run(tf.compat.v1.tables_initializer())
            rows = session.run(encoded)
        return {name: values.tolist() for name, values in rows.items()}

    return run


def _beside(columns):
    return [name for name in ("label", "day") if name in columns]


def count_row(count, buckets):
    """Returns the row of a count: 2 + floor(log2(1 + count)), capped."""
    if count < 0:
        return MISSING
    return 2 + min((1 + count).bit_length() - 1, buckets - 1)


def rate_row(rate, buckets):
    """Returns the row of a rate: 2 + floor(rate * buckets), capped."""
    if math.isnan(rate) or rate < 0:
        return MISSING
    return 2 + (buckets - 1 if rate >= 1 else math.floor(rate * buckets))


@pytest.mark.parametrize("buckets", [2, 16, 64])
@pytest.mark.parametrize(
    "powers",
    [range(31), pytest.param(range(31, 41), id="31 to 40")],
    ids=["0 to 30", None],
)
def test_counts_equal_the_reference_around_powers_of_two(powers, buckets):
    import tensorflow as tf

    from models.features.count import encode_counts

    counts = sorted({2**k + offset for k in powers for offset in range(-3, 3)})
    encoded = encode_counts(tf.constant(counts, tf.int64), buckets).numpy()
    expected = [count_row(count, buckets) for count in counts]
    assert dict(zip(counts, encoded, strict=True)) == dict(
        zip(counts, expected, strict=True)
    )


def test_counts_at_the_ends(encode):
    values = [[-1], [-(2**63)], [0], [2**63 - 1], [6], [7]]
    assert encode(shown=values)["shown"] == [MISSING, MISSING, 2, 5, 4, 5]


@pytest.mark.parametrize("buckets", [2, 3, 16])
def test_rates_equal_the_reference(buckets):
    import tensorflow as tf

    from models.features.rate import encode_rates

    # Sixty-fourths are exact in binary, so no rounding decides about a bucket.
    rates = [i / 64 for i in range(-3, 68)] + [math.nan, -0.0, -math.inf]
    encoded = encode_rates(tf.constant(rates, tf.float32), buckets).numpy().tolist()
    assert encoded == [rate_row(rate, buckets) for rate in rates]


@pytest.mark.parametrize("rate", [1.0, 1.5, 1e6, 1e30, math.inf])
def test_a_rate_out_of_range_is_in_the_last_bucket(encode, rate):
    assert encode(rate=[[rate]])["rate"] == [5]


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
        "rate": [MISSING, MISSING],
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
        "rate": [],
    }


def test_label_and_day_pass_where_there_are_any(encode):
    encoded = encode(user_id=[[b"u0"], []], label=[[1], []], day=[[18262], [18263]])
    assert encoded["label"] == [1, -1]
    assert encoded["day"] == [18262, 18263]


def test_a_vocabulary_without_ids_knows_none(encode, tmp_path):
    # As `min_count` leaves it after a first block that showed no id often enough.
    for space in VOCABULARIES:
        ids_path(tmp_path, space).write_bytes(b"")
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
