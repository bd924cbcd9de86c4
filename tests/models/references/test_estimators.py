"""References on rows whose answer is known, and against scikit-learn's own metrics."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from models.data.arrow_files import pq
from models.days import DayRange
from models.features.table import FeatureTable
from models.references.estimators import BestFeature
from models.references.estimators import Logistic
from models.references.estimators import LogisticByDomain
from models.references.estimators import Scaling
from models.references.fitting import fit_references
from models.references.rows import Columns
from models.references.rows import Rows
from models.references.rows import read_domains
from models.references.rows import read_rows
from models.references.settings import ReferenceSettings

FEATURES = FeatureTable.model_validate(
    {
        "vocabularies": {"user": {"capacity": 9}, "item": {"capacity": 9}},
        "features": [
            {"name": "user_id", "kind": "id", "vocabulary": "user"},
            {"name": "item_id", "kind": "id", "vocabulary": "item"},
            {"name": "recent", "kind": "ids", "vocabulary": "item"},
            {"name": "shows", "kind": "count"},
            {"name": "share", "kind": "rate"},
        ],
    }
)
COLUMNS = Columns.of(FEATURES)


def rows(users, items, shows, shares, labels):
    table = {
        "user_id": pa.array(users, pa.large_binary()),
        "item_id": pa.array(items, pa.large_binary()),
        "shows": pa.array(shows, pa.float64()),
        "share": pa.array(shares, pa.float64()),
        "label": pa.array(labels, pa.int64()),
        "day": pa.array([0] * len(labels), pa.int64()),
    }
    return Rows(pa.table(table), len(labels))


def sample(seed, size=600):
    """Items decide; `share` falls with the click probability, `shows` is noise."""
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 6, size)
    chance = np.array([0.1, 0.2, 0.4, 0.6, 0.8, 0.9])[item]
    return rows(
        [b"u%d" % one for one in rng.integers(0, 50, size)],
        [b"i%d" % one for one in item],
        rng.integers(0, 100, size).astype(float),
        np.clip(1 - chance + rng.normal(0, 0.3, size), 0, 1),
        (rng.random(size) < chance).astype(int),
    )


def test_ids_and_numbers_are_read_and_lists_are_left_out():
    assert COLUMNS.ids == ("user_id", "item_id")
    assert COLUMNS.numbers == ("shows", "share")
    assert COLUMNS.counts == {"shows"}


def test_the_best_feature_is_found_with_its_sign():
    train, test = sample(1), sample(2)
    best = BestFeature(train, COLUMNS)
    assert (best.name, best.rises) == ("share", False)
    scores = best.predict(test)
    assert roc_auc_score(test.labels, scores) == pytest.approx(
        roc_auc_score(test.labels, -test.numbers(["share"])[:, 0])
    )
    assert scores.mean() == pytest.approx(train.labels.mean(), abs=0.03)


def test_logistic_regression_learns_ids_and_ignores_unknown_ones():
    train, test = sample(3, 3_000), sample(4, 3_000)
    model = Logistic(train, COLUMNS)
    known = model.predict(test)
    chance = [0.1, 0.2, 0.4, 0.6, 0.8, 0.9]
    best = [chance[int(one[1:])] for one in test.ids("item_id").to_pylist()]
    assert roc_auc_score(test.labels, known) > roc_auc_score(test.labels, best) - 0.01
    strange = rows([b"new", None], [b"new", None], [3.0, 3.0], [0.5, 0.5], [0, 1])
    one, other = model.predict(strange)
    assert one == other


def test_a_missing_number_is_the_mean_and_flagged():
    train = rows([b"u"] * 3, [b"i"] * 3, [0, 3, np.nan], [0.5] * 3, [0, 1, 0])
    numbers, flags = Scaling.fit(train, COLUMNS).apply(train)
    # log(1 + 0) and log(1 + 3) are as far from their mean.
    np.testing.assert_allclose(numbers[:, 0], [-1, 1, 0])
    # A constant has no scale.
    np.testing.assert_allclose(numbers[:, 1], 0)
    assert flags.tolist() == [[0], [0], [1]]


def test_every_reference_is_fitted_alone_and_with_the_sources():
    target, source, evaluation = sample(5, 200), sample(6, 2_000), sample(7)
    found = fit_references(target, [source], evaluation, COLUMNS)
    assert [(one.name, one.fitted_rows) for one in found] == [
        ("constant", 200),
        ("best_feature", 200),
        ("logistic", 200),
        ("logistic + sources", 2_200),
        ("gbdt", 200),
        ("gbdt + sources", 2_200),
    ]
    by_name = {one.name: one for one in found}
    assert set(by_name["constant"].scores) == {target.labels.mean()}
    assert by_name["best_feature"].note == "share, less is better"
    for one in found[1:]:
        assert roc_auc_score(evaluation.labels, one.scores) > 0.6


def test_each_reference_has_the_settings_of_its_name():
    target, source, evaluation = sample(5, 200), sample(6, 2_000), sample(7)
    settings = ReferenceSettings.model_validate(
        {
            "logistic + sources": {"inverse_l2": 1e-6},
            "gbdt": {"max_iter": 1, "learning_rate": 0.01},
        }
    )
    plain, tuned = (
        {
            one.name: one.scores
            for one in fit_references(target, [source], evaluation, COLUMNS, of)
        }
        for of in (None, settings)
    )
    for name, scores in plain.items():
        same = np.array_equal(scores, tuned[name])
        assert same == (name not in ("logistic + sources", "gbdt")), name
    # A strong penalty, or a single small tree, leaves little but the click rate.
    for name in ("logistic + sources", "gbdt"):
        assert tuned[name].std() < plain[name].std() / 5


def test_equal_labels_leave_the_constant():
    target = rows([b"u"] * 4, [b"i"] * 4, [1.0] * 4, [0.5] * 4, [0] * 4)
    found = fit_references(target, [], sample(8, 5), COLUMNS)
    assert [one.name for one in found] == [
        "constant",
        "best_feature",
        "logistic",
        "gbdt",
    ]
    assert {score for one in found for score in one.scores} == {0.0}


def test_nothing_is_read_of_the_evaluation_labels():
    target, evaluation = sample(9), sample(10)
    turned = Rows(
        evaluation.table.set_column(
            4, "label", pa.array(1 - evaluation.labels, pa.int64())
        ),
        len(evaluation),
    )
    plain, other = (
        fit_references(target, [], one, COLUMNS) for one in (evaluation, turned)
    )
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_array_equal(one.scores, two.scores)


# === Reading ===


def write(folder, num_rows):
    folder.mkdir(parents=True)
    table = {
        "user_id": [[b"u%d" % n] if n % 3 else [] for n in range(num_rows)],
        "item_id": [[b"i"]] * num_rows,
        "recent": [[b"i", b"j"]] * num_rows,
        "shows": [[n] if n % 2 else None for n in range(num_rows)],
        "share": [[-1.0 if n == 1 else 0.5] for n in range(num_rows)],
        "label": [[n % 2] for n in range(num_rows)],
        "day": [[n // 10] for n in range(num_rows)],
    }
    kinds = dict.fromkeys(("user_id", "item_id", "recent"), pa.large_binary())
    kinds |= {"shows": pa.int64(), "share": pa.float32()}
    arrays = {
        name: pa.array(values, pa.large_list(kinds.get(name, pa.int64())))
        for name, values in table.items()
    }
    pq.write_table(pa.table(arrays), folder / "data-00000.parquet")
    return str(folder)


def test_rows_of_the_days_are_read_in_order(tmp_path):
    folder = write(tmp_path / "a", 40)
    found = read_rows([folder], DayRange(1, 2), COLUMNS)
    assert found.integers("day").tolist() == [1] * 10 + [2] * 10
    assert found.ids("user_id").to_pylist()[:3] == [b"u10", b"u11", None]
    shows = found.numbers(["shows"])[:, 0]
    assert np.isnan(shows[0])
    assert shows[1] == 11


def test_a_negative_number_is_missing(tmp_path):
    found = read_rows([write(tmp_path / "a", 4)], DayRange(0, 9), COLUMNS)
    np.testing.assert_array_equal(
        found.numbers(["share"])[:, 0], [0.5, np.nan, 0.5, 0.5]
    )


def test_a_larger_window_is_sampled_evenly(tmp_path):
    folders = [write(tmp_path / name, 2_000) for name in "abc"]
    found = read_rows(folders, DayRange(0, 999), COLUMNS, most_rows=600)
    assert (len(found), found.seen) == (600, 6_000)
    assert found.integers("day").mean() == pytest.approx(99.5, abs=8)
    again = read_rows(folders, DayRange(0, 999), COLUMNS, most_rows=600)
    names = ["user_id", "day"]
    assert again.table.select(names).equals(found.table.select(names))


def test_no_rows_are_an_empty_table(tmp_path):
    found = read_rows([write(tmp_path / "a", 4)], DayRange(50, 60), COLUMNS)
    assert (len(found), found.seen) == (0, 0)
    assert found.numbers(COLUMNS.numbers).shape == (0, 2)


def test_what_a_small_domain_leaves_goes_to_the_next(tmp_path):
    folders = {
        name: [write(tmp_path / name, size)]
        for name, size in (("ads", 50), ("feeds", 900), ("partner", 900))
    }
    found = read_domains(folders, DayRange(0, 999), COLUMNS, most_rows=600)
    assert {name: (len(one), one.seen) for name, one in found.items()} == {
        "ads": (50, 50),
        "feeds": (275, 900),
        "partner": (275, 900),
    }


DOMAINS = Columns((*COLUMNS.ids, "domain"), COLUMNS.numbers, COLUMNS.counts)


def in_domain(domain, seed, rising, size=600):
    """`share` raises the click probability in one domain and lowers it in another."""
    rng = np.random.default_rng(seed)
    share = rng.random(size)
    chance = share if rising else 1 - share
    found = rows(
        [b"u"] * size,
        [b"i"] * size,
        rng.integers(0, 100, size).astype(float),
        share,
        (rng.random(size) < chance).astype(int),
    )
    domains = pa.array([domain] * size, pa.large_binary())
    return Rows(found.table.append_column("domain", domains), size)


def test_each_domain_has_its_own_weights_of_the_numbers():
    # The sources are three times as many and say the opposite.
    target = in_domain(b"de", 1, rising=True)
    sources = [in_domain(b"ca", seed, rising=False) for seed in (2, 3, 4)]
    later = in_domain(b"de", 5, rising=True)
    found = {
        one.name: roc_auc_score(later.labels, one.scores)
        for one in fit_references(target, sources, later, DOMAINS)
    }
    assert found["logistic + sources"] < 0.4
    assert found["logistic_by_domain + sources"] > 0.75
    assert "logistic_by_domain" not in found


def test_a_domain_that_no_row_had_gets_the_common_weights():
    model = LogisticByDomain(in_domain(b"ca", 1, rising=True), DOMAINS)
    later = in_domain(b"de", 2, rising=True)
    assert roc_auc_score(later.labels, model.predict(later)) > 0.75


def test_without_a_domain_feature_there_are_no_weights_by_domain():
    names = [
        one.name for one in fit_references(sample(1), [sample(2)], sample(3), COLUMNS)
    ]
    assert "logistic + sources" in names
    assert not [name for name in names if name.startswith("logistic_by_domain")]
