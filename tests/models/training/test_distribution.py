"""Several workers: TF_CONFIG is read, and two processes give what one gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from typing import Literal

import numpy as np
import pytest
import tensorflow as tf

from models.data.batches import ExampleReader
from models.errors import ConfigError
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.networks.tpm import TinyModel
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.checkpoints import read_rows
from models.training.distribution import Workers
from models.training.level import run_level
from models.training.level_inputs import LevelInputs
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
# What a run's trainer does.
CHIEF = """
import sys
from pathlib import Path
from models.training.level import run_level
from models.training.level_inputs import LevelInputs
run_level(LevelInputs.model_validate_json(Path(sys.argv[1]).read_text()))
"""
# The same on two devices of one process, as on a machine with two GPUs.
TWO_DEVICES = """
import models
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, parts)
every = tf.config.list_logical_devices
tf.config.list_logical_devices = lambda kind: every("CPU")
"""
GPU_SETTINGS = ("TF_FORCE_GPU_ALLOW_GROWTH", "NVIDIA_TF32_OVERRIDE")
NETWORK = NetworkConfig(width=4, hidden_units=(8, 4), dropout=0.0)
NUM_ROWS = 2_048


def test_without_tf_config_there_is_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    workers = Workers.from_environment()
    assert (workers.count, workers.is_chief) == (1, True)


@pytest.mark.parametrize(
    ("use_all", "gpus", "count"), [(True, 1, 1), (False, 2, 1), (True, 2, 2)]
)
def test_several_gpus_of_a_machine_train_together(
    use_all: bool, gpus: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    devices = [SimpleNamespace(name=f"/GPU:{index}") for index in range(gpus)]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: devices)
    asked: list[list[str]] = []

    def mirrored(names: list[str]) -> SimpleNamespace:
        asked.append(names)
        return SimpleNamespace(num_replicas_in_sync=len(names))

    monkeypatch.setattr(tf.distribute, "MirroredStrategy", mirrored)
    assert Workers.from_environment(use_all_gpus=use_all).count == count
    assert asked == ([["/GPU:0", "/GPU:1"]] if count == 2 else [])


def test_memory_of_gpus_grows_and_products_are_exact() -> None:
    code = f"import models, os; print(*map(os.environ.get, {GPU_SETTINGS}))"
    plain = {k: v for k, v in os.environ.items() if k not in GPU_SETTINGS}
    for given, expected in (({}, "true 0"), ({"NVIDIA_TF32_OVERRIDE": "1"}, "true 1")):
        found = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**plain, **given},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == expected


def test_a_cluster_of_one_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        "cluster": {"worker": ["localhost:1"]},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert Workers.from_environment().count == 1


def test_parameter_servers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"worker": ["a:1", "b:1"], "ps": ["c:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster}))
    with pytest.raises(ConfigError, match="names ps, worker; .*docs/how-to/scale.md"):
        Workers.from_environment()


def _two_processes(inputs: LevelInputs, folder: Path) -> None:
    _run_workers(inputs, folder)


def _two_devices(inputs: LevelInputs, folder: Path) -> None:
    path = folder / "inputs.json"
    path.write_text(inputs.model_dump_json())
    subprocess.run(
        [sys.executable, "-c", TWO_DEVICES + CHIEF, str(path)],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "TF_CONFIG"},
        check=True,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize("train", [_two_processes, _two_devices])
@pytest.mark.parametrize(
    ("level", "losses_within"),
    [
        # Without BatchNorm the two differ by rounding alone.
        pytest.param("tpm", 1e-4, id="tpm"),
        # On the way a worker's BatchNorm sees half a batch.
        pytest.param("target", 5e-2, id="target"),
    ],
)
def test_two_workers_give_what_one_process_gives(
    level: Literal["tpm", "target"],
    losses_within: float,
    train: Callable[[LevelInputs, Path], None],
    features: FeatureTable,
    vocabulary: Path,
    transform_graph: Path,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> None:
    rows = make_rows(NUM_ROWS)
    # Users differ in how often they click, so that there is something to learn.
    chance = 0.1 + 0.08 * rows["user_id"]
    labels = (np.random.default_rng(1).random(NUM_ROWS) < chance).astype(int)
    write_shard({**rows, "label": labels, "day": np.full(NUM_ROWS, 5)})

    def inputs(name: str) -> LevelInputs:
        return LevelInputs(
            level=level,
            domains=("de",),
            first_day=5,
            last_day=5,
            features=features,
            network=NETWORK,
            training=TrainingConfig(batch_size=256, min_steps_per_pass=0, epochs=6),
            examples=(str(tmp_path / "de" / "*"),),
            transform_graph=transform_graph,
            vocabulary=vocabulary,
            serving_dir=tmp_path / name / "Format-Serving",
            train_dir=tmp_path / name / "Format-Train",
            run_dir=tmp_path / name / "logs",
        )

    one = run_level(inputs("one"))
    train(inputs("two"), tmp_path)
    two = json.loads((tmp_path / "two" / "Format-Train" / "report.json").read_text())
    assert two["steps"] == one.steps == 6 * 8
    np.testing.assert_allclose(two["losses"], one.losses, atol=losses_within)
    assert two["losses"][-1] == pytest.approx(one.losses[-1], abs=1e-2)
    assert one.losses[-1] < one.losses[0] - 1e-2
    reader = ExampleReader([str(tmp_path / "de" / "*")], features, 5, 5)
    scores = [
        _log_loss(tmp_path / name, level, features, reader) for name in ("one", "two")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-2)
    served = tf.saved_model.load(str(tmp_path / "two" / "Format-Serving"))
    assert set(served.signatures) == {
        "serving_default",
        "predict",
        "rank",
        "transform_features",
    }


def _run_workers(inputs: LevelInputs, folder: Path) -> None:
    path = folder / "inputs.json"
    path.write_text(inputs.model_dump_json())
    addresses = [f"localhost:{free_port()}" for _ in range(2)]
    processes = []
    for index in range(2):
        config = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": index},
        }
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(config),
        }
        role = ["-c", CHIEF] if index == 0 else ["-m", "pipeline", "worker"]
        processes.append(
            subprocess.Popen(
                [sys.executable, *role, str(path)],
                cwd=ROOT,
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        for process in processes:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes:
            process.kill()


def _log_loss(
    model: Path, level: str, features: FeatureTable, reader: ExampleReader
) -> float:
    network = (TinyModel if level == "tpm" else Backbone)(features, NETWORK)
    for name, variable in network.named_variables().items():
        size = variable.shape[0]
        ((_, values),) = read_rows(model / "Format-Train" / "weights", name, size)
        variable.assign(values)
    (batch,) = reader.batches(batch_size=NUM_ROWS, shuffle_rows=NUM_ROWS, seed=1)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(batch.labels, network(batch.rows))
    return float(tf.reduce_mean(losses))
