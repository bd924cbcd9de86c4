"""Sampled negatives: laws on random purchases, frequencies against the definition."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config.sections import NegativeSampling
from pipeline.datasets import negatives as negatives_module
from pipeline.datasets.negatives import sample_negatives

Positive = tuple[str, str, int]  # user, item, day


def _sample(
    positives: list[Positive],
    *,
    per_positive: int = 3,
    seed: int = 5,
    domain: str = "food",
    hidden: list[bool] | None = None,
) -> list[Positive]:
    """Returns the negatives."""
    users, items, days = zip(*positives, strict=True)
    sampled = sample_negatives(
        pa.array(users, pa.string()),
        pa.array(items, pa.string()),
        np.array(days, np.int64),
        NegativeSampling(per_positive=per_positive, seed=seed),
        domain=domain,
        hidden=None if hidden is None else np.array(hidden),
    )
    negatives = zip(
        sampled.user_ids.to_pylist(),
        sampled.item_ids.to_pylist(),
        sampled.days.tolist(),
        strict=True,
    )
    return list(negatives)


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


def _candidates(positives: list[Positive], user: str, day: int) -> set[str]:
    """Items of others that day without the user's own, from the definition."""
    own = {i for u, i, d in positives if u == user and d <= day}
    return {i for u, i, d in positives if u != user and d == day} - own


def test_every_negative_is_an_item_of_another_user_that_day() -> None:
    positives = _purchases()
    negatives = _sample(positives)
    assert len(negatives) > 400, "the fixture should have candidates"
    for user, item, day in negatives:
        assert item in _candidates(positives, user, day)
    assert len(set(negatives)) == len(negatives), "drawn twice for one user and day"


@pytest.mark.parametrize("per_positive", [1, 3, 10])
def test_as_many_as_wanted_or_as_there_are(per_positive: int) -> None:
    positives = _purchases()
    drawn = Counter((u, d) for u, _, d in _sample(positives, per_positive=per_positive))
    bought = Counter((user, day) for user, _, day in positives)
    for (user, day), number in bought.items():
        available = len(_candidates(positives, user, day))
        assert drawn[user, day] == min(number * per_positive, available)
    assert set(drawn) <= set(bought)


def test_users_alone_on_their_day_have_no_negatives() -> None:
    assert _sample([("ann", "tea", 10), ("bob", "jam", 11)]) == []


def test_what_all_users_buy_is_no_negative() -> None:
    assert _sample([("ann", "tea", 10), ("bob", "tea", 10)]) == []


def test_an_item_of_the_own_past_is_no_negative() -> None:
    positives = [("ann", "tea", 9), ("ann", "jam", 10), ("bob", "tea", 10)]
    assert _sample(positives) == [("bob", "jam", 10)]


def test_an_item_of_the_own_future_can_be_one() -> None:
    positives = [("ann", "jam", 10), ("bob", "tea", 10), ("ann", "tea", 11)]
    assert ("ann", "tea", 10) in _sample(positives)


def test_hidden_positives_are_neither_matched_nor_drawn_but_owned() -> None:
    positives = [
        ("ann", "tea", 9),
        ("cid", "rug", 10),
        ("ann", "jam", 10),
        ("bob", "tea", 10),
    ]
    assert _sample(positives, hidden=[True, True, False, False]) == [("bob", "jam", 10)]


def test_order_of_rows_does_not_matter() -> None:
    positives = _purchases()
    shuffled = [positives[i] for i in np.random.default_rng(1).permutation(400)]
    assert _sample(shuffled) == _sample(positives)


def test_later_days_change_nothing_before_them() -> None:
    positives = _purchases()
    early = [positive for positive in positives if positive[2] < 16020]
    assert _sample(early) == [n for n in _sample(positives) if n[2] < 16020]


@pytest.mark.parametrize("pairs_at_once", [1, 7, 100])
def test_laws_hold_in_small_parts(
    pairs_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    positives = _purchases()
    whole = Counter((user, day) for user, _, day in _sample(positives))
    monkeypatch.setattr(negatives_module, "_PAIRS_AT_ONCE", pairs_at_once)
    parts = _sample(positives)
    assert Counter((user, day) for user, _, day in parts) == whole
    assert all(item in _candidates(positives, user, day) for user, item, day in parts)


@pytest.mark.parametrize("change", [{"seed": 6}, {"domain": "kitchen"}])
def test_seed_and_domain_make_other_draws(change: dict[str, int]) -> None:
    positives = _purchases()
    assert _sample(positives) == _sample(positives)
    assert _sample(positives, **change) != _sample(positives)  # type: ignore[arg-type]


def test_days_before_1970_are_days_like_others() -> None:
    positives = [("ann", "tea", -5), ("bob", "jam", -5)]
    assert len(_sample(positives, per_positive=1)) == 2


@pytest.mark.slow
def test_items_are_drawn_as_often_as_they_were_bought_that_day() -> None:
    # Sales of other days do not count, however many they are.
    shoppers = 1500
    positives = [("z", "mid", 10)] * 500
    positives += [(f"h{i}", "hit", 12) for i in range(60)]
    positives += [(f"m{i}", "mid", 12) for i in range(30)]
    positives += [("n", "new", 12)] * 10
    positives += [(f"s{i}", f"own{i}", 12) for i in range(shoppers)]
    counted = {"hit": 60, "mid": 30, "new": 10}
    drawn: Counter[str] = Counter()
    for seed in range(20):
        negatives = _sample(positives, per_positive=1, seed=seed)
        drawn += Counter(i for u, i, _ in negatives if u[0] == "s" and i in counted)
    total = sum(drawn.values())
    assert total > 1000
    for item, weight in counted.items():
        share = weight / 100
        error = np.sqrt(share * (1 - share) / total)
        assert abs(drawn[item] / total - share) < 4 * error, item


@pytest.mark.slow
def test_without_replacement_has_the_probabilities_of_successive_draws() -> None:
    positives = [(f"h{i}", "hit", 12) for i in range(8)]
    positives += [("b", "b", 12), ("c", "c", 12), ("ann", "own", 12)]
    trials = 3000
    without_hit = 0
    for seed in range(trials):
        pair = {
            i for u, i, _ in _sample(positives, per_positive=2, seed=seed) if u == "ann"
        }
        without_hit += pair == {"b", "c"}
    expected = 2 * (1 / 10) * (1 / 9)
    error = np.sqrt(expected * (1 - expected) / trials)
    assert abs(without_hit / trials - expected) < 4 * error


def test_refuses_arrays_of_unequal_length() -> None:
    with pytest.raises(ValueError, match=r"equally long; received \(1, 2, 1\)"):
        sample_negatives(
            pa.array(["ann"]),
            pa.array(["tea", "jam"]),
            np.array([10]),
            NegativeSampling(per_positive=1),
            domain="food",
        )
