"""Calibrator against scikit-learn, its laws, and in the exported model."""

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics

from models.networks.network import ServingForm
from models.training.calibration import MIN_OF_EACH_LABEL
from models.training.calibration import Calibrated
from models.training.calibration import Platt
from models.training.calibration import fit_platt


def world(num_rows=4000, scale=0.5, shift=-1.0, seed=0):
    """Returns logits of a network that is `1 / scale` times too sure, and clicks."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-2, 2, num_rows)
    rate = 1 / (1 + np.exp(-(scale * logits + shift)))
    return logits, (rng.random(num_rows) < rate).astype(int)


def apply(calibrator, logits):
    return 1 / (1 + np.exp(-(calibrator.scale * logits + calibrator.shift)))


def test_equals_scikit_learns_logistic_regression():
    logits, labels = world()
    plain = sklearn.linear_model.LogisticRegression(penalty=None, tol=1e-10)
    plain.fit(logits[:, None], labels)
    found = fit_platt(logits, labels)
    # Up to the prior, one row among 4,000.
    assert found.scale == pytest.approx(plain.coef_[0, 0], abs=2e-3)
    assert found.shift == pytest.approx(plain.intercept_[0], abs=4e-3)
    assert found.rows == 4000


@pytest.mark.parametrize(("scale", "shift"), [(0.5, -1.0), (1.0, 0.0), (3.0, 2.0)])
def test_predicted_clicks_become_actual_ones_and_the_order_stays(scale, shift):
    logits, labels = world(scale=scale, shift=shift)
    scores = apply(fit_platt(logits, labels), logits)
    assert scores.sum() == pytest.approx(labels.sum(), rel=1e-6)
    assert sklearn.metrics.roc_auc_score(labels, scores) == pytest.approx(
        sklearn.metrics.roc_auc_score(labels, logits), abs=1e-12
    )


def test_other_days_are_calibrated_too():
    logits, labels = world(num_rows=50_000, seed=1)
    scores = apply(fit_platt(*world(num_rows=50_000)), logits)
    assert scores.sum() / labels.sum() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("clicks", [0, MIN_OF_EACH_LABEL - 1, 4000 - 3, 4000])
def test_too_few_rows_of_a_label_change_nothing(clicks):
    logits, _ = world()
    labels = np.arange(4000) < clicks
    assert fit_platt(logits, labels) == Platt(1.0, 0.0, 0)


def test_no_rows_change_nothing():
    assert fit_platt([], []) == Platt()


def test_a_network_that_ranks_the_wrong_way_round_is_shifted_only():
    logits, labels = world()
    found = fit_platt(-logits, labels)
    assert found.scale == 1.0
    assert apply(found, -logits).sum() == pytest.approx(labels.sum(), rel=1e-6)


def test_logits_far_out_stay_finite():
    logits, labels = world()
    found = fit_platt(logits * 1e4, labels)
    assert np.isfinite(found).all()
    assert found.scale > 0
    separable = fit_platt(np.where(labels, 5.0, -5.0), labels)
    assert np.isfinite(separable).all()  # the prior holds the scale


def test_few_rows_keep_the_scale_near_one():
    logits, labels = world(num_rows=400)
    few, many = fit_platt(logits, labels), fit_platt(*world(num_rows=40_000))
    assert many.scale < few.scale + 0.1
    assert abs(many.scale - 0.5) < 0.02


def test_the_serving_form_corrects_the_logits_and_saves_both_numbers():
    class Network:
        features = "the network's"

        def serving_form(self):
            return ServingForm(lambda rows: rows["x"], ["weights"])

    calibrated = Calibrated(Network(), Platt(0.5, -1.0, 9))
    form = calibrated.serving_form()
    assert calibrated.features == "the network's"
    assert form.logits({"x": np.float32(4.0)}).numpy() == pytest.approx(1.0)
    weights, *numbers = form.variables
    assert weights == "weights"
    assert [float(number) for number in numbers] == [0.5, -1.0]
