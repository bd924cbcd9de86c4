"""Trials of FuxiCTR's DCN-v2; prints one line of JSON: `fuxictr_child.py TRIALS.json`.

The file is `benchmarks.dcn_trials`'s. The network is put together from FuxiCTR's layers
on its base class, as its model zoo does, which the package leaves out: cross layers
stacked under the MLP. A step is the base class's own: Adam over all parameters,
gradients clipped at a norm of 10. Columns of values enter as its numeric features.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.layers import CrossNetV2
from fuxictr.pytorch.layers import FeatureEmbedding
from fuxictr.pytorch.layers import MLP_Block
from fuxictr.pytorch.models import BaseModel
from fuxictr.pytorch.torch_utils import seed_everything

_LABEL = "label"
_SCORED_ROWS = 8_192
# FuxiCTR's default.
_MOST_GRADIENT_NORM = 10.0


class DCNv2(BaseModel):
    """FuxiCTR's layers in the stacked form of DCN-V2."""

    def __init__(self, feature_map: Any, network: dict[str, Any], rate: float) -> None:
        super().__init__(
            feature_map, model_id="DCNv2", metrics=["AUC"], verbose=0, model_root="."
        )
        self._max_gradient_norm = _MOST_GRADIENT_NORM
        self.embedding_layer = FeatureEmbedding(feature_map, network["width"])
        width = feature_map.sum_emb_out_dim()
        self.crossnet = CrossNetV2(width, network["cross_layers"])
        self.stacked_dnn = MLP_Block(
            input_dim=width,
            hidden_units=list(network["hidden_units"]),
            dropout_rates=network["dropout"],
            batch_norm=network["batch_norm"],
        )
        self.fc = torch.nn.Linear(network["hidden_units"][-1], 1)
        self.compile("adam", "binary_crossentropy", rate)
        self.reset_parameters()
        self.model_to_device()

    def forward(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Returns probabilities of shape (B, 1)."""
        embedded = self.embedding_layer(self.get_inputs(inputs), flatten_emb=True)
        hidden = self.stacked_dnn(self.crossnet(embedded))
        return {"y_pred": self.output_activation(self.fc(hidden))}


def feature_map_of(
    rows: common.Rows, tables: dict[str, dict[str, Any]], width: int
) -> Any:
    """Describes the columns in FuxiCTR's way.

    Row 0 is padding in every table; lists are pooled to the mean of the others, and
    columns of one table share its embedding.
    """
    feature_map = FeatureMap("impressions", ".")
    feature_map.labels = [_LABEL]
    feature_map.default_emb_dim = width
    owners: dict[str, str] = {}
    for name, values in rows.ids.items():
        table = tables[name]["table"]
        about = {"vocab_size": tables[name]["rows"], "padding_idx": 0}
        if values.ndim > 1:
            about |= {"type": "sequence", "max_len": values.shape[1]}
            about["feature_encoder"] = "layers.MaskedAveragePooling()"
        else:
            about["type"] = "categorical"
        if table in owners:
            about["share_embedding"] = owners[table]
        else:
            owners[table] = name
        feature_map.features[name] = about
    for name, values in rows.numbers.items():
        if values.ndim == 1:
            feature_map.features[name] = {"type": "numeric"}
        else:
            size = values.shape[1]
            about = {"type": "embedding", "pretrain_dim": size, "embedding_dim": width}
            feature_map.features[name] = about
    feature_map.num_fields = feature_map.get_num_fields()
    return feature_map


def _batches(
    rows: common.Rows, order: Any, batch_size: int
) -> Iterator[dict[str, Any]]:
    """Yields whole batches; a last one of few rows would upset BatchNorm."""
    tensors = {name: torch.from_numpy(values) for name, values in rows.inputs.items()}
    tensors[_LABEL] = torch.from_numpy(rows.labels)
    order = torch.from_numpy(order)
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        yield {name: values[chosen] for name, values in tensors.items()}


def _scores(model: DCNv2, rows: common.Rows) -> Any:
    model.eval()
    order = np.arange(len(rows))
    parts = []
    with torch.no_grad():
        for start in range(0, len(rows), _SCORED_ROWS):
            part = rows.take(order[start : start + _SCORED_ROWS])
            batch = {n: torch.from_numpy(v) for n, v in part.inputs.items()}
            parts.append(model(batch)["y_pred"].numpy().ravel())
    return np.concatenate(parts)


def main(path: Path) -> None:
    """Runs the trials and prints the AUC after each pass."""
    spec = json.loads(path.read_text(encoding="utf-8"))
    fit, scored = (common.read(spec["files"], *spec[k]) for k in ("fit", "score"))
    width = spec["network"]["width"]
    results = []
    for number, trial in enumerate(spec["trials"]):
        seed_everything(trial["seed"])
        feature_map = feature_map_of(fit, spec["tables"], width)
        (rate,) = trial["rates"]
        model = DCNv2(feature_map, spec["network"], rate)
        rng = np.random.default_rng(trial["seed"])
        aucs, started = [], time.process_time()
        for _ in range(trial["passes"]):
            model.train()
            order = rng.permutation(len(fit))
            for batch in _batches(fit, order, trial["batch_size"]):
                model.train_step(batch)
            scores = _scores(model, scored)
            aucs.append(common.auc(scored.labels, scores))
        if spec.get("scores"):
            np.save(f"{spec['scores']}-{number}.npy", scores)
        seconds = time.process_time() - started
        results.append({"auc": aucs, "cpu_seconds": seconds})
    print(json.dumps({"trials": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
