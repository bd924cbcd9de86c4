"""Training of a level, from Parquet shards to its model's folder; chains of levels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.data import snapshots
from models.errors import DataError
from models.errors import TrainingError
from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.snapshot_export import export_snapshot
from tests.models.stored_weights import stored_shapes
from tests.models.stored_weights import stored_values
from tests.vocabularies import write_ids

Train = Callable[..., Path]

NUM_ROWS = 40


def _report(model: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        (model / "Format-Train" / "report.json").read_text()
    )
    return report


def _values(model: Path, name: str) -> Any:
    return stored_values(model / "Format-Train", name)


def _shapes(model: Path) -> dict[str, tuple[int, ...]]:
    return stored_shapes(model / "Format-Train")


@pytest.mark.slow
def test_e_cdctr_from_tpm_to_target(
    train: Train, features: FeatureTable, vocabulary: Path, tmp_path: Path
) -> None:
    tpm = train("tpm", "tpm")
    next_tpm = train("tpm", "tpm-2", warm_start=tpm)
    folders = []
    for period_day, model in ((7, tpm), (9, next_tpm)):
        folder = tmp_path / f"snapshot-{period_day}"
        export_snapshot(
            model / "Format-Train", vocabulary, features, folder, period_day=period_day
        )
        folders.insert(0, folder)
    cpm = train("cpm", "cpm", snapshots=folders)
    target = train("target", "target", snapshots=folders, warm_start=cpm)

    assert _report(tpm)["rows"] == 28
    assert _report(tpm)["warm_start"] is None
    assert set(_report(next_tpm)["warm_start"]["copied"]) == {
        "embedding/user/table",
        "embedding/item/table",
        "embedding/domain/table",
        "hidden_0/kernel",
        "hidden_0/bias",
        "logit/kernel",
        "logit/bias",
    }
    assert _report(cpm)["snapshot_days"] == [9, 7]
    warm_start = _report(target)["warm_start"]
    assert {"snapshot/user/query", "cross_0/kernel"} <= set(warm_start["copied"])
    assert set(warm_start["left_out"]) == {
        f"hidden_{i}_norm/{kind}"
        for i in (0, 1)
        for kind in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    assert not warm_start["new"]
    assert not warm_start["resized"]
    # Of days 2 to 8: the shard's other days, before and after, have other click rates.
    assert _report(target)["target_click_rate"] == 19 / 28
    assert _report(cpm)["target_click_rate"] is None
    assert not [name for name in _shapes(target) if "Adagrad" in name]


@pytest.mark.slow
def test_snapshot_holds_the_ids_that_were_shown(
    train: Train, features: FeatureTable, vocabulary: Path, tmp_path: Path
) -> None:
    model = train("tpm", "tpm", last_day=3, training=TrainingConfig(batch_size=4))
    with np.load(model / "Format-Train" / "impressions.npz") as counts:
        shown = counts["user"]
    export_snapshot(
        model / "Format-Train", vocabulary, features, tmp_path / "s", period_day=3
    )
    table = snapshots.pq.read_table(tmp_path / "s" / "user.parquet").to_pydict()
    expected = [i for i in range(4) if shown[4 + i] > 0]
    values = _values(model, "embedding/user/table")
    assert shown.sum() == 8
    assert 0 < len(expected) < 4
    assert table["id"] == [f"u{i}" for i in expected]
    assert table["impressions"] == [shown[4 + i] for i in expected]
    np.testing.assert_array_equal(table["embedding"], values[[4 + i for i in expected]])


@pytest.mark.slow
def test_a_seed_gives_the_same_model(train: Train) -> None:
    first, second = train("cpm", "first"), train("cpm", "second")
    for name in _shapes(first):
        np.testing.assert_allclose(_values(first, name), _values(second, name), 1e-5)


@pytest.mark.slow
def test_target_continues_itself_and_keeps_its_statistics(train: Train) -> None:
    yesterday = train("target", "yesterday")
    today = train(
        "target",
        "today",
        warm_start=yesterday,
        first_day=9,
        last_day=9,
        continues=True,
    )
    assert not _report(today)["warm_start"]["left_out"]
    assert "hidden_0_norm/gamma" in _report(today)["warm_start"]["copied"]
    assert _report(today)["rows"] == 4
    assert _report(today)["target_click_rate"] == 0.5
    for name in _shapes(today):
        same = np.array_equal(_values(yesterday, name), _values(today, name))
        statistics = name.endswith(("/moving_mean", "/moving_variance"))
        assert same or not statistics, name
    assert not np.array_equal(
        _values(yesterday, "hidden_0/kernel"), _values(today, "hidden_0/kernel")
    )


@pytest.mark.slow
def test_days_without_rows_leave_a_continued_model_as_it_is(train: Train) -> None:
    yesterday = train("target", "yesterday")
    quiet = {"warm_start": yesterday, "first_day": 31, "last_day": 32}
    today = train("target", "today", continues=True, **quiet)
    assert (_report(today)["rows"], _report(today)["steps"]) == (0, 0)
    assert _report(today)["target_click_rate"] == 19 / 28
    for name in _shapes(yesterday):
        np.testing.assert_array_equal(_values(yesterday, name), _values(today, name))
    assert (today / "Format-Serving" / "saved_model.pb").is_file()


@pytest.mark.slow
def test_optimizer_slots_are_inherited_only_if_the_configuration_says_so(
    train: Train,
) -> None:
    def slots(model: Path) -> set[str]:
        return {n for n in _shapes(model) if n.startswith("optimizer/")}

    keep = TrainingConfig(batch_size=8, epochs=2, inherit_optimizer=True)
    plain = train("target", "plain")
    assert slots(plain) == set()
    kept = train("target", "kept", training=keep)
    assert slots(kept)
    day = {"first_day": 9, "last_day": 9, "continues": True}
    inherited = train("target", "inherited", warm_start=kept, training=keep, **day)
    assert slots(kept) <= set(_report(inherited)["warm_start"]["copied"])
    fresh = train("target", "fresh", warm_start=kept, **day)
    assert slots(kept) <= set(_report(fresh)["warm_start"]["left_out"])
    # Adagrad's accumulators only grow; inherited ones start where yesterday's ended.
    (users,) = [n for n in slots(kept) if "/0/" in n and _is_users(kept, n)]
    assert (_values(inherited, users) >= _values(kept, users)).all()
    assert not np.array_equal(
        _values(inherited, "embedding/user/table"),
        _values(fresh, "embedding/user/table"),
    )
    # From another level they are left out all the same.
    cpm = train("cpm", "cpm", training=keep)
    target = train("target", "target", warm_start=cpm, training=keep)
    assert slots(cpm) <= set(_report(target)["warm_start"]["left_out"])


def _is_users(model: Path, name: str) -> bool:
    shapes = _shapes(model)
    return shapes[name] == shapes["embedding/user/table"]


def test_empty_window_names_level_domains_and_days(train: Train) -> None:
    with pytest.raises(
        DataError, match=r"'cpm' has no impressions of de .*1970-02-01\.\.1970-02-02"
    ):
        train("cpm", "cpm", first_day=31, last_day=32)


@pytest.mark.slow
def test_warm_start_refuses_another_vocabulary(
    train: Train, tmp_path: Path, vocabulary: Path
) -> None:
    cpm = train("cpm", "cpm")
    other = tmp_path / "other"
    other.mkdir()
    for path in vocabulary.glob("*.txt"):
        swapped = path.read_bytes().replace(b"u0\nu1\n", b"u1\nu0\n")
        write_ids(other, **{path.stem: swapped})
    with pytest.raises(TrainingError, match="rows would mean other ids"):
        train("target", "target", warm_start=cpm, vocabulary=other)


def test_window_that_ends_before_it_starts_is_refused(train: Train) -> None:
    with pytest.raises(ValueError, match="before it starts"):
        train("cpm", "cpm", first_day=5, last_day=4)


@pytest.mark.slow
def test_calibration_days_are_scored_and_then_trained_on_day_by_day(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.calibration.MIN_OF_EACH_LABEL", 1)
    keep = {
        "training": TrainingConfig(batch_size=8, epochs=2, inherit_optimizer=True),
        # Each training draws its own rows to drop.
        "network": NetworkConfig(width=3, hidden_units=(4, 3), dropout=0.0),
    }
    whole = train("target", "whole", calibration_days=3, **keep)
    # No row of the seven days is missing from the model.
    assert _report(whole)["rows"] == 28
    assert _report(whole)["calibration"]["rows"] == 12
    assert abs(_report(whole)["calibration"]["shift"]) > 1e-3
    # The same as the days before, and then a level that continues, day after day.
    day_7 = train("target", "day-7", calibration_days=2, last_day=7, **keep)
    later = {"first_day": 8, "warm_start": day_7, "continues": True}
    model = train("target", "day-8", calibration_days=2, **later, **keep)
    for name in _shapes(whole):
        if not name.startswith("optimizer/"):
            np.testing.assert_allclose(
                _values(model, name), _values(whole, name), atol=1e-5, err_msg=name
            )
    once, daily = _scored(whole), _scored(model)
    assert sorted(set(once["day"])) == [6, 7, 8]
    assert sorted(set(daily["day"])) == [7, 8]
    assert _report(model)["calibration"]["rows"] == len(daily["day"]) == 8
    newest = once["day"] >= 7
    np.testing.assert_allclose(once["logit"][newest], daily["logit"], atol=1e-4)
    np.testing.assert_array_equal(once["label"][newest], daily["label"])


@pytest.mark.slow
def test_no_label_of_a_day_reaches_the_scores_of_that_day(
    train: Train,
    write_shard: Callable[..., Path],
    make_rows: Callable[..., dict[str, Any]],
) -> None:
    before = _scored(train("target", "before", calibration_days=2))
    columns = make_rows(NUM_ROWS)
    columns["day"] = np.arange(NUM_ROWS) // 4
    columns["label"] = np.where(
        columns["day"] == 8, np.arange(NUM_ROWS) % 3 == 0, np.arange(NUM_ROWS) % 3 > 0
    )
    write_shard(columns)
    after = _scored(train("target", "after", calibration_days=2))
    assert (before["label"] != after["label"]).any()
    np.testing.assert_allclose(before["logit"], after["logit"], atol=1e-6)


def _scored(model: Path) -> dict[str, Any]:
    with np.load(model / "Format-Train" / "scored_days.npz") as stored:
        return dict(stored)


@pytest.mark.slow
def test_the_calibrator_is_served_and_kept_on_quiet_days(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.calibration.MIN_OF_EACH_LABEL", 1)
    model = train("target", "calibrated", calibration_days=2)
    fitted = _report(model)["calibration"]
    quiet_days = {"first_day": 31, "last_day": 32}
    continued = {"warm_start": model, "continues": True}
    plain = train("target", "plain", **quiet_days, **continued)
    np.testing.assert_allclose(
        _logits(model), fitted["scale"] * _logits(plain) + fitted["shift"], atol=1e-4
    )
    quiet = train("target", "quiet", calibration_days=2, **quiet_days, **continued)
    assert _report(quiet)["calibration"] == fitted
    np.testing.assert_allclose(_logits(quiet), _logits(model), atol=1e-5)
    day = {"first_day": 9, "last_day": 9, "calibration_days": 2}
    today = train("target", "today", **day, **continued)
    assert _report(today)["rows"] == 4
    assert _report(today)["calibration"]["rows"] == 8


def _logits(model: Path) -> Any:
    """Returns the log-odds that the SavedModel answers for a few items."""
    examples = [tf.train.Example() for _ in range(3)]
    for example, item in zip(examples, (b"a", b"b", b"never seen"), strict=True):
        example.features.feature["item_id"].bytes_list.value.append(item)
    loaded = tf.saved_model.load(str(model / "Format-Serving"))
    serialized = tf.constant([example.SerializeToString() for example in examples])
    ctr = loaded.signatures["serving_default"](serialized)["ctr"].numpy()
    return np.log(ctr / (1 - ctr))


def test_calibration_must_leave_a_day_to_train_on(train: Train) -> None:
    with pytest.raises(ValueError, match="calibration_days 7 leave no day"):
        train("target", "target", calibration_days=7)
