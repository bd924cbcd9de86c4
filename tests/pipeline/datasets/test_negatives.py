"""Sampled negatives: laws on random purchases, frequencies against the definition."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config.sections import NegativeSampling
from pipeline.datasets import negatives as negatives_module
from pipeline.datasets.negatives import sample_negatives

Positive = tuple[str, str, int]  # user, item, day
WEIGHTINGS = pytest.mark.parametrize("weighting", ["uniform", "popularity"])


def _sample(
    positives: list[Positive],
    weighting: str = "uniform",
    *,
    per_positive: int = 3,
    seed: int = 5,
    domain: str = "food",
) -> tuple[list[Positive], list[int]]:
    """Returns the negatives and the days of the missing ones."""
    users, items, days = zip(*positives, strict=True)
    settings: dict[str, Any] = {"weighting": weighting}
    sampled = sample_negatives(
        pa.array(users, pa.string()),
        pa.array(items, pa.string()),
        np.array(days, np.int64),
        NegativeSampling(per_positive=per_positive, seed=seed, **settings),
        domain=domain,
    )
    negatives = zip(
        sampled.user_ids.to_pylist(),
        sampled.item_ids.to_pylist(),
        sampled.days.tolist(),
        strict=True,
    )
    return list(negatives), sampled.missing_days.tolist()


def _purchases(num_rows: int = 400, seed: int = 0) -> list[Positive]:
    """Few users and items, popular items among them, repeats and baskets."""
    rng = np.random.default_rng(seed)
    items = (rng.pareto(1.0, num_rows) * 8).astype(int) % 60
    return [
        (f"u{user}", f"i{item}", 16000 + int(day))
        for user, item, day in zip(
            rng.integers(0, 12, num_rows),
            items,
            rng.integers(0, 30, num_rows),
            strict=True,
        )
    ]


@WEIGHTINGS
def test_every_negative_keeps_the_rules(weighting: str) -> None:
    positives = _purchases()
    negatives, missing = _sample(positives, weighting)
    baskets = {(user, day) for user, _, day in positives}
    for user, item, day in negatives:
        assert (user, day) in baskets
        assert any(item == i and d <= day for _, i, d in positives), "not seen yet"
        assert (user, item, day) not in positives, "bought that day"
    assert len(set(negatives)) == len(negatives), "drawn twice for one user and day"
    assert len(negatives) + len(missing) == 3 * len(positives)


@WEIGHTINGS
def test_as_many_as_wanted_or_as_there_are(weighting: str) -> None:
    positives = _purchases()
    negatives, missing = _sample(positives, weighting, per_positive=10)
    wanted: Counter[tuple[str, int]] = Counter()
    bought: Counter[tuple[str, int]] = Counter()
    for user, _, day in positives:
        wanted[user, day] += 10
    for user, _, day in set(positives):
        bought[user, day] += 1
    lacking: Counter[int] = Counter()
    for (user, day), number in wanted.items():
        seen = len({i for _, i, d in positives if d <= day})
        expected = min(number, seen - bought[user, day])
        assert sum(n[0] == user and n[2] == day for n in negatives) == expected
        lacking[day] += number - expected
    assert Counter(missing) == +lacking
    assert missing, "the fixture should have a day with too few items"


@WEIGHTINGS
def test_order_of_rows_does_not_matter(weighting: str) -> None:
    positives = _purchases()
    shuffled = [positives[i] for i in np.random.default_rng(1).permutation(400)]
    assert _sample(shuffled, weighting) == _sample(positives, weighting)


@WEIGHTINGS
def test_later_days_change_nothing_before_them(weighting: str) -> None:
    positives = _purchases()
    early = [positive for positive in positives if positive[2] < 16020]
    negatives, missing = _sample(positives, weighting)
    assert _sample(early, weighting) == (
        [negative for negative in negatives if negative[2] < 16020],
        [day for day in missing if day < 16020],
    )


@pytest.mark.parametrize("change", [{"seed": 6}, {"domain": "kitchen"}])
def test_seed_and_domain_make_other_draws(change: dict[str, Any]) -> None:
    positives = _purchases()
    assert _sample(positives) == _sample(positives)
    assert _sample(positives, **change)[0] != _sample(positives)[0]


def test_the_first_item_ever_has_no_negatives() -> None:
    assert _sample([("ann", "tea", 10)]) == ([], [10, 10, 10])


def test_an_item_new_that_day_can_be_drawn() -> None:
    positives = [("ann", "tea", 10), ("bob", "jam", 10)]
    assert _sample(positives, per_positive=1) == (
        [("ann", "jam", 10), ("bob", "tea", 10)],
        [],
    )


def test_days_before_1970_are_days_like_others() -> None:
    positives = [("ann", "tea", -5), ("bob", "jam", -5)]
    assert len(_sample(positives, per_positive=1)[0]) == 2


@WEIGHTINGS
def test_frequencies_are_those_of_the_weights(weighting: str) -> None:
    # "new" is first sold on day 12; "own" is what the counted users bought themselves.
    past = [("z", "hit", 10)] * 81 + [("z", "mid", 11)] * 16 + [("z", "own", 11)]
    shoppers = 6000
    today = [(f"s{i}", "own", 12) for i in range(shoppers)]
    today += [(f"n{i}", "new", 12) for i in range(50)]
    negatives, _ = _sample([*past, *today], weighting, per_positive=1)
    drawn = Counter(item for user, item, day in negatives if user.startswith("s"))
    weights = {"hit": 81**0.75, "mid": 16**0.75, "new": 1.0}
    if weighting == "uniform":
        weights = dict.fromkeys(weights, 1.0)
    assert sum(drawn.values()) == shoppers
    for item, weight in weights.items():
        share = weight / sum(weights.values())
        error = np.sqrt(share * (1 - share) / shoppers)
        assert abs(drawn[item] / shoppers - share) < 4 * error, item


def test_popularity_of_the_day_itself_does_not_count() -> None:
    # 5,000 sales of "jam" on the day itself would leave hardly any draw of "tea".
    positives = [("z", "tea", 10), ("z", "jam", 10), ("z", "own", 10)]
    positives += [(f"j{i}", "jam", 12) for i in range(5000)]
    positives += [(f"s{i}", "own", 12) for i in range(2000)]
    negatives, _ = _sample(positives, "popularity", per_positive=1)
    drawn = Counter(item for user, item, _ in negatives if user.startswith("s"))
    assert abs(drawn["tea"] / 2000 - 0.5) < 4 * np.sqrt(0.25 / 2000)


def test_very_unequal_items_are_drawn_to_the_last() -> None:
    # "hit" has 5,600 times the weight of "odd": repeated draws would rarely meet that.
    past = [("z", "hit", 10)] * 100_000 + [("z", "odd", 9), ("z", "own", 9)]
    users = [f"s{i}" for i in range(400)]
    positives = [*past, *((user, "own", 12) for user in users)]
    both, missing = _sample(positives, "popularity", per_positive=2)
    of_day = {negative for negative in both if negative[2] == 12}
    assert of_day == {(u, item, 12) for u in users for item in ("hit", "odd")}
    assert 12 not in missing


@pytest.mark.parametrize("rounds", [0, 1, 16])
def test_without_replacement_has_the_probabilities_of_successive_draws(
    rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negatives_module, "_MAX_ROUNDS", rounds)
    past = [("z", "hit", 10)] * 16 + [("z", "b", 10), ("z", "c", 10), ("z", "own", 10)]
    users = [f"s{i}" for i in range(6000)]
    negatives, _ = _sample(
        [*past, *((user, "own", 12) for user in users)], "popularity", per_positive=2
    )
    pairs: dict[str, set[str]] = {}
    for user, item, day in negatives:
        if day == 12:
            pairs.setdefault(user, set()).add(item)
    weight = {"hit": 8.0, "b": 1.0, "c": 1.0}
    without_hit = 2 * (weight["b"] / 10) * (weight["c"] / 9)
    found = sum(pair == {"b", "c"} for pair in pairs.values()) / len(users)
    assert abs(found - without_hit) < 4 * np.sqrt(without_hit / len(users))


def test_refuses_arrays_of_unequal_length() -> None:
    with pytest.raises(ValueError, match=r"equally long; received \(1, 2, 1\)"):
        sample_negatives(
            pa.array(["ann"]),
            pa.array(["tea", "jam"]),
            np.array([10]),
            NegativeSampling(per_positive=1),
            domain="food",
        )
