"""Worker process of a distributed training; `crossctr worker` runs it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from models.artifact_files import INPUTS_FILE
from models.errors import ConfigError
from models.errors import DataError
from models.training.distribution import is_further_worker
from models.training.level import run_level
from models.training.level_inputs import LevelInputs


def train_with_chief(path: Path) -> None:
    """Trains a level together with the chief, which alone writes the model.

    Args:
        path: File of the level's inputs, `INPUTS_FILE` of `models.artifact_files`,
            which the chief writes into its model artifact before it waits for the
            workers.

    Raises:
        ConfigError: TF_CONFIG does not make this process a further worker.
        DataError: The file does not contain a level's inputs.
    """
    if not is_further_worker():
        raise ConfigError(
            "TF_CONFIG does not make this process a further worker, and alone it would "
            "write over the chief's model; set it to the chief's `cluster` and a "
            "`task` of type worker with an index from 1 on, see docs/how-to/scale.md"
        )
    try:
        inputs = LevelInputs.model_validate_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValidationError) as error:
        raise DataError(
            f"{path} is not a level's inputs; expected the {INPUTS_FILE} that the "
            "chief wrote into its model artifact, by the same release of crossctr"
        ) from error
    run_level(inputs)
