"""One epoch of training the network in plain PyTorch; prints one line of JSON.

    python torch_child.py FOLDER BATCH_SIZE DENSE_RATE TABLE_RATE OPTIMIZER

Embeddings are `sparse=True`, so that a step touches the table rows of its batch only;
OPTIMIZER updates them: `adagrad`, with the initial accumulator of `build_optimizer`, or
`sparse_adam`. Adam updates the rest. Impressions lie in memory as tensors, shuffled
before the clock starts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch

_INITIAL_ACCUMULATOR = 0.01
_TABLE_STDDEV = 0.001
_SCORED_ROWS = 8_192


class Network(torch.nn.Module):
    """Embeddings and an MLP with BatchNorm."""

    def __init__(self, tables: dict[str, dict[str, Any]]) -> None:
        super().__init__()
        self.tables = torch.nn.ModuleDict(
            {
                name: torch.nn.Embedding(about["rows"], common.WIDTH, sparse=True)
                for name, about in tables.items()
            }
        )
        for table in self.tables.values():
            torch.nn.init.normal_(table.weight, std=_TABLE_STDDEV)
        parts: list[Any] = []
        width = len(tables) * common.WIDTH
        for units in common.HIDDEN_UNITS:
            # BatchNorm's shift replaces the bias.
            dense = torch.nn.Linear(width, units, bias=False)
            torch.nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
            parts += [dense, torch.nn.BatchNorm1d(units), torch.nn.ReLU()]
            width = units
        self.mlp = torch.nn.Sequential(*parts, torch.nn.Linear(width, 1))

    def forward(self, rows: dict[str, Any]) -> Any:
        """Returns logits of shape (B,)."""
        embedded = [table(rows[name]) for name, table in self.tables.items()]
        return self.mlp(torch.cat(embedded, dim=1)).squeeze(1)


def optimizers_of(network: Network, dense: float, table: float, kind: str) -> list[Any]:
    """Returns the optimizers of the tables and of the rest."""
    tables = list(network.tables.parameters())
    if kind == "adagrad":
        sparse: Any = torch.optim.Adagrad(
            tables, lr=table, initial_accumulator_value=_INITIAL_ACCUMULATOR
        )
    else:
        sparse = torch.optim.SparseAdam(tables, lr=table)
    return [sparse, torch.optim.Adam(network.mlp.parameters(), lr=dense)]


def main(folder: Path, batch_size: int, dense: float, table: float, kind: str) -> None:
    """Trains and prints the result."""
    torch.manual_seed(1)
    network = Network(common.columns(folder))
    optimizers = optimizers_of(network, dense, table, kind)
    loss_of = torch.nn.BCEWithLogitsLoss()
    rows = common.load(folder, "train")
    rows = rows.take(np.random.default_rng(1).permutation(len(rows)))
    tensors = {name: torch.from_numpy(values) for name, values in rows.ids.items()}
    labels = torch.from_numpy(rows.labels)
    clock = common.Clock()
    for start in range(0, len(rows) - batch_size + 1, batch_size):
        part = slice(start, start + batch_size)
        for optimizer in optimizers:
            optimizer.zero_grad()
        logits = network({name: values[part] for name, values in tensors.items()})
        loss_of(logits, labels[part]).backward()
        for optimizer in optimizers:
            optimizer.step()
        clock.batch(batch_size)
    clock.stop()
    held_out = common.load(folder, "held_out")
    inputs = {name: torch.from_numpy(v) for name, v in held_out.ids.items()}
    network.eval()
    with torch.no_grad():
        scores = [
            network({n: v[i : i + _SCORED_ROWS] for n, v in inputs.items()})
            for i in range(0, len(held_out), _SCORED_ROWS)
        ]
    print(clock.result(common.auc(held_out.labels, torch.cat(scores).numpy())))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        float(sys.argv[3]),
        float(sys.argv[4]),
        sys.argv[5],
    )
