"""Levels that train on the sources: continued TPM periods, masks, hidden snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.data import snapshots
from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.training.level_inputs import LevelInputs
from models.training.snapshot_export import export_snapshot
from models.training.window import read_window
from tests.models.conftest import IDS
from tests.models.conftest import Train
from tests.models.stored_weights import stored_values

SIZES = {"width": 3, "hidden_units": (4, 3)}


def test_a_level_masks_the_fields_that_the_target_lacks(
    inputs: Callable[..., LevelInputs],
) -> None:
    plain = inputs("plain", level="source", domains=("fr",))
    masked = inputs(
        "masked", level="source", domains=("fr",), masked=("user_id",), masked_share=0.9
    )
    shares = [
        np.mean(
            np.concatenate(
                [
                    batch.rows["user_id"] == 1
                    for batch in read_window(one).reader.batches(
                        batch_size=8, shuffle_rows=100, seed=0
                    )
                ]
            )
        )
        for one in (plain, masked)
    ]
    assert shares[0] < 0.3
    assert shares[1] > 0.7


@pytest.mark.parametrize("hides", [True, False])
def test_days_are_read_where_snapshots_are_hidden(
    inputs: Callable[..., LevelInputs], tmp_path: Path, hides: bool
) -> None:
    network = NetworkConfig(**SIZES, hide_newer_snapshots=hides)
    made = inputs("hides", network=network, snapshots=(tmp_path,))
    assert read_window(made).features.reads_days is hides
    assert not inputs("none", network=network).read_features.reads_days


@pytest.mark.slow
def test_a_continued_period_keeps_the_ids_of_earlier_ones(
    train: Train, features: FeatureTable, vocabulary: Path, tmp_path: Path
) -> None:
    first = train("tpm", "tpm", first_day=2, last_day=7)
    second = train(
        "tpm", "tpm-2", first_day=8, last_day=8, warm_start=first, continues=True
    )
    tables = []
    for day, model in ((8, first), (9, second)):
        folder = tmp_path / f"snapshot-{day}"
        export_snapshot(
            model / "Format-Train", vocabulary, features, folder, period_day=day
        )
        table = snapshots.pq.read_table(folder / "user.parquet").to_pydict()
        tables.append({row: i for i, row in enumerate(table["id"])} | {"": table})
    before, after = tables
    kept = [
        name
        for name in IDS["user"]
        if name in after and after[""]["impressions"][after[name]] == 0
    ]
    shown = [name for name in IDS["user"] if name in after and name not in kept]
    assert kept
    assert shown

    def vector(table: dict, name: str) -> list[float]:
        return table[""]["embedding"][table[name]]

    for name in kept:
        assert vector(after, name) == vector(before, name)
    for name in shown:
        if name in before:
            assert vector(after, name) != vector(before, name)


@pytest.mark.slow
def test_cpm_trains_with_hidden_snapshots(
    train: Train, features: FeatureTable, vocabulary: Path, tmp_path: Path
) -> None:
    tpm = train("tpm", "tpm")
    folder = tmp_path / "snapshot"
    export_snapshot(tpm / "Format-Train", vocabulary, features, folder, period_day=9)
    network = NetworkConfig(**SIZES, hide_newer_snapshots=True, snapshot_dropout=0.0)
    # No impression of the window may see the period, which ended after all of them:
    # the attention is never trained, and the default vector is.
    cpm = train("cpm", "cpm", snapshots=(folder,), network=network)
    value, default = (
        stored_values(cpm / "Format-Train", f"snapshot/user/{name}")
        for name in ("value", "default")
    )
    np.testing.assert_array_equal(value, np.eye(3))
    assert np.abs(default).max() > 0
