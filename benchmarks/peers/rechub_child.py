"""One epoch of training the network with torch-rechub; prints one line of JSON.

    python benchmarks/peers/rechub_child.py FOLDER BATCH_SIZE RATE [own_loader]

Rows lie in memory as tensors and arrive in ready batches; with `own_loader` through the
library's DataGenerator, as its examples do, which calls Python per row. Weight decay is
off; Adam is the default of its trainer.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from torch_rechub.basic.features import SparseFeature
from torch_rechub.basic.layers import MLP
from torch_rechub.basic.layers import EmbeddingLayer
from torch_rechub.trainers import CTRTrainer
from torch_rechub.utils.data import DataGenerator


class _Network(torch.nn.Module):
    """Embeddings and the library's MLP, as its models are put together."""

    def __init__(self, features: list[SparseFeature]) -> None:
        super().__init__()
        self.features = features
        self.embedding = EmbeddingLayer(features)
        self.mlp = MLP(len(features) * common.WIDTH, dims=list(common.HIDDEN_UNITS))

    def forward(self, rows: dict[str, Any]) -> Any:
        """Returns probabilities of shape (B,)."""
        embedded = self.embedding(rows, self.features, squeeze_dim=True)
        return torch.sigmoid(self.mlp(embedded).squeeze(1))


class _Counted:
    """Batches of a loader; the clock is told of each when the next one is asked for."""

    def __init__(self, loader: Any, clock: common.Clock) -> None:
        self._loader = loader
        self._clock = clock

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        for rows, labels in self._loader:
            yield rows, labels
            self._clock.batch(len(labels))


class _Batches:
    """Ready batches."""

    def __init__(self, rows: dict[str, Any], labels: Any, batch_size: int) -> None:
        self._rows = rows
        self._labels = labels
        self._batch_size = batch_size

    def __len__(self) -> int:
        return len(self._labels) // self._batch_size

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        for index in range(len(self)):
            part = slice(index * self._batch_size, (index + 1) * self._batch_size)
            yield {n: r[part] for n, r in self._rows.items()}, self._labels[part]


def main(folder: Path, batch_size: int, rate: float, own_loader: bool) -> None:
    """Trains and prints the result."""
    torch.manual_seed(1)
    network = _Network(
        [
            SparseFeature(name, vocab_size=about["rows"], embed_dim=common.WIDTH)
            for name, about in common.columns(folder).items()
        ]
    )
    trainer = CTRTrainer(
        network, optimizer_params={"lr": rate, "weight_decay": 0.0}, n_epoch=1
    )
    rows = common.load(folder, "train")
    rows = rows.take(np.random.default_rng(1).permutation(len(rows)))
    tensors = {name: torch.from_numpy(values) for name, values in rows.ids.items()}
    labels = torch.from_numpy(rows.labels)
    clock = common.Clock()
    if own_loader:
        generator = DataGenerator(tensors, labels)
        loader, _, _ = generator.generate_dataloader(batch_size=batch_size)
    else:
        loader = _Batches(tensors, labels, batch_size)
    with contextlib.redirect_stderr(io.StringIO()):
        trainer.train_one_epoch(_Counted(loader, clock))
    clock.stop()
    held_out = common.load(folder, "held_out")
    network.eval()
    with torch.no_grad():
        scores = network({n: torch.from_numpy(v) for n, v in held_out.ids.items()})
    print(clock.result(common.auc(held_out.labels, scores.numpy())))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        float(sys.argv[3]),
        "own_loader" in sys.argv[4:],
    )
