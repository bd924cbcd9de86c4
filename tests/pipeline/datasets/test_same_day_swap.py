"""Labels of the shipped amazon data: no feature of an item gives them away.

Acceptance of the sampled negatives: a single feature has an AUC of 0.40 to 0.60.
Boosted trees reach at most 0.53 on the three features of the item, and less than 0.62
on all six.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from models.days import to_day
from pipeline.config.sections import ImportConfig
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.impressions import impressions_of
from pipeline.datasets.impressions import read_file
from pipeline.datasets.impressions import with_aggregates

pytestmark = [pytest.mark.slow, pytest.mark.checkout]

DATA = Path(__file__).parents[3] / "data" / "amazon"
FIRST, LAST = (to_day(datetime.date(2014, 6, day)) for day in (1, 30))
ITEM = ("item_impressions", "item_click_rate", "item_age_days")
USER = ("user_impressions", "user_click_rate", "user_age_days")


@pytest.fixture(scope="module", params=["beauty", "food"])
def june(request):
    """Returns features and labels by seed: rows before June 2014, rows of June."""
    domain = request.param
    found = []
    for seed in (17, 18, 19):
        settings = ImportConfig(
            data=DATA,
            negatives=NegativeSampling(per_positive=4, seed=seed),
            last_day=datetime.date(2014, 6, 30),
        )
        file = read_file(DATA / f"{domain}.parquet", domain, settings, is_target=True)
        impressions = impressions_of(file, domain, settings)
        recent = {domain: file.recent_items(1)}
        table = with_aggregates(impressions, recent, domain, settings)
        # A new item or user has no age.
        columns = [
            table.column(name).to_numpy().astype(float) for name in (*ITEM, *USER)
        ]
        features, days = np.stack(columns, axis=1), impressions.days
        parts = (days < FIRST, (days >= FIRST) & (days <= LAST))
        found.append([(features[rows], impressions.clicked[rows]) for rows in parts])
    return found


def test_no_single_feature_tells_the_label(june):
    for _, (features, labels) in june:
        for column in np.nan_to_num(features, nan=-1).T:
            assert 0.40 <= roc_auc_score(labels, column) <= 0.60


@pytest.mark.parametrize(("width", "most"), [(3, 0.53), (6, 0.62)], ids=["item", "all"])
def test_trees_on_the_features_tell_little(june, width, most):
    for (features, labels), (later, truth) in june:
        # OpenMP's threads wait for each other beside other work.
        with threadpool_limits(1):
            model = HistGradientBoostingClassifier(random_state=0)
            model.fit(features[:, :width], labels)
            scores = model.predict_proba(later[:, :width])[:, 1]
        assert roc_auc_score(truth, scores) < most


def test_new_items_are_as_frequent_among_negatives(june):
    for _, (features, labels) in june:
        new = np.isnan(features[:, 2])
        share, other = new[labels == 1].mean(), new[labels == 0].mean()
        error = np.sqrt(share * (1 - share) / np.sum(labels == 1))
        assert share > 0.05
        assert abs(share - other) < 4 * error
