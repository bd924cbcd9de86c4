"""Warm start: the plan by shapes, the copy by values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.errors import DataError
from models.errors import TrainingError
from models.training import warm_start
from models.training.checkpoints import read_rows
from models.training.checkpoints import save_variables
from models.training.checkpoints import variable_shapes
from models.training.warm_start import plan_copy

TABLE = "embedding/user/table"
NORM = frozenset({"hidden_0_norm/gamma"})


def test_every_variable_is_in_one_group() -> None:
    source = {
        TABLE: (5, 2),
        "cross_0/kernel": (4, 4),
        "hidden_0_norm/gamma": (3,),
        "old/bias": (7,),
    }
    target = {
        TABLE: (8, 2),
        "cross_0/kernel": (4, 4),
        "hidden_0_norm/gamma": (3,),
        "logit/bias": (1,),
    }
    report = plan_copy(source, target, NORM)
    assert report.copied == {"cross_0/kernel": 4}
    assert report.resized == {TABLE: 5}
    assert report.new == {"logit/bias": 1}
    assert report.left_out == {"hidden_0_norm/gamma": 3, "old/bias": 7}
    assert json.loads(json.dumps(report.to_json()))["resized"] == {TABLE: 5}


def test_a_smaller_table_takes_the_rows_it_has() -> None:
    assert plan_copy({TABLE: (8, 2)}, {TABLE: (5, 2)}).resized == {TABLE: 5}


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        pytest.param("cross_0/kernel", (4, 4), (6, 6), id="interaction"),
        pytest.param(TABLE, (5, 2), (5, 3), id="width"),
    ],
)
def test_other_shapes_are_refused(
    name: str, source: tuple[int, ...], target: tuple[int, ...]
) -> None:
    with pytest.raises(TrainingError, match=f"{name} has shape"):
        plan_copy({name: source}, {name: target})


def test_batch_norm_is_scale_shift_and_statistics() -> None:
    norms = [
        f"hidden_1_norm/{kind}"
        for kind in ("gamma", "beta", "moving_mean", "moving_variance")
    ]
    others = ["hidden_1/kernel", "logit/bias", "embedding/x_norm_y/table"]
    assert warm_start.batch_norm_variables([*norms, *others]) == frozenset(norms)


def _variables(**values: Any) -> dict[str, Any]:
    return {name: tf.Variable(value) for name, value in values.items()}


def test_rows_are_copied_and_the_rest_stays(tmp_path: Path) -> None:
    source = {TABLE: tf.Variable([[1.0, 2.0], [3.0, 4.0]]), **_variables(bias=[5.0])}
    target = {TABLE: tf.Variable(tf.zeros([3, 2])), **_variables(bias=[0.0], new=[9.0])}
    save_variables(tmp_path / "weights", source)
    plan = plan_copy(
        variable_shapes(tmp_path / "weights"),
        {name: tuple(variable.shape) for name, variable in target.items()},
    )
    warm_start.apply(plan, tmp_path / "weights", target)
    np.testing.assert_array_equal(target[TABLE], [[1, 2], [3, 4], [0, 0]])
    np.testing.assert_array_equal(target["bias"], [5])
    np.testing.assert_array_equal(target["new"], [9])


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 10])
def test_chunks_make_up_the_rows(tmp_path: Path, chunk_rows: int) -> None:
    values = np.arange(14, dtype=np.float32).reshape(7, 2)
    save_variables(tmp_path / "weights", {TABLE: tf.Variable(values)})
    chunks = list(
        read_rows(tmp_path / "weights", TABLE, 5, first_row=1, chunk_rows=chunk_rows)
    )
    assert [start for start, _ in chunks] == list(range(1, 6, chunk_rows))
    np.testing.assert_array_equal(
        np.concatenate([chunk for _, chunk in chunks]), values[1:6]
    )


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no checkpoint at"):
        variable_shapes(tmp_path / "weights")


@pytest.mark.parametrize(
    "name",
    ["embedding/item/table", "reference/embedding/item/table", "flow/item/table"],
)
def test_every_table_takes_over_the_rows_both_have(name: str) -> None:
    plan = plan_copy({name: (27, 8)}, {name: (30, 8)})
    assert plan.resized == {name: 27}
    with pytest.raises(TrainingError, match=r"has shape \(27, 8\)"):
        plan_copy({name: (27, 8)}, {name: (30, 9)})
