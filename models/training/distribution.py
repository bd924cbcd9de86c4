"""Distributed training: several processes or several GPUs train one network.

TF_CONFIG names the processes; without it, a machine with several GPUs uses them all.
Every worker, a process or a GPU, reads the same batches in the same order and trains on
its share of each, impressions `rank, rank + n, rank + 2n, ...`; gradients are summed
over the workers. All workers take the same number of steps, whatever the files, and the
result is that of a single process, except for dropout and BatchNorm statistics, which
are per worker (our choice).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.networks.network import Network
from models.training.cluster import read_cluster

_STATISTICS = ("/moving_mean", "/moving_variance")


def is_further_worker() -> bool:
    """Whether TF_CONFIG makes this process a worker other than the chief.

    Raises:
        ConfigError: TF_CONFIG cannot be used.
    """
    cluster = read_cluster()
    return cluster.size > 1 and not cluster.is_chief


class Workers:
    """Processes or GPUs that train together; often a single one.

    Attributes:
        count: Number of workers, processes or GPUs.
        is_chief: Whether this process writes the model; true for worker 0.
        strategy: `MultiWorkerMirroredStrategy`, `MirroredStrategy`, or TensorFlow's
            default.
    """

    def __init__(self, strategy: Any = None, rank: int = 0) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        self.count = self.strategy.num_replicas_in_sync
        self.is_chief = rank == 0

    @classmethod
    def from_environment(
        cls, invite: Callable[[], None] = lambda: None, *, use_all_gpus: bool = True
    ) -> Workers:
        """Joins the workers named by TF_CONFIG and waits until all have started.

        Args:
            invite: Called by the chief before it waits.
            use_all_gpus: Whether several GPUs of this machine, if it has them, train
                together when TF_CONFIG names no other worker.

        Raises:
            ConfigError: TF_CONFIG cannot be used, or names roles other than workers.
        """
        cluster = read_cluster()
        if cluster.size < 2:
            gpus = tf.config.list_logical_devices("GPU") if use_all_gpus else []
            if len(gpus) < 2:
                return cls()
            return cls(tf.distribute.MirroredStrategy([gpu.name for gpu in gpus]))
        if cluster.is_chief:
            invite()
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return cls(strategy, rank=0 if cluster.is_chief else 1)

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which variables are created."""
        context: contextlib.AbstractContextManager[Any] = self.strategy.scope()
        return context

    def local(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Returns this process's own copies of the variables."""
        if self.count == 1:
            return dict(variables)
        results = self.strategy.experimental_local_results
        return {name: results(variable)[0] for name, variable in variables.items()}

    def summary_writer(self, folder: Path) -> Any:
        """Returns TensorBoard's writer; a no-op except on the chief."""
        if not self.is_chief:
            return tf.summary.create_noop_writer()
        return tf.summary.create_file_writer(str(folder))

    def gather(self, network: Network, build: Callable[[], Network]) -> Network:
        """Returns a single-process copy of the network, for export.

        Args:
            network: The trained network.
            build: Returns a network of the same shape.
        """
        if self.count == 1:
            return network
        local = self.local(network.named_variables())
        for name, variable in local.items():
            if name.endswith(_STATISTICS):
                variable.assign(self._mean(variable))
        plain = build()
        for name, variable in plain.named_variables().items():
            variable.assign(local[name])
        return plain

    def spread_statistics(self, local: Network, network: Network) -> None:
        """Copies running statistics from a `gather`ed copy into the trained network."""
        if self.count == 1:
            return
        trained = network.named_variables()
        for name, variable in local.named_variables().items():
            if name.endswith(_STATISTICS):
                trained[name].assign(variable.read_value())

    def _mean(self, variable: Any) -> Any:
        @tf.function
        def mean() -> Any:
            def own() -> Any:
                return tf.distribute.get_replica_context().all_reduce(
                    tf.distribute.ReduceOp.MEAN, variable.read_value()
                )

            return self.strategy.run(own)

        return self.strategy.experimental_local_results(mean())[0]
