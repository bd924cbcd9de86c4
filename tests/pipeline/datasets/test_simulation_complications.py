"""Complications of a simulated world: each has its effect, and p* stays the truth."""

import datetime
import math

import numpy as np
import pytest

from pipeline.datasets.simulation.click_models import RandomTrees
from pipeline.datasets.simulation.columns import LogColumns
from pipeline.datasets.simulation.population import ACTIVE_DAYS
from pipeline.datasets.simulation.population import TASTE_WIDTH
from pipeline.datasets.simulation.population import active_users
from pipeline.datasets.simulation.population import stream
from pipeline.datasets.simulation.recent_items import RecentItems
from pipeline.datasets.simulation.truth import ACCIDENT
from pipeline.datasets.simulation.truth import TASTE
from pipeline.datasets.simulation.truth import appeal_on
from pipeline.datasets.simulation.truth import taste_logits
from pipeline.datasets.simulation.world import DomainWorld
from tests.pipeline.datasets.simulated import COLUMNS
from tests.pipeline.datasets.simulated import assert_same
from tests.pipeline.datasets.simulated import plans
from tests.pipeline.datasets.simulated import rows
from tests.pipeline.datasets.simulated import world

MANY = {"rows_per_day": 200_000}
COMPLICATED = [
    {"domains": {"feeds": {"hidden_poison": 0.3}}},
    {"domains": {"feeds": {"item_noise": 0.3}}},
    {"domains": {"feeds": {"permute_users": True, "permute_items": True}}},
    {"domains": {"feeds": {"lag_days": 20}}, "taste_speed": 2.0, "shared_drift": True},
    {"domains": {"feeds": {"taste_speed": 3.0}}},
    {"click_model": "trees"},
    {"feedback": 0.8},
    {"returning_users": 0.5, "absence_days": 30},
    {"own_taste": 0.5},
]


def name_of(knobs):
    return "-".join(knobs.get("domains", {}).get("feeds", knobs))


@pytest.mark.parametrize("knobs", COMPLICATED, ids=name_of)
def test_clicks_come_with_the_probability_that_is_stored(knobs):
    drawn = rows(world(**knobs, **MANY), 3)
    # Calibrated within each tenth of the rows, by 4 standard errors.
    for part in np.array_split(np.argsort(drawn["probability"]), 10):
        p = drawn["probability"][part].astype(np.float64)
        error = math.sqrt((p * (1 - p)).sum()) / len(part)
        assert abs(drawn["click"][part].mean() - p.mean()) < 4 * error


@pytest.mark.parametrize("knobs", COMPLICATED, ids=name_of)
def test_rows_depend_neither_on_chunks_nor_on_the_days_asked_for_before(knobs):
    whole = world(**knobs)
    assert_same(rows(whole, 5), rows(whole, 5, 333))
    assert_same(rows(whole, 2), rows(world(**knobs), 2))
    short = DomainWorld(plans(**knobs)["feeds"], 17, 6)
    assert_same(rows(short, 5), rows(whole, 5))


@pytest.mark.parametrize("knobs", COMPLICATED, ids=name_of)
def test_a_sources_complication_leaves_the_target_alone(knobs):
    changed = rows(world("ads", **knobs), 4)
    same = all(np.array_equal(changed[c], rows(world("ads"), 4)[c]) for c in COLUMNS)
    assert same == (set(knobs) == {"domains"})


def test_hidden_poison_strikes_users_whom_no_feature_tells_apart():
    knobs = {"domains": {"feeds": {"hidden_poison": 0.3}}}
    simulated = world(users=6_000, **knobs, **MANY)
    drawn = rows(simulated, 0)
    accident = drawn["accident"]
    assert accident.mean() == pytest.approx(0.3, abs=0.02)
    assert drawn["click"][accident].mean() == pytest.approx(ACCIDENT, abs=0.01)
    number = len(simulated.users.ids)
    struck = np.bincount(drawn["user"][accident], minlength=number) > 0
    seen = np.bincount(drawn["user"], minlength=number) >= 10
    # A third of the users have accidents, nine of ten of their rows, the others none.
    assert struck[seen].mean() == pytest.approx(1 / 3, abs=0.03)
    assert accident[struck[drawn["user"]]].mean() == pytest.approx(0.9, abs=0.01)
    users = simulated.users
    for column in (users.segment, users.device, users.refreshes, users.num_interests):
        assert abs(np.corrcoef(column[seen], struck[seen])[0, 1]) < 0.06


