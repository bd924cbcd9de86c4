"""Features that domains share, id spaces, sides, and days."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.days import to_date
from models.days import to_day
from pipeline.guessing.calendar import guess_calendar
from pipeline.guessing.kinds import guess_kind
from pipeline.guessing.leaks import label_auc
from pipeline.guessing.matching import LogColumn
from pipeline.guessing.matching import match_features
from pipeline.guessing.sides import guess_side
from pipeline.guessing.spaces import Occurrences
from pipeline.guessing.spaces import assign_spaces
from pipeline.guessing.spaces import guess_space
from pipeline.guessing.spaces import rounded_up
from tests.pipeline.guessing.guesses import column

_CODES = ["a", "b", "c", "d"] * 3
_OTHERS = ["v", "w", "x", "y"] * 3


def _log(domain, columns, sides=None):
    made = {name: column(values, name) for name, values in columns.items()}
    return [
        LogColumn(domain, one, guess_kind(one), (sides or {}).get(name))
        for name, one in made.items()
    ]


def _matched(ads, feeds, sides=None):
    """Returns the columns of each feature, and the features that have a check."""
    features = match_features(
        {"ads": _log("ads", ads, sides), "feeds": _log("feeds", feeds, sides)}
    )
    found = {
        feature.name: {d: c.column.name for d, c in feature.columns.items()}
        for feature in features
    }
    return found, [feature.name for feature in features if feature.checks]


def test_one_name_is_one_feature():
    found, checks = _matched({"city": _CODES}, {"city": _OTHERS})
    assert found == {"city": {"ads": "city", "feeds": "city"}}
    assert checks == []


def test_the_same_words_are_one_feature_whosever_they_are():
    found, _ = _matched(
        {"adv_ageDays": [1, 2, 9], "adv_cat": _CODES},
        {"i_cat": _OTHERS, "i_ageDays": [4, 5, 6]},
    )
    assert found == {
        "adv_age_days": {"ads": "adv_ageDays", "feeds": "i_ageDays"},
        "adv_cat": {"ads": "adv_cat", "feeds": "i_cat"},
    }


def test_a_common_word_needs_common_values():
    apart, _ = _matched({"topic_code": _CODES}, {"topic_group": _OTHERS})
    assert set(apart) == {"topic_code", "topic_group"}
    together, checks = _matched({"topic_code": _CODES}, {"topic_group": _CODES})
    assert together == {"topic_code": {"ads": "topic_code", "feeds": "topic_group"}}
    assert checks == ["topic_code"]


def test_common_values_alone_need_a_common_side_and_a_check():
    ads, feeds = {"segment": _CODES}, {"cluster": _CODES}
    assert set(_matched(ads, feeds)[0]) == {"segment", "cluster"}
    sides = {"segment": "user", "cluster": "user"}
    found, checks = _matched(ads, feeds, sides)
    assert found == {"segment": {"ads": "segment", "feeds": "cluster"}}
    assert checks == ["segment"]


def test_two_columns_of_one_log_are_never_one_feature():
    ads = {"recent_a": ["x|y", "y|z"], "recent_b": ["x|y", "y|z"]}
    feeds = {"recent_b": ["x|y", "y|z"]}
    assert _matched(ads, feeds)[0] == {
        "recent_a": {"ads": "recent_a"},
        "recent_b": {"ads": "recent_b", "feeds": "recent_b"},
    }


def test_what_describes_users_is_not_what_describes_items():
    sides = {"user_impressions": "user", "item_impressions": "item"}
    found, _ = _matched(
        {"user_impressions": [1, 2, 3]}, {"item_impressions": [1, 2, 3]}, sides
    )
    assert set(found) == {"user_impressions", "item_impressions"}


def test_a_column_that_is_empty_in_one_log_is_read_there_too():
    found, _ = _matched({"city": [None, None]}, {"city": _CODES})
    assert found == {"city": {"feeds": "city", "ads": "city"}}


def test_a_list_shares_the_space_that_knows_its_ids_best():
    codes = [str(i % 16) for i in range(64)]
    log = _log(
        "ads",
        {
            "category": codes,
            "item_key": [str(i) for i in range(64)],
            "interests": [f"{i % 16}|{(i + 1) % 16}" for i in range(64)],
            "others": [f"q{i % 16}|q{(i + 1) % 16}" for i in range(64)],
        },
    )
    features = match_features({"ads": log})
    next(f for f in features if f.name == "item_key").vocabulary = "item"
    assign_spaces(features)
    spaces = {feature.name: feature.vocabulary for feature in features}
    assert spaces == {
        "category": "category",
        "item_key": "item",
        "interests": "category",
        "others": "others",
    }


def _ids(number):
    return [str(i) for i in range(number)]


def test_a_closed_space_has_twice_its_ids():
    space = guess_space({"ads": [Occurrences(_ids(24), 24, 1.0, 30)]})
    assert space.closed
    assert space.capacity == 50


def test_ids_that_grow_with_impressions_have_room_for_a_year():
    # Twice as many in all rows as in half of them: n ** 1.
    space = guess_space({"ads": [Occurrences(_ids(1_000), 500, 0.1, 30)]})
    year_later = 10_000 * (30 + 365) / 30
    assert space.capacity == rounded_up(1.25 * year_later) == 200_000
    # Growth as the root of the rows: a quarter of the days gives half of the ids.
    half = round(1_000 / math.sqrt(2))
    slow = guess_space({"ads": [Occurrences(_ids(1_000), half, 1.0, 30)]})
    assert slow.capacity == rounded_up(1.25 * 1_000 * math.sqrt((30 + 365) / 30))


def test_ids_of_two_domains_count_once():
    alone = Occurrences(_ids(600), 600, 1.0, 30)
    both = guess_space({"ads": [alone], "feeds": [alone]})
    assert both.capacity == guess_space({"ads": [alone]}).capacity


@pytest.mark.parametrize(
    ("values", "side"),
    [
        # By user u: constant; by item i: constant; by neither.
        (lambda user, _: f"s{user}", "user"),
        (lambda _, item: f"s{item}", "item"),
        (lambda user, item: f"s{(user * 7 + item * 5) % 4}", None),
    ],
)
def test_what_is_the_same_for_one_user_describes_the_user(values, side):
    pairs = [(i % 9, i * 5 % 7) for i in range(300)]
    found, _ = guess_side(
        column([values(*pair) for pair in pairs], "x"),
        "id",
        [f"u{user}" for user, _ in pairs],
        [f"i{item}" for _, item in pairs],
    )
    assert found == side


def test_a_column_that_is_the_label_ranks_perfectly_and_chance_does_not():
    clicks = [i % 3 == 0 for i in range(600)]

    labels = np.array(clicks)
    seconds = column([30.0 * click + i % 7 for i, click in enumerate(clicks)], "x")
    chance = column([i % 7 for i in range(600)], "x")
    ordered = column([None if click else "shown" for click in clicks], "x")
    assert label_auc(seconds, labels) == 1.0
    assert label_auc(ordered, labels) == 1.0
    assert label_auc(chance, labels) < 0.6
    assert label_auc(chance, np.zeros(600, bool)) is None


def test_days_of_the_first_run():
    days = {"ads": range(100, 160), "feeds": [*range(100, 120), *range(121, 160)]}
    found = guess_calendar(days, "ads", 60 * 400, 0.1)
    # 200 clicks take five days of 400 impressions with a click rate of a tenth.
    assert (found.first_day, found.evaluation_days, found.run_day) == (100, 5, 155)
    assert found.check == ""
    assert found.gaps == {"feeds": f"1 days without a log, the first {to_date(120)}"}


def test_too_few_clicks_are_told():
    found = guess_calendar({"ads": range(100, 108)}, "ads", 8 * 100, 0.05)
    assert found.evaluation_days == 2
    assert "the Gate wants 500 impressions and 100" in found.check
    assert to_day(to_date(found.run_day)) == 106
