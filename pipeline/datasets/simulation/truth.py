"""True click probability of a simulated impression.

For user u, item v, domain d, day t:

    p* = (1 - x) sigmoid(z) + x ACCIDENT
    z  = bias_d + TASTE <u, R(theta_d) v> / sqrt(W) + EAGERNESS e_u + APPEAL b_v(t)
         + slot + hour + device

x is the probability that the impression's label is an accident; it depends on slot and
segment, and is 0 without poison. R(theta) rotates each pair of dimensions by theta, so
that for independent u and v the tastes of two domains have a correlation of the cosine
of the angle between them. All functions map arrays to arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.datasets.simulation.population import DEVICES
from pipeline.datasets.simulation.population import SEGMENTS
from pipeline.datasets.simulation.population import Floats
from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import Items
from pipeline.datasets.simulation.population import stream

SLOTS = 6
HOURS = 24
# Standard deviations of the parts of the logit. Taste is the largest, because it ranks
# the impressions of a user.
TASTE = 1.1
EAGERNESS = 0.5
APPEAL = 0.7
SLOT, HOUR, DEVICE = 0.3, 0.25, 0.2
# Click rates of about 20 and 10 percent.
SOURCE_BIAS, TARGET_BIAS = -2.0, -2.6
# Click probability of an accident, independent of user and item.
ACCIDENT = 0.5
# Share of accidents in a poisoned cell of slot and segment.
_CELL_RATE = 0.9


def rotate(taste: Floats, degrees: float) -> Floats:
    """Returns `R(degrees) v` of each row v; shape (N, W), W even.

    Example:
        >>> rotate(np.array([[1.0, 0.0]], np.float32), 90.0).round(6).tolist()
        [[0.0, 1.0]]
    """
    radians = np.deg2rad(degrees)
    cosine, sine = np.float32(np.cos(radians)), np.float32(np.sin(radians))
    turned = np.empty_like(taste)
    even, odd = taste[:, 0::2], taste[:, 1::2]
    turned[:, 0::2] = cosine * even - sine * odd
    turned[:, 1::2] = sine * even + cosine * odd
    return turned


def taste_logits(user_taste: Floats, item_taste: Floats) -> Floats:
    """Returns `TASTE <u, v> / sqrt(W)` of each pair of rows; (N, W), (N, W) -> (N,)."""
    scale = np.float32(TASTE / user_taste.shape[1] ** 0.5)
    product: Floats = np.einsum("nw,nw->n", user_taste, item_taste)
    return scale * product


def appeal_on(items: Items, drift: float, day: int) -> Floats:
    """Returns the appeal `b_v(t)` of every item on a day, in standard deviations.

    `sqrt(1 - drift) b_v + sqrt(drift) (c_v cos(w_v t) + s_v sin(w_v t))`, whose
    variance is 1 on every day, with a period of weeks to months by item.

    Args:
        items: The items; N of them.
        drift: Share of the variance that changes over time.
        day: Days since the first day.
    """
    angle = np.float32(2 * np.pi * day) / items.period_days
    moving = items.swing[:, 0] * np.cos(angle) + items.swing[:, 1] * np.sin(angle)
    appeal: Floats = np.float32((1 - drift) ** 0.5) * items.appeal
    return appeal + np.float32(drift**0.5) * moving.astype(np.float32)


def context_logits(seed: int, domain: str) -> tuple[Floats, Floats, Floats]:
    """Returns the effects of slot (SLOTS,), hour (HOURS,) and device (DEVICES,)."""
    draw = stream(seed, domain, "context")
    slot = SLOT * draw.standard_normal(SLOTS)
    # One peak a day, at an hour that depends on the domain; standard deviation HOUR.
    peak = draw.uniform(0, HOURS)
    turn = 2 * np.pi * (np.arange(HOURS) - peak) / HOURS
    hour = HOUR * 2**0.5 * np.cos(turn)
    device = DEVICE * stream(seed, "devices").standard_normal(DEVICES)
    effects = [effect - effect.mean() for effect in (slot, hour, device)]
    slot, hour, device = (effect.astype(np.float32) for effect in effects)
    return slot, hour, device


def accident_rates(
    seed: int,
    domain: str,
    share: float,
    slot_shares: Floats,
    segment_shares: Floats,
) -> Floats:
    """Returns the probability of an accident by slot and segment, (SLOTS, SEGMENTS).

    Cells are poisoned one after the other, those of the worst slots and segments first,
    until the expected share of accidents is `share`.

    Args:
        seed: Determines which slots and segments are worst.
        domain: The domain.
        share: Wanted share of accidents, at most 0.9.
        slot_shares: Share of the impressions by slot, sums to 1; (SLOTS,).
        segment_shares: Share of the impressions by segment, sums to 1; (SEGMENTS,).
    """
    draw = stream(seed, domain, "accidents")
    badness = draw.random((SLOTS, 1)) + draw.random((1, SEGMENTS))
    frequency = slot_shares[:, None] * segment_shares[None, :]
    order = np.argsort(-badness, axis=None)
    sizes = frequency.ravel()[order].astype(np.float64)
    before = np.cumsum(sizes) - sizes
    filled = np.clip((share / _CELL_RATE - before) / sizes, 0, 1)
    rates = np.zeros(badness.size, np.float32)
    rates[order] = _CELL_RATE * filled
    return rates.reshape(badness.shape)


def probabilities(logits: Floats) -> Floats:
    """Returns `sigmoid(logits)`, same shape."""
    p: Floats = np.reciprocal(1 + np.exp(-logits))
    return p


def shares(groups: Ints, weight: npt.NDArray[np.float64], number: int) -> Floats:
    """Returns the share of the values by group, (number,); sums to 1."""
    total = np.bincount(groups, weights=weight, minlength=number)
    return (total / total.sum()).astype(np.float32)