def test_label_noise_belongs_to_the_item():
    knobs = {"domains": {"feeds": {"item_noise": 0.2}}}
    drawn = rows(world(**knobs, **MANY), 0)
    item, accident = drawn["item"], drawn["accident"]
    assert accident.mean() == pytest.approx(0.2, abs=0.03)
    shown = np.bincount(item, minlength=200)
    rate = np.bincount(item, accident, 200)[shown > 500] / shown[shown > 500]
    assert rate.min() < 0.03
    assert rate.max() > 0.37
    assert rate.max() < 0.43


@pytest.mark.parametrize("kind", ["users", "items"])
def test_permuted_ids_are_those_of_others_who_arrived_on_the_same_day(kind):
    plain = world()
    broken = world(domains={"feeds": {f"permute_{kind}": True}})
    ours, theirs = getattr(broken, kind), getattr(plain, kind)
    assert set(ours.ids.tolist()) == set(theirs.ids.tolist())
    first = getattr(plain.plan, kind)
    assert np.mean(ours.ids[:first] == theirs.ids[:first]) < 0.05
    assert set(ours.ids[:first].tolist()) == set(theirs.ids[:first].tolist())
    other = "items" if kind == "users" else "users"
    np.testing.assert_array_equal(getattr(broken, other).ids, getattr(plain, other).ids)
    # Who clicks on what is as before; only the names differ.
    assert_same(rows(broken, 1), rows(plain, 1))


def pairs(simulated, day, number=50_000):
    """Returns taste logits of pairs of the target's size, the same in both domains."""
    ads, rng = plans()["ads"], np.random.default_rng(0)
    user = rng.integers(0, ads.users, number)
    item = rng.integers(0, ads.items, number)
    return simulated.taste_logits(user, item, day)


SHARED = {"user_overlap": 1, "item_overlap": 1, "theta": 0}


def test_a_source_that_lags_has_the_tastes_and_appeals_of_earlier_days():
    knobs = {"taste_speed": 2.0, "shared_drift": True, "drift": 0.8, **SHARED}
    ads = world("ads", **knobs)
    feeds = world(**knobs, domains={"feeds": {"lag_days": 25}})
    np.testing.assert_allclose(pairs(feeds, 30), pairs(ads, 5), rtol=1e-4, atol=1e-4)
    assert np.corrcoef(pairs(feeds, 30), pairs(ads, 30))[0, 1] < 0.8
    size = len(ads.items.ids)
    for now, then in ((30, 5), (39, 14)):
        np.testing.assert_array_equal(
            feeds._appeal_logits(now)[:size], ads._appeal_logits(then)
        )


def test_only_the_source_turns_where_it_alone_has_a_speed():
    knobs = {**SHARED, "domains": {"feeds": {"taste_speed": 3.0}}}
    ads, feeds = world("ads", **knobs), world(**knobs)
    np.testing.assert_array_equal(pairs(ads, 0), pairs(ads, 30))
    for day, cosine in ((0, 1), (10, math.cos(math.radians(30))), (30, 0)):
        found = np.corrcoef(pairs(feeds, day), pairs(ads, day))[0, 1]
        assert found == pytest.approx(cosine, abs=0.1)


def test_drift_is_shared_for_items_of_the_pool_alone():
    apart = world(), world("ads", item_overlap=0.5)
    alike = world(shared_drift=True), world("ads", item_overlap=0.5, shared_drift=True)
    common = apart[1].items.shared
    size = len(common)
    for (feeds, ads), same in ((apart, False), (alike, True)):
        equal = (feeds.items.swing[:size] == ads.items.swing).all(axis=1)
        assert equal[common].all() == same
        assert not equal[~common].any()


def test_trees_of_tastes_are_no_product_of_two_vectors():
    user, item = stream(0, "pairs").standard_normal((2, 8_000, TASTE_WIDTH), "f4")
    trees = RandomTrees(3)
    logits = trees(user, item)
    assert logits.std() == pytest.approx(TASTE, rel=0.1)
    assert abs(logits.mean()) < 0.1
    assert not np.allclose(RandomTrees(4)(user, item), logits)
    # All that a product of linear maps of both can say is in the outer product.
    outer = np.einsum("nu,nv->nuv", user, item).reshape(len(user), -1)
    columns = np.column_stack([outer, user, item, np.ones(len(user))])

    def explained(target):
        """Returns R2 on the second half of a fit on the first."""
        first, second = slice(0, 4_000), slice(4_000, None)
        fitted = np.linalg.lstsq(columns[first], target[first], rcond=None)[0]
        left = target[second] - columns[second] @ fitted
        return 1 - left.var() / target[second].var()

    assert explained(taste_logits(user, item)) == pytest.approx(1)
    assert 0.1 < explained(logits) < 0.6


