"""Target level trained on several domains, and served for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.errors import DataError
from models.errors import TrainingError
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.training.level import run_level
from models.training.level_inputs import LevelInputs
from tests.models.stored_weights import stored_shapes
from tests.models.stored_weights import stored_values
from tests.vocabularies import write_ids

Train = Callable[..., Path]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["joint", "shared_bottom", "mmoe", "ple", "star"])
def test_a_mixed_level_trains_and_serves(
    inputs: Callable[..., LevelInputs], transform_graph: Path, kind: str
) -> None:
    level = inputs("level", strategy={"kind": kind}, transform_graph=transform_graph)
    run_level(level)
    report = json.loads((level.train_dir / "report.json").read_text())
    assert report["rows_by_domain"] == {"fr": 54, "de": 18}
    assert report["rows"] == 72
    # The sources' clicks, every fifth row of fr, do not count.
    assert report["target_click_rate"] == 0.5

    model = tf.saved_model.load(str(level.serving_dir))
    example = tf.train.Example()
    requests = [example.SerializeToString()]
    for domain in (b"de", b"never seen"):
        example.features.feature["domain"].bytes_list.value[:] = [domain]
        requests.append(example.SerializeToString())
    ctr = model.signatures["serving_default"](tf.constant(requests))["ctr"].numpy()
    assert ctr.shape == (3,)
    assert ((ctr > 0) & (ctr < 1)).all()


@pytest.mark.slow
def test_the_targets_click_rate_is_known_without_a_feature_domain(
    inputs: Callable[..., LevelInputs], features: FeatureTable, transform_graph: Path
) -> None:
    told = tuple(f for f in features.features if f.name != "domain")
    spaces = {f.vocabulary for f in told}
    blind = FeatureTable(
        features=told,
        vocabularies={k: v for k, v in features.vocabularies.items() if k in spaces},
    )
    report = run_level(inputs("level", features=blind, transform_graph=transform_graph))
    assert report.rows_by_domain == {}
    assert report.target_click_rate == 0.5


@pytest.mark.slow
def test_a_mixed_level_continues_on_the_new_day_of_all_domains(
    inputs: Callable[..., LevelInputs], transform_graph: Path
) -> None:
    common = {"strategy": {"kind": "star"}, "transform_graph": transform_graph}
    first = inputs("first", **common)
    run_level(first)
    again = inputs(
        "again",
        warm_start=first.train_dir.parent,
        continues=True,
        first_day=9,
        last_day=9,
        **common,
    )
    report = run_level(again)
    assert report.rows_by_domain == {"fr": 6, "de": 2}
    assert report.warm_start is not None
    assert not report.warm_start["new"]
    assert not report.warm_start["left_out"]
    statistics = [
        name
        for name in stored_shapes(again.train_dir)
        if name.endswith(("/moving_mean", "/moving_variance"))
    ]
    assert len(statistics) == 8  # two layers of two domains
    for name in statistics:
        np.testing.assert_array_equal(
            stored_values(first.train_dir, name), stored_values(again.train_dir, name)
        )


@pytest.mark.slow
def test_a_continuing_day_without_target_rows_leaves_its_tower(
    inputs: Callable[..., LevelInputs], transform_graph: Path, tmp_path: Path
) -> None:
    common = {
        "strategy": {"kind": "shared_bottom"},
        "transform_graph": transform_graph,
    }
    first = inputs("first", **common)
    run_level(first)
    again = inputs(
        "again",
        warm_start=first.train_dir.parent,
        continues=True,
        first_day=9,
        last_day=9,
        examples=(str(tmp_path / "Split-fr" / "*"),),
        **common,
    )
    assert run_level(again).rows_by_domain == {"fr": 6, "de": 0}
    for part, same in (("tower/de", True), ("tower/fr", False), ("bottom", False)):
        name = f"{part}/hidden_0/kernel"
        assert (
            np.array_equal(
                stored_values(first.train_dir, name),
                stored_values(again.train_dir, name),
            )
            == same
        )


def test_a_window_without_target_rows_is_refused(
    inputs: Callable[..., LevelInputs], tmp_path: Path
) -> None:
    sources_only = inputs("none", examples=(str(tmp_path / "Split-fr" / "*"),))
    with pytest.raises(DataError, match=r"no impressions of de in its window"):
        run_level(sources_only)


def test_rows_of_a_domain_without_a_row_are_refused(
    inputs: Callable[..., LevelInputs],
) -> None:
    full = inputs("full", strategy={"kind": "mmoe"})
    write_ids(full.vocabulary, domain=b"de\n")
    with pytest.raises(DataError, match=r"54 of 72 impressions .*capacity"):
        run_level(full)


@pytest.fixture
def cctl(inputs: Callable[..., LevelInputs], transform_graph: Path) -> Any:
    """Returns a function that makes inputs of a CCTL training."""

    def make(name: str, **changes: Any) -> LevelInputs:
        settings = {"source_ratio": 3, "sync_steps": 2}
        entry = {"kind": "cctl", "cctl": settings}
        return inputs(name, strategy=entry, transform_graph=transform_graph, **changes)

    return make


@pytest.mark.slow
def test_cctl_reads_what_the_ratio_needs_and_goes_on_the_next_day(
    cctl: Callable[..., LevelInputs],
) -> None:
    first = cctl("first", calibration_days=2)
    report = run_level(first)
    assert report.rows_by_domain == {"fr": 54, "de": 18}
    saw = report.record
    assert saw is not None
    # Two epochs of 14 rows in steps of 2, then two days of 2 rows; 6 source rows each.
    assert report.steps == 2 * 7 + 2
    assert sum(saw["rows"].values()) == saw["source_rows"] == 6 * report.steps
    # Windows of two steps, and those that the ends of passes and days cut short.
    ends = [2, 4, 6, 7, 9, 11, 13, 14, 15, 16]
    assert [window["step"] for window in saw["windows"]] == ends
    measured = [w["step"] for w in saw["windows"] if w["gain"] is not None]
    assert measured == ends
    assert set(saw["weights"]) == {"fr"}
    shown = saw["highest"][0]["rows"]
    assert shown["domain"] == "fr"
    assert all(isinstance(value, str) for value in shown.values())
    assert len(saw["words"]) == 2

    day = {
        "warm_start": first.train_dir.parent,
        "continues": True,
        "first_day": 9,
        "last_day": 9,
    }
    again = run_level(cctl("again", **day))
    assert again.warm_start is not None
    assert not again.warm_start["new"]
    assert not again.warm_start["left_out"]
    assert again.rows_by_domain == {"fr": 6, "de": 2}
    # Two passes of a step each.
    assert [window["step"] for window in again.record["windows"]] == [1, 2]
    assert all(window["distance"] > 0 for window in again.record["windows"])

    # A day of which only the target's rows have come teaches the target's alone.
    target = tuple(p for p in first.examples if "Split-de" in p)
    alone = cctl("alone", examples=target, **day)
    report = run_level(alone)
    assert (report.steps, report.record["rows"]) == (2, {"fr": 0})
    assert not np.array_equal(
        stored_values(first.train_dir, "hidden_0/kernel"),
        stored_values(alone.train_dir, "hidden_0/kernel"),
    )


@pytest.mark.slow
def test_cctl_says_that_the_sources_are_too_few_for_the_ratio(
    cctl: Callable[..., LevelInputs],
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = {"source_ratio": 8, "sync_steps": 2}
    level = cctl("few").model_copy(
        update={"strategy": {"kind": "cctl", "cctl": settings}}
    )
    with caplog.at_level("INFO", logger=PROGRESS.name):
        report = run_level(level)
    assert "3.00 source impressions per target impression, all there are" in caplog.text
    assert report.record["source_passes"] == 2
    assert report.record["source_rows"] == 2 * 54


@pytest.mark.slow
def test_cctl_without_source_rows_is_refused(
    cctl: Callable[..., LevelInputs], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"no impressions of fr in its window"):
        run_level(cctl("none", examples=(str(tmp_path / "Split-de" / "*"),)))


def test_cctl_with_several_workers_is_refused(
    cctl: Callable[..., LevelInputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Two:
        count = 2

    monkeypatch.setattr(
        "models.training.level.Workers.from_environment", lambda *_, **__: Two()
    )
    with pytest.raises(TrainingError, match="names 2 workers: its stream"):
        run_level(cctl("two"))
