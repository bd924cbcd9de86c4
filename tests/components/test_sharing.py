"""How many of the target's ids its sources know, by day."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.vocabulary.files import read_sightings
from components.vocabulary.files import write_sightings
from components.vocabulary.logic import COUNTS_SCHEMA
from components.vocabulary.logic import Vocabulary
from components.vocabulary.logic import grow
from components.vocabulary.logic import merge_counts
from components.vocabulary.sharing import describe_sharing
from components.vocabulary.sharing import example_ids
from components.vocabulary.sharing import see
from models.artifact_files import VOCABULARY_FILE
from models.days import DayRange
from models.errors import DataError
from models.features.id_space import IdSpace
from models.vocabulary_files import sightings_path
from tests.components.bucketed import in_buckets


def counts_of(rows):
    """Returns counts by domain from (domain, id, day)."""
    return {
        domain: merge_counts(
            [
                pa.table(
                    [
                        pa.array([i for d, i, _ in rows if d == domain], pa.binary()),
                        pa.array([t for d, _, t in rows if d == domain], pa.int64()),
                        pa.array([1 for d, _, _ in rows if d == domain], pa.int64()),
                    ],
                    COUNTS_SCHEMA.names,
                ).cast(COUNTS_SCHEMA)
            ]
        )
        for domain in ("ads", "feeds", "news")
    }


def grown(rows, blocks, space, buckets=1):
    """Returns what each block of days says is shared, day by day."""
    vocabulary, sightings, by_day = Vocabulary.empty(), {}, {}
    for first, last in blocks:
        counts = in_buckets(
            counts_of([row for row in rows if first <= row[2] <= last]), buckets
        )
        growth = grow(vocabulary, counts, space)
        days = DayRange(first, last)
        vocabulary = growth.vocabulary
        sightings, found = see(sightings, growth, counts, "ads", days)
        for index in range(len(days)):
            known = {name: part[index] for name, part in found["known"].items()}
            by_day[first + index] = (found["ids"][index], known)
    return by_day, sightings


def reference(rows, min_count):
    """Counts in plain Python, one day after the other."""
    by_day = {}
    for day in range(1, 6):
        seen = {"feeds": set(), "news": set()}
        admitted = {}
        for at in range(1, day + 1):
            for identifier in {i for _, i, _ in rows}:
                shown = sum(i == identifier and t <= at for _, i, t in rows)
                if shown >= min_count:
                    admitted.setdefault(identifier, at)
        for domain, identifier, at in rows:
            late = admitted.get(identifier, 99)
            if domain in seen and late <= at <= day:
                seen[domain].add(identifier)
        target = {i for d, i, t in rows if d == "ads" and t == day}
        known = {name: len(target & ids) for name, ids in seen.items()}
        by_day[day] = (len(target), known)
    return by_day


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ads", "feeds", "news"]),
        st.sampled_from([b"a", b"b", b"c", b"\xff"]),
        st.integers(1, 5),
    ),
    max_size=25,
)


@given(ROWS, st.integers(1, 3), st.sets(st.integers(1, 4)), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_what_is_shared_does_not_depend_on_how_days_are_cut(
    rows, min_count, cuts, buckets
):
    space = IdSpace(capacity=9, min_count=min_count)
    ends = [*sorted(cuts), 5]
    blocks = list(zip([1, *(end + 1 for end in ends[:-1])], ends, strict=True))
    by_day, _ = grown(rows, blocks, space, buckets)
    assert by_day == reference(rows, min_count)


def stored(folder, sightings):
    """Stores sightings of users as the component does."""
    found = write_sightings(folder, "user", sightings)
    summary = {"user": {"sightings_hash": found}}
    (folder / VOCABULARY_FILE).write_text(json.dumps(summary), encoding="utf-8")


def test_sightings_are_stored_as_they_are(tmp_path):
    rows = [("ads", b"a", 1), ("feeds", b"a", 2), ("ads", b"b", 2)]
    _, sightings = grown(rows, [(1, 3)], IdSpace(capacity=9))
    stored(tmp_path, sightings)
    kept = read_sightings(tmp_path, "user")
    assert {name: days.tolist() for name, days in kept.items()} == {
        name: days.tolist() for name, days in sightings.items()
    }
    assert read_sightings(tmp_path, "item") == {}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "user.sightings.parquet is missing"),
        (lambda path: path.write_bytes(b""), "is not the file that was written"),
    ],
    ids=["lost", "emptied"],
)
def test_sightings_that_were_damaged_are_named(tmp_path, damage, words):
    _, sightings = grown([("ads", b"a", 1)], [(1, 3)], IdSpace(capacity=9))
    stored(tmp_path, sightings)
    damage(sightings_path(tmp_path, "user"))
    with pytest.raises(DataError, match=words):
        read_sightings(tmp_path, "user")


COUNTS = counts_of([("ads", b"7.0", 1), ("feeds", b"u7", 1), ("news", b"7.0", 1)])


def described(separate):
    """Returns what an ingest says of `COUNTS`."""
    counts = in_buckets(COUNTS)
    growth = grow(Vocabulary.empty(), counts, IdSpace(capacity=9))
    _, shared = see({}, growth, counts, "ads", DayRange(1, 1))
    return describe_sharing("user", shared, "ads", example_ids(counts), separate)


def test_a_source_that_shares_nothing_is_named_with_how_both_write_ids():
    line, warnings = described([])
    assert line == "ids of ads known from feeds 0%, news 100%"
    (warning,) = warnings
    assert warning.startswith("user: none of the 1 ids of ads is known from feeds")
    assert "compare how they are written: ads '7.0', feeds 'u7'" in warning
    assert "`separate_ids: {user: [feeds]}` in the configuration says so" in warning


def test_a_source_that_is_stated_to_share_nothing_is_held_to_it():
    line, warnings = described(["feeds"])
    assert line == "ids of ads known from feeds 0%, news 100%"
    assert warnings == []
    _, warnings = described(["feeds", "news"])
    (warning,) = warnings
    assert warning.startswith("user: `separate_ids` states that news shares no user")
    assert "1 of the 1 ids of ads are known from it" in warning


@pytest.mark.parametrize("missing", ["ads", "feeds"])
def test_a_domain_without_rows_is_no_reason_to_warn(missing):
    rows = [row for row in [("ads", b"a", 1), ("feeds", b"b", 1)] if row[0] != missing]
    counts = in_buckets(counts_of(rows))
    growth = grow(Vocabulary.empty(), counts, IdSpace(capacity=9))
    _, shared = see({}, growth, counts, "ads", DayRange(1, 1))
    assert describe_sharing("user", shared, "ads", example_ids(counts))[1] == []
