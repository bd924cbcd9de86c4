"""Simulated world: effects of its parameters, and its dependence on the seed alone."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.simulation.population import TASTE_WIDTH
from pipeline.datasets.simulation.population import present
from pipeline.datasets.simulation.population import sampling_table
from pipeline.datasets.simulation.population import stream
from pipeline.datasets.simulation.settings import PRESETS
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.datasets.simulation.truth import ACCIDENT
from pipeline.datasets.simulation.truth import APPEAL
from pipeline.datasets.simulation.truth import SLOTS
from pipeline.datasets.simulation.truth import accident_rates
from pipeline.datasets.simulation.truth import appeal_on
from pipeline.datasets.simulation.truth import rotate
from pipeline.datasets.simulation.truth import taste_logits
from pipeline.datasets.simulation.world import DomainWorld
from tests.pipeline.datasets.simulated import COLUMNS
from tests.pipeline.datasets.simulated import NUM_DAYS
from tests.pipeline.datasets.simulated import assert_same
from tests.pipeline.datasets.simulated import plans
from tests.pipeline.datasets.simulated import rows
from tests.pipeline.datasets.simulated import world


@pytest.mark.parametrize("chunk_rows", [1, 333, 1_999, 2_000])
def test_the_rows_do_not_depend_on_the_chunks(chunk_rows):
    simulated = world(poison=0.2)
    assert_same(rows(simulated, 3), rows(simulated, 3, chunk_rows))


def test_the_seed_decides_everything():
    first = rows(world(seed=1), 2)
    assert_same(first, rows(world(seed=1), 2))
    assert not np.array_equal(first["user"], rows(world(seed=2), 2)["user"])


def test_a_day_depends_neither_on_the_days_before_nor_on_their_number():
    short = DomainWorld(plans()["feeds"], 17, 6)
    long = DomainWorld(plans()["feeds"], 17, 60)
    list(long.day(0))
    assert_same(rows(short, 5), rows(long, 5))


def test_days_differ():
    simulated = world()
    assert not np.array_equal(rows(simulated, 0)["user"], rows(simulated, 1)["user"])


def test_another_source_changes_nothing_in_the_other_domains():
    for domain in ("feeds", "ads"):
        alone, beside = world(domain), world(domain, sources=("feeds", "partner"))
        assert_same(rows(alone, 4), rows(beside, 4))
        np.testing.assert_array_equal(alone.users.ids, beside.users.ids)


def test_clicks_come_with_the_probability_that_is_stored():
    simulated = world(rows_per_day=200_000)
    drawn = rows(simulated, 0)
    # Calibrated within each tenth of the rows, by 4 standard errors.
    order = np.argsort(drawn["probability"])
    for part in np.array_split(order, 10):
        p = drawn["probability"][part].astype(np.float64)
        error = math.sqrt((p * (1 - p)).sum()) / len(part)
        assert abs(drawn["click"][part].mean() - p.mean()) < 4 * error


def test_the_probability_is_the_published_formula():
    simulated = world(theta=50, drift=0.4)
    drawn = rows(simulated, 7)
    users, items = simulated.users, simulated.items
    radians = math.radians(50)
    turn = np.kron(
        np.eye(TASTE_WIDTH // 2),
        [
            [math.cos(radians), -math.sin(radians)],
            [math.sin(radians), math.cos(radians)],
        ],
    )
    taste = np.sum(
        users.taste[drawn["user"]] * (items.taste[drawn["item"]] @ turn.T), 1
    )
    known = 1.1 * taste / math.sqrt(TASTE_WIDTH)
    known += 0.5 * users.eagerness[drawn["user"]]
    known += 0.7 * appeal_on(items, 0.4, 7)[drawn["item"]]
    p = drawn["probability"].astype(np.float64)
    rest = np.log(p / (1 - p)) - known
    # What is left belongs to slot, hour and device alone: one number for each.
    device = users.device[drawn["user"]]
    keys = [drawn["slot"].astype(int), drawn["hour"].astype(int), device]
    one_hot = np.concatenate([np.eye(24)[key] for key in keys], axis=1)
    fitted = one_hot @ np.linalg.lstsq(one_hot, rest, rcond=None)[0]
    np.testing.assert_allclose(rest, fitted, atol=1e-4)


def test_overlaps_are_as_asked():
    feeds = world("feeds", users=4_000, items=4_000)
    ads = world("ads", users=12_000, items=20_000, user_overlap=0.7, item_overlap=0.2)
    assert feeds.users.shared.all()
    assert ads.users.shared.mean() == pytest.approx(0.7, abs=0.03)
    assert ads.items.shared.mean() == pytest.approx(0.2, abs=0.03)
    pool = set(world("feeds", users=12_000).users.ids.tolist())
    common = np.array([user in pool for user in ads.users.ids.tolist()])
    np.testing.assert_array_equal(common, ads.users.shared)


@pytest.mark.parametrize("overlap", [0.0, 1.0])
def test_overlaps_at_their_ends(overlap):
    ads = world("ads", user_overlap=overlap, item_overlap=overlap)
    assert set(ads.users.shared.tolist()) == {bool(overlap)}
    assert set(ads.items.shared.tolist()) == {bool(overlap)}


def test_a_shared_user_is_the_same_person_in_both_domains():
    feeds, ads = world("feeds"), world("ads")
    shared = np.flatnonzero(ads.users.shared)
    np.testing.assert_array_equal(feeds.users.ids[shared], ads.users.ids[shared])
    for name in ("taste", "segment", "eagerness", "interests"):
        np.testing.assert_array_equal(
            getattr(feeds.users, name)[shared], getattr(ads.users, name)[shared]
        )
    own = np.flatnonzero(~ads.users.shared)
    assert not np.allclose(feeds.users.taste[own], ads.users.taste[own])


def test_ids_are_distinct_within_and_across_domains():
    sources = ("feeds", "partner")
    domains = [world(name, sources=sources) for name in (*sources, "ads")]
    for simulated in domains:
        assert len(set(simulated.users.ids)) == len(simulated.users.ids)
    own = [set(d.users.ids[~d.users.shared].tolist()) for d in domains]
    assert own[1]
    assert own[2]
    assert not own[1] & own[2]


def test_ads_are_as_sparse_as_asked():
    sparse = plans(sparsity=50)
    assert sparse["feeds"].rows_per_day == 2_000
    assert sparse["ads"].rows_per_day == 40
    assert len(rows(world("ads", sparsity=50), 0)["user"]) == 40


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sparse_within_the_published_range(name):
    simulation = SimulationConfig(truth=Path("truth"), preset=name)
    feeds, ads = plan_domains(simulation, ["feeds"], "ads")
    assert 20 <= feeds.rows_per_day / ads.rows_per_day <= 100


def test_the_daily_and_scale_presets_have_their_rows():
    sizes = {
        name: PRESETS[name].days * PRESETS[name].rows_per_day
        for name in ("daily", "scale")
    }
    assert sizes["daily"] == pytest.approx(2e6, rel=0.02)
    assert sizes["scale"] > 1e7


def test_new_users_and_items_arrive_daily():
    simulated = world(users=3_000, items=1_000, rows_per_day=60_000)
    for kind, first in (("user", 3_000), ("item", 1_000)):
        for day in (0, 1, 20):
            seen = int(rows(simulated, day)[kind].max())
            assert seen < present(first, day)
            if day:
                assert seen >= present(first, day - 1)


def test_an_item_is_not_younger_than_the_first_day_it_is_shown():
    simulated = world(items=700, rows_per_day=20_000)
    for day in range(0, NUM_DAYS, 3):
        item = rows(simulated, day)["item"]
        age = day - simulated.items.arrival[item]
        assert age.min() >= 0
    # Those that arrive later do so on the first day that counts them in.
    for k in range(700, len(simulated.items.ids)):
        day = int(simulated.items.arrival[k])
        assert present(700, day) > k >= present(700, day - 1)


def test_impressions_are_long_tailed():
    counts = np.bincount(rows(world(rows_per_day=100_000), 0)["user"], minlength=600)
    top = np.sort(counts)[::-1]
    assert top[:6].sum() > 0.08 * counts.sum()  # 1 % of the users
    assert np.median(counts) < 0.75 * counts.mean()


def test_appeal_drifts_as_far_as_asked_and_keeps_its_spread():
    items = world(items=20_000).items
    still, half, moving = (
        np.corrcoef(appeal_on(items, drift, 0), appeal_on(items, drift, 25))[0, 1]
        for drift in (0.0, 0.5, 1.0)
    )
    assert still == pytest.approx(1)
    assert still > half > moving
    assert moving < 0.4
    for day in (0, 30):
        assert appeal_on(items, 0.5, day).std() == pytest.approx(1, abs=0.03)


def test_a_day_moves_an_item_little():
    items = world(items=20_000).items
    days = appeal_on(items, 0.3, 10), appeal_on(items, 0.3, 11)
    assert np.corrcoef(*days)[0, 1] > 0.98


@pytest.mark.parametrize("theta", [0, 30, 90, 180])
def test_tastes_of_two_domains_correlate_with_the_cosine_of_theta(theta):
    # Everyone and everything is shared, so domains differ in the rotation alone.
    ads = world("ads", user_overlap=1, item_overlap=1)
    feeds = world("feeds", theta=theta)
    rng = np.random.default_rng(0)
    user = rng.integers(0, len(ads.users.ids), 50_000)
    item = rng.integers(0, len(ads.items.ids), 50_000)
    in_ads, in_feeds = ads.taste_logits(user, item), feeds.taste_logits(user, item)
    # 0.1 for the 12 segments and 16 categories, of which there are only so many.
    cosine = math.cos(math.radians(theta))
    assert np.corrcoef(in_ads, in_feeds)[0, 1] == pytest.approx(cosine, abs=0.1)


def test_theta_zero_is_the_same_taste():
    ads = world("ads", user_overlap=1, item_overlap=1)
    feeds = world("feeds", theta=0)
    pairs = np.arange(40), np.arange(40)
    np.testing.assert_array_equal(ads.taste_logits(*pairs), feeds.taste_logits(*pairs))


def test_rotation_keeps_lengths_and_turns_back():
    taste = stream(0, "t").standard_normal((50, TASTE_WIDTH), "f4")
    turned = rotate(taste, 73)
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=1), np.linalg.norm(taste, axis=1), rtol=1e-5
    )
    np.testing.assert_allclose(rotate(turned, -73), taste, atol=1e-5)


def test_taste_of_one_pair():
    user = np.array([[1, 2, 0, 0]], np.float32)
    item = np.array([[3, -1, 5, 5]], np.float32)
    assert taste_logits(user, item) == pytest.approx(1.1 * 1 / 2)


def test_poisoned_rows_click_by_accident():
    drawn = rows(world(poison=0.3, rows_per_day=200_000), 0)
    accident, click = drawn["accident"], drawn["click"]
    assert accident.mean() == pytest.approx(0.3, abs=0.01)
    assert click[accident].mean() == pytest.approx(ACCIDENT, abs=0.01)
    assert click[~accident].mean() < 0.3
    # An accident's click says nothing about the taste that p* still holds in part.
    assert click.mean() == pytest.approx(drawn["probability"].mean(), abs=0.005)


def test_slot_and_group_show_where_accidents_happen():
    simulated = world(poison=0.2, rows_per_day=200_000)
    drawn = rows(simulated, 0)
    segment = simulated.users.segment[drawn["user"]]
    cell = drawn["slot"].astype(int) * 12 + segment
    seen = np.bincount(cell, drawn["accident"], minlength=72)
    rate = seen / np.maximum(np.bincount(cell, minlength=72), 1)
    clean = simulated.accidents.cells.ravel() == 0
    assert rate[clean].max() == 0
    assert np.sort(rate[~clean])[1:].min() > 0.8  # one cell is poisoned in part
    assert 0 < (~clean).sum() < 40


def test_no_poison_means_no_accident():
    assert not rows(world(poison=0), 0)["accident"].any()
    assert not rows(world("ads", poison=0.4), 0)["accident"].any()


@given(share=st.floats(0, 0.8), seed=st.integers(0, 99))
def test_accidents_have_the_wanted_share_whatever_it_is(share, seed):
    slots = np.full(SLOTS, 1 / SLOTS, np.float32)
    segments = np.full(12, 1 / 12, np.float32)
    rates = accident_rates(seed, "feeds", share, slots, segments)
    assert rates.mean() == pytest.approx(share, abs=1e-5)
    assert rates.max() <= 0.9 + 1e-6
    assert rates.min() >= 0


def test_an_entity_has_places_by_its_weight():
    table = sampling_table(np.array([1.0, 2.0, 5.0]))
    assert len(table) == 64
    assert np.bincount(table).tolist() == [8, 16, 40]


def test_knobs_of_one_domain_override_those_of_the_world():
    knobs = {"partner": {"theta": 90, "poison": 0.4, "rows_per_day": 7}}
    made = plans(("feeds", "partner"), theta=20, domains=knobs)
    assert (made["feeds"].theta, made["partner"].theta, made["ads"].theta) == (
        20,
        90,
        0,
    )
    assert (made["feeds"].poison, made["partner"].poison) == (0, 0.4)
    assert made["partner"].rows_per_day == 7
    assert made["partner"].user_overlap == made["ads"].user_overlap == 0.8


def test_sizes_scale_the_target_along():
    made = plans(users=6_000, items=2_000, rows_per_day=330)
    assert (made["feeds"].users, made["feeds"].items) == (6_000, 2_000)
    assert (made["ads"].users, made["ads"].items) == (2_000, 400)
    assert made["ads"].rows_per_day == 10


def test_rows_follow_from_the_plan_alone():
    plan = dataclasses.replace(plans()["feeds"], rows_per_day=50)
    first = rows(DomainWorld(plan, 3, NUM_DAYS), 0)
    whole = rows(DomainWorld(plans()["feeds"], 3, NUM_DAYS), 0)
    for name in COLUMNS:
        np.testing.assert_array_equal(first[name], whole[name][:50])


def test_from_its_turn_day_on_an_items_appeal_is_the_opposite():
    knobs = {"domains": {"feeds": {"turn_day": 3}}}
    plain, turning = world(), world(**knobs)
    assert_same(rows(plain, 2), rows(turning, 2))
    before, after = rows(plain, 3), rows(turning, 3)
    np.testing.assert_array_equal(before["item"], after["item"])

    def logit(p):
        return np.log(p) - np.log1p(-p)

    appeal = appeal_on(plain.items, plain.plan.drift, 3)[before["item"]]
    difference = logit(before["probability"]) - logit(after["probability"])
    np.testing.assert_allclose(difference, 2 * APPEAL * appeal, atol=1e-3)
    # The other domain turns on a day of its own.
    assert_same(rows(world("ads"), 3), rows(world("ads", **knobs), 3))