def test_the_logging_policy_shows_what_was_clicked_before():
    plain, looped = world(**MANY), world(feedback=1.0, **MANY)
    first = rows(plain, 0)["click"].mean()
    # Nothing is known on the first day; later, more of what is shown is clicked.
    assert rows(looped, 0)["click"].mean() == pytest.approx(first, abs=0.02)
    assert rows(looped, 2)["click"].mean() > first + 0.1
    shown = np.bincount(rows(looped, 2)["item"], minlength=200)
    assert (shown == 0).sum() > (np.bincount(rows(plain, 2)["item"]) == 0).sum()
    appeal = appeal_on(looped.items, 0.3, 2)
    assert appeal[rows(looped, 2)["item"]].mean() > 0.3


def test_half_a_feedback_loop_explores_with_the_other_half():
    plain, looped = world(**MANY), world(feedback=0.5, **MANY)
    same = (rows(plain, 2)["item"] == rows(looped, 2)["item"]).mean()
    # One of eight candidates is the one that was drawn.
    assert 0.5 < same < 0.7


def test_returning_users_come_and_go_and_come_back():
    simulated = world(returning_users=0.4, absence_days=40, **MANY)
    users, days = simulated.users, range(120)
    active = np.stack([active_users(users, 0.4, 40, day) for day in days])
    always = active.all(axis=0)
    assert always.mean() == pytest.approx(0.6, abs=0.05)
    assert active[:, ~always].mean() == pytest.approx(ACTIVE_DAYS / 60, abs=0.03)
    assert (active[:60, ~always].sum(axis=0) == ACTIVE_DAYS).all()
    np.testing.assert_array_equal(active[:60], active[60:])
    shown = rows(simulated, 7)["user"]
    assert active[7][shown].all()
    # In all domains it is the same users, at the same time.
    ads = world("ads", returning_users=0.4).users
    common = np.flatnonzero(ads.shared)
    np.testing.assert_array_equal(ads.phase[common], users.phase[common])
    np.testing.assert_array_equal(ads.constancy[common], users.constancy[common])


def test_recent_items_of_a_broken_join_are_those_of_others():
    knobs = {"domains": {"feeds": {"permute_users": True}}, "user_overlap": 1}
    feeds, ads = world(**knobs), world("ads", **knobs)
    recent = RecentItems({"feeds": feeds, "ads": ads}, 5)
    recent.before(6)
    own = recent.lists("feeds")["recent_items_feeds"].to_pylist()
    joined = recent.lists("ads")["recent_items_feeds"].to_pylist()
    by_id = dict(zip(feeds.users.ids.tolist(), own, strict=True))
    assert [by_id[user] for user in ads.users.ids.tolist()] == joined
    # The person of the same position is another one.
    assert sum(a == b for a, b in zip(own, joined, strict=False)) < len(joined) / 2
    assert max(map(len, own)) == 5
    with pytest.raises(ValueError, match="received day 5 after day 6"):
        recent.before(5)


def test_half_of_a_users_taste_belongs_to_the_domain():
    ads, feeds = (
        world(name, own_taste=0.5, users=6_000).users for name in ("ads", "feeds")
    )
    shared = ads.shared.nonzero()[0]
    ours, theirs = ads.taste[shared], feeds.taste[shared]
    assert ads.ids[shared].tolist() == feeds.ids[shared].tolist()
    # Of unit variance in each, of which half is common.
    assert np.var(ours) == pytest.approx(1.0, abs=0.1)
    assert np.mean(ours * theirs) == pytest.approx(0.5, abs=0.1)
    # No linear map of the one gives more than the common half of the other.
    found, *_ = np.linalg.lstsq(theirs, ours, rcond=None)
    assert 1 - np.var(ours - theirs @ found) / np.var(ours) < 0.4


def test_another_code_book_changes_the_log_and_no_click():
    plain, coded = (
        world(**knobs)
        for knobs in ({}, {"domains": {"feeds": {"permute_codes": True}}})
    )
    ours, theirs = rows(plain, 2), rows(coded, 2)
    for column in COLUMNS:
        np.testing.assert_array_equal(ours[column], theirs[column], err_msg=column)
    date = datetime.date(2024, 1, 3)
    logs = [
        LogColumns(one).log(next(one.day(2)), date, 2).to_pydict()
        for one in (plain, coded)
    ]
    for column in ("u_group", "u_device", "i_cat"):
        pairs = set(zip(*(log[column] for log in logs), strict=True))
        assert {a for a, _ in pairs} == {b for _, b in pairs}
        assert len(pairs) == len({a for a, _ in pairs})
        assert any(a != b for a, b in pairs)
    # Interests are categories.
    book = dict(zip(logs[0]["i_cat"], logs[1]["i_cat"], strict=True))
    for before, after in zip(*(log["u_interests"] for log in logs), strict=True):
        assert [book[one] for one in before] == after
    assert logs[0]["u_userId"] == logs[1]["u_userId"]
