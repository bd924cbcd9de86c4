"""Batch size of a training: smaller where a pass would have too few steps.

Few impressions in batches of the configured size are few optimizer steps, after which
weights are still close to their random start. So a pass over few impressions has
smaller batches, down to `LEAST_BATCH`:

`batch = min(batch_size, max(LEAST_BATCH, impressions // min_steps_per_pass))`

The impressions are those that batches are counted by: for CCTL the target's, which
source impressions stand beside; else all of the window.

A training that continues a model keeps at least that model's batch size: the steps of a
day are then those that the same impressions take in a replay of the window, and the
few of a quiet day are not learned by heart in a hundred steps.
"""

from __future__ import annotations

from models.settings import TrainingConfig

# Below, BatchNorm's statistics of a batch are mostly noise (our choice).
LEAST_BATCH = 16


def fitted(
    training: TrainingConfig, num_rows: int, former: int | None = None
) -> TrainingConfig:
    """Returns the settings with the batch size for a pass of `num_rows` impressions.

    Args:
        training: The settings; `min_steps_per_pass` 0 keeps them as they are.
        num_rows: Impressions that a pass has batches of.
        former: Batch size of the model that is continued; None for a training that
            starts anew.

    Example:
        >>> training = TrainingConfig(batch_size=512, min_steps_per_pass=100)
        >>> fitted(training, 15_900).batch_size, fitted(training, 80_000).batch_size
        (159, 512)
        >>> fitted(training, 350, former=159).batch_size
        159
    """
    if not training.min_steps_per_pass:
        return training
    size = max(former or LEAST_BATCH, num_rows // training.min_steps_per_pass)
    if size >= training.batch_size:
        return training
    return training.model_copy(update={"batch_size": size})
