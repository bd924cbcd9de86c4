"""Platt calibrator of a trained network's logits, for one domain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.features.table import FeatureTable
from models.networks.network import Network
from models.networks.network import ServingForm

# Number of clicks, and of impressions without one, below which a correction would be
# mostly noise: 30 clicks determine the rate to a fifth.
MIN_OF_EACH_LABEL = 30

_NEWTON_STEPS = 50
# Strength of the prior that pulls the scale to 1, in impressions (our choice).
_PRIOR = 1.0


class Platt(NamedTuple):
    """`sigmoid(scale * logit + shift)`.

    The scale is positive, so that the order of scores, and with it AUC and GAUC, is
    kept.

    Attributes:
        scale: Factor of the logits; below 1 if the network is overconfident.
        shift: Log-odds added to every score.
        rows: Number of impressions it was fitted on; 0 for the identity.
    """

    scale: float = 1.0
    shift: float = 0.0
    rows: int = 0


def fit_platt(logits: npt.ArrayLike, labels: npt.ArrayLike) -> Platt:
    """Returns the calibrator with the lowest log loss on unseen impressions.

    Newton's method on `mean log loss + (scale - 1)^2 / 2N`. The shift has no prior, so
    that predicted clicks equal actual clicks on these impressions. If the best scale is
    not positive, which would reverse the ranking, only the shift is fitted. With fewer
    than `MIN_OF_EACH_LABEL` impressions of a label the result is the identity.

    Args:
        logits: The network's logits, shape (N,).
        labels: 0 or 1, shape (N,).

    References:
        Platt, Probabilistic Outputs for Support Vector Machines, 1999. Two parameters
        suit the few clicks of a day of ads; isotonic regression creates ties and
        thereby lowers AUC. The prior on the scale is our choice.
    """
    logit = np.asarray(logits, np.float64)
    label = np.asarray(labels, np.float64)
    clicks = int(label.sum())
    if min(clicks, len(label) - clicks) < MIN_OF_EACH_LABEL:
        return Platt()
    scale, shift = _newton(logit, label, free_scale=True)
    if scale <= 0:
        scale, shift = _newton(logit, label, free_scale=False)
    return Platt(scale, shift, len(label))


def _newton(
    logit: npt.NDArray[np.float64], label: npt.NDArray[np.float64], *, free_scale: bool
) -> tuple[float, float]:
    parameters = np.array([1.0, 0.0])
    free = np.array([free_scale, True])
    columns = np.stack([logit, np.ones_like(logit)])
    loss = _loss(parameters, columns, label)
    for _ in range(_NEWTON_STEPS):
        score = _sigmoid(parameters @ columns)
        gradient = columns @ (score - label) + [_PRIOR * (parameters[0] - 1), 0]
        hessian = (columns * (score * (1 - score))) @ columns.T
        hessian[0, 0] += _PRIOR
        step = np.zeros(2)
        step[free] = np.linalg.solve(
            hessian[np.ix_(free, free)] + 1e-9 * np.eye(free.sum()), gradient[free]
        )
        # Halved until the loss decreases: far from the optimum a full step may
        # overshoot.
        while np.abs(step).max() > 1e-10:
            moved = _loss(parameters - step, columns, label)
            if moved <= loss:
                break
            step /= 2
        else:
            break
        parameters, loss = parameters - step, moved
    return float(parameters[0]), float(parameters[1])


def _loss(
    parameters: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    label: npt.NDArray[np.float64],
) -> float:
    logit = parameters @ columns
    # log(1 + e^z) - y z, computed without overflow.
    losses = np.logaddexp(0, logit) - label * logit
    return float(losses.sum() + _PRIOR * (parameters[0] - 1) ** 2 / 2)


def _sigmoid(logit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -500, 500))))


class Calibrated:
    """A network followed by its calibrator, as the export expects it."""

    def __init__(self, network: Network, calibrator: Platt) -> None:
        """Stores network and calibrator."""
        self._network = network
        self._calibrator = calibrator

    @property
    def features(self) -> FeatureTable:
        """The network's inputs."""
        return self._network.features

    def serving_form(self) -> ServingForm:
        """Returns the network's serving form with corrected logits."""
        form = self._network.serving_form()
        scale = tf.Variable(self._calibrator.scale, name="calibration/scale")
        shift = tf.Variable(self._calibrator.shift, name="calibration/shift")

        def logits(rows: Mapping[str, Any]) -> Any:
            return scale * form.logits(rows) + shift

        return ServingForm(logits, [*form.variables, scale, shift])


def describe(calibrator: Platt) -> str:
    """Returns a description of the calibrator, for the progress display."""
    if not calibrator.rows:
        return (
            f"calibrator: fewer than {MIN_OF_EACH_LABEL} impressions of a label in its "
            "days; scores are not changed"
        )
    return (
        f"calibrator on {calibrator.rows:,} impressions: scale {calibrator.scale:.3f}, "
        f"odds x {math.exp(calibrator.shift):.3f}"
    )
