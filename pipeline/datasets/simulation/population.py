"""Users and items of a simulated domain, and how often they are shown.

Entities are numbered in order of arrival, so those present on a day are a prefix. Each
attribute has its own random stream and is drawn in this order, so a longer simulation
starts with the same entities.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.datasets.simulation.settings import DomainPlan

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

# Dimensions of taste; even, as pairs of them are rotated.
TASTE_WIDTH = 8
SEGMENTS = 12
CATEGORIES = 16
DEVICES = 5
MAX_INTERESTS = 3
# New users and items a day per 1,000 of the first day.
ARRIVALS = 5
# Days for which a user who comes and goes is active.
ACTIVE_DAYS = 20
# Variance of taste explained by the segment (the category), which a network learns from
# few impressions; the rest is specific to the id and takes many.
SEGMENT_SHARE = 0.45
CATEGORY_SHARE = 0.55
# Correlation of observed features (refreshes, score) with the hidden variable.
_HINT = 0.75
# Rank r of n is shown in proportion to (r/n)^-0.6: the first percent gets 16 %.
_TAIL = 0.6
# Offset of ids outside the pool, multiplied by the domain's number.
_OWN_IDS = 100_000_000


def stream(seed: int, *labels: str) -> np.random.Generator:
    """Returns the random stream of a name; streams of other names are independent."""
    digest = hashlib.sha256("/".join(labels).encode()).digest()
    entropy = [seed, int.from_bytes(digest[:8], "little")]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))


@dataclass(frozen=True)
class Users:
    """The users of a domain, in order of arrival; N of them.

    Attributes:
        ids: int64, (N,).
        shared: Whether the user is in the common pool, (N,).
        segment: Age and gender group, in [0, SEGMENTS), (N,).
        device: In [0, DEVICES), (N,).
        taste: (N, TASTE_WIDTH); about standard normal.
        eagerness: Effect of the user on the logit; standard normal, (N,).
        refreshes: Observed count, correlated with `eagerness`, (N,).
        interests: Observed categories, best first, (N, MAX_INTERESTS); they correlate
            with the taste.
        num_interests: Number of observed categories, (N,).
        constancy: In [0, 1); users below `returning_users` come and go, (N,).
        phase: Part of the cycle of coming and going on the first day, in [0, 1), (N,).
        weight: Relative number of impressions, (N,).
    """

    ids: npt.NDArray[np.int64]
    shared: npt.NDArray[np.bool_]
    segment: Ints
    device: Ints
    taste: Floats
    eagerness: Floats
    refreshes: Ints
    interests: Ints
    num_interests: Ints
    constancy: Floats
    phase: Floats
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Items:
    """The items of a domain, in order of arrival; N of them.

    Attributes:
        ids: int64, (N,).
        shared: Whether the item is in the common pool, (N,).
        category: In [0, CATEGORIES), (N,).
        taste: (N, TASTE_WIDTH); about standard normal.
        appeal: Effect of the item on the logit; standard normal, (N,).
        score: Observed score in (0, 1), correlated with `appeal`, (N,).
        swing: Cosine and sine amplitude of the periodic part of the appeal, (N, 2).
        period_days: Period of the periodic part, (N,).
        arrival: Day of arrival counted from the first day; negative before, (N,).
        weight: Relative number of impressions, (N,).
    """

    ids: npt.NDArray[np.int64]
    shared: npt.NDArray[np.bool_]
    category: Ints
    taste: Floats
    appeal: Floats
    score: Floats
    swing: Floats
    period_days: Floats
    arrival: Ints
    weight: npt.NDArray[np.float64]


def present(first: int, day: int) -> int:
    """Returns the number of entities present on a day.

    Args:
        first: Entities on the first day.
        day: Days since the first day.
    """
    return first + first * ARRIVALS * day // 1000


def make_users(plan: DomainPlan, seed: int, num_days: int) -> Users:
    """Draws the users that a domain has by the end of `num_days` days."""
    size = present(plan.users, num_days - 1)
    shared = stream(seed, plan.name, "users", "shared").random(size) < plan.user_overlap
    pool, own = _draw_users(seed, "pool", size), _draw_users(seed, plan.name, size)
    chosen = {name: _pick(shared, pool[name], own[name]) for name in pool}
    if share := plan.world.own_taste:
        draw = stream(seed, plan.name, "users", "own taste")
        # Drawn around zero: a part around the segment's would be no difference of ids.
        own_part = draw.standard_normal(chosen["taste"].shape, "f4")
        common = np.float32((1 - share) ** 0.5) * chosen["taste"]
        chosen["taste"] = common + np.float32(share**0.5) * own_part
    ids = _ids(shared, plan)
    if plan.complications.permute_users:
        ids = _permuted(ids, plan.users, stream(seed, plan.name, "users", "permuted"))
    return Users(
        ids=ids,
        shared=shared,
        weight=_weights(seed, plan.name, "users", size),
        **chosen,
    )


def make_items(plan: DomainPlan, seed: int, num_days: int) -> Items:
    """Draws the items that a domain has by the end of `num_days` days."""
    size = present(plan.items, num_days - 1)
    shared = stream(seed, plan.name, "items", "shared").random(size) < plan.item_overlap
    pool, own = _draw_items(seed, "pool", size), _draw_items(seed, plan.name, size)
    chosen = {name: _pick(shared, pool[name], own[name]) for name in pool}
    # Drift and age are specific to the domain, also for an item of the pool.
    swing, period_days = _draw_drift(seed, plan.name, size)
    if plan.world.shared_drift:
        common = _draw_drift(seed, "pool", size)
        swing = _pick(shared, common[0], swing)
        period_days = _pick(shared, common[1], period_days)
    ages = stream(seed, plan.name, "items", "age").random(size)
    ids = _ids(shared, plan)
    if plan.complications.permute_items:
        ids = _permuted(ids, plan.items, stream(seed, plan.name, "items", "permuted"))
    return Items(
        ids=ids,
        shared=shared,
        swing=swing,
        period_days=period_days,
        arrival=_arrivals(plan.items, ages),
        weight=_weights(seed, plan.name, "items", size),
        **chosen,
    )


def code_book(plan: DomainPlan, seed: int, kind: str, number: int) -> Ints:
    """Returns the codes by which a domain's log names segments, or others, (number,).

    Args:
        plan: The domain.
        seed: Seed of the world.
        kind: `segment`, `device` or `category`.
        number: How many there are.
    """
    codes = np.arange(number, dtype=np.int32)
    if not plan.complications.permute_codes:
        return codes
    permuted: Ints = stream(seed, plan.name, "codes", kind).permutation(codes)
    return permuted


def active_users(
    users: Users, returning: float, absence_days: int, day: int
) -> npt.NDArray[np.bool_]:
    """Returns which users are active on a day, (N,).

    Args:
        users: The users.
        returning: Share of users who come and go; the others are always active.
        absence_days: Days of an absence; `ACTIVE_DAYS` of activity follow.
        day: Days since the first day.
    """
    cycle = ACTIVE_DAYS + absence_days
    position = (day + np.floor(users.phase * cycle)) % cycle
    active: npt.NDArray[np.bool_] = users.constancy >= returning
    return active | (position < ACTIVE_DAYS)


def sampling_table(weight: npt.NDArray[np.float64]) -> Ints:
    """Returns a table in which entity k has a share of `weight[k]` of the entries.

    A uniformly drawn entry is an entity drawn by weight, with one lookup per draw. The
    length is a power of two, at least 16 entries per entity.
    """
    length = 1 << (16 * len(weight) - 1).bit_length()
    ends = np.cumsum(weight)
    ends *= length / ends[-1]
    return np.searchsorted(ends, np.arange(length) + 0.5).astype(np.int32)


def _draw_users(seed: int, owner: str, size: int) -> dict[str, npt.NDArray[Any]]:
    def draw(name: str) -> np.random.Generator:
        return stream(seed, owner, "users", name)

    segment = draw("segment").integers(0, SEGMENTS, size).astype(np.int32)
    taste = _around(
        _centres(seed, "segments", SEGMENTS)[segment], SEGMENT_SHARE, draw("taste")
    )
    eagerness = draw("eagerness").standard_normal(size, "f4")
    refreshes = np.exp(2.5 + _hint(eagerness, draw("refreshes"))).astype(np.int32)
    likes = taste @ _centres(seed, "categories", CATEGORIES).T / TASTE_WIDTH**0.5
    likes += draw("interests").standard_normal(likes.shape, "f4")  # (N, CATEGORIES)
    return {
        "segment": segment,
        "device": draw("device").integers(0, DEVICES, size).astype(np.int32),
        "taste": taste,
        "eagerness": eagerness,
        "refreshes": refreshes,
        "interests": np.argsort(-likes, axis=1)[:, :MAX_INTERESTS].astype(np.int32),
        "num_interests": draw("known")
        .integers(0, MAX_INTERESTS + 1, size)
        .astype(np.int32),
        "constancy": draw("constancy").random(size, "f4"),
        "phase": draw("phase").random(size, "f4"),
    }


def _draw_items(seed: int, owner: str, size: int) -> dict[str, npt.NDArray[Any]]:
    def draw(name: str) -> np.random.Generator:
        return stream(seed, owner, "items", name)

    category = draw("category").integers(0, CATEGORIES, size).astype(np.int32)
    centres = _centres(seed, "categories", CATEGORIES)
    appeal = draw("appeal").standard_normal(size, "f4")
    hint = _hint(appeal, draw("score"))
    return {
        "category": category,
        "taste": _around(centres[category], CATEGORY_SHARE, draw("taste")),
        "appeal": appeal,
        "score": (1 / (1 + np.exp(-1.2 * hint))).astype(np.float32),
    }


def _draw_drift(seed: int, owner: str, size: int) -> tuple[Floats, Floats]:
    """Returns amplitudes (size, 2) and periods in days (size,) of items' appeal."""
    swing = stream(seed, owner, "items", "swing").standard_normal((size, 2), "f4")
    return swing, 20 + 70 * stream(seed, owner, "items", "period").random(size, "f4")


