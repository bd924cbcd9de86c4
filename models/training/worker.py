"""A further process of a training of several workers.

    TF_CONFIG='{"cluster": {"worker": [...]}, "task": {"type": "worker", "index": 1}}' \
        python -m models.training.worker INPUTS.json

`INPUTS.json` is the level's `inputs.json`, which the chief writes into its `train_dir`
before it waits for the others.
"""

from __future__ import annotations

import sys
from pathlib import Path

from models.training.level import run_level
from models.training.level_inputs import LevelInputs


def main() -> None:
    """Trains the level; only the chief writes anything."""
    run_level(LevelInputs.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))


if __name__ == "__main__":
    main()
