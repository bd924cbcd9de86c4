"""`crossctr worker`: an additional process of a training with several workers."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import Command


@click.command(
    name="worker",
    cls=Command,
    example="crossctr worker inputs.json",
)
@click.argument(
    "inputs",
    metavar="INPUTS.json",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def worker_command(inputs: Path) -> None:
    """Train one level together with the chief that TF_CONFIG names.

    INPUTS.json is the level's `inputs.json`, which the chief writes into its model
    artifact before it waits for the workers. Workers write nothing.
    """
    # Late, as TensorFlow takes seconds.
    from models.training.worker import train_with_chief

    train_with_chief(inputs)
