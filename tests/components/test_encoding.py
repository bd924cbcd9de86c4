"""Encoding statistics of ids, by feature and day, against counts by hand."""

import numpy as np
import pyarrow as pa
import pytest

from components.transform.encoding import KEYS
from components.transform.encoding import add_counts
from components.transform.encoding import count_encoded
from components.transform.encoding import describe_encoding
from components.transform.encoding import sizes_before
from components.transform.encoding import to_json
from components.transform.encoding import unknown_lists
from models.days import DayRange
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

DAYS = DayRange(10, 12)
FEATURES = FeatureTable(
    features=(
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item", max_length=2),
        Feature(name="topic", kind="id", vocabulary="topic"),
        Feature(name="shown", kind="count"),
    ),
    vocabularies={
        "item": IdSpace(capacity=9, oov_buckets=2),  # ids from row 4 on
        "topic": IdSpace(capacity=5, encoding="hash"),  # buckets from row 2 on
    },
)
# Two ids before day 10 (rows 4, 5), one more on day 10 (row 6), one on day 12 (row 7).
BEFORE = {"item": np.array([2, 3, 3])}
ROWS = [
    # day, item_id, recent, topic
    (10, 4, [5, 0], 2),
    (10, 6, [0, 0], 1),  # new item; empty list; topic missing
    (10, 3, [2, 6], 6),  # unknown item; list of an unknown and a new one
    (12, 1, [4, 5], 3),  # item missing
    (12, 7, [6, 7], 4),  # new item; list of an older and the new one
]


def table_of(rows):
    days, items, recent, topics = zip(*rows, strict=True)
    one = pa.large_list(pa.int64())
    return pa.table(
        {
            "day": pa.array([[day] for day in days], one),
            "item_id": pa.array([[row] for row in items], one),
            "recent": pa.array(recent, one),
            "topic": pa.array([[row] for row in topics], one),
        }
    )


def counted(rows):
    return count_encoded(table_of(rows), FEATURES, DAYS, BEFORE)


def test_counts_by_feature_and_day():
    found = counted(ROWS)
    assert set(found) == {"item_id", "recent", "topic"}
    by_key = {
        name: dict(zip(KEYS, c.tolist(), strict=True)) for name, c in found.items()
    }
    assert by_key["item_id"] == {
        "rows": [3, 0, 2],
        "missing": [0, 0, 1],
        "ids": [3, 0, 1],
        "oov": [1, 0, 0],
        "new": [1, 0, 1],
    }
    assert by_key["recent"] == {
        "rows": [3, 0, 2],
        "missing": [1, 0, 0],
        "ids": [3, 0, 4],
        "oov": [1, 0, 0],
        "new": [1, 0, 1],
    }
    assert by_key["topic"] == {
        "rows": [3, 0, 2],
        "missing": [1, 0, 0],
        "ids": [2, 0, 2],
        "oov": [0, 0, 0],
        "new": [0, 0, 0],
    }


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_parts_add_up_to_the_whole(cut):
    whole = counted(ROWS)
    parts = [counted(ROWS[cut:]), counted(ROWS[:cut])]
    summed = add_counts(parts)
    assert {name: c.tolist() for name, c in summed.items()} == {
        name: c.tolist() for name, c in whole.items()
    }


def test_sizes_follow_the_days_that_grew():
    summary = {"ids_before": 2, "grown": [["1970-01-11", 3], ["1970-01-13", 4]]}
    assert sizes_before(summary, DAYS).tolist() == [2, 3, 3]
    assert sizes_before({"ids_before": 0, "grown": []}, DAYS).tolist() == [0, 0, 0]


def test_the_lines_give_rates_over_all_domains():
    counts = counted(ROWS)
    item, recent = describe_encoding({"a": counts, "b": counts}, FEATURES)
    assert item == (
        "item_id: 25.0% of 8 ids out of vocabulary, 50.0% new that day, "
        "20.0% of impressions without"
    )
    assert recent.startswith("recent: 14.3% of 14 ids")


def test_features_whose_ids_are_all_known_share_a_line():
    known = {
        name: np.where([[key == "oov"] for key in KEYS], 0, counts)
        for name, counts in counted(ROWS).items()
    }
    assert describe_encoding({"a": known}, FEATURES) == [
        "no id out of vocabulary: item_id, recent"
    ]


def test_the_file_names_days_and_domains():
    content = to_json({"b": counted(ROWS), "a": counted(ROWS[:1])}, DAYS)
    assert content["days"] == ["1970-01-11", "1970-01-12", "1970-01-13"]
    assert list(content["domains"]) == ["a", "b"]
    assert content["domains"]["b"]["item_id"]["new"] == [1, 0, 1]


def _domain(**of_feature):
    return {
        name: {**dict.fromkeys(KEYS, [0, 0]), "ids": ids, "oov": oov}
        for name, (ids, oov) in of_feature.items()
    }


def test_a_list_most_of_whose_ids_are_unknown_is_named():
    domains = {
        "feeds": _domain(recent=([60, 40], [30, 20]), item_id=([9, 9], [9, 9])),
        "ads": _domain(recent=([60, 40], [41, 40]), item_id=([9, 9], [0, 0])),
        "shop": _domain(recent=([0, 0], [0, 0])),
        "few": _domain(recent=([99, 0], [99, 0])),
    }
    assert unknown_lists(domains, FEATURES) == [
        "recent: 81% of the 100 ids in the lists of ads are out of vocabulary and "
        "share 2 table rows; consider `counts: true` on 'recent', so that they get rows"
    ]
    counting = FEATURES.model_copy(
        update={
            "features": tuple(
                f.model_copy(update={"counts": f.is_list}) for f in FEATURES.features
            )
        }
    )
    (warning,) = unknown_lists(domains, counting)
    assert warning.endswith("consider a lower min_count or more capacity of 'item'")
