"""Laws of the append-only vocabulary."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.vocabulary.buckets import bucket_of
from components.vocabulary.files import read_vocabulary
from components.vocabulary.files import summarise
from components.vocabulary.files import write_vocabulary
from components.vocabulary.logic import COUNTS_SCHEMA
from components.vocabulary.logic import Vocabulary
from components.vocabulary.logic import count_ids
from components.vocabulary.logic import counted_features
from components.vocabulary.logic import counted_lists
from components.vocabulary.logic import grow
from components.vocabulary.logic import merge_counts
from components.vocabulary.logic import positions
from models.errors import DataError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.vocabulary_files import check_vocabulary
from tests.components.bucketed import in_buckets
from tests.faults import cut_at
from tests.faults import operations


def counts_of(*rows):
    """Returns a counts table from (id, day, impressions)."""
    columns = zip(*rows, strict=True) if rows else [(), (), ()]
    arrays = [
        pa.array(column, field.type)
        for column, field in zip(columns, COUNTS_SCHEMA, strict=True)
    ]
    return pa.table(arrays, schema=COUNTS_SCHEMA)


def grown(vocabulary, counts, space, buckets=1):
    """Grows a vocabulary by a table of counts that lies in buckets."""
    return grow(vocabulary, in_buckets({"ads": counts}, buckets), space)


def reference_growth(rows, space):
    """Grows a vocabulary row by row, one day after the other, in plain Python."""
    ids, shown, refused = [], {}, set()
    for day in sorted({day for _, day, _ in rows}):
        ready = set()
        for identifier, at, impressions in rows:
            if at == day:
                shown[identifier] = shown.get(identifier, 0) + impressions
                if shown[identifier] >= space.min_count and identifier not in ids:
                    ready.add(identifier)
        for identifier in sorted(ready):
            if len(ids) < space.capacity:
                ids.append(identifier)
            else:
                refused.add(identifier)
    return ids


_rows = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"\xff\xfe"]),
        st.integers(1, 5),
        st.integers(1, 3),
    ),
    max_size=20,
)
_space = st.builds(IdSpace, capacity=st.integers(1, 7), min_count=st.integers(1, 4))


@settings(deadline=None, max_examples=60)
@given(rows=_rows, space=_space)
def test_growth_equals_the_reference(rows, space):
    growth = grown(Vocabulary.empty(), merge_counts([counts_of(*rows)]), space)
    assert growth.vocabulary.ids.to_pylist() == reference_growth(rows, space)


@settings(deadline=None, max_examples=60)
@given(
    rows=_rows,
    space=_space,
    cut=st.integers(1, 5),
    seed=st.integers(0, 9),
    buckets=st.integers(1, 4),
)
def test_blocks_days_order_and_buckets_do_not_matter(rows, space, cut, seed, buckets):
    whole = grown(Vocabulary.empty(), merge_counts([counts_of(*rows)]), space)
    shuffled = list(np.random.default_rng(seed).permutation(np.arange(len(rows))))
    rows = [rows[i] for i in shuffled]
    vocabulary = Vocabulary.empty()
    for block in ([r for r in rows if r[1] <= cut], [r for r in rows if r[1] > cut]):
        parts = [counts_of(row) for row in block]
        counts = merge_counts(parts)
        vocabulary = grown(vocabulary, counts, space, buckets).vocabulary
    assert vocabulary.ids.to_pylist() == whole.vocabulary.ids.to_pylist()
    assert vocabulary.pending.to_pylist() == whole.vocabulary.pending.to_pylist()


@settings(deadline=None, max_examples=60)
@given(
    ids=st.lists(st.binary(max_size=9), min_size=1, max_size=30, unique=True),
    buckets=st.integers(1, 5),
    start=st.integers(0, 3),
)
def test_the_bucket_of_an_id_depends_on_its_bytes_alone(ids, buckets, start):
    array = pa.array(ids, pa.large_binary()).slice(start)
    found = bucket_of(array, buckets)
    assert found.tolist() == [
        bucket_of(pa.array([one], pa.large_binary()), buckets)[0] for one in ids[start:]
    ]
    assert set(found.tolist()) <= set(range(buckets))


@settings(deadline=None, max_examples=60)
@given(
    ids=st.lists(st.binary(max_size=3), max_size=9, unique=True),
    wanted=st.lists(st.binary(max_size=3), max_size=20),
)
def test_positions_are_those_of_a_dictionary(ids, wanted):
    place = {one: position for position, one in enumerate(ids)}
    half = len(wanted) // 2
    parts = pa.chunked_array([wanted[:half], wanted[half:]], pa.large_binary())
    found = positions(parts, pa.array(ids, pa.large_binary()))
    assert found.tolist() == [place.get(one, -1) for one in wanted]


def test_ids_spread_over_buckets():
    ids = pa.array([b"u%d" % number for number in range(100_000)], pa.large_binary())
    sizes = np.bincount(bucket_of(ids, 16), minlength=16)
    assert sizes.min() > 0.95 * 100_000 / 16
    assert sizes.max() < 1.05 * 100_000 / 16


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_a_row_never_moves_over_thirty_days(seed):
    random = np.random.default_rng(seed)
    vocabulary, space = Vocabulary.empty(), IdSpace(capacity=40, min_count=2)
    for day in range(30):
        drawn = random.integers(0, 5 * (day + 1), 12)
        rows = [(b"%d" % i, day, 1) for i in drawn]
        before = vocabulary.ids.to_pylist()
        vocabulary = grown(
            vocabulary, merge_counts([counts_of(*rows)]), space
        ).vocabulary
        after = vocabulary.ids.to_pylist()
        assert after[: len(before)] == before
        assert len(set(after)) == len(after) <= space.capacity


def test_a_full_table_refuses_and_counts():
    space = IdSpace(capacity=2)
    growth = grown(
        Vocabulary.empty(), counts_of((b"a", 1, 1), (b"b", 1, 1), (b"c", 1, 9)), space
    )
    assert growth.vocabulary.ids.to_pylist() == [b"a", b"b"]
    assert (growth.new, growth.refused) == ({1: 2}, 1)


def test_growth_counts_new_ids_by_day():
    space = IdSpace(capacity=3, min_count=2)
    rows = [(b"a", 1, 1), (b"b", 1, 2), (b"a", 4, 1), (b"c", 4, 2), (b"d", 5, 2)]
    growth = grown(Vocabulary.empty(), counts_of(*rows), space)
    assert growth.vocabulary.ids.to_pylist() == [b"b", b"a", b"c"]
    assert growth.new == {1: 1, 4: 2}
    written = {"bytes": 6, "hash": "own", "pending_hash": "waiting"}
    summary = summarise(growth, space, 6, written, None)
    assert summary["grown"] == [["1970-01-02", 1], ["1970-01-05", 3]]
    assert (summary["ids_before"], summary["day"]) == (0, "1970-01-07")


def test_an_id_with_a_line_break_gets_no_row_and_is_counted():
    growth = grown(
        Vocabulary.empty(),
        counts_of((b"a\nb", 1, 5), (b"c", 1, 1)),
        IdSpace(capacity=9),
    )
    assert growth.vocabulary.ids.to_pylist() == [b"c"]
    assert growth.unusable == 1


def test_files_keep_ids_that_are_not_text(tmp_path):
    growth = grown(
        Vocabulary.empty(),
        counts_of((b"\xff\x00", 1, 2), (" é".encode(), 1, 2), (b"rare", 1, 1)),
        IdSpace(capacity=9, min_count=2),
    )
    _write(tmp_path, growth)
    again = read_vocabulary(tmp_path, "user")
    assert again.ids.to_pylist() == growth.vocabulary.ids.to_pylist()
    assert again.pending.to_pylist() == [{"id": b"rare", "impressions": 1}]


def _write(folder, growth, parent=None):
    """Writes the artifact of one space as the component does; returns its summary."""
    folder.mkdir(exist_ok=True)
    written = write_vocabulary(folder, "user", growth.vocabulary)
    summary = {"user": summarise(growth, IdSpace(capacity=9), 6, written, parent)}
    (folder / "vocabulary.json").write_text(json.dumps(summary))
    return summary["user"]


@pytest.fixture
def stored(tmp_path):
    """A vocabulary of u1 and u2, then u3; `rare` waits."""
    first = grown(Vocabulary.empty(), counts_of((b"u1", 1, 2), (b"u2", 1, 2)), PICKY)
    parent = _write(tmp_path, first)
    second = counts_of((b"u3", 2, 2), (b"rare", 2, 1))
    _write(tmp_path, grown(first.vocabulary, second, PICKY), parent)
    check_vocabulary(tmp_path)
    return tmp_path


PICKY = IdSpace(capacity=9, min_count=2)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("user.txt", b"u1\nu2\n", "user.txt holds 2 ids .*; written were 3 with"),
        ("user.txt", b"", "user.txt holds 0 ids"),
        ("user.txt", b"u1\nu2\nu4\n", "user.txt holds 3 ids"),
        ("user.txt", None, "user.txt is missing"),
        ("user.pending.parquet", b"", "user.pending.parquet is not the file"),
        ("user.pending.parquet", None, "user.pending.parquet is missing"),
        ("vocabulary.json", None, "vocabulary.json is missing"),
        ("vocabulary.json", b"", "vocabulary.json is not JSON"),
        ("vocabulary.json", b"{}", "vocabulary.json names no id space"),
    ],
)
def test_a_damaged_vocabulary_is_found_when_it_is_read(stored, name, content, what):
    (stored / name).unlink()
    if content is not None:
        (stored / name).write_bytes(content)
    for read in (check_vocabulary, lambda folder: read_vocabulary(folder, "user")):
        with pytest.raises(DataError, match=f"(?s)is damaged: {what}.*backup.*--lost"):
            read(stored)


def test_a_vocabulary_that_breaks_off_is_written_again(tmp_path):
    growth = grown(Vocabulary.empty(), counts_of((b"u1", 1, 2), (b"u2", 1, 2)), PICKY)
    for number in range(operations(lambda: _write(tmp_path / "counted", growth))):
        folder = tmp_path / str(number)
        cut_at(number, lambda folder=folder: _write(folder, growth))
        _write(folder, growth)
        check_vocabulary(folder)


def test_a_vocabulary_that_does_not_continue_its_parent_is_found(stored):
    path = stored / "vocabulary.json"
    summary = json.loads(path.read_text())
    assert summary["user"]["parent_bytes"] == len(b"u1\nu2\n")
    summary["user"]["parent_hash"] = "0123456789abcdef"
    path.write_text(json.dumps(summary))
    with pytest.raises(DataError, match="does not begin with the 2 ids of the block"):
        check_vocabulary(stored)


def test_a_list_does_not_count_where_single_ids_do():
    table = FeatureTable(
        features=(
            Feature(name="item_id", kind="id", vocabulary="item"),
            Feature(name="recent", kind="ids", vocabulary="item"),
            Feature(name="tags", kind="ids", vocabulary="tag"),
        ),
        vocabularies={"item": IdSpace(capacity=5), "tag": IdSpace(capacity=5)},
    )
    assert counted_features(table, "item") == ["item_id"]
    assert counted_features(table, "tag") == ["tags"]
    assert counted_lists(table, "item") == counted_lists(table, "tag") == []


def test_a_list_counts_where_it_says_so():
    features = (
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item", counts=True),
        Feature(name="liked", kind="ids", vocabulary="item"),
        Feature(name="tags", kind="ids", vocabulary="tag", counts=True),
    )
    spaces = {"item": IdSpace(capacity=5), "tag": IdSpace(capacity=5)}
    table = FeatureTable(features=features, vocabularies=spaces)
    assert counted_features(table, "item") == ["item_id"]
    assert counted_lists(table, "item") == ["recent"]
    # A space without single ids: its lists count as shown, and only once.
    assert counted_features(table, "tag") == ["tags"]
    assert counted_lists(table, "tag") == []


@pytest.mark.parametrize("kind", ["id", "count"])
def test_only_lists_may_say_that_they_count(kind):
    vocabulary = {"vocabulary": "item"} if kind == "id" else {}
    with pytest.raises(ValueError, match=r"'item'.*does not read `counts`"):
        Feature(name="item", kind=kind, counts=True, **vocabulary)


@pytest.mark.parametrize("names", [["item"], ["tags"]])
def test_count_ids_counts_every_id_of_every_row(names):
    ids = pa.large_list(pa.large_binary())
    examples = pa.table(
        {
            "day": pa.array([[1], [1], [2]], pa.large_list(pa.int64())),
            "item": pa.array([[b"x"], [], [b"x"]], ids),
            "tags": pa.array([[b"x"], [b"x"], [b"x", b"y"]], ids),
        }
    )
    counted = {
        (row["id"], row["day"]): row["impressions"]
        for row in count_ids(examples, names).to_pylist()
    }
    expected = {
        "item": {(b"x", 1): 1, (b"x", 2): 1},
        "tags": {(b"x", 1): 2, (b"x", 2): 1, (b"y", 2): 1},
    }
    assert counted == expected[names[0]]