def _centres(seed: int, kind: str, number: int) -> Floats:
    """Returns the mean tastes of segments or categories, equal in all domains."""
    drawn: Floats = stream(seed, kind).standard_normal((number, TASTE_WIDTH), "f4")
    centred: Floats = drawn - drawn.mean(axis=0)
    return centred / np.sqrt(np.mean(centred**2))


def _around(centres: Floats, share: float, draw: np.random.Generator) -> Floats:
    own = draw.standard_normal(centres.shape, "f4")
    mixed: Floats = np.float32(share**0.5) * centres
    return mixed + np.float32((1 - share) ** 0.5) * own


def _hint(values: Floats, draw: np.random.Generator) -> Floats:
    noise: Floats = draw.standard_normal(len(values), "f4")
    return np.float32(_HINT) * values + np.float32((1 - _HINT**2) ** 0.5) * noise


def _pick(
    shared: npt.NDArray[np.bool_], pool: npt.NDArray[Any], own: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    mask = shared.reshape(-1, *[1] * (pool.ndim - 1))
    return np.where(mask, pool, own)


def _ids(shared: npt.NDArray[np.bool_], plan: DomainPlan) -> npt.NDArray[np.int64]:
    position = np.arange(len(shared), dtype=np.int64)
    return np.where(shared, position, position + _OWN_IDS * (plan.number + 1))


def _permuted(
    ids: npt.NDArray[np.int64], first: int, draw: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Returns ids permuted among the entities that arrive on the same day.

    Thus a longer simulation begins with the same ids.
    """
    permuted = ids.copy()
    start, day = 0, 0
    while start < len(ids):
        end = min(present(first, day), len(ids))
        permuted[start:end] = draw.permutation(ids[start:end])
        start, day = end, day + 1
    return permuted


def _arrivals(first: int, ages: npt.NDArray[np.float64]) -> Ints:
    """Returns the arrival days by `present`; random earlier days for the first ones."""
    number = np.arange(len(ages)) - first + 1  # 1 is the first that arrives later
    later = -(-number * 1000 // (first * ARRIVALS))
    earlier = -1 - (300 * ages**2).astype(np.int64)
    return np.where(number > 0, later, earlier).astype(np.int32)


def _weights(seed: int, domain: str, kind: str, size: int) -> npt.NDArray[np.float64]:
    draws: npt.NDArray[np.float64] = stream(seed, domain, kind, "weight").random(size)
    return np.maximum(draws, 1e-9) ** -_TAIL
