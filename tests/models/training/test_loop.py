"""Training loop: learning, sparse updates, and the stop at a non-finite loss."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.data.batches import ExampleReader
from models.data.mixing import rows_beside
from models.errors import DataError
from models.errors import TrainingError
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.progress import PROGRESS
from models.settings import EarlyStopping
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.distribution import Workers
from models.training.epochs import TrainingResult
from models.training.epochs import epochs_without_improvement
from models.training.loop import fit
from models.training.optimizers import build_optimizer
from models.training.steps import make_span
from models.training.steps import make_train_span
from tests.models.training.steps import compiled_step

NETWORK = NetworkConfig(width=3, hidden_units=(4,), dropout=0.0, zero_start=False)
TRAINING = TrainingConfig(batch_size=8, epochs=2)

MakeRows = Callable[..., dict[str, Any]]
MakeReader = Callable[[int], ExampleReader]
Train = Callable[..., TrainingResult]


@pytest.fixture
def network(features: FeatureTable) -> Network:
    keras.utils.set_random_seed(5)
    return Backbone(features, NETWORK)


@pytest.fixture
def make_reader(
    features: FeatureTable, make_rows: MakeRows, write_shard: Callable[..., Path]
) -> MakeReader:
    """Returns a function that makes a reader of impressions of day 9."""

    def make(num_rows: int) -> ExampleReader:
        label, day = np.arange(num_rows) % 2, np.full(num_rows, 9)
        path = write_shard({**make_rows(num_rows), "label": label, "day": day})
        return ExampleReader([str(path)], features, 0, 10)

    return make


@pytest.fixture
def train(network: Network, make_reader: MakeReader, tmp_path: Path) -> Train:
    """Returns a function that trains `network` on some impressions of day 9."""

    def train(
        num_rows: int, training: TrainingConfig = TRAINING, **settings: Any
    ) -> TrainingResult:
        return fit(
            network,
            make_reader(num_rows),
            training,
            rows_by_day={9: num_rows},
            run_dir=tmp_path / "logs",
            **settings,
        )

    return train


@pytest.fixture
def two_days(
    features: FeatureTable, make_rows: MakeRows, write_shard: Callable[..., Path]
) -> ExampleReader:
    """A reader of random labels, 32 on day 9 and 32 on day 10."""
    day = np.where(np.arange(64) % 2, 10, 9)
    labels = np.random.default_rng(1).integers(0, 2, 64)
    path = write_shard({**make_rows(64), "label": labels, "day": day})
    return ExampleReader([str(path)], features, 9, 10)


@pytest.fixture
def logged(tmp_path: Path) -> Callable[[], Iterator[Any]]:
    """Returns a function that yields the values that `train` wrote for TensorBoard."""

    def values() -> Iterator[Any]:
        (events,) = (tmp_path / "logs").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(events)):
            yield from event.summary.value

    return values


@pytest.mark.slow
def test_steps_lower_the_loss(network: Network, make_rows: MakeRows) -> None:
    step = compiled_step(network, build_optimizer(network, TRAINING))
    rows, labels = make_rows(32), np.arange(32, dtype=np.float32) % 2
    losses = [float(step(rows, labels)) for _ in range(100)]
    assert losses[-1] < 0.5 * losses[0]


def test_untouched_rows_and_slots_keep_every_bit(
    network: Network, make_rows: MakeRows
) -> None:
    optimizer = build_optimizer(network, TRAINING)
    step = compiled_step(network, optimizer)
    rows = {**make_rows(4), "user_id": np.array([4, 4, 6, 4])}
    table = network.named_variables()["embedding/user/table"]
    (slot,) = [
        variable
        for variable in optimizer.optimizers[0].variables
        if variable.shape == table.shape
    ]
    before = [variable.numpy() for variable in (table, slot)]
    for _ in range(3):
        step(rows, np.array([1, 0, 1, 1], np.float32))
    others = np.delete(np.arange(len(before[0])), [4, 6])
    for old, variable in zip(before, (table, slot), strict=True):
        new = variable.numpy()
        np.testing.assert_array_equal(new[others], old[others])
        assert (new[[4, 6]] != old[[4, 6]]).all()


def test_traced_step_never_reads_or_writes_a_whole_table(network: Network) -> None:
    optimizer = build_optimizer(network, TRAINING)
    graph = compiled_step(network, optimizer).get_concrete_function().graph
    slots = optimizer.optimizers[0].variables
    big = [*network.embedding_variables, *(v for v in slots if v.shape.rank == 2)]
    assert len(big) == 2 * len(network.embedding_variables)
    handles = {id(variable.handle) for variable in big}
    inner = [into for outer, into in graph.captures if id(outer) in handles]
    assert len(inner) == len(big)
    consumers = {op.type for tensor in inner for op in tensor.consumers()}
    assert consumers <= {"ResourceGather", "ResourceScatterAdd", "VariableShape"}


@pytest.mark.slow
def test_fit_reports_rows_and_losses(
    train: Train,
    logged: Callable[[], Iterator[Any]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine would add lines inside an epoch.
    monkeypatch.setattr("models.training.progress._LINE_SECONDS", 1e9)
    with caplog.at_level(logging.INFO, PROGRESS.name):
        result = train(20)
    assert result.rows == 20
    assert result.steps == 2 * 3
    assert len(result.losses) == 2
    assert np.isfinite(result.losses).all()
    assert [record.message.split(" rows/s")[0][:22] for record in caplog.records] == [
        "epoch 1/2 · 20 rows · ",
        "epoch 2/2 · 20 rows · ",
    ]
    assert {value.tag for value in logged()} == {
        "batch_loss",
        "learning_rate_factor",
        "epoch_loss",
        "rows_per_second",
        "step_milliseconds",
    }


@pytest.mark.slow
def test_nan_names_step_and_days(network: Network, train: Train) -> None:
    network.named_variables()["logit/bias"].assign([np.nan])
    with pytest.raises(
        TrainingError,
        match=r"became nan at step 0 of epoch 1.* 1970-01-10\.\..*user_id \d+\.\.\d",
    ):
        train(4)


@pytest.mark.slow
def test_a_window_of_one_row_trains(
    network: Network, train: Train, make_rows: MakeRows
) -> None:
    assert train(1).steps == 2
    assert np.isfinite(network(make_rows(3))).all()


def test_fewer_rows_than_workers_are_refused(train: Train) -> None:
    workers = Workers()
    workers.count = 3
    with pytest.raises(DataError, match=r"2 impression\(s\) to train on, fewer than"):
        train(2, workers=workers)


def _whole_tables(graph: Any, shapes: set[tuple[int, ...]]) -> list[str]:
    """Returns the operations whose output is a float as large as a whole table."""
    definition = graph.as_graph_def(add_shapes=True)
    nodes = [
        *definition.node,
        *(
            node
            for function in definition.library.function
            for node in function.node_def
        ),
    ]
    found = []
    for node in nodes:
        for shape in node.attr["_output_shapes"].list.shape:
            if tuple(dimension.size for dimension in shape.dim) in shapes:
                found.append(node.op)
    return found


@pytest.mark.parametrize("strategy", ["step", "span"])
def test_no_operation_of_the_step_is_as_large_as_a_table(
    network: Network, strategy: str
) -> None:
    optimizer = build_optimizer(network, TRAINING)
    function = (
        compiled_step(network, optimizer)
        if strategy == "step"
        else make_train_span(network, optimizer, batch_size=8)
    )
    graph = function.get_concrete_function().graph
    weights = [v for v in network.wide_variables if v.shape[0] > 8]
    tables = [*network.embedding_variables, *weights]
    shapes = {tuple(table.shape) for table in tables}
    assert _whole_tables(graph, shapes) == []


@pytest.mark.slow
def test_the_inspection_finds_dense_adam(network: Network) -> None:
    adam = keras.optimizers.Adam(jit_compile=False)
    adam.build(network.trainable_variables)
    shapes = {tuple(table.shape) for table in network.embedding_variables}
    for function in (
        compiled_step(network, adam),
        make_train_span(network, adam, batch_size=8),
    ):
        found = _whole_tables(function.get_concrete_function().graph, shapes)
        assert len(found) >= 3 * len(network.embedding_variables)


def test_the_inspection_finds_a_regularised_table(network: Network) -> None:
    tables = network.embedding_variables

    @tf.function
    def penalty_gradients() -> Any:
        with tf.GradientTape() as tape:
            penalty = tf.add_n([tf.nn.l2_loss(table) for table in tables])
        return tape.gradient(penalty, tables)

    graph = penalty_gradients.get_concrete_function().graph
    assert _whole_tables(graph, {tuple(table.shape) for table in tables})


@pytest.mark.slow
def test_a_span_equals_its_steps(features: FeatureTable, make_rows: MakeRows) -> None:
    rows, labels = make_rows(20), np.arange(20, dtype=np.float32) % 2
    trained = []
    for spans in (True, False):
        keras.utils.set_random_seed(5)
        network = Backbone(features, NETWORK)
        optimizer = build_optimizer(network, TRAINING)
        if spans:
            losses = make_train_span(network, optimizer, 8)(rows, labels).numpy()
        else:
            step = compiled_step(network, optimizer)
            parts = [slice(0, 8), slice(8, 16), slice(16, 20)]
            losses = [
                float(step({n: r[p] for n, r in rows.items()}, labels[p]))
                for p in parts
            ]
        trained.append((losses, network.get_weights()))
    np.testing.assert_allclose(trained[0][0], trained[1][0], rtol=1e-5)
    for ours, expected in zip(trained[0][1], trained[1][1], strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_span_ends_with_the_first_bad_batch(
    network: Network, make_rows: MakeRows
) -> None:
    rows, labels = make_rows(24), np.zeros(24, np.float32)
    network.named_variables()["logit/bias"].assign([30.0])
    losses = make_train_span(network, build_optimizer(network, TRAINING), 8)(
        rows, labels
    )
    assert losses.shape == (1,)
    assert losses[0] > 20


@pytest.mark.parametrize(
    ("num_rows", "ratio", "sizes", "beside"),
    [
        (20, 2.0, [8, 8, 4], [16, 16, 8]),
        (18, 2.0, [8, 10], [16, 20]),
        (3, 2.0, [3], [6]),
        (20, 0.3, [8, 8, 4], [2, 3, 1]),
        (16, 0.05, [8, 8], [0, 1]),
    ],
)
def test_rows_beside_a_span_come_at_the_ratio(
    features: FeatureTable,
    make_rows: MakeRows,
    num_rows: int,
    ratio: float,
    sizes: list[int],
    beside: list[int],
) -> None:
    def step(_: Any, labels: Any, __: Any, labels_beside: Any) -> Any:
        seen = tf.cast(tf.shape(labels)[0], tf.float32)
        return seen, labels_beside + 100 * seen

    total = rows_beside(num_rows, ratio)
    assert total == sum(beside)
    span = make_span(step, features, batch_size=8, beside=ratio)
    others = np.arange(total, dtype=np.float32)
    losses, numbers = span(
        make_rows(num_rows), np.zeros(num_rows, np.float32), make_rows(total), others
    )
    assert losses.numpy().tolist() == sizes
    expected = others + 100 * np.repeat(sizes, beside)
    assert numbers.numpy().tolist() == expected.tolist()


def test_numbers_beside_end_with_the_first_bad_batch(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    def step(_: Any, labels: Any, __: Any, labels_beside: Any) -> Any:
        return labels[0], labels_beside

    span = make_span(step, features, batch_size=8, beside=0.25)
    labels = np.repeat([0.0, np.nan, 0.0], 8).astype(np.float32)
    beside = np.arange(6, dtype=np.float32)
    losses, numbers = span(make_rows(24), labels, make_rows(6), beside)
    assert len(losses) == 2
    assert numbers.numpy().tolist() == [0, 1, 2, 3]


@pytest.mark.slow
def test_early_stopping_trains_the_best_number_of_epochs_on_the_whole_window(
    features: FeatureTable, two_days: ExampleReader, tmp_path: Path
) -> None:
    rows_by_day = two_days.summarise().rows_by_day
    assert rows_by_day == {9: 32, 10: 32}
    stopping = TrainingConfig(
        batch_size=8,
        epochs=6,
        dense_learning_rate=0.05,
        learning_rate_schedule="plateau",
        early_stopping=EarlyStopping(patience=2),
    )
    keras.utils.set_random_seed(5)
    searched = Backbone(features, NETWORK)
    result = fit(
        searched, two_days, stopping, rows_by_day=rows_by_day, run_dir=tmp_path / "a"
    )
    best = 1 + int(np.argmin(result.held_out))
    # Labels are random: memorising them makes the held-out day worse.
    assert len(result.held_out) == best + 2 < 6
    assert result.steps == best * 8
    # Only the number of epochs remains of the search.
    keras.utils.set_random_seed(5)
    direct = Backbone(features, NETWORK)
    plain = stopping.model_copy(
        update={
            "epochs": best,
            "early_stopping": None,
            "learning_rate_schedule": "constant",
        }
    )
    fit(direct, two_days, plain, rows_by_day=rows_by_day, run_dir=tmp_path / "b")
    for ours, expected in zip(
        searched.get_weights(), direct.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_one_day_has_nothing_to_hold_out(train: Train) -> None:
    training = TrainingConfig(
        batch_size=8, epochs=2, early_stopping=EarlyStopping(patience=1)
    )
    result = train(20, training)
    assert result.held_out == ()
    assert len(result.losses) == 2


@pytest.mark.slow
def test_a_seed_gives_the_same_model(
    features: FeatureTable, two_days: ExampleReader, tmp_path: Path
) -> None:
    rows_by_day = two_days.summarise().rows_by_day
    losses = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        network = Backbone(features, NETWORK.model_copy(update={"dropout": 0.3}))
        training = TRAINING.model_copy(update={"seed": seed})
        result = fit(
            network, two_days, training, rows_by_day=rows_by_day, run_dir=tmp_path
        )
        losses.append(result.losses)
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-3)
    assert np.abs(np.subtract(losses[0], losses[2])).max() > 1e-3


@pytest.mark.slow
def test_cosine_lowers_both_rates(
    train: Train, logged: Callable[[], Iterator[Any]]
) -> None:
    train(400, TrainingConfig(batch_size=8, learning_rate_schedule="cosine"))
    factors = [
        float(tf.make_ndarray(value.tensor))
        for value in logged()
        if value.tag == "learning_rate_factor"
    ]
    # 50 steps; the rate is set every 16 steps.
    expected = [0.01 + 0.495 * (1 + np.cos(np.pi * s / 50)) for s in (0, 16, 32, 48)]
    np.testing.assert_allclose(factors, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("held_out", "epochs"),
    [
        pytest.param([0.5], 0, id="first"),
        pytest.param([0.5, 0.4, 0.41, 0.42], 2, id="worse"),
        pytest.param([0.5, 0.4999], 1, id="too-little"),
        pytest.param([0.5, 0.4], 0, id="better"),
    ],
)
def test_epochs_without_improvement(held_out: list[float], epochs: int) -> None:
    assert epochs_without_improvement(held_out, 0.001) == epochs


def test_plateau_needs_a_held_out_day() -> None:
    with pytest.raises(ValueError, match="add `early_stopping: {}`"):
        TrainingConfig(learning_rate_schedule="plateau")
