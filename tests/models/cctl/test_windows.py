"""Gains of windows, and how they change the trust in sources."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models.cctl.windows import Windows
from models.settings import CctlConfig


class _Network:
    """The parts of a companion network that windows change."""

    def __init__(self, **settings: object) -> None:
        self.cctl = CctlConfig.model_validate(settings)
        self.sources = ("fr", "uk")
        self.trust = tf.Variable(0.0)
        self.keep_logits = tf.Variable([1.0, 1.0])
        self.past = tf.Variable([0.0, 0.0, 0.0, 0.0], dtype=tf.float64)


def _after(gains: list[float], **settings: object) -> float:
    network = _Network(**settings)
    windows = Windows(network, seed=1)  # type: ignore[arg-type]
    for gain in gains:
        windows.add(gain)
    return float(network.trust)


def _noise(mean: float, windows: int = 40) -> list[float]:
    return list(np.random.default_rng(2).normal(mean, 0.01, windows))


def test_noise_leaves_the_trust_nearly_alone() -> None:
    assert _after(_noise(0.0)) > -1.0


def test_sources_that_harm_again_and_again_lose_all_trust() -> None:
    assert _after(_noise(-0.02)) == -4.0
    assert _after(_noise(-0.02), trust=False) == 0.0


def test_trust_comes_back_and_never_exceeds_none_lost() -> None:
    assert _after(_noise(-0.02, 15)) < -1.0
    assert _after(_noise(-0.02, 15) + _noise(0.02, 60)) == 0.0


def test_the_companion_keeps_the_source_whose_windows_gain() -> None:
    network = _Network(estimator="companion", trust=False)
    windows = Windows(network, seed=1)  # type: ignore[arg-type]
    for _ in range(300):
        fr, uk = windows.kept.numpy()
        windows.add(0.01 * float(fr) - 0.01 * float(uk))
    fr, uk = tf.sigmoid(network.keep_logits).numpy()
    assert fr > 0.8
    assert uk < 0.2


@pytest.mark.parametrize("gain", [0.0, -1.0])
def test_few_windows_leave_the_trust_unchanged(gain: float) -> None:
    assert _after([gain] * 3) == 0.0


def test_windows_go_on_from_an_earlier_training() -> None:
    gains = _noise(-0.02, 8)
    network = _Network()
    for some in (gains[:2], gains[2:5], gains[5:]):
        for gain in some:
            Windows(network, seed=1).add(gain)  # type: ignore[arg-type]
    assert float(network.trust) == _after(gains) < 0.0


def test_weights_that_read_no_trust_leave_it_alone() -> None:
    assert _after(_noise(-0.02), estimator="uniform") == 0.0
