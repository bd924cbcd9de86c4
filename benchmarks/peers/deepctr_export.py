"""Exports DeepCTR's DCN with random weights: `deepctr_export.py FIELDS.json FOLDER`.

Fields map names to ids. Raw strings go in, hashed by DeepCTR itself (`use_hash`), so
that both sides turn a request of strings into probabilities.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from deepctr.feature_column import SparseFeat
from deepctr.models import DCN


def main(about: Path, folder: Path) -> None:
    """Builds the network and writes its SavedModel."""
    content = json.loads(about.read_text(encoding="utf-8"))
    columns = [
        SparseFeat(name, rows, content["width"], use_hash=True, dtype="string")
        for name, rows in content["fields"].items()
    ]
    model = DCN(
        columns,
        columns,
        cross_num=content["cross_layers"],
        cross_parameterization="matrix",
        dnn_hidden_units=content["hidden_units"],
        dnn_use_bn=True,
    )
    model.predict({name: np.array(["a"]) for name in content["fields"]}, verbose=0)
    model.save(str(folder), save_format="tf", include_optimizer=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
