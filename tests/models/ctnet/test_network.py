"""CTNet on its first day, and which of its parts are trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.ctnet.adapters import ADAPTERS
from models.ctnet.network import Ctnet
from models.ctnet.settings import CtnetConfig
from models.data.snapshots import SnapshotTables
from models.errors import TrainingError
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.serving.export import export_saved_model
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.checkpoints import variable_shapes
from models.training.level_inputs import LevelInputs
from models.training.optimizers import build_optimizer
from models.training.optimizers import optimizer_state
from tests.models.serving.examples import EXAMPLES
from tests.models.training.steps import compiled_step

Train = Callable[..., Path]

SHAPE = NetworkConfig(width=3, hidden_units=(5, 4), dropout=0.3)
NUM_ROWS = 64


def _shaken(network: Any, seed: int) -> Any:
    """Returns `network` with weights as if it had been trained."""
    rng = np.random.default_rng(seed)
    for name, variable in network.named_variables().items():
        if name.startswith("adapter/"):
            continue
        value = rng.normal(scale=0.7, size=variable.shape)
        positive = name.endswith(("gamma", "moving_variance"))
        variable.assign(np.abs(value) + 0.1 if positive else value)
    return network


def _snapshots(features: FeatureTable) -> dict[str, SnapshotTables]:
    rng = np.random.default_rng(5)
    return {
        space: SnapshotTables(
            rng.normal(size=(features.num_rows(space), 2, 3)).astype(np.float32),
            rng.random((features.num_rows(space), 2)) < 0.5,
        )
        for space in ("user", "item")
    }


def _pair(
    features: FeatureTable, adapter: str, snapshots: Any = None
) -> tuple[Backbone, Ctnet]:
    """Returns a target model and CTNet on its first day."""
    old = _shaken(Backbone(features, SHAPE, snapshots), seed=1)
    ctnet = Ctnet(features, SHAPE, CtnetConfig(adapter=adapter), snapshots)
    _shaken(ctnet.source, seed=2)
    named = ctnet.named_variables()
    for name, variable in old.named_variables().items():
        named[name].assign(variable)
    return old, ctnet


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    # As in training and export: autograph would take seconds for every layer.
    return tf.function(function, autograph=False)


# Snapshots are in the towers, adapters between them.
@pytest.mark.parametrize(
    ("adapter", "with_snapshots"),
    [*((adapter, False) for adapter in ADAPTERS), ("glu", True)],
    ids=[*ADAPTERS, "snapshots"],
)
def test_on_its_first_day_it_is_the_old_target_model_to_the_last_bit(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    adapter: str,
    with_snapshots: bool,
) -> None:
    snapshots = _snapshots(features) if with_snapshots else None
    old, ctnet = _pair(features, adapter, snapshots)
    rows = make_rows(NUM_ROWS)
    before = _compiled(old)(rows)
    assert np.array_equal(_compiled(ctnet)(rows), before)
    # As they are served: folding the snapshots moves both alike.
    served = [_compiled(n.serving_form().logits)(rows) for n in (old, ctnet)]
    assert np.array_equal(*served)
    assert len(set(before.numpy().tolist())) > NUM_ROWS // 2


@pytest.mark.slow
def test_both_saved_models_score_alike_on_the_first_day(
    features: FeatureTable, transform_graph: Path, tmp_path: Path
) -> None:
    old, ctnet = _pair(features, "glu")
    scores = []
    for name, network in (("old", old), ("ctnet", ctnet)):
        export_saved_model(network, transform_graph, tmp_path / name)
        # The loader of TF Serving.
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta = tf.compat.v1.saved_model.load(
                session, ["serve"], str(tmp_path / name)
            )
            signature = meta.signature_def["serving_default"]
            found = session.run(
                signature.outputs["ctr"].name,
                {signature.inputs["examples"].name: EXAMPLES},
            )
        scores.append(found)
    assert np.array_equal(*scores)
    assert np.isfinite(scores[0]).all()
    assert len(set(scores[0].tolist())) > 2


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_training_leaves_the_source_tower_alone(
    features: FeatureTable, make_rows: Callable[..., dict[str, Any]], adapter: str
) -> None:
    _, ctnet = _pair(features, adapter)
    optimizer = build_optimizer(ctnet, TrainingConfig())
    frozen = {variable.ref() for variable in ctnet.source_variables().values()}
    assert not frozen & {variable.ref() for variable in ctnet.trainable_variables}
    # Slots: one accumulator per table, two per dense and wide variable, three counts.
    pairs = len(ctnet.dense_variables) + len(ctnet.wide_variables)
    slots = len(ctnet.embedding_variables) + 2 * pairs + 3
    assert len(optimizer_state(optimizer)) == slots

    source = {n: v.numpy() for n, v in ctnet.source_variables().items()}
    ours = {n: v.numpy() for n, v in ctnet.named_variables().items()}
    labels = (np.arange(NUM_ROWS) % 3 > 0).astype(np.float32)
    step = compiled_step(ctnet, optimizer)
    for _ in range(3):
        step({n: tf.constant(v) for n, v in make_rows(NUM_ROWS).items()}, labels)
    for name, variable in ctnet.source_variables().items():
        # Running statistics too: its BatchNorm is in inference mode.
        assert np.array_equal(variable, source[name]), name
    moved = [
        n for n, v in ctnet.named_variables().items() if not np.array_equal(v, ours[n])
    ]
    assert set(moved) == set(ours)


def test_no_gradient_reaches_the_source_tower(
    features: FeatureTable, make_rows: Callable[..., dict[str, Any]]
) -> None:
    _, ctnet = _pair(features, "glu")
    for name, variable in ctnet.named_variables().items():
        if name.startswith("adapter/"):
            variable.assign(tf.random.stateless_normal(variable.shape, [1, 2]))
    rows = {name: tf.constant(values) for name, values in make_rows(8).items()}
    frozen = list(ctnet.source_variables().values())
    with tf.GradientTape() as tape:
        logits = ctnet(rows, training=True)
    gradients = tape.gradient(logits, [*frozen, ctnet.target.logit.kernel])
    assert gradients[:-1] == [None] * len(frozen)
    assert gradients[-1] is not None


def test_the_source_tower_is_read_once_an_adapter_is_open(
    features: FeatureTable, make_rows: Callable[..., dict[str, Any]]
) -> None:
    old, ctnet = _pair(features, "linear")
    ctnet.named_variables()["adapter/hidden_1/value/bias"].assign([1.0, 0, 0, 0])
    rows = make_rows(NUM_ROWS)
    # h_t + c on the last layer: the logit moves by the kernel's first number.
    moved = float(old.logit.kernel[0, 0])
    np.testing.assert_allclose(ctnet(rows) - old(rows), moved, rtol=1e-4)


def test_both_models_are_needed(features: FeatureTable, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="reads the source model .* continues a target"
    ):
        LevelInputs(
            level="target",
            domains=("de",),
            first_day=1,
            last_day=1,
            features=features,
            strategy={"kind": "ctnet"},
            source_model=tmp_path,
            examples=("*",),
            transform_graph=tmp_path,
            vocabulary=tmp_path,
            serving_dir=tmp_path,
            train_dir=tmp_path,
            run_dir=tmp_path,
        )


@pytest.mark.slow
def test_a_level_that_starts_from_a_target_model_and_reads_a_source_model(
    train: Train,
) -> None:
    source = train("source", "source", last_day=6)
    later = train("source", "later", first_day=7, warm_start=source, continues=True)
    old = train("target", "old", last_day=5)
    both = {"strategy": {"kind": "ctnet"}, "continues": True}
    first = train(
        "target", "first", first_day=6, warm_start=old, source_model=source, **both
    )
    quiet = train(
        "target",
        "quiet",
        first_day=30,
        last_day=30,
        warm_start=first,
        source_model=later,
        **both,
    )

    def report(model: Path) -> dict[str, Any]:
        text = (model / "Format-Train" / "report.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found

    names = set(variable_shapes(first / "Format-Train" / "weights"))
    assert report(first)["rows"] == 12
    assert (
        set(report(first)["warm_start"]["copied"])
        | set(report(first)["warm_start"]["new"])
        == names
    )
    assert {n.split("/")[0] for n in report(first)["warm_start"]["new"]} == {"adapter"}
    assert not [name for name in names if name.startswith("source/")]
    # A day without rows: only the source is another one.
    assert report(quiet)["rows"] == 0
    assert not report(quiet)["warm_start"]["new"]


@pytest.mark.slow
def test_a_source_model_of_another_network_is_refused(
    train: Train,
) -> None:
    old = train("target", "old")
    source = train("source", "s", network=NetworkConfig(width=3, hidden_units=(4,)))
    with pytest.raises(TrainingError, match="logit/kernel has shape|has no hidden_1"):
        train(
            "target",
            "first",
            warm_start=old,
            source_model=source,
            strategy={"kind": "ctnet"},
            continues=True,
        )
